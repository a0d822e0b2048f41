"""Guard ``tampering``: what a change does to the tests and to the checks that judge it, read from structure."""

from __future__ import annotations

from ralph.domain import Finding
from ralph.verify.guards.diff import UNJUDGED, Diff
from ralph.verify.guards.tampering import doctests, files, found, leftovers, shadows, snapshots, suppressions
from ralph.verify.guards.tampering.files import File
from ralph.verify.guards.tampering.python import judge


def findings(diff: Diff) -> list[Finding]:
    """Everything that makes checks see less, as findings; what the task declares and debug leftovers are notes."""
    changed = files.changed(diff)
    seen = [Finding(UNJUDGED, file.path, why) for file in changed if (why := _unjudged(file))]
    seen += judge.findings(changed, diff.tracked)
    if any(file.suffix in files.TREES for file in changed):
        from ralph.verify.guards.tampering.trees import judge as trees

        seen += trees.findings(changed)
    seen += doctests.findings(changed, diff.config.gates)
    seen += suppressions.findings(changed)
    seen += snapshots.findings(changed)
    seen += shadows.findings(diff)
    seen += leftovers.findings(changed)
    return found.settled(seen, diff.task.allow, {file.path for file in changed if file.test})


def _unjudged(file: File) -> str:
    if file.missing:
        return f"can't be read: {file.missing}"
    if not file.test or not file.program:
        return ""
    if not file.readable:
        return "this test file can't be read as text"
    if file.suffix in files.UNREAD:
        return f"no parser here reads the tests of {file.suffix} files"
    return ""
