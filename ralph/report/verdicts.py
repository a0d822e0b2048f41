"""Turn rows of guards and gates into report lines, with the grade that was really earned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ralph.core.claim_words import on_base, survivors, unproven, words
from ralph.domain import Grade, TestCounts, Verdict
from ralph.memory.ledger import Event
from ralph.report import read
from ralph.report.model import Failure, GateLine

_COUNTED = ("collected", "passed", "failed", "skipped", "xfailed")
_ASSERTION = re.compile(r"\bassert|error\b|exception\b|expected\b|panicked\b|mismatch", re.IGNORECASE)
_PYTEST_MARGIN = re.compile(r"^E\s+")
_RUST_PANIC = re.compile(r"^thread '.*' (?:\(\d+\) )?panicked at \S+:\d+:\d+:$")
"""It names a place; what was wrong stands in the line below."""


def gate_line(event: Event) -> GateLine:
    """One gate row. Tests without per-test results are at most observed."""
    data = event.data
    execution = read.table(data, "execution")
    executed = bool(execution) or bool(read.rows(data, "runs"))
    counts = _counts(data.get("counts"))
    grade = read.word(Grade, data.get("grade"), Grade.REPORTED)
    kind = read.text(data, "kind")
    if grade is Grade.VERIFIED and (not executed or (kind == "tests" and counts is None)):
        grade = Grade.OBSERVED if executed else Grade.REPORTED
    return GateLine(
        name=read.text(data, "name"),
        kind=kind,
        verdict=read.word(Verdict, data.get("verdict"), Verdict.NOT_RUN),
        reason=read.text(data, "reason"),
        grade=grade,
        tree=read.text(data, "tree"),
        counts=counts,
        seconds=read.number(execution, "seconds"),
        advisory=bool(data.get("advisory")),
        network=bool(execution.get("network")),
        argv=read.strings(execution, "argv"),
        log=read.text(execution, "log"),
        log_sha256=read.text(execution, "log_sha256"),
        said=words(data),
        canary=read.text(execution, "canary") if "canary" in execution else None,
        unproven=unproven(data),
    )


def weakest(gates: Iterable[GateLine]) -> Grade | None:
    """The grade of a commit: that of its weakest gate that passed; None where nothing was executed.

    A reviewer's word counts neither way: it is said beside the gates.
    """
    order = [Grade.NOT_RUN, Grade.REPORTED, Grade.STALE, Grade.OBSERVED, Grade.VERIFIED]
    earned = [gate.grade for gate in gates if gate.verdict is Verdict.PASSED and gate.kind != "review"]
    return min(earned, key=order.index, default=None)


def first_failure(events: Iterable[Event]) -> Failure | None:
    """The first guard finding or failing assertion of one iteration, in the order in which they were found."""
    for event in events:
        verdict = read.word(Verdict, event.data.get("verdict"), Verdict.PASSED)
        if event.kind not in ("guard", "gate") or not verdict.blocks or event.data.get("advisory"):
            continue
        if on_base(event.data):
            continue
        name = read.text(event.data, "name")
        if event.kind == "guard":
            return _guard_failure(name, event.data)
        return _gate_failure(name, event.data)
    return None


def _guard_failure(name: str, data: Mapping[str, Any]) -> Failure:
    finding = next(iter(read.rows(data, "findings")), {})
    path = read.text(finding, "path")
    message = read.text(finding, "message") or read.text(finding, "rule") or "did not pass"
    return Failure(f"guard {name}", f"{path}: {message}" if path else message)


def _gate_failure(name: str, data: Mapping[str, Any]) -> Failure:
    for failure in read.rows(data, "failures"):
        return Failure(read.text(failure, "id") or name, assertion(read.text(failure, "message")))
    if alive := survivors(data):
        return Failure(name, f"no test notices {alive[0]}")
    reason, verdict = read.text(data, "reason"), read.word(Verdict, data.get("verdict"), Verdict.FAILED)
    said = assertion(read.text(data, "excerpt")) if verdict is Verdict.FAILED else ""
    return Failure(name, ": ".join(filter(None, (reason, said))))


def assertion(message: str) -> str:
    """The line of a failure message that says what was wrong: the first that names an assertion or an error.

    Where pytest marks lines with ``E``, only those count: they hold the values, the others the source.
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    marked = [_PYTEST_MARGIN.sub("", line) for line in lines if _PYTEST_MARGIN.match(line)]
    lines = [line for line in marked or lines if not _RUST_PANIC.match(line)] or lines
    return next((line for line in lines if _ASSERTION.search(line)), lines[0] if lines else "")


def _counts(value: Any) -> TestCounts | None:
    if not isinstance(value, dict):
        return None
    return TestCounts(**{name: read.integer(value, name) for name in _COUNTED})
