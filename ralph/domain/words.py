"""Closed sets of words: states, verdicts, outcomes, causes."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """State of a task. *Blocked* is derived (a dependency is not completed), never stored."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    NEEDS_HUMAN = "needs_human"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """What sort of change a task asks for; verification policy depends on it."""

    FIX = "fix"
    FEATURE = "feature"
    REFACTOR = "refactor"
    DOCS = "docs"
    CHORE = "chore"
    TEST = "test"


class Verdict(StrEnum):
    """Result of a check. Only ``passed`` and ``not_applicable`` let a change through."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"
    NOT_APPLICABLE = "not_applicable"
    """The gate's ``when`` globs match no changed path."""

    @property
    def blocks(self) -> bool:
        return self in (Verdict.FAILED, Verdict.NOT_RUN)


class Grade(StrEnum):
    """How strongly a claim is supported."""

    VERIFIED = "verified"
    """Executed by the daemon on exactly the committed tree."""
    OBSERVED = "observed"
    """Executed, but weaker: exit code without per-test results, or on another tree."""
    REPORTED = "reported"
    """Said by an agent or another program."""
    STALE = "stale"
    """Executed, but the tree it is about is no longer the one that is claimed."""
    NOT_RUN = "not_run"
    """Nothing was executed."""


class Proof(StrEnum):
    """What the tests of a change say about it, by running them on the base's source."""

    PROVEN = "proven"
    """A test fails there on an assertion or a missing behaviour, and passes with the change."""
    NOT_DISCRIMINATING = "not_discriminating"
    """The tests pass without the change."""
    IMPORT_ONLY = "import_only"
    """They die before any assertion: only a name is missing."""
    INCONCLUSIVE = "inconclusive"
    """They could not be run there, or ended differently each time."""
    NOT_PROVABLE = "not_provable"
    """No test was touched, and none that stood on the base turned green."""


class Outcome(StrEnum):
    """How an iteration ended, as the daemon observed it."""

    COMMITTED = "committed"
    REJECTED = "rejected"
    """A guard or a gate did not pass."""
    NO_CHANGE = "no_change"
    AGENT_FAILED = "agent_failed"
    """The agent could not start, exited non-zero, or ended with an error of its own."""
    LIMIT = "limit"
    """A limit stopped the agent."""
    WAITING = "waiting"
    """The account has to wait for a rate or usage limit; no attempt is consumed."""
    HALTED = "halted"
    """Bad credentials or a spend limit: nothing more runs on that account; no attempt is consumed."""
    STOPPED = "stopped"
    """The person or the end of the window stopped it; no attempt is consumed."""
    CONFLICT = "conflict"
    """The dependencies' branches do not merge, or their merge is red."""
    QUARANTINED = "quarantined"
    """The branch moved under us; the commit is parked on a quarantine ref."""
    INFRASTRUCTURE = "infrastructure"
    """The machine or the daemon failed (disk full, worker crash); no attempt is consumed."""
    ABANDONED = "abandoned"
    """The daemon died in the middle; found at restart; no attempt is consumed."""

    @property
    def consumes_attempt(self) -> bool:
        return self in _CONSUMING

    @property
    def is_failure(self) -> bool:
        """True where the attempt's failures become feedback for the next one."""
        return self in _FAILURES


_FAILURES = frozenset({Outcome.REJECTED, Outcome.NO_CHANGE, Outcome.AGENT_FAILED, Outcome.LIMIT})
_CONSUMING = _FAILURES | {Outcome.COMMITTED, Outcome.QUARANTINED}


class Cause(StrEnum):
    """Why the daemon ended a process before it ended itself."""

    TIMEOUT = "timeout"
    STALL = "stall"
    OUTPUT = "output"
    MEMORY = "memory"
    TOKENS = "tokens"
    DOLLARS = "dollars"
    DISK = "disk"
    STOPPED = "stopped"
    LIFELINE = "lifeline"
    UNKILLABLE = "unkillable"
