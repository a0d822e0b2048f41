"""What goes into a train and what comes out of it: values that cross the process border and stand in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ralph.domain import IterationSpec


@dataclass(frozen=True, slots=True)
class Part:
    """One task's commit on a branch."""

    task: str
    commit: str
    parent: str
    """The commit that it changed: what it brought is the difference of the two."""
    paths: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Ids of the tasks that it depends on."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A branch with commits that the base does not have."""

    branch: str
    """Without ``refs/heads/``."""
    head: str
    git_dir: str
    """Where its objects are."""
    parts: tuple[Part, ...]
    after: tuple[str, ...] = ()
    """Branches that hold commits of which this one is made, or tasks on which its tasks depend."""
    first: int = 0

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(part.task for part in self.parts)

    @property
    def files(self) -> frozenset[str]:
        return frozenset(path for part in self.parts for path in part.paths)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a train needs: frozen, serialisable, complete."""

    spec: IterationSpec
    """Its pseudo iteration; ``head`` is the base that is landed on."""
    base: str
    """Name of the base."""
    pinned: str
    """Commit that the night started from."""
    candidates: tuple[Candidate, ...]
    minutes: float
    """Time box; 0: none."""


@dataclass(frozen=True, slots=True)
class Landing:
    branch: str
    head: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A branch that does not land with the others."""

    branch: str
    head: str
    tasks: tuple[str, ...]
    why: Literal["conflict", "red", "behind", "untried"]
    """behind: it builds on one that is left out."""
    beside: tuple[str, ...] = ()
    """The other branches of the smallest set that does not land; empty with conflict and red: it does not alone."""
    at: tuple[str, ...] = ()
    """Paths that conflict; tests, or gates without test ids, that are red."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """Whether one commit can be taken out of all that lands."""

    task: str
    commit: str
    how: Literal["proven", "conflict", "needed", "red", "gone", "untried"]
    """proven: without it, everything is green; needed: tasks that land depend on it, so it was not tried; gone: nothing
    of it is left that could be taken out."""
    at: tuple[str, ...] = ()
    """Paths that others changed further; tests that are red without it."""
    builders: tuple[str, ...] = ()
    """Tasks that build on it."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Train:
    """What landing together showed."""

    base: str
    base_commit: str
    moved: bool
    """The base is not where the night started from."""
    land: tuple[Landing, ...]
    """In this order."""
    left: tuple[LeftOut, ...] = ()
    commit: str = ""
    """All of ``land`` merged: it lies in the scratch directory only. Empty where nothing is known to land."""
    tree: str = ""
    removals: tuple[Removal, ...] = ()
    skipped: str = ""
    """Why nothing was merged."""
    stopped: str = ""
    """Why not everything was tried."""
    ground: str = ""
    """What is wrong with the base itself."""
    flaky: tuple[str, ...] = ()
    """Tests, or gates, that failed and then passed on the same tree."""
    trials: int = 0
    """Trees that were gated."""
    seconds: float = 0.0
