"""The same source in other words: a test that tells a change by its text, its length or its hash is no proof of it."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import PurePosixPath

from ralph.verify.guards.tampering.files import TREES

_TOLD = "the same in other words"
_KEPT = re.compile(r"#.*?coding[:=]|#!|#\s*(?:type:|distutils:|cython:)")
_KEPT_THERE = re.compile(rb"///|//!|/\*[*!]|(?://|/\*)\s*(?:[@#+]|go:|line |export |eslint|istanbul|c8|webpack|jsx)")
"""Comments that say something to a program, or are examples that run."""


def retold(data: bytes, path: str) -> bytes | None:
    """``data`` with a comment at its end and, as far as it can be read, none elsewhere; each line keeps its number.

    None where that might change what it does.
    """
    suffix = PurePosixPath(path).suffix
    if suffix != ".py" and suffix not in TREES:
        return None
    plain = _without_comments(data) if suffix == ".py" else _blanked(data, suffix)
    if plain is None:
        return None
    ending = b"" if plain.endswith(b"\n") or not plain else b"\n"
    return plain + ending + f"{'#' if suffix == '.py' else '//'} {_TOLD}\n".encode()


def _without_comments(data: bytes) -> bytes | None:
    """None where Python can't read it, or lines don't end as ``tokenize`` counts them."""
    lines = data.split(b"\n")
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(data).readline))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for token in reversed(tokens):
        if token.type == tokenize.COMMENT and not _KEPT.match(token.string):
            row = token.start[0] - 1
            text = lines[row].decode("utf-8", "surrogateescape")
            at = text.find(token.string, token.start[1])
            if at < 0:
                return None
            rest = text[at + len(token.string) :]
            lines[row] = (text[:at].rstrip(" \t") + rest).encode("utf-8", "surrogateescape")
    return b"\n".join(lines)


def _blanked(data: bytes, suffix: str) -> bytes | None:
    """Comments of the other languages become spaces; those in front of cgo's import are code."""
    from ralph.verify.guards.tampering.trees import syntax

    try:
        top = syntax.parse(suffix, data.decode())
    except UnicodeDecodeError:
        return None
    if top.has_error or b'import "C"' in data:
        return None
    for node in syntax.walk(top):
        said = data[node.start_byte : node.end_byte]
        if syntax.is_comment(node) and node.type != "hash_bang_line" and not _KEPT_THERE.match(said):
            data = data[: node.start_byte] + re.sub(rb"[^\r\n]", b" ", said) + data[node.end_byte :]
    return data
