"""Where a prompt says which task and which attempt it is about: what scripted answers are chosen by."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HEAD = re.compile(r"(?m)^Task: ([A-Za-z0-9._-]{1,64})\nAttempt: (\d{1,6})$")
"""How ``core.prompt`` begins what it says about a task."""
_LOOSE = re.compile(r"\battempt\W{0,3}(\d{1,4})\b", re.IGNORECASE)


def attempt_of(prompt: str) -> int:
    """The attempt that a prompt is about: as its head says, else the first number that an attempt has, else 1."""
    if head := _HEAD.search(prompt):
        return int(head[2])
    loose = _LOOSE.search(prompt)
    return int(loose[1]) if loose else 1


def task_of(prompt: str, ids: Iterable[str]) -> str | None:
    """Which of ``ids`` a prompt is about: as its head says, else the one named first. None where it is none of them."""
    known = list(ids)
    if head := _HEAD.search(prompt):
        return head[1] if head[1] in known else None
    found = {id: re.search(rf"(?<![\w.-]){re.escape(id)}(?![\w-]|\.\w)", prompt) for id in known}
    named = [(match.start(), -len(id), id) for id, match in found.items() if match]
    return min(named)[2] if named else None
