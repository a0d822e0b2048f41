"""What each gate says on the base of a change: taken over where it was executed before, else run there once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ralph.domain import GateResult, Task, Verdict
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.execute import environment_of, run_on, said
from ralph.verify.compare import BaseResult
from ralph.verify.flaky import steady
from ralph.verify.gates import PlannedGate

DECLARES = frozenset({"delete-test", "skip-test"})


class Base:
    """The base of one change: its tree, and per gate the result there."""

    def __init__(
        self, bench: Bench, task: Task, tree: str, kept: Mapping[str, Path], known: Sequence[GateResult] = ()
    ) -> None:
        self.bench, self.task, self.tree, self.kept = bench, task, tree, kept
        self.known = {result.name: result for result in known}

    def __call__(self, planned: PlannedGate) -> BaseResult | None:
        """What a verdict needs to know; None where the gate names no tests and is green there."""
        spec = self.bench.place.spec
        red, advisory = spec.tracked_by_base.get(planned.name, ()), planned.name in spec.advisory_gates
        declared = DECLARES & frozenset(self.task.allow)
        result = self.result(planned) if planned.runner or planned.gate.junit else None
        if result and result.outcomes:
            outcomes = steady(result)
            failed = frozenset(name for name, outcome in outcomes.items() if outcome == "failed")
            return BaseResult(failed, advisory, outcomes, self.tree, declared)
        return BaseResult(frozenset(red), advisory, declared=declared) if red or advisory else None

    def result(self, planned: PlannedGate) -> GateResult:
        """The gate's result on the base. The same command on the same tree and environment is never run twice."""
        known = self.known.get(planned.name)
        if known is None or not self._same(known, planned):
            (known,) = run_on(self.bench.aside("base"), [planned], self.tree, self.kept, purpose="base")
            self.known[planned.name] = known
            if known.verdict in (Verdict.PASSED, Verdict.FAILED):
                self.bench.told(self.tree, (), (known,))
        return known

    def _same(self, known: GateResult, planned: PlannedGate) -> bool:
        ran = known.execution
        if ran is None or ran.tree != self.tree or ran.argv != said(planned):
            return False
        return ran.environment in ("", environment_of(self.bench, planned, self.tree, self.kept))


def beside(bench: Bench, base: Base) -> Bench:
    """The bench whose verdicts are reached beside this base."""
    return replace(bench, base=base)
