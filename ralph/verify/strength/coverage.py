"""Read which lines a run executed, and say so of the changed ones."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ralph.verify.strength.database import read_database
from ralph.verify.strength.formats import read_cobertura, read_json, read_lcov
from ralph.verify.strength.lines import Statement
from ralph.verify.strength.recorded import CoverageError, Lines, Recorder

MAX_BYTES = 100_000_000
_PHASE = re.compile(r"\|(?:setup|run|teardown)$")


@dataclass(frozen=True, slots=True)
class FileCoverage:
    executed: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    """Lines that could have run and did not; empty where the format doesn't say."""
    tests: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Per executed line the tests that ran it, where the run kept them apart."""


@dataclass(frozen=True, slots=True)
class Coverage:
    files: Mapping[str, FileCoverage]
    """Per path relative to the tree; files outside it are left out."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that should say what ran and doesn't: nothing was measured."""

    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """What ran of the changed lines of one file."""

    covered: tuple[int, ...] = ()
    uncovered: tuple[int, ...] = ()
    tests: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Per covered line the tests that ran it; none where only the import did, or the run did not keep them apart."""
    missed: frozenset[int] = frozenset()
    """All lines of the statements that did not run."""


def read(data: bytes, root: str = "", only: Collection[str] | None = None) -> Coverage | Unreadable:
    """What ``data`` says: coverage.py's data file or JSON report, LCOV, or Cobertura's XML.

    ``root`` is the tree's path as the run saw it; ``only`` are the paths of interest, relative to it.
    """
    if len(data) > MAX_BYTES:
        return Unreadable("the coverage file is too large")
    into = Recorder(root, only)
    start = data[:200].removeprefix(b"\xef\xbb\xbf").lstrip()[:3]
    try:
        if data.startswith(b"SQLite format 3\0"):
            read_database(data, into)
        elif start[:1] == b"{":
            read_json(data, into)
        elif start[:1] == b"<":
            read_cobertura(data, into)
        elif start in (b"TN:", b"SF:"):
            read_lcov(data, into)
        else:
            return Unreadable("the coverage file has no known format")
    except CoverageError as error:
        return Unreadable(f"the coverage file can't be read: {error.message}")
    return Coverage({path: _frozen(lines) for path, lines in into.files.items()})


def _frozen(lines: Lines) -> FileCoverage:
    tests = {
        number: frozenset(_PHASE.sub("", name, count=1) for name in names) for number, names in lines.tests.items()
    }
    return FileCoverage(frozenset(lines.executed), frozenset(lines.missing - lines.executed), tests)


def of_statements(statements: Sequence[Statement], file: FileCoverage | None) -> Changed:
    """What ran of changed statements. A file that the run never saw is uncovered.

    A statement is named by its first line and ran where any of its lines did: interpreters differ in which of several
    lines they count. ``tests`` knows all of its lines.
    """
    seen = file or FileCoverage()
    covered = [one for one in statements if not seen.executed.isdisjoint(one.lines)]
    tests: dict[int, frozenset[str]] = {}
    for one in covered:
        ran = frozenset[str]().union(*(seen.tests.get(number, frozenset()) for number in one.lines))
        for number in one.lines:
            tests[number] = tests.get(number, frozenset()) | ran
    lines = {one.first for one in covered}
    uncovered = {one.first for one in statements} - lines
    missed = frozenset(line for one in statements for line in one.lines) - frozenset(tests)
    return Changed(tuple(sorted(lines)), tuple(sorted(uncovered)), tests, missed)


def of_lines(changed: Collection[int], file: FileCoverage | None) -> Changed:
    """What ran of changed lines of a language that only the coverage file understands."""
    seen = file or FileCoverage()
    covered, uncovered = seen.executed & set(changed), seen.missing & set(changed)
    return Changed(
        tuple(sorted(covered)), tuple(sorted(uncovered)), {line: seen.tests.get(line, _NONE) for line in covered}
    )


_NONE: frozenset[str] = frozenset()


def merge(found: Sequence[Coverage]) -> Coverage:
    """What several processes of one run executed together."""
    files: dict[str, FileCoverage] = {}
    for path in sorted({path for one in found for path in one.files}):
        parts = [one.files[path] for one in found if path in one.files]
        executed = frozenset[int]().union(*(part.executed for part in parts))
        missing = frozenset[int]().union(*(part.missing for part in parts)) - executed
        lines = {line for part in parts for line in part.tests}
        tests = {line: frozenset[str]().union(*(part.tests.get(line, _NONE) for part in parts)) for line in lines}
        files[path] = FileCoverage(executed, missing, tests)
    return Coverage(files)
