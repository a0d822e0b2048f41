"""What further runs did to a verdict: flaky tests that ran again, runners that something else had to vouch for."""

from __future__ import annotations

from dataclasses import replace

from ralph.domain import GateResult, Verdict
from ralph.verify.flaky import suspects


def settled(again: GateResult, recorded: GateResult) -> tuple[GateResult, str]:
    """The verdict from its own bytes with what the recorded further runs allow; and what they do not bear out.

    The further runs themselves are read again one by one: here only what was drawn from them is looked at.
    """
    found = _less_by_chance(again, recorded)
    if recorded.verdict is again.verdict:
        return found, ""
    if recorded.verdict is Verdict.NOT_RUN and _ran(recorded, "canary"):
        return replace(found, verdict=Verdict.NOT_RUN), ""
    if recorded.verdict is Verdict.PASSED and recorded.flaky:
        unshown = [one for one in suspects(again) if one not in recorded.flaky or not _shown(one, again, recorded)]
        if not unshown and suspects(again):
            return replace(found, verdict=Verdict.PASSED), ""
        return found, f"{unshown[0]} is called flaky, but no run on record shows it" if unshown else ""
    return found, ""


def _less_by_chance(again: GateResult, recorded: GateResult) -> GateResult:
    """Tests that turned green by chance do not count as turned green."""
    if again.comparison is None or not _ran(recorded, "rerun"):
        return again
    chance = {id for id in again.comparison.newly_passing if id in recorded.flaky and _passed_there(id, recorded)}
    kept = tuple(id for id in again.comparison.newly_passing if id not in chance)
    return replace(again, comparison=replace(again.comparison, newly_passing=kept))


def _ran(recorded: GateResult, purpose: str) -> bool:
    return any(run.execution.purpose == purpose for run in recorded.runs)


def _passed_there(id: str, recorded: GateResult) -> bool:
    there = recorded.comparison.base_tree if recorded.comparison else ""
    return any(run.outcomes.get(id) == "passed" for run in recorded.runs if run.execution.tree == there)


def _shown(id: str, again: GateResult, recorded: GateResult) -> bool:
    """Whether a further run shows the test another way: it passed on this tree, or failed on the base.

    One in quarantine may fail each time: its date stands in the reason.
    """
    here = again.execution.tree if again.execution else ""
    there = suspects(again).get(id, "")
    ways = {
        (run.execution.tree == here, run.outcomes.get(id if run.execution.tree == here else there))
        for run in recorded.runs
        if run.execution.purpose == "rerun"
    }
    return (True, "passed") in ways or (False, "failed") in ways or "in quarantine since" in recorded.reason
