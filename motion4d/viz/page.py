"""A report as one HTML file that can be mailed: tables, sentences and pictures inside, no script.

Pictures are embedded as JPEG, at most `WIDTH` pixels wide. All text is escaped.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from motion4d.io.files import write_text
from motion4d.io.images import read_image

WIDTH = 1200
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --shade: #8881; --good: #2a7d46; --bad: #c0392b; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 90rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-bottom-width: 2px; white-space: nowrap; }
td.number, th.number { text-align: right; }
td.best { font-weight: 700; color: var(--good); }
tr.cited { background: var(--shade); font-style: italic; }
tr.failed td { color: var(--bad); }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; display: block; }
figcaption { color: #888; font-size: .85rem; }
""".strip()


@dataclass(frozen=True)
class Line:
    """One row of a table. kind: "" for a result, "cited" for somebody else's, "failed" for what broke."""

    cells: Mapping[str, Any]
    kind: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, and below it sentences, a table and pictures (caption -> file).

    higher, lower: columns of the table whose largest or smallest value among the results is marked.
    """

    heading: str
    sentences: Sequence[str] = ()
    lines: Sequence[Line] = ()
    pictures: Mapping[str, Path] = field(default_factory=dict)
    higher: Sequence[str] = ()
    lower: Sequence[str] = ()


def write_page(path: str | Path, title: str, sections: Sequence[Section]) -> None:
    """Write the page, atomically. A ValueError names a picture that cannot be read."""
    body = "\n".join(_section(section) for section in sections)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
    write_text(
        path,
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>\n{_STYLE}\n</style></head>\n'
        f"<body><h1>{_text(title)}</h1>\n{body}\n</body></html>\n",
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{_text(section.heading)}</h2>"]
    parts += [f"<p>{_text(sentence)}</p>" for sentence in section.sentences]
    if section.lines:
        parts.append(_table(section.lines, section.higher, section.lower))
    parts += [_figure(caption, file) for caption, file in section.pictures.items()]
    return "\n".join(parts)


def _table(lines: Sequence[Line], higher: Sequence[str], lower: Sequence[str]) -> str:
    names = list(dict.fromkeys(name for line in lines for name in line.cells))
    numeric = {name for name in names if all(_is_number(line.cells.get(name)) for line in lines)}
    best = {name: _best(lines, name, max) for name in higher} | {name: _best(lines, name, min) for name in lower}
    head = "".join(f"<th{_class('number' if name in numeric else '')}>{_text(name)}</th>" for name in names)
    rows = []
    for line in lines:
        cells = []
        for name in names:
            value = line.cells.get(name)
            is_best = not line.kind and value is not None and value == best.get(name)
            classes = " ".join(word for word, holds in (("number", name in numeric), ("best", is_best)) if holds)
            cells.append(f"<td{_class(classes)}>{_text(value)}</td>")
        rows.append(f"<tr{_class(line.kind)}>{''.join(cells)}</tr>")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _best(lines: Sequence[Line], name: str, pick: Callable[[list[float]], float]) -> float | None:
    """The best value among two results or more; a single one has nothing to be better than."""
    values = [line.cells[name] for line in lines if not line.kind and line.cells.get(name) is not None]
    return pick(values) if len(values) > 1 else None


def _figure(caption: str, file: Path) -> str:
    picture = Image.fromarray(read_image(file))
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    size = f'width="{picture.width}" height="{picture.height}"'
    image = f'<img {size} alt="{_text(caption)}" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{image}<figcaption>{_text(caption)}</figcaption></figure>"


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return html.escape(f"{value:.3f}" if isinstance(value, float) else str(value))


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
