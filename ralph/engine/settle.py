"""After an iteration: what its outcome means for the task, the account and the loop."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ralph.core import retry
from ralph.core.claims import Claim, conflicts
from ralph.core.limits import Hit
from ralph.core.retry import Action, Next
from ralph.core.stuck import fingerprint
from ralph.domain import Cause, IterationResult, IterationSpec, Outcome, Status, Task
from ralph.engine import scene
from ralph.engine.faults import point
from ralph.engine.loop_state import LoopState
from ralph.engine.messages import plain
from ralph.engine.night import Night


@dataclass(frozen=True, slots=True)
class Ended:
    """What an iteration came to."""

    task: Task
    iteration: str
    agent: str
    outcome: Outcome
    result: IterationResult
    commit: str | None = None


def settle(
    night: Night, loop: LoopState, spec: IterationSpec, ended: Ended, committed: dict[str, Any] | None = None
) -> Next:
    """End the iteration and apply what follows from it, as one write: a crash leaves both or neither."""
    if ended.result.tree and ended.outcome is not Outcome.COMMITTED:
        loop.workspace.keep_attempt(spec.iteration, ended.result.tree, spec.head)
    where = {"loop": loop.name, "task": spec.task.id, "iteration": spec.iteration}
    with night.ledger.together():
        if committed:
            night.record("committed", committed, **where)
        _write(night, loop, spec, ended)
        following = _follow(night, loop, ended)
    point("committed")
    point("ended")
    return following


def _write(night: Night, loop: LoopState, spec: IterationSpec, ended: Ended) -> None:
    """The one `ended` event of the iteration."""
    result = ended.result
    failed = ended.outcome.is_failure
    data = {
        "outcome": ended.outcome.value,
        "summary": result.summary,
        "attempt": spec.attempt,
        "tree": result.tree,
        "seconds": result.seconds,
        "memory": result.memory,
        "reflection": plain(result.reflection) if result.reflection else None,
        "handoff": result.handoff,
        "fingerprint": fingerprint(result.gates, result.guards, ended.outcome, result.summary) if failed else "",
    }
    night.record("ended", data, loop=loop.name, task=spec.task.id, iteration=spec.iteration)


def _follow(night: Night, loop: LoopState, ended: Ended) -> Next:
    """Apply the decision of ``core.retry`` and the limits."""
    task, state = ended.task, night.board.state(ended.task.id)
    if ended.result.agent.wait and ended.outcome in (Outcome.WAITING, Outcome.HALTED):
        night.hit_account(ended.agent, ended.result.agent.wait)
    else:
        if ended.result.agent.exit_code == 0:
            night.account_answered(ended.agent, loop)
        night.accounts.release(night.account(ended.agent), loop.name)
    cancelled = state.status is Status.CANCELLED or task.id in night.cancel_wanted
    if cancelled and ended.outcome is not Outcome.COMMITTED:
        night.move(task.id, Status.CANCELLED, "cancelled", by="person")
        return Next(Action.DONE, "cancelled by a person")
    following = retry.decide(state.facts(), night.route(task, loop), night.budget.task_cap(task), night.halted())
    _apply(night, loop, ended, following)
    _limits(night, loop, ended)
    return following


def _apply(night: Night, loop: LoopState, ended: Ended, following: Next) -> None:
    id, where = ended.task.id, {"loop": loop.name, "task": ended.task.id}
    match following.action:
        case Action.DONE:
            night.move(id, Status.COMPLETED, "")
            _stranded(night)
        case Action.FAILED:
            night.move(id, Status.FAILED, f"{following.reason}; last: {ended.result.summary}")
        case Action.NEEDS_HUMAN:
            night.move(id, Status.NEEDS_HUMAN, f"{following.reason}; last: {ended.result.summary}")
            night.tell("needs_human", f"{id} needs you: {following.reason}")
        case Action.REASSIGN:
            night.record(
                "reassigned", {"from": ended.agent, "to": following.agent, "reason": following.reason}, **where
            )
        case Action.MOVE:
            _send_home(night, loop, ended, following.reason)
        case Action.RETRY | Action.WAIT:
            if following.clean:
                night.record("clean_start", {"reason": following.reason}, **where)


def _send_home(night: Night, loop: LoopState, ended: Ended, reason: str) -> None:
    """A conflict sends the task to a loop that holds a dependency; where it can't be done there: a person."""
    task, sticky = ended.task, scene.held(night)
    homes = [night.board.state(d).loop for d in task.depends_on if night.board.state(d).loop not in ("", loop.name)]
    free = [home for home in homes if not conflicts(task, sticky, home, night.tracked)]
    if night.board.state(task.id).pinned or not homes:
        _ask(night, task.id, f"{reason}: {ended.result.summary}")
    elif not free:
        _ask(night, task.id, f"{reason}: {ended.result.summary}; {_held_elsewhere(night, task, homes[0], sticky)}")
    else:
        night.record("pinned", {"loop": free[0], "reason": ended.result.summary}, loop=loop.name, task=task.id)


