"""Look for the planted test in what a run reported, and take it out again."""

from __future__ import annotations

import re
from dataclasses import replace

from ralph.verify.junit import Report

NOT_SEEN = "the failing test that was planted was not reported as failed: this run's results can't be believed"


def take_out(report: Report, test: str) -> tuple[Report, bool]:
    """The report of the project's own tests, and whether every planted ``test`` was there as a failed one."""
    found = {identity: number for identity in report.outcomes if (number := _number(identity, test))}
    if not found:
        return report, False
    ids, wanted = (
        list(found),
        {(n, of) for _, of in found.values() for n in range(1, of + 1)},
    )
    seen = set(found.values()) == wanted and all(report.outcomes[identity] == "failed" for identity in ids)
    lost = [report.outcomes[identity] for identity in ids]
    counts = replace(
        report.counts,
        collected=report.counts.collected - len(lost),
        passed=report.counts.passed - lost.count("passed"),
        failed=report.counts.failed - lost.count("failed"),
        skipped=report.counts.skipped - lost.count("skipped") - lost.count("xfailed"),
        xfailed=report.counts.xfailed - lost.count("xfailed"),
    )
    failures = tuple(failure for failure in report.failures if failure.id not in ids)
    return Report(
        counts,
        failures,
        {id: state for id, state in report.outcomes.items() if id not in ids},
    ), seen


def hide(log: str, test: str) -> str:
    """The output without the lines about the planted test."""
    return "".join(line for line in log.splitlines(keepends=True) if test not in line) if test else log


def said_to_fail(log: str, test: str) -> bool:
    """Whether the output of a runner without a report file has the planted test as a failed one."""
    return any(line.startswith(f"{test} (") and line.rstrip().endswith("... FAIL") for line in log.splitlines())


def _number(identity: str, test: str) -> tuple[int, int] | None:
    """Which of how many planted tests this is; None where it is none."""
    match = re.fullmatch(re.escape(test) + r"(?:_(\d+)_(\d+))?(?:@.*)?", identity.rsplit("::", 1)[-1])
    return (int(match[1] or 1), int(match[2] or 1)) if match else None
