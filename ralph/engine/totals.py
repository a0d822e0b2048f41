"""What the night's branches did to the code base together, measured once at its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ralph.domain import Change
from ralph.engine.loop_state import LoopState
from ralph.engine.messages import plain
from ralph.engine.night import Night
from ralph.errors import RalphError
from ralph.vcs.workspace import Workspace
from ralph.verify.guards import is_test
from ralph.verify.totals import FileChange, measure

MOST_FILES = 1_000
LARGEST = 1_000_000
"""Bytes of a file beyond which it is not read."""


def of(night: Night) -> dict[str, Any] | None:
    """What `totals` says; None where no branch has anything that the base has not, or it can't be read."""
    branches = list(_branches(night))
    if not branches:
        return None
    try:
        changes = [change for loop, commit in branches for change in _changes(night, loop, commit)]
    except RalphError:
        return None
    return {**plain(measure(changes[:MOST_FILES])), "left_out": max(0, len(changes) - MOST_FILES)}


def _branches(night: Night) -> Iterator[tuple[LoopState, str]]:
    """Each branch with unlanded work: the loop that holds it, and its head."""
    heads: dict[str, tuple[LoopState, str]] = {}
    for id, state in night.board.tasks.items():
        loop = night.loops.get(state.loop)
        if state.commit and loop and id not in night.landed:
            per_loop = night.config.night.branch_per == "loop"
            heads[loop.name if per_loop else id] = (loop, loop.head if per_loop else state.commit)
    yield from heads.values()


def _changes(night: Night, loop: LoopState, commit: str) -> Iterator[FileChange]:
    workspace = loop.workspace
    owners: dict[str, list[str]] = defaultdict(list)
    for id, state in night.board.tasks.items():
        if state.loop == loop.name and id not in night.landed:
            for path in state.paths:
                owners[path].append(id)
    for change in workspace.changes(workspace.tree_of(night.base), workspace.tree_of(commit)):
        old, new = _bytes(workspace, change, new=False), _bytes(workspace, change, new=True)
        yield FileChange(change.path, old, new, tuple(owners[change.path]), is_test(change.path, night.config))


def _bytes(workspace: Workspace, change: Change, new: bool) -> bytes | None:
    blob, mode = (change.new_blob, change.new_mode) if new else (change.old_blob, change.old_mode)
    return workspace.blob(blob, LARGEST) if mode.startswith("100") and blob.strip("0") else None
