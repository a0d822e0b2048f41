"""The same source in other words: a test that tells a change by its text, its length or its hash is no proof of it."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import PurePosixPath

_MARK = {".py": "#"} | dict.fromkeys((".js", ".jsx", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx"), "//")
_MARK |= dict.fromkeys((".go", ".rs", ".java"), "//")
_TOLD = "the same in other words"
_KEPT = re.compile(rb"#.*?coding[:=]|#!|#\s*(?:type:|distutils:|cython:)")
"""Comments that say something to a program."""


def retold(data: bytes, path: str) -> bytes | None:
    """``data`` with a comment at its end and, in Python, none elsewhere; each line keeps its number.

    None where that might change what it does.
    """
    mark = _MARK.get(PurePosixPath(path).suffix)
    if mark is None:
        return None
    plain = _without_comments(data) if mark == "#" else data
    if plain is None:
        return None
    ending = b"" if plain.endswith(b"\n") or not plain else b"\n"
    return plain + ending + f"{mark} {_TOLD}\n".encode()


def _without_comments(data: bytes) -> bytes | None:
    """None where Python can't read it, or lines don't end as ``tokenize`` counts them."""
    lines = data.split(b"\n")
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(data).readline))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for token in reversed(tokens):
        if token.type == tokenize.COMMENT and not _KEPT.match(token.string.encode()):
            row = token.start[0] - 1
            text = lines[row].decode("utf-8", "surrogateescape")
            at = text.find(token.string, token.start[1])
            if at < 0:
                return None
            rest = text[at + len(token.string) :]
            lines[row] = (text[:at].rstrip(" \t") + rest).encode("utf-8", "surrogateescape")
    return b"\n".join(lines)
