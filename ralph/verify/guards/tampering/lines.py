"""Comments and code lines of a text, whatever the language."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

Comment = tuple[int, str]
"""Line and text of a comment."""

_MARKED = re.compile(
    r"eslint-disable|@ts-|istanbul|c8 |v8 ignore|nolint|prettier-ignore|biome-ignore|noinspection|NOSONAR"
)


def python_comments(text: str) -> list[Comment]:
    """Comments of a Python file by its tokens; what follows an error in it is left out."""
    found: list[Comment] = []
    if "#" not in text:
        return found
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found.append((token.start[0], token.string))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return found
    return found


def code_of(text: str, line: int) -> str:
    """The code on a line, without its comment and spaces."""
    rows = text.split("\n")
    row = rows[line - 1] if 0 < line <= len(rows) else ""
    return re.sub(r"\s+", "", re.split(r"#|//|/\*", row, maxsplit=1)[0])


def changed_lines(old: str | None, new: str) -> set[int]:
    """Numbers of the lines that the new text has and the old one had not, by content."""
    before = set((old or "").split("\n"))
    return {at for at, row in enumerate(new.split("\n"), start=1) if row not in before}


def rows(text: str) -> Iterator[tuple[int, str]]:
    yield from enumerate(text.split("\n"), start=1)
