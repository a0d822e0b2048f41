"""Where a prompt says which task and which attempt it is about, and for whom: what scripted answers are chosen by."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HEAD = re.compile(r"(?m)^(Review\n)?Task: ([A-Za-z0-9._-]{1,64})\nAttempt: (\d{1,6})$")
"""How ``core.prompt`` begins what it says about a task, and ``core.prompt_review`` what it says about a change."""
_LOOSE = re.compile(r"\battempt\W{0,3}(\d{1,4})\b", re.IGNORECASE)


def attempt_of(prompt: str) -> int:
    """The attempt that a prompt is about: as its head says, else the first number that an attempt has, else 1."""
    if head := _HEAD.search(prompt):
        return int(head[3])
    loose = _LOOSE.search(prompt)
    return int(loose[1]) if loose else 1


def is_review(prompt: str) -> bool:
    """Whether a prompt asks for a review of the task's change, as its head says."""
    head = _HEAD.search(prompt)
    return bool(head and head[1])


def task_of(prompt: str, ids: Iterable[str]) -> str | None:
    """Which of ``ids`` a prompt is about: as its head says, else the one named first. None where it is none of them."""
    known = list(ids)
    if head := _HEAD.search(prompt):
        return head[2] if head[2] in known else None
    found = {id: re.search(rf"(?<![\w.-]){re.escape(id)}(?![\w-]|\.\w)", prompt) for id in known}
    named = [(match.start(), -len(id), id) for id, match in found.items() if match]
    return min(named)[2] if named else None
