"""Guard ``secrets``: no credential in an added or changed file, by content or by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ralph.core import secrets
from ralph.domain import Change, Finding
from ralph.errors import RalphError
from ralph.verify.guards.diff import SYMLINK, Diff


def findings(diff: Diff, known: Sequence[str]) -> list[Finding]:
    redactor = secrets.Redactor(known)
    found: list[Finding] = []
    for change in diff.changes:
        if change.status != "D":
            path = redactor.text(change.path)
            found += _in_name(change.path, path, known)
            found += _in_content(diff, change, path, known)
    return found


def _in_name(name: str, path: str, known: Sequence[str]) -> Iterator[Finding]:
    for one in secrets.scan_text(name, "", known):
        yield Finding(one.rule, path, f"its name {one.message}")


def _in_content(diff: Diff, change: Change, path: str, known: Sequence[str]) -> list[Finding]:
    """Findings in the new content that were not in the old one: what was there before is not this task's."""
    try:
        data = diff.read_blob(change.new_blob) if change.new_mode == SYMLINK else diff.new(change)
    except RalphError as error:
        return [Finding("unreadable", path, f"can't be searched for secrets: {error.message}")]
    here = secrets.scan(data, path, known) if data is not None else []
    before = diff.old(change) if here else None
    if before is None:
        return here
    old = {(one.rule, one.message) for one in secrets.scan(before, path, known)}
    return [one for one in here if (one.rule, one.message) not in old]
