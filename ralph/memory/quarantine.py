"""The list of flaky tests that run without gating: who owns each, what was executed to show it, until when.

Written by the daemon only, outside the repository; a list that can't be read quarantines nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ralph.host.files import write_atomic


class Entry(BaseModel):
    """One test in quarantine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: str
    """Its id in the report of ``gate``."""
    gate: str
    owner: str
    """Who is to mend it: the author of the last commit that touched its file."""
    iteration: str
    """Where it was seen."""
    failed: int
    runs: int
    """Executions on the base's tree, of which ``failed`` failed."""
    logs: tuple[str, ...] = ()
    """Logs of those executions: ``iteration/log``."""
    since: date
    expires: date
    """First day on which it gates again."""


class Book(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    entries: tuple[Entry, ...] = ()


def read(path: Path) -> tuple[Entry, ...]:
    """All entries, expired ones too; none where the file is missing or can't be read."""
    try:
        return Book.model_validate_json(path.read_bytes()).entries
    except (OSError, ValidationError):
        return ()


def active(entries: Iterable[Entry], today: date) -> dict[str, dict[str, str]]:
    """Per gate the tests that do not gate today, each with the day since when."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries:
        if entry.since <= today < entry.expires:
            found.setdefault(entry.gate, {})[entry.test] = entry.since.isoformat()
    return found


def add(path: Path, new: Sequence[Entry], today: date) -> tuple[Entry, ...]:
    """Add those that are not in quarantine already and return them. What has expired a quarantine ago is dropped."""
    kept = [entry for entry in read(path) if today < entry.expires + (entry.expires - entry.since)]
    held = {(entry.gate, entry.test) for entry in kept if today < entry.expires}
    fresh = [entry for entry in new if (entry.gate, entry.test) not in held]
    again = {(entry.gate, entry.test) for entry in fresh}
    kept = [entry for entry in kept if (entry.gate, entry.test) not in again]
    if fresh:
        book = Book(entries=tuple(sorted([*kept, *fresh], key=lambda entry: (entry.gate, entry.test))))
        write_atomic(path, book.model_dump_json(indent=2).encode() + b"\n")
    return tuple(fresh)


def until(today: date, days: int) -> date:
    """The first day on which a test gates again that is quarantined today."""
    return today + timedelta(days=days)
