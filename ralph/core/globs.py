"""Globs over repository paths in gitignore syntax, compiled once. Pure.

A pattern without a slash matches at any depth, one with a slash is anchored at the top, a folder covers all below it,
``!`` takes back, the last match decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from pathspec import GitIgnoreSpec

from ralph.errors import RalphError

_SPECIAL = re.compile(r"([\\*?\[\]!# ])")
_CLASS = re.compile(r"\[[!^]?(.)[^\]]*\]")


@lru_cache(maxsize=4096)
def _compiled(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise RalphError(f"not a valid glob: {error}", "globs follow the syntax of .gitignore") from None


def check(patterns: Sequence[str]) -> None:
    """Raise RalphError for a pattern that cannot be compiled."""
    for pattern in patterns:
        _compiled((pattern,))


def matches(patterns: Sequence[str], path: str) -> bool:
    """Whether the patterns, taken as one list, cover ``path``; no patterns cover nothing."""
    return bool(patterns) and _compiled(tuple(patterns)).match_file(path)


def select(patterns: Sequence[str], paths: Collection[str]) -> frozenset[str]:
    """The paths that the patterns cover."""
    return _select(tuple(patterns), frozenset(paths))


@lru_cache(maxsize=512)
def _select(patterns: tuple[str, ...], paths: frozenset[str]) -> frozenset[str]:
    return frozenset(_compiled(patterns).match_files(paths)) if patterns else frozenset()


def literal(path: str) -> str:
    """The pattern that covers exactly ``path``."""
    return "/" + _SPECIAL.sub(r"\\\1", path)


@lru_cache(maxsize=4096)
def sample(pattern: str) -> str:
    """A path that the pattern covers: itself where it has no wildcard, else with plain names in their place."""
    text = pattern.removeprefix("!").removeprefix("\\").strip().replace("\\", "")
    text = _CLASS.sub(r"\1", text).replace("**", "x").replace("*", "x").replace("?", "x")
    return text.strip("/") + ("/x" if text.endswith("/") else "")


def overlap(a: Sequence[str], b: Sequence[str], tracked: Collection[str]) -> bool:
    """Whether two lists of patterns can meet: on a tracked path, or on a path that one of them spells out.

    Patterns with wildcards stand for a path of their shape, so that two tasks that create files in the same new folder
    meet as well.
    """
    if not a or not b:
        return False
    paths = frozenset(tracked)
    if not select(a, paths).isdisjoint(select(b, paths)):
        return True
    return _meets(a, b) or _meets(b, a)


def _meets(patterns: Sequence[str], others: Sequence[str]) -> bool:
    return any(
        matches(patterns, path) and matches(others, path)
        for path in (sample(other) for other in others if not other.startswith("!"))
        if path
    )
