"""What was executed and what it showed: executions, findings, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ralph.domain.words import Cause, Grade, Proof, Verdict


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
    run: str = ""
    """Iteration in whose run directory log and report lie."""
    report: str = ""
    """Path of the per-test report as the program wrote it, relative to the run directory."""
    report_sha256: str = ""
    commit: str = ""
    """Commit that the tree was a candidate for or belongs to; empty: of none (a proof tree)."""
    dirty: bool = False
    """The command changed tracked files while it ran."""
    environment: str = ""
    """Digest of what besides tree and command decides the result: variables, kept folders, sandbox, network."""
    tools: dict[str, str] = field(default_factory=dict)
    """Program to version, as far as it says one."""
    ended: str = ""
    attempt: int = 1
    """The n-th execution of this command on this tree and environment for one verdict."""
    purpose: str = "head"
    """What it was run for: head, base, rerun, fail-to-pass, replay, stub, control, coverage, mutant, train."""
    canary: str = ""
    """Id of the failing test that was planted; empty: the runner takes none."""


@dataclass(frozen=True, slots=True)
class TestCounts:
    collected: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    xfailed: int = 0
    """Of the skipped ones those that were expected to fail and did."""

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
class Run:
    """One execution in support of a verdict, with what it showed for each test."""

    execution: Execution
    counts: TestCounts | None = None
    outcomes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Test ids of a run beside those of the same command on the base."""

    base_tree: str
    newly_failing: tuple[str, ...] = ()
    """Passed there, fail here."""
    newly_passing: tuple[str, ...] = ()
    """Failed there, pass here."""
    vanished: tuple[str, ...] = ()
    """Were there and are not here, nor under another file or class."""
    newly_skipped: tuple[str, ...] = ()
    """Passed or failed there, are skipped here."""
    absent_to_red: tuple[str, ...] = ()
    """Not there, fail here."""
    still_failing: tuple[str, ...] = ()
    """Fail on both: never this change's fault, never a reason to excuse anything else."""
    moved: dict[str, str] = field(default_factory=dict)
    """Id there to the id here that replaces it."""
    died: bool = False
    """The run ended before all tests had their turn, so that silence about a test says nothing."""


@dataclass(frozen=True, slots=True)
class ProofResult:
    """What running a change's tests on the base's source showed."""

    grade: Proof
    tests: dict[str, Proof] = field(default_factory=dict)
    """Per touched test id."""
    turned: tuple[str, ...] = ()
    """What stood on the base, was red there and is green now: test ids, or names of checks."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small fault seeded in a changed line, and whether the tests saw it."""

    path: str
    line: int
    before: str
    after: str
    fate: str
    """killed, survived, timeout, untested."""
    tests: tuple[str, ...] = ()
    """Ids of the tests that were run on it."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How much of a change its tests would notice. Counts are of executable changed lines."""

    changed: int
    covered: int
    uncovered: tuple[str, ...] = ()
    """``path:line``."""
    mutants: tuple[Mutant, ...] = ()
    stopped: str = ""
    """Why not all mutants were tried."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A task that a reviewer proposes."""

    title: str
    description: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer said. It can refuse a change, never excuse an executed check."""

    accepted: bool
    reasons: tuple[str, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    agent: str = ""


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
    """Per test id: passed, failed, skipped, xfailed."""
    runs: tuple[Run, ...] = ()
    """Every further execution behind the verdict: on the base, again, on proof trees, on mutants."""
    flaky: tuple[str, ...] = ()
    """Ids that passed and failed on the same tree."""
    comparison: Comparison | None = None
    proof: ProofResult | None = None
    strength: Strength | None = None
    review: Review | None = None

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
