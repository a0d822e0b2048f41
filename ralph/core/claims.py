"""Which loop holds which files, so that no two branches of one night change the same one. Pure.

Claims are sticky: what a committed task owned or changed stays with its loop until the branch lands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
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


def conflicts(task: Task, claims: Sequence[Claim], loop: str, tracked: Collection[str]) -> Claim | None:
    """The first claim of another loop that meets the files of ``task``, or None where it may run on ``loop``.

    A task without ``files`` claims nothing before it runs; the guard ``scope`` keeps it off what others hold.
    """
    return next(meeting(task, claims, loop, tracked), None)


def meeting(task: Task, claims: Iterable[Claim], loop: str, tracked: Collection[str]) -> Iterator[Claim]:
    """All of them; ``loop`` may be empty for those of every loop."""
    paths = frozenset(tracked) if task.files else frozenset()
    for other in claims:
        if task.files and other.loop != loop and other.task != task.id and _meet(task.files, other, paths):
            yield other


def _meet(files: tuple[str, ...], other: Claim, tracked: frozenset[str]) -> bool:
    if other.paths and globs.select(files, other.paths):
        return True
    return globs.overlap(files, other.patterns, tracked)
