"""What reaches the terminal: control characters made visible, tables, JSON. Apart, so that commands print alike."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

import click

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Text with control, escape and bidirectional override characters written out; newline and tab stay."""
    return _CONTROL.sub(lambda hit: f"\\x{ord(hit[0]):02x}" if ord(hit[0]) < 256 else f"\\u{ord(hit[0]):04x}", text)


def emit_json(value: object) -> None:
    """One JSON document on stdout; what is no JSON type is written as text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], limit: int = 80) -> str:
    """Columns side by side, two spaces apart; a cell shows one line of at most ``limit`` characters."""
    cells = [[_cell(value, limit) for value in row] for row in rows]
    widths = [max([_width(name), *(_width(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    lines = [list(columns), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(_pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cell(value: object, limit: int) -> str:
    text = plain("" if value is None else str(value)).replace("\n", "⏎").replace("\t", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
