"""A task as the person wrote it, with the daemon's view of where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from ralph.domain.words import Kind, Status


@dataclass(frozen=True, slots=True)
class Budget:
    """Caps of one task; ``0`` means no cap of its own."""

    iterations: int = 0
    minutes: float = 0
    tokens: int = 0
    dollars: float = 0


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a task led to: the view of the ledger that tasks.json shows."""

    commit: str | None = None
    iteration: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A row of tasks.json. ``status``, ``attempts`` and ``result`` belong to the daemon, the rest to the person."""

    id: str
    title: str
    description: str = ""
    acceptance: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    """Commands run as extra gates of this task."""
    files: tuple[str, ...] = ()
    """Globs (gitignore syntax) of the paths that the task owns; empty: any path."""
    depends_on: tuple[str, ...] = ()
    priority: int = 100
    """Lower comes first."""
    kind: Kind = Kind.FEATURE
    role: str = "implementer"
    labels: tuple[str, ...] = ()
    budget: Budget = Budget()
    plan: str = ""
    allow: tuple[str, ...] = ()
    status: Status = Status.PENDING
    attempts: int = 0
    result: TaskResult | None = None
