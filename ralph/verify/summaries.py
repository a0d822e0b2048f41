"""What runners without a report file say about their tests on the terminal, parsed to the same ``Report``.

Weaker than a report file: a test that prints can disturb it. Whatever can't be read for certain is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from ralph.core.inert import visible
from ralph.domain import TestCounts, TestFailure
from ralph.verify.excerpt import first_lines
from ralph.verify.junit import Report, report_of

_RAN = re.compile(r"^Ran (\d+) tests? in [\d.]+s$", re.MULTILINE)
_ENDED = re.compile(r"\s*(OK|FAILED|NO TESTS RAN)(?: \((.*)\))?\s*$", re.MULTILINE)
_UNITTEST_CASE = re.compile(
    r"^(\w+) \(([\w.]+)\)(?:\n(?![\w ]+ \().*?)? \.\.\. (ok|skipped|expected failure)", re.MULTILINE
)
_UNITTEST_BAD = re.compile(r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): ([\w.]+) \(([\w.]+)\)", re.MULTILINE)


def unittest(log: str) -> Report | None:
    """The last summary of Python's unittest in a log, or None."""
    text = visible(log)
    ran = list(_RAN.finditer(text))
    ended = _ENDED.match(text, ran[-1].end()) if ran else None
    if ended is None:
        return None
    parts = dict(re.findall(r"([a-z ]+)=(\d+)", ended[2] or ""))
    number = {name.strip(): int(count) for name, count in parts.items()}
    collected = int(ran[-1][1])
    failed = number.get("failures", 0) + number.get("errors", 0) + number.get("unexpected successes", 0)
    failed = max(failed, ended[1] == "FAILED")
    skipped = number.get("skipped", 0) + number.get("expected failures", 0)
    counts = TestCounts(collected, max(0, collected - failed - skipped), failed, skipped)
    listed = report_of(_unittest_cases(text))
    return Report(counts, listed.failures, listed.outcomes)


def _unittest_cases(text: str) -> Iterator[tuple[str, str, str]]:
    for case in _UNITTEST_CASE.finditer(text):
        yield _unittest_id(case[1], case[2]), "passed" if case[3] == "ok" else "skipped", ""
    for bad in _UNITTEST_BAD.finditer(text):
        block = re.split(r"^[=-]{70}$", text[bad.end() : bad.end() + 20_000], maxsplit=2, flags=re.MULTILINE)
        lines = block[1].strip().splitlines() if len(block) > 1 else []
        yield _unittest_id(bad[1], bad[2]), "failed", first_lines("\n".join(lines[-4:]))


def _unittest_id(name: str, place: str) -> str:
    return f"{place.removesuffix('.' + name)}::{name}"


_GO_CASE = re.compile(r"--- (PASS|FAIL|SKIP): (\S+) \(\d+\.\d+s\)")
_GO_PACKAGE = re.compile(r"^(ok  |FAIL|\?   )\t(\S+)(?:\t(?:[\d.]+s|\(cached\)))?(?:\s+(\[[^\]]+\]))?", re.MULTILINE)
_GO_OUTCOME = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}


def go(log: str) -> Report | None:
    """``go test``: per test with ``-v``, else per package; None where no package reported."""
    text = visible(log)
    packages = list(_GO_PACKAGE.finditer(text))
    if not packages:
        return None
    return report_of(
        case for before, package in pairwise([None, *packages]) for case in _go_package(text, before, package)
    )


def _go_package(
    text: str, before: re.Match[str] | None, package: re.Match[str] | None
) -> Iterator[tuple[str, str, str]]:
    assert package is not None
    word, name, note = package[1].strip(), package[2], package[3] or ""
    block = text[before.end() if before else 0 : package.start()]
    failed = found = False
    for case in _GO_CASE.finditer(block):
        found, failed = True, failed or case[1] == "FAIL"
        yield f"{name}::{case[2]}", _GO_OUTCOME[case[1]], _go_said(block, case) if case[1] == "FAIL" else ""
    if word == "FAIL" and not failed:
        yield (
            f"{name}::{note}" if note else name,
            "failed",
            first_lines("\n".join(block.strip().splitlines()[-12:]), 12),
        )
    elif word == "ok" and not found and note not in ("[no tests to run]", "[no test files]"):
        yield name, "passed", ""


def _go_said(block: str, case: re.Match[str]) -> str:
    before = block[: case.start()].rsplit(f"=== RUN   {case[2]}\n", 1)[-1]
    after = block[case.end() :].split("=== ", 1)[0].split("--- ", 1)[0]
    said = [line.strip() for line in (before + after).splitlines() if not line.lstrip().startswith(("=== ", "--- "))]
    return first_lines("\n".join(said))


_CARGO_TARGET = re.compile(
    r"^\s+(?:Running (?:unittests )?(?P<bin>\S+)(?: \(.*\))?|Doc-tests (?P<doc>\S+))$"
    r"|^running (?P<running>\d+) tests?$"
    r"|^test (?P<name>.+?)(?: - should panic)? \.\.\. (?P<state>ok|FAILED|ignored)"
    r"|^test result: \w+\. (?P<passed>\d+) passed; (?P<failed>\d+) failed; (?P<ignored>\d+) ignored",
    re.MULTILINE,
)
_CARGO_STATE = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}


