"""Run newly failing tests again, on the change and on its base, before anybody is blamed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ralph.domain import GateResult, Run, Verdict
from ralph.engine.judge.base import DECLARES, Base
from ralph.engine.judge.bench import Bench, Kept
from ralph.engine.judge.case import Case
from ralph.engine.judge.execute import Job, run_apart
from ralph.engine.judge.gates import Settle
from ralph.verify import flaky as rules
from ralph.verify.flaky import Known, Trial
from ralph.verify.gates import PlannedGate
from ralph.verify.proof.touched import belongs
from ralph.verify.select import select

APART = 3
"""Up to so many tests run each in a process of its own."""


def again(bench: Bench, case: Case, base: Base, kept: Kept) -> Settle:
    """What has the last word on a gate of this change whose tests differ from the base's."""

    def settle(planned: PlannedGate, result: GateResult) -> GateResult:
        bout = Bout(bench, case, base, kept, planned)
        if rules.suspects(result):
            return bout.settled(result)
        if result.comparison and 0 < len(result.comparison.newly_passing) <= rules.MOST:
            return bout.turned(result)
        return result

    return settle


@dataclass
class Bout:
    """The further runs of one gate."""

    bench: Bench
    case: Case
    base: Base
    kept: Kept
    planned: PlannedGate

    def __post_init__(self) -> None:
        self.runs: list[Run] = []

    def settled(self, result: GateResult) -> GateResult:
        """Alone as often as the policy says; among all others once, where that can't tell."""
        trials = self._trials(result)
        for attempt in range(1, self.bench.config.verify.flaky_runs + 1):
            for group in _groups([trial for trial in trials if attempt == 1 or not trial.hopeless]):
                self._round(group, attempt)
        if any(trial.undecided for trial in trials) and not self.bench.stopped:
            self._whole(trials)
        runner = self.planned.runner
        declared = DECLARES & frozenset(self.case.task.allow)
        return rules.settled(result, trials, self.runs, runner.red if runner else frozenset({1}), declared)

    def turned(self, result: GateResult) -> GateResult:
        """A test that failed on the base and passes here turned green by the change only if it fails there always."""
        assert result.comparison
        ids = result.comparison.newly_passing
        shown: dict[str, list[str]] = {id: [] for id in ids}
        gate = select(self.planned, ids) or self.planned
        for attempt in range(1, self.bench.config.verify.flaky_runs + 1):
            (ran,) = self._ran([self._there(gate, attempt)])
            for id in ids:
                shown[id] += _outcome(ran, id)
        return rules.turned_by_chance(result, shown, self.runs)

    def _trials(self, result: GateResult) -> list[Trial]:
        spec, name = self.bench.place.spec, self.planned.name
        since, rates = spec.quarantined.get(name, {}), spec.flake_rates.get(name, {})
        return [
            Trial(id, there, self._touched(id, there), Known(since.get(there, ""), *rates.get(there, (0, 0))))
            for id, there in rules.suspects(result).items()
        ]

    def _touched(self, id: str, there: str) -> bool:
        """Whether the change has a hand in the test's file; a test that moved has changed."""
        return id != there or any(belongs(id, path) for path in self.case.paths)

    def _round(self, trials: Sequence[Trial], attempt: int) -> None:
        """One more run of these alone, on both trees at once."""
        here = select(self.planned, [trial.id for trial in trials])
        if here is None or self.bench.stopped:
            return
        jobs = [Job(self.bench.aside("again"), here, self.case.tree, self.kept, "rerun", attempt)]
        there = select(self.planned, [trial.there for trial in trials if trial.there])
        ran = self._ran([*jobs, *([self._there(there, attempt)] if there else [])])
        for trial in trials:
            trial.alone += _outcome(ran[0], trial.id)
            trial.base += _outcome(ran[1], trial.there) if ran[1:] else []

    def _whole(self, trials: Sequence[Trial]) -> None:
        """Everything once more in the original order, on both trees."""
        here = Job(self.bench.aside("again"), self.planned, self.case.tree, self.kept, "rerun", 1)
        ran = self._ran([here, self._there(self.planned, 1)])
        for trial in trials:
            trial.whole += _outcome(ran[0], trial.id)
            trial.base += _outcome(ran[1], trial.there)

    def _there(self, planned: PlannedGate, attempt: int) -> Job:
        return Job(self.bench.aside("base"), planned, self.base.tree, self.base.kept, "rerun", attempt)

    def _ran(self, jobs: Sequence[Job]) -> list[GateResult]:
        results = run_apart(jobs)
        self.runs += [Run(one.execution, one.counts, one.outcomes) for one in results if one.execution]
        return results


def _groups(trials: Sequence[Trial]) -> list[Sequence[Trial]]:
    return [[trial] for trial in trials] if len(trials) <= APART else [trials]


def _outcome(result: GateResult, id: str) -> list[str]:
    """What a run that can be believed says about a test: passed, failed, or nothing."""
    said = result.outcomes.get(id, "")
    believed = result.verdict in (Verdict.PASSED, Verdict.FAILED)
    return [said] if believed and said in ("passed", "failed") else []
