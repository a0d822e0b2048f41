"""What measured lines and tried mutants come to: a line for the report, survivors for the next attempt. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from ralph.domain import Cause, GateResult, Mutant, Run, Strength, Verdict

NAME = "strength"
SHOWN_SURVIVORS = 3
_SHOWN_LINES = 10
Mode = Literal["off", "report", "retry"]


def fate_of(result: GateResult, limited: bool) -> str:
    """What became of a mutant: killed, survived, timeout, untested. ``limited``: its time was cut by the time box."""
    ran = result.execution
    if ran is None or ran.cause in (Cause.STOPPED, Cause.LIFELINE, Cause.DISK):
        return "untested"
    if ran.cause is not None:
        return "untested" if limited else "timeout"
    if result.verdict is Verdict.PASSED:
        return "survived"
    if result.verdict is Verdict.FAILED or "failed" in result.outcomes.values() or ran.signal is not None:
        return "killed"
    return "untested"


def rule(
    found: Strength, mode: Mode, runs: Sequence[Run], notes: Sequence[str] = (), spent: bool = False
) -> GateResult:
    """The result of the step. With ``retry`` survivors refuse a change, unless that chance was ``spent`` before."""
    survivors = [mutant for mutant in found.mutants if mutant.fate == "survived"]
    refused = mode == "retry" and bool(survivors) and not spent
    reason = "; ".join([*_counted(found), *notes]) or "nothing to measure"
    return GateResult(
        NAME,
        NAME,
        Verdict.FAILED if refused else Verdict.PASSED,
        reason,
        excerpt=_told(survivors, found.uncovered),
        runs=tuple(runs),
        strength=found,
    )


def not_run(reason: str, runs: Sequence[Run] = (), strength: Strength | None = None) -> GateResult:
    """Nothing was measured: said, but it keeps no change out."""
    return GateResult(NAME, NAME, Verdict.NOT_RUN, reason, advisory=True, runs=tuple(runs), strength=strength)


def _counted(found: Strength) -> list[str]:
    said = [f"{found.covered} of {_of(found.changed, 'changed statement')} ran in the tests"] if found.changed else []
    tried = [mutant for mutant in found.mutants if mutant.fate != "untested" and mutant.before]
    if tried:
        seen = sum(mutant.fate in ("killed", "timeout") for mutant in tried)
        said.append(f"the tests noticed {seen} of {_of(len(tried), 'planted fault')}")
    if found.stopped:
        said.append(found.stopped)
    return said


def _of(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _told(survivors: Collection[Mutant], uncovered: Sequence[str]) -> str:
    """At most three survivors and ten lines: what an agent can act on, not a list to game."""
    lines: list[str] = []
    if survivors:
        lines.append("No test notices when this is changed:")
        for mutant in list(survivors)[:SHOWN_SURVIVORS]:
            lines += _shown(mutant)
        more = len(survivors) - SHOWN_SURVIVORS
        lines += [f"  and {more} more"] if more > 0 else []
    if uncovered:
        rest = f" and {len(uncovered) - _SHOWN_LINES} more" if len(uncovered) > _SHOWN_LINES else ""
        lines.append(f"No test runs: {', '.join(uncovered[:_SHOWN_LINES])}{rest}")
    return "\n".join(lines)


def _shown(mutant: Mutant) -> list[str]:
    """A mutation command says in its own words what it changed."""
    where = f"  {mutant.path}:{mutant.line}"
    return [where, f"    - {mutant.before}", f"    + {mutant.after}"] if mutant.before else [f"{where}: {mutant.after}"]
