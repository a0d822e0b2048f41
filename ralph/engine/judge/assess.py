"""The story of validation: guards, gates beside the base, then what else a green change has to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from ralph.domain import Change, GateResult, GuardResult, Task
from ralph.engine.judge.base import Base, beside
from ralph.engine.judge.bench import Bench, Kept
from ralph.engine.judge.gates import check_diff, run_gates

Steps = Callable[[str], AbstractContextManager[None]]
"""Tells the daemon which step begins, and measures it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One candidate change and what it stands on."""

    task: Task
    head: str
    """Commit it will be a child of."""
    head_tree: str
    tree: str
    changes: tuple[Change, ...]
    base_kept: Kept
    """Kept folders of the head's tree."""
    kept: Callable[[], Kept]
    """Makes those of the candidate. Raises SetupFailed."""
    known: Sequence[GateResult] = ()
    """Executed before on the candidate's tree."""
    known_base: Sequence[GateResult] = ()
    """Executed before on the head's tree."""

    @property
    def paths(self) -> list[str]:
        return [change.path for change in self.changes]


@dataclass
class Assessment:
    """What a candidate has shown so far."""

    case: Case
    base: Base
    kept: Kept
    guards: tuple[GuardResult, ...] = ()
    gates: tuple[GateResult, ...] = field(default=())

    @property
    def blocked(self) -> str:
        """The first thing that keeps the change out, in one line; empty where nothing does."""
        for guard in self.guards:
            if guard.verdict.blocks:
                finding = next((one for one in guard.findings if not one.note), None)
                return f"guard {guard.name}: {finding.path}: {finding.message}" if finding else f"guard {guard.name}"
        red = next((gate for gate in self.gates if gate.blocks), None)
        return f"gate {red.name}: {red.reason}" if red else ""


Check = Callable[[Bench, Assessment], tuple[GateResult, ...]]
"""Shows something more about a change on which all gates are green."""

FURTHER: tuple[tuple[str, Check], ...] = ()
"""By name of the step, in order; each runs only where nothing before it blocks."""


def assess(bench: Bench, case: Case, step: Steps) -> Assessment:
    """Judge a candidate; what is found is told as it is found. Raises SetupFailed from ``case.kept``."""
    base = Base(bench, case.task, case.head_tree, case.base_kept, case.known_base)
    found = Assessment(case, base, case.base_kept)
    with step("guards"):
        found.guards = check_diff(bench, case.task, case.changes, case.tree)
    if found.blocked:
        return found
    with step("gates"):
        found.kept = case.kept()
        found.gates = run_gates(beside(bench, base), case.task, case.tree, case.paths, found.kept, case.known)
    for name, check in FURTHER:
        if found.blocked or bench.stopped:
            break
        with step(name):
            more = check(bench, found)
            bench.told(case.tree, (), more)
            found.gates += more
    return found
