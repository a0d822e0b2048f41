"""Read what a project's own mutation command printed: a line ``path:line: text`` for each survivor."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ralph.core.inert import line
from ralph.domain import Mutant
from ralph.verify.strength.coverage import Unreadable

_SURVIVOR = re.compile(r"(?P<path>[^\s:][^:]*):(?P<line>\d{1,7}):\s*(?P<text>\S.*)")
_MOST = 1_000
_SHOWN = 160


def survivors(printed: str, root: str, changed: Mapping[str, Collection[int]]) -> tuple[Mutant, ...] | Unreadable:
    """The survivors on changed lines; Unreadable where any line that was printed says something else.

    ``root`` is the tree's path as the command saw it; ``changed`` are the changed lines per path.
    """
    found: list[Mutant] = []
    for text in printed.splitlines():
        if not text.strip():
            continue
        match = _SURVIVOR.fullmatch(text.strip())
        if match is None:
            return Unreadable(f"it printed a line that names no survivor: {line(text, 80)}")
        path = match["path"].removeprefix(root.rstrip("/") + "/").removeprefix("./")
        if int(match["line"]) in changed.get(path, ()) and len(found) < _MOST:
            found.append(Mutant(path, int(match["line"]), "", line(match["text"], _SHOWN), "survived"))
    return tuple(found)
