"""Sentences: which part is meant, in words that are true in the picture and needed to tell it from its like."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from motion4d.data.articulated.furniture import Movable
from motion4d.data.procedural.draws import happens

# the first verb is the usual one
VERBS = {
    "door": ("open", "pull open", "swing open"),
    "drawer": ("open", "pull out", "slide out"),
    "lid": ("lift", "open", "raise"),
    "knob": ("turn", "rotate", "twist"),
    "button": ("press", "push"),
    "oven door": ("open", "pull down"),
}
NOUNS = tuple(VERBS)  # the order is the category of a part
_ROWS = {"top": "upper", "middle": "middle", "bottom": "lower"}


def sentence(rng: Generator, movables: Sequence[Movable], target: int, synonym_share: float) -> str:
    """Such as "open the top left drawer"; synonym_share: how often in other words."""
    part = movables[target]
    alike = [movable for movable in movables if movable.noun == part.noun]
    row = _place(part.row, {movable.row for movable in alike}, ("top", "middle", "bottom"))
    column = _place(part.column, {movable.column for movable in alike}, ("left", "middle", "right"))
    verb = VERBS[part.noun][0]
    if happens(rng, synonym_share):
        verb = VERBS[part.noun][int(rng.integers(len(VERBS[part.noun])))]
        row = _ROWS.get(row, row) if happens(rng, 0.5) else row
    where = [word for word in (row, column) if word]
    if where == ["middle", "middle"]:
        where = ["center"]
    return " ".join([verb, "the", *where, part.noun])


def _place(place: int, places: set[int], words: tuple[str, str, str]) -> str:
    """The word for one of up to three places; nothing where there is only one."""
    if len(places) == 1:
        return ""
    order = sorted(places).index(place)
    return words[order] if len(places) == 3 else words[2 * order]
