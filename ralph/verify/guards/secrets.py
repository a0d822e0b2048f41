"""Guard ``secrets``: no credential in an added or changed file, by content or by name."""

from __future__ import annotations

from collections.abc import Sequence

from ralph.core import secrets
from ralph.domain import Finding
from ralph.verify.guards.diff import SYMLINK, Diff


def findings(diff: Diff, known: Sequence[str]) -> list[Finding]:
    """Findings in the new content that were not in the old one: what was there before is not this task's."""
    found: list[Finding] = []
    for change in diff.changes:
        found += secrets.scan_text(change.path, change.path, known)
        if change.new_mode == SYMLINK:
            found += secrets.scan(diff.read_blob(change.new_blob), change.path, known)
        data = diff.new(change)
        if data is None:
            continue
        here = secrets.scan(data, change.path, known)
        before = diff.old(change) if here else None
        old = (
            {(one.rule, one.message) for one in secrets.scan(before, change.path, known)}
            if before is not None
            else set()
        )
        found += [one for one in here if (one.rule, one.message) not in old]
    return found
