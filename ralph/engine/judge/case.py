"""One candidate change and what it has shown so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ralph.domain import Change, GateResult, GuardResult, Task
from ralph.engine.judge.base import Base
from ralph.engine.judge.bench import Bench, Kept


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