def cargo(log: str) -> Report | None:
    """``cargo test``; None where a test binary began and never gave its result."""
    text = visible(log)
    target, begun, ended = "", 0, 0
    passed = failed = ignored = 0
    cases: list[tuple[str, str, str]] = []
    for line in _CARGO_TARGET.finditer(text):
        if line["bin"] or line["doc"]:
            target = line["bin"] or "doc " + line["doc"]
        elif line["running"]:
            begun += 1
        elif line["name"]:
            state = _CARGO_STATE[line["state"]]
            cases.append(
                (f"{target}::{line['name']}", state, _cargo_said(text, line["name"]) if state == "failed" else "")
            )
        else:
            ended += 1
            passed, failed = passed + int(line["passed"]), failed + int(line["failed"])
            ignored += int(line["ignored"])
    if not begun or begun != ended:
        return None
    listed = report_of(cases)
    counts = TestCounts(passed + failed + ignored, passed, failed, ignored)
    return Report(counts, listed.failures, listed.outcomes)


def _cargo_said(text: str, name: str) -> str:
    said = text.split(f"---- {name} stdout ----", 1)
    return (
        first_lines(re.split(r"^(?:stack backtrace:|---- |note: )", said[1], maxsplit=1, flags=re.MULTILINE)[0])
        if said[1:]
        else ""
    )


_NEXTEST_CASE = re.compile(
    r"^\s+(?:TRY \d+ )?(PASS|FAIL|SIGABRT|SIGSEGV|TIMEOUT|SKIP) \[[^\]]*\](?: \([^)]*\))? (\S+) (.+)$", re.MULTILINE
)
_NEXTEST_SUMMARY = re.compile(r"^\s+Summary \[[^\]]*\]\s+(\d+)(?:/\d+)? tests? run: (\d+) passed.*$", re.MULTILINE)


def nextest(log: str) -> Report | None:
    """``cargo nextest run``; None without its summary line."""
    text = visible(log)
    summaries = list(_NEXTEST_SUMMARY.finditer(text))
    if not summaries:
        return None
    run, passed = int(summaries[-1][1]), int(summaries[-1][2])
    states = {"PASS": "passed", "SKIP": "skipped"}
    cases = (
        (f"{case[2]}::{case[3].strip()}", states.get(case[1], "failed"), "") for case in _NEXTEST_CASE.finditer(text)
    )
    listed = report_of(cases)
    failures = tuple(TestFailure(item.id, _cargo_said(text, item.id.split("::", 1)[1])) for item in listed.failures)
    return Report(TestCounts(run, passed, run - passed, 0), failures, listed.outcomes)


_PYTEST = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+|no tests ran) in [\d.]+s(?: \([\d:]+\))? ?=*$", re.MULTILINE)
_JEST = re.compile(r"^\s*Tests:?\s+((?:\d+ [a-z]+(?:, | \| )?)+)(?: \(\d+\))?$", re.MULTILINE)
_SUREFIRE = re.compile(r"Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)(?!.*(?:Time elapsed|-- in))")


_MAKE_IDLE = re.compile(r"^make(?:\[\d+\])?: (?:'.+' is up to date|Nothing to be done for '.+')\.$")
"""A target that is also the name of a file or a folder: make runs nothing and ends with 0."""


def guess(log: str) -> TestCounts | None:
    """Counts from the last summary of any known runner in a log, for commands that hide which one they start."""
    text = visible(log[-400_000:])
    readers: tuple[Callable[[str], TestCounts | None], ...] = (
        _words(_PYTEST),
        _words(_JEST),
        lambda text: _counts(unittest(text)),
        lambda text: _counts(nextest(text)),
        lambda text: _counts(cargo(text)),
        _surefire,
        lambda text: _counts(go(text)),
    )
    if _MAKE_IDLE.match(text.strip()):
        return TestCounts(0, 0, 0, 0)
    return next((counts for reader in readers if (counts := reader(text)) is not None), None)


def _counts(report: Report | None) -> TestCounts | None:
    return report.counts if report else None


def _words(pattern: re.Pattern[str]) -> Callable[[str], TestCounts | None]:
    def counts(text: str) -> TestCounts | None:
        found = pattern.findall(text)
        if not found:
            return None
        number = {word: int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", found[-1])}
        passed = number.get("passed", 0)
        failed = number.get("failed", 0) + number.get("errors", 0) + number.get("error", 0)
        skipped = sum(number.get(word, 0) for word in ("skipped", "xfailed", "xpassed", "todo", "pending"))
        return TestCounts(passed + failed + skipped, passed, failed, skipped)

    return counts


def _surefire(text: str) -> TestCounts | None:
    found = _SUREFIRE.findall(text)
    if not found:
        return None
    run, failures, errors, skipped = map(int, found[-1])
    return TestCounts(run, run - failures - errors - skipped, failures + errors, skipped)
