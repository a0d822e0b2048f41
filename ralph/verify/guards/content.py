"""Part of guard ``diff-policy``: what no text of a change may hold, whatever language it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ralph.core.inert import spelled
from ralph.domain import Change, Finding
from ralph.verify.guards.diff import Diff

_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Makes a line read otherwise than it runs: CVE-2021-42574."""


def findings(diff: Diff, change: Change) -> Iterator[Finding]:
    """A merge conflict that was left, and characters that reorder what a reader sees; only where they are new."""
    new = diff.new(change)
    if not new or b"\0" in new[:8000]:
        return
    old = diff.old(change) or b""
    if (left := _conflict(new)) and not _conflict(old):
        yield Finding("conflict-marker", change.path, "a merge conflict is left in it", left)
    text = new.decode("utf-8", "replace")
    seen = set(_DIRECTION.findall(old.decode("utf-8", "replace")))
    turned = next((one for one in _DIRECTION.finditer(text) if one[0] not in seen), None)
    if turned:
        said = f"{spelled(turned[0])} makes the text read otherwise than it is"
        yield Finding("control-character", change.path, said, text.count("\n", 0, turned.start()) + 1)


def _conflict(data: bytes) -> int:
    """Line of the first whole conflict as git writes it; 0 where there is none."""
    if b"<<<<<<< " not in data or b">>>>>>> " not in data:
        return 0
    began, divided = 0, False
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.startswith(b"<<<<<<< "):
            began, divided = number, False
        elif began and line.rstrip() == b"=======":
            divided = True
        elif divided and line.startswith(b">>>>>>> "):
            return began
    return 0
