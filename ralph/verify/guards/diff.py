"""What every guard gets to see: a change set with its blobs, and the findings that come out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ralph.config import Config
from ralph.domain import Change, Finding, GuardResult, Task, Verdict

SYMLINK, GITLINK = "120000", "160000"
UNJUDGED = "unjudged"
"""Rule of a finding that says what a guard could not judge: not run, which blocks."""


@dataclass(frozen=True, slots=True)
class Diff:
    """One candidate change, as data."""

    task: Task
    changes: Sequence[Change]
    read_blob: Callable[[str], bytes]
    tracked: Collection[str]
    """Paths of the base."""
    config: Config

    def new(self, change: Change) -> bytes | None:
        """Content after the change; None for deletions and for what is no regular file."""
        return self._read(change.new_blob, change.new_mode)

    def old(self, change: Change) -> bytes | None:
        return self._read(change.old_blob, change.old_mode)

    def _read(self, blob: str, mode: str) -> bytes | None:
        if not mode.startswith("100") or not blob.strip("0"):
            return None
        return self.read_blob(blob)


def result(name: str, findings: Sequence[Finding]) -> GuardResult:
    """Failed by a finding that is no note, not run where only unjudged ones are left; what blocks stands first."""
    ordered = sorted(findings, key=lambda one: one.note)
    blocking = [one for one in ordered if not one.note]
    if any(one.rule != UNJUDGED for one in blocking):
        return GuardResult(name, Verdict.FAILED, tuple(ordered))
    return GuardResult(name, Verdict.NOT_RUN if blocking else Verdict.PASSED, tuple(ordered))