def _stranded(night: Night) -> None:
    """A commit may have taken the files of a task that was sent to another loop: nobody could ever do it."""
    sticky = scene.held(night)
    for task in night.current_tasks():
        home = night.board.state(task.id).pinned
        if home and _is_open(night, task.id) and conflicts(task, sticky, home, night.tracked):
            _ask(night, task.id, f"it was sent to {home}; {_held_elsewhere(night, task, home, sticky)}")


def _held_elsewhere(night: Night, task: Task, home: str, sticky: list[Claim]) -> str:
    claim = conflicts(task, sticky, home, night.tracked)
    return f"{home} could do it, but {claim.loop} holds its files ({claim.task})" if claim else ""


def _ask(night: Night, id: str, text: str) -> None:
    night.move(id, Status.NEEDS_HUMAN, text)
    night.tell("needs_human", f"{id} needs you: {text}")


def _limits(night: Night, loop: LoopState, ended: Ended) -> None:
    """At ``pause_at`` of a budget: the task is parked, role and loop pause, the night picks nothing new."""
    cause, task = ended.result.agent.cause, ended.task
    refused = None
    if cause and (ended.outcome is Outcome.LIMIT or loop.denied):
        refused = loop.denied
        data = hit_data("iteration", refused) if refused else _own_cap(night, cause)
        scope = refused.scope.split()[0] if refused else "iteration"
        night.record("limit", {**data, "scope": scope}, loop=loop.name, task=task.id, iteration=ended.iteration)
    at = refused.scope.split()[0] if refused else ""
    if (hit := _standing(night, refused, at == "task", f"task {task.id}")) and _is_open(night, task.id):
        night.parked.add(task.id)
        night.record("parked", hit_data("task", hit), loop=loop.name, task=task.id)
    if hit := _standing(night, refused, at == "role", f"role {task.role}"):
        night.pause_role(task.role, str(hit))
        night.record("limit", hit_data("role", hit), loop=loop.name)
    if hit := _standing(night, refused, at == "loop", f"loop {loop.name}"):
        night.record("limit", hit_data("loop", hit), loop=loop.name)
        night.pause(loop, f"limit: {hit}")
    night_hit(night, refused if at == "night" else None)


def _own_cap(night: Night, cause: Cause) -> dict[str, object]:
    """A limit of one process: it has no book, it is passed at its cap."""
    limits = night.config.limits
    caps = {
        Cause.STALL: limits.stall_minutes * 60,
        Cause.OUTPUT: limits.output_mb * 1_000_000,
        Cause.MEMORY: limits.memory_mb * 1_000_000,
    }
    cap = caps.get(cause, 0)
    return {"cause": cause.value, "cap": cap, "used": cap}


def _standing(night: Night, refused: Hit | None, here: bool, scope: str) -> Hit | None:
    """The scope's cap that refused a call, or of which the share ``pause_at`` is used."""
    return refused if here else night.budget.standing(scope)


def _is_open(night: Night, task: str) -> bool:
    return night.board.state(task).status is Status.PENDING


def night_hit(night: Night, refused: Hit | None = None) -> None:
    """Stop picking when the night's own budget is nearly used, or refused a call."""
    hit = refused or night.budget.standing("night") or night.budget.night_seconds(time.monotonic() - night.started)
    if hit and not night.draining:
        night.draining = f"limit: {hit}"
        night.record("limit", hit_data("night", hit))
        night.tell("limit", f"nothing new is picked: {hit}")


def hit_data(scope: str, hit: Hit) -> dict[str, object]:
    cause = hit.cause.cause or hit.cause
    return {"scope": scope, "cause": cause.value, "cap": hit.cap, "used": hit.used}
