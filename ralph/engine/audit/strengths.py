"""Fates of mutants against the runs that are on record: none is killed or alive without a run that says so."""

from __future__ import annotations

from ralph.domain import Mutant, Run
from ralph.engine.audit.book import Told
from ralph.engine.audit.findings import Findings

_TRIED = frozenset({"killed", "survived", "timeout"})


def check(told: Told, found: Findings) -> None:
    """Compare the mutants of a strength with its runs: batches name fates, other runs are of one mutant each."""
    strength = told.result.strength
    if strength is None or not strength.mutants:
        return
    runs = [run for run in told.result.runs if run.execution.purpose == "mutant"]
    batches = [run.outcomes for run in runs if run.counts is None]
    alone = [run for run in runs if run.counts is not None]
    if any(run.counts is None and not run.outcomes for run in runs):
        return  # a configured command says in its log what survived
    unshown = [one for one in strength.mutants if one.fate in _TRIED and not _noted(one, batches)]
    found.checked["mutants"] += len(strength.mutants)
    if len(unshown) > len(alone):
        one = unshown[0]
        what = f"{one.path}:{one.line} is said to have {_HAPPENED[one.fate]}, but no run on record shows it"
        found.wrong("verdict", told.name, what)
    killed = sum(one.fate == "killed" for one in unshown)
    if killed > sum(_red(run) for run in alone):
        found.wrong("verdict", told.name, f"{killed} mutants are said to be killed, but fewer runs on them are red")


_HAPPENED = {"killed": "been killed", "survived": "survived", "timeout": "timed out"}


def _noted(mutant: Mutant, batches: list[dict[str, str]]) -> bool:
    return any(batch.get(f"{mutant.path}:{mutant.line} {mutant.after}") == mutant.fate for batch in batches)


def _red(run: Run) -> bool:
    return run.execution.exit_code != 0 or "failed" in run.outcomes.values()
