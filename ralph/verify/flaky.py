"""What newly failing tests came to that ran again: a failure of the change, or a flaky test that does not gate. Pure.

Only executed runs and the list of quarantined tests decide; a test that the change touched is never excused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ralph.domain import GateResult, Grade, Run, Verdict
from ralph.verify.compare import objections

MOST = 20
"""More tests than this do not fail by chance."""
_CHANCE = 0.05
"""A test that fails each time here is still the base's where its rate there makes that at least so likely."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one test on the night's base before any run of this change."""

    since: str = ""
    """Date since which it is in quarantine; empty: it is not."""
    failed: int = 0
    runs: int = 0


@dataclass
class Trial:
    """One newly failing test and all that its runs showed; outcomes are passed or failed."""

    id: str
    there: str
    """Its id on the base; empty: it is not there."""
    touched: bool
    known: Known = Known()
    whole: list[str] = field(default_factory=lambda: ["failed"])
    """Among all others, in the original order; the first is the run that is judged."""
    alone: list[str] = field(default_factory=list)
    base: list[str] = field(default_factory=lambda: ["passed"])
    """On the base, in either way."""

    @property
    def hopeless(self) -> bool:
        """Nothing that further runs may show can excuse it."""
        return self.touched or not self.there

    @property
    def undecided(self) -> bool:
        """Whether running it alone can't tell: it never failed there, or could not be run alone."""
        return not self.hopeless and "failed" not in self.alone and len(self.whole) == 1

    @property
    def flaky(self) -> bool:
        """It passed and failed in the same way of running."""
        return "passed" in self.whole or {"passed", "failed"} <= set(self.alone)

    @property
    def here(self) -> tuple[int, int]:
        """How often it failed, of how many runs."""
        both = self.whole + self.alone
        return both.count("failed"), len(both)

    @property
    def on_base(self) -> tuple[int, int]:
        return self.base.count("failed") + self.known.failed, len(self.base) + self.known.runs

    @property
    def excused(self) -> bool:
        """Not this change's: it is untouched, and fails at times on the base as well."""
        if self.hopeless:
            return False
        (failed, runs), (_, times) = self.on_base, self.here
        likely = (failed / runs) ** times >= _CHANCE
        return bool(self.known.since) or (failed > 0 and (self.flaky or likely))

    def said(self) -> str:
        """The figures in words."""
        (failed, times), (there, runs) = self.here, self.on_base
        base = f", {there} of {runs} on the base" if self.there else ""
        order = "passes alone and fails among the others; " if self._ordered else ""
        since = f"; in quarantine since {self.known.since}" if self.known.since else ""
        return f"{self.id} ({order}failed {failed} of {times} here{base}{since})"

    @property
    def _ordered(self) -> bool:
        return bool(self.alone) and "failed" not in self.alone and "passed" not in self.whole


def steady(there: GateResult) -> dict[str, str]:
    """Outcomes of a result that a change is compared with: a failure that was chance says nothing about a test.

    Where it fails again it is a new failure, and runs again.
    """
    return {**there.outcomes, **{id: "passed" for id in there.flaky if id in there.outcomes}}


def suspects(result: GateResult) -> dict[str, str]:
    """Ids of the tests that deserve another run, each with its id on the base, empty for none there."""
    found = result.comparison
    if found is None or result.verdict is not Verdict.FAILED or (result.execution and result.execution.dirty):
        return {}
    pairs = {found.moved.get(there, there): there for there in found.newly_failing}
    pairs |= dict.fromkeys(found.absent_to_red, "")
    return pairs if len(pairs) <= MOST else {}


def settled(
    result: GateResult, trials: Sequence[Trial], runs: Sequence[Run], red: Collection[int], declared: Collection[str]
) -> GateResult:
    """The verdict after all runs. ``red``: exit codes that mean that tests ran to the end and some failed.

    ``declared``: what the task may do to tests. It passes only where each new failure is excused and the run that is
    judged went to its end and has no other fault.
    """
    excused = [trial for trial in trials if trial.excused]
    named = tuple(trial.id for trial in trials if trial.flaky or trial.excused)
    result = replace(result, runs=(*result.runs, *runs), flaky=(*result.flaky, *named))
    if len(excused) == len(trials) and _else_sound(result, red, declared):
        said = "; ".join(trial.said() for trial in trials)
        reason = f"{result.reason}; {len(trials)} flaky, not gating: {said}"
        return replace(result, verdict=Verdict.PASSED, grade=Grade.OBSERVED, reason=reason)
    told = [trial.said() for trial in trials if trial.flaky or trial._ordered]
    return replace(result, reason=f"{result.reason}; flaky: {'; '.join(told)}") if told else result


def _else_sound(result: GateResult, red: Collection[int], declared: Collection[str]) -> bool:
    """Whether the run went to its end, all that failed is known by its id, and no test of the base is missing."""
    ran, counts, found = result.execution, result.counts, result.comparison
    if ran is None or counts is None or found is None or found.died or ran.exit_code not in red:
        return False
    whole = list(result.outcomes.values()).count("failed") == counts.failed
    return whole and not objections(found, declared)


def turned_by_chance(result: GateResult, again: Mapping[str, Sequence[str]], runs: Sequence[Run]) -> GateResult:
    """The result without those newly passing tests that passed on the base as well when they ran there ``again``."""
    found = result.comparison
    if found is None:
        return result
    chance = tuple(id for id in found.newly_passing if "passed" in again.get(id, ()))
    kept = tuple(id for id in found.newly_passing if id not in chance)
    return replace(
        result,
        comparison=replace(found, newly_passing=kept),
        runs=(*result.runs, *runs),
        flaky=(*result.flaky, *chance),
    )
