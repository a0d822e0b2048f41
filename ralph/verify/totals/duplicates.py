"""Blocks of equal lines that a change brought in a second time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

LINES = 6
"""Equal lines in a row that count as a copy, blank ones and pure punctuation left out."""


def blocks(texts: Iterable[tuple[str, str]]) -> dict[int, list[tuple[str, int]]]:
    """Per digest of ``LINES`` lines where it occurs: (path, line)."""
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for path, text in texts:
        lines = _lines(text)
        for at in range(len(lines) - LINES + 1):
            found[hash(tuple(line for _, line in lines[at : at + LINES]))].append((path, lines[at][0]))
    return found


def added(old: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    """Places in ``new`` where a copy begins that ``old`` did not have; adjoining ones once."""
    before, after = blocks(old), blocks(new)
    places = sorted(
        place
        for digest, where in after.items()
        if len(where) > max(1, len(before.get(digest, ())))
        for place in where[1:]
    )
    first: list[tuple[str, int]] = []
    last = ("", -LINES)
    for place in places:
        if place[0] != last[0] or place[1] - last[1] > LINES:
            first.append(place)
        last = place
    return first


def _lines(text: str) -> list[tuple[int, str]]:
    plain = ((number, " ".join(line.split())) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in plain if any(sign.isalnum() for sign in line) and not _is_import(line)]


def _is_import(line: str) -> bool:
    return line.startswith(("import ", "from ", "use ", "#include ", "package "))
