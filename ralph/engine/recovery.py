"""What a start does first: fence off everything that may still run, then bring every open iteration to an end.

The ledger says what was intended, git says what happened; nothing is guessed.
"""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass

from ralph.config import load
from ralph.domain import Outcome
from ralph.errors import RalphError
from ralph.host.alive import kill_tagged, process_alive
from ralph.host.paths import Layout
from ralph.memory.ledger import Event, Ledger
from ralph.vcs.workspace import Workspace

log = logging.getLogger("ralph")


@dataclass(slots=True)
class _Open:
    """An iteration that began and did not end."""

    began: Event
    worker: Event | None = None
    snapshot: Event | None = None
    intends: Event | None = None
    committed: Event | None = None
    agent_ended: Event | None = None


def recover(layout: Layout, ledger: Ledger) -> list[str]:
    """Fence and finish; returns one line for each iteration that a crash had left open."""
    left = _left_open(ledger)
    for entry in left:
        fence(entry)
    for name in {entry.began.loop for entry in left}:
        Workspace(layout.loop(name), layout.mirror).unlock()
    return [_finish(layout, ledger, entry) for entry in left]


def _left_open(ledger: Ledger) -> list[_Open]:
    found: dict[str, _Open] = {}
    kinds = ("began", "worker", "snapshot", "intends", "committed", "agent_ended", "ended")
    for event in ledger.events(kinds=kinds):
        if event.kind == "began":
            found[event.iteration] = _Open(event)
        elif event.kind == "ended":
            found.pop(event.iteration, None)
        elif event.iteration in found:
            setattr(found[event.iteration], event.kind, event)
    return list(found.values())


def fence(entry: _Open) -> None:
    """Kill the worker by its identity and everything that carries the iteration's tag; return when none is left."""
    if entry.worker:
        data = entry.worker.data
        if process_alive(data["pid"], data["create_time"], data["boot_id"]):
            os.kill(data["pid"], signal.SIGKILL)
    kill_tagged(entry.began.data["tag"])


def _finish(layout: Layout, ledger: Ledger, entry: _Open) -> str:
    began = entry.began
    where = {"night": began.night, "loop": began.loop, "task": began.task, "iteration": began.iteration}
    outcome, summary, landed = Outcome.ABANDONED, "the daemon died during this iteration", False
    if entry.intends:
        landed = bool(entry.committed) or _complete_commit(layout, entry.intends)
        if landed:
            outcome, summary = Outcome.COMMITTED, "committed; the daemon died before it could say so"
        else:
            outcome, summary = Outcome.QUARANTINED, "the branch had moved when the daemon came back"
    kept = (entry.intends or entry.snapshot or began).data.get("tree") or _partial(layout, entry)
    with ledger.together():
        if entry.intends and landed and not entry.committed:
            keys = ("commit", "tree", "parents", "changes")
            data = {key: entry.intends.data[key] for key in keys}
            kind = began.data.get("kind", "")
            ledger.append("committed", {**data, "branch": entry.intends.data["ref"], "kind": kind}, **where)
        data = {"outcome": outcome.value, "summary": summary, "attempt": began.data["attempt"], "tree": kept}
        ledger.append("ended", {**data, "seconds": {}, "handoff": "", "fingerprint": "", "reflection": None}, **where)
        if outcome is Outcome.COMMITTED:
            ledger.append("task", {"status": "completed", "reason": "", "by": "daemon"}, **where)
    return f"{began.iteration}: {summary}"


def _partial(layout: Layout, entry: _Open) -> str | None:
    """What lay in the work tree when the agent was cut off, as a tree that the next attempt goes on from.

    None where the agent had not begun: then the work tree may still be another iteration's.
    """
    began = entry.began
    if not (layout.run(began.iteration) / "prompt.md").exists():
        return None
    workspace = Workspace(layout.loop(began.loop), layout.mirror)
    try:
        keep = tuple(load(layout.frozen(began.night)).workspace.keep)
        tree = workspace.snapshot(keep=keep)
        if tree != began.data.get("head_tree"):
            workspace.keep_attempt(began.iteration, tree, began.data["head"])
    except RalphError as error:
        log.warning("%s: what its agent left can't be kept: %s", began.iteration, error.message)
        return None
    return tree


def _complete_commit(layout: Layout, intends: Event) -> bool:
    """Make the intended commit what the branch points to, if the branch still is where it was."""
    data = intends.data
    workspace = Workspace(layout.loop(intends.loop), layout.mirror)
    now = workspace.ref(data["ref"]) or ""
    if now == data["commit"]:
        return True
    if now == data["old"] and workspace.advance(data["ref"], data["commit"], data["old"]):
        return True
    workspace.advance(f"refs/ralph/quarantine/{intends.iteration}", data["commit"], "")
    return False
