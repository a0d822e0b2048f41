"""What became of the bytes behind an execution: log and report as they were, changed, or gone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ralph.domain import Execution
from ralph.engine.audit.book import Told
from ralph.engine.audit.findings import Findings
from ralph.errors import RalphError
from ralph.host.files import read_beneath
from ralph.host.paths import Layout
from ralph.verify import reports

LARGEST = 2_000_000_000


class Kept(StrEnum):
    """What became of a stored file."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    GONE = "gone"
    """Its run directory is there, it is not."""
    REMOVED = "removed"
    """The whole run directory is past its keeping time."""
    LOST = "lost"
    """The whole run directory is gone and nothing says that ralph removed it."""
    NONE = "none"
    """There never was one."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Log and report of one execution."""

    log: Kept
    report: Kept
    folder: Path | None
    """The run directory, where it is there."""

    @property
    def whole(self) -> bool:
        return self.log is Kept.UNCHANGED and self.report in (Kept.UNCHANGED, Kept.NONE)


class Files:
    """The run directories of a repository, each file looked at once."""

    def __init__(self, where: Layout, cleaned: set[str]) -> None:
        self.where, self.cleaned = where, cleaned
        self._seen: dict[tuple[str, str, str], Kept] = {}

    def of(self, ran: Execution) -> Bytes:
        """What became of log and report of an execution."""
        folder = self.where.run(ran.run) if ran.run else None
        log = self.state(ran.run, ran.log, ran.log_sha256)
        report = self.state(ran.run, ran.report, ran.report_sha256)
        return Bytes(log, report, folder if folder and folder.is_dir() else None)

    def state(self, run: str, path: str, sha256: str) -> Kept:
        """What became of the file ``path`` in the run directory of iteration ``run``."""
        if not run or not path:
            return Kept.NONE
        key = run, path, sha256
        if key not in self._seen:
            self._seen[key] = self._look(run, path, sha256)
        return self._seen[key]

    def _look(self, run: str, path: str, sha256: str) -> Kept:
        folder = self.where.run(run)
        if not folder.is_dir():
            return Kept.REMOVED if run in self.cleaned else Kept.LOST
        found = _digest(folder, path)
        if found is None:
            return Kept.GONE
        return Kept.UNCHANGED if found == sha256 else Kept.CHANGED


def check(told: Told, files: Files, found: Findings) -> None:
    """Compare the digests of everything that was executed for a verdict."""
    for where, ran in told.executions():
        check_one(where, ran, files, found)


def check_one(where: str, ran: Execution, files: Files, found: Findings) -> None:
    """Compare the digests of one execution's log and report; ``where`` names it."""
    if not ran.log:
        return
    found.checked["executions"] += 1
    state = files.of(ran)
    for kind, path, kept in (("log", ran.log, state.log), ("report", ran.report, state.report)):
        if said := _WRONG.get(kept):
            found.wrong(kind, where, f"{ran.run}/{path} {said}")
    if Kept.REMOVED in (state.log, state.report):
        found.remark(f"{ran.run}: logs and reports were removed past their keeping time; only the digests are left")


_WRONG = {
    Kept.CHANGED: "was changed: its SHA-256 is not the one on record",
    Kept.GONE: "is missing",
    Kept.LOST: "is missing with its whole run directory, which ralph did not remove",
}


def _digest(folder: Path, path: str) -> str | None:
    whole = folder / path
    if any(part.is_symlink() for part in (whole, *whole.parents) if part.is_relative_to(folder) and part != folder):
        return "a link"
    if whole.is_dir():
        return reports.digest(whole)
    try:
        data = read_beneath(folder, path, LARGEST)
    except RalphError:
        return "unreadable"
    return None if data is None else hashlib.sha256(data).hexdigest()
