"""Tables as text; apart from output.py, because `ralph status` must not wait for click."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from ralph.core.inert import visible


def columns(names: Sequence[str], rows: Iterable[Sequence[object]], limit: int = 80) -> str:
    """Columns side by side, two spaces apart; a cell shows one line of at most ``limit`` characters."""
    cells = [[_cell(value, limit) for value in row] for row in rows]
    widths = [max([_width(name), *(_width(row[i]) for row in cells)]) for i, name in enumerate(names)]
    lines = [list(names), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(_pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cell(value: object, limit: int) -> str:
    text = visible("" if value is None else str(value)).replace("\n", "⏎").replace("\t", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
