"""The floor under every verdict: what a finished command must show to count as passed. Pure but for reading a report.

Not run never counts as passed: zero tests, a command that can't start, a kill, a missing report are ``not_run``.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ralph.core.secrets import Redactor
from ralph.domain import Cause, Execution, GateResult, Grade, TestFailure, Verdict
from ralph.host.process import Completed
from ralph.verify import canary as canaries
from ralph.verify import junit as junit_report
from ralph.verify import summaries
from ralph.verify.compare import BaseResult, compare, objections
from ralph.verify.excerpt import excerpt
from ralph.verify.junit import Report, ReportError
from ralph.verify.runners import stopped_early

if TYPE_CHECKING:
    from ralph.verify.gates import PlannedGate

_KILLS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
_CAUSES = {
    Cause.TIMEOUT: "it did not end within its time limit",
    Cause.STALL: "it stalled: no output, no change, no CPU time",
    Cause.OUTPUT: "it wrote more output than its limit",
    Cause.MEMORY: "it used more memory than its limit",
    Cause.DISK: "the disk is full",
    Cause.STOPPED: "it was told to stop",
    Cause.LIFELINE: "the daemon went away",
}


class Ruling(NamedTuple):
    verdict: Verdict
    reason: str
    grade: Grade = Grade.VERIFIED
    failures: tuple[TestFailure, ...] = ()
    advisory: bool = False


def judge(
    planned: PlannedGate,
    completed: Completed,
    junit: Path | None,
    tree: str,
    base: BaseResult | None = None,
    log_text: str = "",
    wrote: Sequence[str] = (),
    *,
    root: str = "",
    directory: str = "",
    sandbox: str = "none",
    redactor: Redactor | None = None,
    canary: str = "",
) -> GateResult:
    """The verdict of one gate after its command ended.

    ``junit``: its report as ``reports.gather`` found it; ``tree``: hash of the files it ran on; ``wrote``: tracked
    paths that differ from that tree afterwards; ``root``: the tree's path as the command saw it; ``canary``: the test
    that was planted in the run. Excerpt and messages come redacted.
    """
    report, problem = _report(planned, junit, log_text, root)
    report, believed = _without(canary, report, planned, log_text)
    log_text = canaries.hide(log_text, canary)
    ruling = _not_run(planned, completed) or _ruling(planned, completed, report, problem, base, log_text)
    if not believed and (ruling.verdict is Verdict.PASSED or _to_its_end(planned, completed, report, log_text)):
        ruling = Ruling(Verdict.NOT_RUN, canaries.NOT_SEEN)
    comparison = compare(base, report.outcomes, _died(planned, report, log_text)) if base and report else None
    if base and comparison and ruling.verdict is Verdict.PASSED:
        said = objections(comparison, base.declared)
        ruling = Ruling(Verdict.FAILED, "; ".join(said)) if said else ruling
    if wrote and ruling.verdict is Verdict.PASSED:
        more = f" and {len(wrote) - 1} more" if len(wrote) > 1 else ""
        ruling = Ruling(Verdict.FAILED, f"gate wrote {wrote[0]}{more}")
    redact = (redactor or Redactor()).text
    failures = ruling.failures or (report.failures if report else ())
    return GateResult(
        name=planned.name,
        kind=planned.kind,
        verdict=ruling.verdict,
        reason=redact(ruling.reason),
        execution=_execution(planned, completed, tree, directory, sandbox, canary),
        counts=report.counts if report else None,
        failures=tuple(replace(failure, message=redact(failure.message)) for failure in failures),
        excerpt=redact(excerpt(log_text)),
        grade=ruling.grade,
        advisory=ruling.advisory,
        outcomes=report.outcomes if report else {},
        comparison=comparison,
    )


def _without(canary: str, report: Report | None, planned: PlannedGate, log: str) -> tuple[Report | None, bool]:
    """The report of the project's own tests, and whether the planted one was reported as failed, where there is one."""
    if not canary or report is None:
        return report, not canary
    report, seen = canaries.take_out(report, canary)
    runner = planned.runner
    return report, seen or bool(runner and runner.source == "text" and canaries.said_to_fail(log, canary))


def _to_its_end(planned: PlannedGate, completed: Completed, report: Report | None, log: str) -> bool:
    """Whether a red run says that nothing kept it from running all tests, the planted one among them."""
    runner = planned.runner
    ended = runner is not None and completed.exit_code in runner.red
    return bool(report and report.counts.failed and ended and not _died(planned, report, log))


def _died(planned: PlannedGate, report: Report, log: str) -> bool:
    """Whether a red run ended before all tests had their turn."""
    return bool(report.counts.failed) and stopped_early(log, planned.words)


def _report(planned: PlannedGate, junit: Path | None, log: str, root: str) -> tuple[Report | None, str]:
    """The per-test report, or why there is none that can be read."""
    try:
        report = junit_report.read(junit, root) if junit else None
    except ReportError as error:
        return None, error.message
    runner = planned.runner
    if report is None and runner and runner.read_text and not planned.gate.junit:
        report = runner.read_text(log)
        return report, "" if report else "no summary of its tests in the output"
    return report, ""


