"""Which loop holds which files, so that no two branches of one night change the same one. Pure.

Claims are sticky: what a committed task owned or changed stays with its loop until the branch lands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ralph.core import globs
from ralph.domain import Task


@dataclass(frozen=True, slots=True)
class Claim:
    """What one task holds for its loop: its globs, and the paths that it has changed."""

    loop: str
    task: str
    patterns: tuple[str, ...] = ()
    paths: frozenset[str] = frozenset()


def claim(task: Task, loop: str, changed: Iterable[str] = ()) -> Claim:
    """The claim of a task that runs or has run on ``loop``; without ``files`` only what it changed."""
    return Claim(loop, task.id, task.files, frozenset(changed))


def conflicts(task: Task, claims: Sequence[Claim], loop: str, tracked: Collection[str]) -> Claim | None:
    """The first claim of another loop that meets the files of ``task``, or None where it may run on ``loop``.

    A task without ``files`` claims nothing before it runs; what it may not touch is ``held_by_others``.
    """
    if not task.files:
        return None
    paths = frozenset(tracked)
    for other in claims:
        if other.loop != loop and other.task != task.id and _meet(task.files, other, paths):
            return other
    return None


def _meet(files: tuple[str, ...], other: Claim, tracked: frozenset[str]) -> bool:
    if other.paths and globs.select(files, other.paths):
        return True
    return globs.overlap(files, other.patterns, tracked)


def held_by_others(claims: Sequence[Claim], loop: str, tracked: Collection[str]) -> tuple[str, ...]:
    """Paths that other loops hold, sorted: tracked ones, changed ones, and those that their globs spell out."""
    paths = frozenset(tracked)
    held: set[str] = set()
    for other in claims:
        if other.loop == loop:
            continue
        held |= other.paths | globs.select(other.patterns, paths)
        held |= {pattern.strip("/") for pattern in other.patterns if not any(sign in pattern for sign in "*?[!\\")}
    return tuple(sorted(held))
