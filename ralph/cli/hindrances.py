"""Why tasks are blocked, from everybody who knows: tasks.json itself, the running night, or the last one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ralph.domain import Task
from ralph.errors import RalphError
from ralph.host.paths import Layout, find_repo, layout


def hindrances(tasks: Collection[Task]) -> dict[str, str]:
    """Per open task that can't run: dependencies, and what the night around the current directory says of the rest."""
    from ralph.core.states import is_open
    from ralph.memory.tasks import blocked

    still_open = {task.id for task in tasks if is_open(task.status)}
    said = _said(layout(find_repo(Path.cwd())))
    return {id: why for id, why in said.items() if id in still_open} | blocked(tasks)


def _said(where: Layout) -> dict[str, str]:
    from ralph.engine.client import ask

    try:
        found = ask(where.socket, {"command": "status"}, timeout=2)
        if found and found.get("night"):
            return dict(found["blocked"])
        return _last_night(where) if where.ledger.exists() else {}
    except RalphError:
        return {}  # a daemon that does not answer, a damaged ledger: `ralph status` and `ralph doctor` say so


def _last_night(where: Layout) -> dict[str, str]:
    from ralph.memory.ledger import Ledger

    ledger = Ledger.read_only(where.ledger)
    try:
        night = ledger.last_night() or ""
        rows = {event.task: event.data["reason"] for event in ledger.events(night=night, kinds=("blocked",))}
        return {task: f"last night: {reason}" for task, reason in rows.items()}
    finally:
        ledger.close()
