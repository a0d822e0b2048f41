"""What was executed and what it showed: executions, findings, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ralph.domain.words import Cause, Grade, Verdict


@dataclass(frozen=True, slots=True)
class Execution:
    """One command that was really executed: the unit of evidence."""

    argv: tuple[str, ...]
    directory: str
    tree: str
    """Tree hash of the files it ran on."""
    started: str
    seconds: float
    exit_code: int | None
    signal: int | None = None
    cause: Cause | None = None
    log: str = ""
    """Path of the log, relative to the run directory."""
    log_sha256: str = ""
    sandbox: str = "none"
    network: bool = False


@dataclass(frozen=True, slots=True)
class TestCounts:
    collected: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    __test__ = False  # not a pytest class


@dataclass(frozen=True, slots=True)
class TestFailure:
    """One failing test with the first lines of what it said."""

    id: str
    message: str

    __test__ = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a guard saw, precise enough to act on. Never holds a secret's value."""

    rule: str
    path: str
    message: str
    line: int = 0
    note: bool = False
    """Named, but does not block: a debug leftover, a change of tests that the task declares."""


@dataclass(frozen=True, slots=True)
class GuardResult:
    name: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class GateResult:
    """Verdict of one gate on one tree, with the evidence for it."""

    name: str
    kind: str
    verdict: Verdict
    reason: str
    """One line a person understands: 'exit 1, 2 of 14 tests failed'."""
    execution: Execution | None = None
    counts: TestCounts | None = None
    """None where the runner gave no per-test report."""
    failures: tuple[TestFailure, ...] = ()
    excerpt: str = ""
    """Tail of the output, trimmed and redacted, for feedback and report."""
    grade: Grade = Grade.VERIFIED
    advisory: bool = False
    """Shown, but does not block (a base that is red without test ids)."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Per test id: passed, failed, skipped."""

    @property
    def blocks(self) -> bool:
        return self.verdict.blocks and not self.advisory


@dataclass(frozen=True, slots=True)
class Change:
    """One changed path between two trees. ``status`` is git's letter: A, M, D, T."""

    status: str
    path: str
    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
