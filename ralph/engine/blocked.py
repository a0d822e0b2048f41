"""Why open tasks can't run now, in words: for `ralph status`, `ralph tasks list` and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ralph.core.claims import Claim, meeting
from ralph.core.pick import blocked_by
from ralph.core.retry import first_agent
from ralph.core.states import is_open
from ralph.domain import Task
from ralph.engine import scene

if TYPE_CHECKING:
    from ralph.engine.night import Night


def reasons(night: Night) -> dict[str, str]:
    """Per open task that nobody works on and nobody may pick: why."""
    tasks = {task.id: task for task in night.current_tasks()}
    running = {loop.task for loop in night.loops.values()}
    waiting = {
        id: f"waits for {', '.join(missing)}"
        for id, task in tasks.items()
        if is_open(task.status) and id not in running and (missing := blocked_by(task, tasks))
    }
    rest = {id: task for id, task in tasks.items() if id not in waiting and id not in running}
    return waiting | stopped(night, rest)


def stopped(night: Night, tasks: Mapping[str, Task]) -> dict[str, str]:
    """The same for ``tasks`` whose dependencies are completed."""
    claims, homes, halted = scene.claims(night), scene.homes(night), night.halted()
    found: dict[str, str] = {}
    for id, task in tasks.items():
        if not is_open(task.status):
            continue
        if night.blocked_gates:
            found[id] = f"gates that do not run on the base: {', '.join(night.blocked_gates)}"
        elif id in night.parked:
            found[id] = "its budget is nearly used"
        elif task.role in night.paused_roles:
            found[id] = f"role {task.role} is paused: {night.paused_roles[task.role]}"
        elif halted and all(first_agent(night.route(task, loop), halted) is None for loop in night.loops.values()):
            found[id] = "every account that it could run on needs you"
        elif why := _place(night, task, claims, homes.get(id, "")):
            found[id] = why
    return found


def _place(night: Night, task: Task, claims: list[Claim], home: str) -> str:
    """Why no loop may take it: files that loops hold, and the loop that it has to go on in."""
    pinned = night.board.state(task.id).pinned
    home = pinned or home
    holders = {claim.loop: claim.task for claim in meeting(task, claims, "", night.tracked)}
    held = " and ".join(f"{loop} ({other})" for loop, other in holders.items())
    if len(holders) > 1:
        return f"its files are held by {held}: it can run once no more than one of them does"
    if pinned and holders and pinned not in holders:
        return f"it conflicts with the other branches and has to go on in {pinned}, but its files are held by {held}"
    if holders:
        return f"its files are held by {held}: only there it can run"
    if pinned and pinned in night.loops:
        return f"it conflicts with the other branches: only {pinned} can do it"
    return f"its work goes on in {home}" if home in night.loops and night.loops[home].task else ""
