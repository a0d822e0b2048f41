"""Gates on combinations of branches: each tree once, within a time box, a red gate once more before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic

from ralph.config import Gate
from ralph.core.train_order import Ended, Fault, Names
from ralph.domain import GateResult, Run, Task, Verdict
from ralph.engine.judge.bench import Bench, Kept
from ralph.engine.judge.execute import run_on
from ralph.engine.judge.gates import run_gates
from ralph.engine.keep import SetupFailed
from ralph.engine.train.couplings import Couplings
from ralph.engine.train.values import Candidate
from ralph.verify.compare import BaseResult
from ralph.verify.gates import PlannedGate

Known = Callable[[str], Sequence[GateResult]]
"""Verdicts that were executed on a tree before."""
Say = Callable[[str], None]

_DECLARED = frozenset({"delete-test", "skip-test"})
"""What tests may go was asked when each change was judged."""
PURPOSE = "train"
AGAIN = "rerun"


class Trials:
    """Gates trees on ``bench``. Raises ``Ended`` where the time box is over or somebody wants an end."""

    def __init__(
        self,
        bench: Bench,
        couplings: Couplings,
        candidates: Mapping[str, Candidate],
        known: Known,
        say: Say,
        minutes: float,
    ) -> None:
        self.bench, self.couplings, self.candidates = bench, couplings, candidates
        self.minutes, self._known, self._say = minutes, known, say
        self._end = monotonic() + minutes * 60 if minutes else float("inf")
        self._results: dict[tuple[str, tuple[str, ...]], tuple[GateResult, ...]] = {}
        self.flaky: dict[str, None] = {}
        self.count = 0
        self._excused = False

    def of(self, names: Names) -> Fault | None:
        """What is wrong with these branches together."""
        made = self.couplings.of(names)
        if isinstance(made, Fault):
            return made
        what = " with ".join(names) or "the base"
        return fault_in(self.gates(self.bench.workspace.tree_of(made), self.checks(names), what))

    def checks(self, names: Names, without: str = "") -> tuple[str, ...]:
        """The checks of all tasks of these branches but one."""
        parts = [part for name in names for part in self.candidates[name].parts if part.task != without]
        return tuple(dict.fromkeys(check for part in parts for check in part.checks))

    def gates(self, tree: str, checks: tuple[str, ...], what: str, *, sure: bool = True) -> tuple[GateResult, ...]:
        """All gates and these checks on a tree; executed at most once. ``sure``: what is red runs a second time."""
        if (tree, checks) not in self._results:
            self.in_time()
            found = self._run(tree, checks, what, sure)
            if any(result.blocks for result in found):
                self.in_time()  # what was cut off is no verdict
            self._results[tree, checks] = found
        return self._results[tree, checks]

    def in_time(self) -> None:
        """Raise ``Ended`` where nothing more may run."""
        if self.bench.stopped:
            raise Ended("it was stopped")
        if monotonic() >= self._end:
            raise Ended(f"the time box of {self.minutes:g} min ended")

    def excuse(self) -> bool:
        """Where the base itself is red, count only what is newly red from now on; whether that changes anything."""
        base = self.bench.workspace.tree_of(self.couplings.base)
        if self._excused or fault_in(results := self.gates(base, (), "the base")) is None:
            return False
        self._excused = True
        return self.tolerate(base, results)

    def tolerate(self, tree: str, base: Sequence[GateResult]) -> bool:
        """Count from now on only what the base, ``tree``, does not have: its red tests block nothing.

        A gate that is red there without naming tests can't tell whose fault a failure is: it does not run any more.
        False where no gate is left, so that nothing can be told.
        """
        red = {result.name: result for result in base if result.verdict is Verdict.FAILED}
        mute = {name for name, result in red.items() if "failed" not in result.outcomes.values()}

        def there(planned: PlannedGate) -> BaseResult | None:
            found = red.get(planned.name)
            if found is None:
                return None
            ids = frozenset(name for name, outcome in found.outcomes.items() if outcome == "failed")
            return BaseResult(ids, outcomes=found.outcomes, tree=tree, declared=_DECLARED)

        gates = [gate for gate in self.bench.config.gates if gate.name not in mute]
        config = self.bench.config.model_copy(update={"gates": gates})
        self.bench = replace(self.bench, base=there, config=config, asides={})
        self._results.clear()
        return bool(gates)

    def _run(self, tree: str, checks: tuple[str, ...], what: str, sure: bool) -> tuple[GateResult, ...]:
        bench, task = self._boxed(), Task("train", "The night's train", checks=checks)
        try:
            kept = self._kept(bench, tree)
        except SetupFailed as failed:
            return (GateResult("setup", "other", Verdict.FAILED, failed.message),)
        self.count += 1
        self._say(f"gates on {what}")
        space = bench.workspace
        base_tree = space.tree_of(self.couplings.base)
        paths = [change.path for change in space.changes(base_tree, tree)] or space.paths(tree)
        known = tuple(replace(one, comparison=None) for one in self._known(tree) if _clean(one))

        def again(planned: PlannedGate, result: GateResult) -> GateResult:
            return self._again(bench, planned, result, tree, kept) if sure else result

        return run_gates(bench, task, tree, paths, kept, known, settle=again, purpose=PURPOSE)

    def _again(self, bench: Bench, planned: PlannedGate, result: GateResult, tree: str, kept: Kept) -> GateResult:
        """A red gate runs once more: one that passes then is flaky, and no branch is left out for it."""
        if not result.blocks or bench.stopped or monotonic() >= self._end:
            return result
        (second,) = run_on(bench, [planned], tree, kept, purpose=AGAIN, attempt=2)
        if second.execution is None:
            return result
        runs = (*result.runs, Run(second.execution, second.counts, second.outcomes))
        if second.blocks:
            return replace(result, runs=runs)
        ids = tuple(failure.id for failure in result.failures)
        self.flaky.update(dict.fromkeys(ids or (result.name,)))
        reason = f"flaky: {result.reason}; passed when it ran again"
        return replace(result, runs=runs, flaky=ids or (result.name,), advisory=True, reason=reason)

    def _kept(self, bench: Bench, tree: str) -> Kept:
        if bench.config.workspace.setup:
            bench.workspace.clean_for_gates(tree, tuple(bench.config.workspace.keep))  # setup reads its inputs there
        return bench.keeper.folders(tree)

    def _boxed(self) -> Bench:
        """The bench with no gate longer than what is left of the time box."""
        left = max(self._end - monotonic(), 0.1)
        gates = [_within(gate, left) for gate in self.bench.config.gates]
        return replace(self.bench, config=self.bench.config.model_copy(update={"gates": gates}), asides={})


def fault_in(results: Sequence[GateResult]) -> Fault | None:
    """The first gates that block, by their tests where they have ids."""
    red = [result for result in results if result.blocks]
    if not red:
        return None
    at = [name for result in red for name in _tests(result) or (result.name,)]
    return Fault("red", tuple(dict.fromkeys(at)), f"{red[0].name}: {red[0].reason}")


def _tests(result: GateResult) -> tuple[str, ...]:
    if result.comparison:
        return (*result.comparison.newly_failing, *result.comparison.absent_to_red)
    return tuple(failure.id for failure in result.failures) or tuple(
        name for name, outcome in sorted(result.outcomes.items()) if outcome == "failed"
    )


def _clean(result: GateResult) -> bool:
    """Whether a verdict holds beside any base: passed, and nothing in it was excused."""
    return result.verdict is Verdict.PASSED and not result.advisory and "failed" not in result.outcomes.values()


def _within(gate: Gate, seconds: float) -> Gate:
    return gate.model_copy(update={"timeout": seconds}) if gate.timeout > seconds else gate
