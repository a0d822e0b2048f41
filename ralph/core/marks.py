"""Where a prompt says which task and which attempt it is about: what scripted answers are chosen by."""

from __future__ import annotations

import re
from collections.abc import Iterable

_OF = re.compile(r"\battempt\W{0,3}(\d{1,4})\s+of\s+\d", re.IGNORECASE)
_PLAIN = re.compile(r"\battempt\W{0,3}(\d{1,4})\b", re.IGNORECASE)


def attempt_of(prompt: str) -> int:
    """The attempt that a prompt is about: "attempt 2 of 8", else the highest number an attempt is given, else 1."""
    if found := _OF.search(prompt):
        return int(found[1])
    return max((int(number) for number in _PLAIN.findall(prompt)), default=1)


def task_of(prompt: str, ids: Iterable[str]) -> str | None:
    """Which of ``ids`` a prompt is about: the one called a task on its own line, else the one named first."""
    best: tuple[int, int, int] | None = None
    answer = None
    for id in ids:
        name = re.escape(id)
        whole = rf"(?<![\w.-]){name}(?![\w-]|\.\w)"
        labelled = re.search(rf"(?im)^\W*task\W+(?:id\W+)?{whole}", prompt)
        found = labelled or re.search(whole, prompt)
        if found is None:
            continue
        rank = (0 if labelled else 1, found.start(), -len(id))
        if best is None or rank < best:
            best, answer = rank, id
    return answer
