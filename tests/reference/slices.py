"""Numpy index text such as "[:, ::2, [0, 3]]" -> an index, without evaluating anything."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np


def parse_index(text: str) -> tuple[Any, ...]:
    """The index that `array[...]` would get; integers, slices, '...', None and (nested) lists of integers only."""
    try:
        tree = ast.parse("x" + text.strip(), mode="eval").body
    except SyntaxError:
        raise ValueError(f"slice {text!r} is not numpy index text such as '[:, ::2]'") from None
    if not (isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name)):
        raise ValueError(f"slice {text!r} is not one pair of brackets such as '[:, ::2]'")
    parts = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    return tuple(_part(part, text) for part in parts)


def _part(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Slice):
        bounds = (node.lower, node.upper, node.step)
        return slice(*(None if bound is None else _integer(bound, text) for bound in bounds))
    if isinstance(node, ast.Constant) and (node.value is None or node.value is Ellipsis):
        return node.value
    if isinstance(node, ast.List):
        return np.array(_nested(node, text))
    return _integer(node, text)


def _nested(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.List):
        return [_nested(item, text) for item in node.elts]
    return _integer(node, text)


def _integer(node: ast.expr, text: str) -> int:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return sign * node.value
    raise ValueError(f"slice {text!r} may hold integers, ':', '...', None and lists of integers, nothing else")