def _not_run(planned: PlannedGate, completed: Completed) -> Ruling | None:
    """The ruling where the command did not run to an end of its own."""
    if completed.cause is not None:
        why = _CAUSES.get(completed.cause, f"it was ended: {completed.cause.value}")
        return Ruling(Verdict.NOT_RUN, f"stopped after {completed.seconds:.0f} s: {why}")
    code = completed.exit_code
    if completed.error or code in (126, 127):
        return Ruling(Verdict.NOT_RUN, _not_started(planned, completed))
    number = completed.signal if code is None else code - 128 if code > 128 else None
    if number in _KILLS:
        return Ruling(Verdict.NOT_RUN, f"killed by {signal.Signals(number).name}")
    if code is None and number is None:
        return Ruling(Verdict.NOT_RUN, "it ended without an exit code")
    return None


def _not_started(planned: PlannedGate, completed: Completed) -> str:
    what = "not executable" if completed.exit_code == 126 else "command not found"
    said = f": {completed.error}" if completed.error else ""
    return f"could not be started ({what}: {planned.words[0][:80]}){said}"


def _ruling(
    planned: PlannedGate, completed: Completed, report: Report | None, problem: str, base: BaseResult | None, log: str
) -> Ruling:
    runner, code = planned.runner, completed.exit_code
    ended = f"exit {code}" if code is not None else f"crashed by {_signal_name(completed.signal)}"
    if code is not None and ((code == 5 and planned.kind == "tests") or (runner and code in runner.empty)):
        return Ruling(Verdict.NOT_RUN, f"{ended}: no tests were found")
    if report is None:
        if runner or planned.gate.junit or problem:
            return Ruling(Verdict.NOT_RUN, f"{ended}, but {problem or 'no report of its tests'}")
        return _by_exit_code(planned, code, ended, base, log)
    counts = report.counts
    if counts.passed + counts.failed == 0:
        which = f"all {counts.skipped} tests were skipped" if counts.skipped else "no tests were run"
        return Ruling(Verdict.NOT_RUN, f"{ended}: {which}")
    if counts.failed:
        return _red(planned, completed, report, base, log, ended)
    if code != 0:
        return _advised(Ruling(Verdict.FAILED, f"{ended}, although {_tests(counts.passed)} passed"), base)
    skipped = f", {counts.skipped} skipped" if counts.skipped else ""
    return Ruling(Verdict.PASSED, f"{_tests(counts.passed)} passed{skipped}")


def _by_exit_code(planned: PlannedGate, code: int | None, ended: str, base: BaseResult | None, log: str) -> Ruling:
    """Without per-test results the exit code decides, unless the output contradicts it."""
    counts = summaries.guess(log) if planned.kind == "tests" else None
    if counts and counts.passed + counts.failed == 0:
        return Ruling(Verdict.NOT_RUN, f"{ended}: its output says that no tests were run")
    if code != 0:
        return _advised(Ruling(Verdict.FAILED, ended), base)
    if counts and counts.failed:
        return Ruling(Verdict.FAILED, f"exit 0, but its output says that {_tests(counts.failed)} failed")
    if planned.kind == "tests":
        return Ruling(Verdict.PASSED, "exit 0 (weaker: no per-test report)", Grade.OBSERVED)
    return Ruling(Verdict.PASSED, "exit 0")


def _red(
    planned: PlannedGate, completed: Completed, report: Report, base: BaseResult | None, log: str, ended: str
) -> Ruling:
    """Tests failed: excuse exactly those that are red on the base as well, and only in a run that went to its end."""
    counts = report.counts
    failing = {identity for identity, outcome in report.outcomes.items() if outcome == "failed"}
    summary = f"{ended}, {counts.failed} of {_tests(counts.collected)} failed"
    red = base.red if base else frozenset()
    new = failing - red
    first = tuple(sorted(report.failures, key=lambda failure: failure.id in red))
    if new or not failing or not red:
        more = f" ({len(new)} of them not on the base)" if red else ""
        return Ruling(Verdict.FAILED, summary + more, failures=first)
    complete = len(failing) == counts.failed and not stopped_early(log, planned.words)
    runner = planned.runner
    if not complete or completed.exit_code not in (runner.red if runner else {1}):
        why = "the run did not go to its end, so the other tests prove nothing"
        return Ruling(Verdict.FAILED, f"{summary}, all red on the base too, but {why}", failures=first)
    return Ruling(Verdict.PASSED, f"{summary}, exactly those are red on the base too", failures=first)


def _advised(ruling: Ruling, base: BaseResult | None) -> Ruling:
    """A red gate without test ids, on a base where it was red without test ids, is advice."""
    if base and base.advisory:
        return ruling._replace(reason=f"{ruling.reason} (advisory: red on the base too)", advisory=True)
    return ruling


def _execution(
    planned: PlannedGate, completed: Completed, tree: str, directory: str, sandbox: str, canary: str
) -> Execution:
    return Execution(
        argv=completed.argv,
        directory=directory,
        tree=tree,
        started=completed.started,
        seconds=completed.seconds,
        exit_code=completed.exit_code,
        signal=completed.signal,
        cause=completed.cause,
        log=completed.log.name,
        log_sha256=completed.log_sha256,
        sandbox=sandbox,
        network=planned.gate.network == "host",
        canary=canary,
    )


def _signal_name(number: int | None) -> str:
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"


def _tests(count: int) -> str:
    return f"{count} test" if count == 1 else f"{count} tests"
