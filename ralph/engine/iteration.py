"""One iteration from the daemon's side: pick, implement, validate, commit, settle; the next worker resets.

docs/architecture.md lists what is on disk after each step and what a restart does there.
"""

from __future__ import annotations

import time
from typing import Any

from ralph.core.pick import Pick
from ralph.domain import Change, IterationResult, IterationSpec, Outcome, Task
from ralph.engine import opening
from ralph.engine.driver import Driver
from ralph.engine.faults import point
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.engine.settle import Ended, settle
from ralph.engine.words import commit_message

COMMITTER = ("ralph", "ralph@localhost")


async def iterate(night: Night, loop: LoopState, pick: Pick, agent: str) -> Ended:
    """Run one iteration to its end; every way it can go is a value, and each is in the ledger."""
    try:
        start = opening.heads(night, loop, pick)
    except opening.Conflict as conflict:
        return conflicted(night, loop, pick.task, agent, conflict)
    link = await opening.take_worker(night, loop)
    spec, scopes = opening.begin(night, loop, pick.task, start, (agent, link))
    point("began")
    driver = Driver(night, loop, spec, scopes)
    result = await driver.run(link)
    committed: dict[str, Any] | None = None
    outcome = result.outcome
    if result.ready:
        committed = land(night, loop, spec, result, driver)
        outcome = Outcome.COMMITTED if committed else Outcome.QUARANTINED
    driver.flush()
    end = Ended(spec.task, spec.iteration, spec.agent, outcome, result, committed["commit"] if committed else None)
    settle(night, loop, spec, end, committed)
    return end


def land(
    night: Night, loop: LoopState, spec: IterationSpec, result: IterationResult, driver: Driver
) -> dict[str, Any] | None:
    """Intend and commit: the commit is fixed in the ledger before the branch moves by compare-and-swap.

    Returns what `committed` will say, or None where the branch had moved and the commit is in quarantine.
    """
    date = max(int(time.time()), loop.workspace.date_of(spec.head) + 1)
    message = commit_message(spec, result)
    tree = result.tree or ""
    commit = loop.workspace.commit_object(tree, [spec.head], message, night.author, COMMITTER, date)
    point("commit-made")
    ref = opening.branch_ref(night, loop, spec.task)
    old = loop.workspace.ref(ref) or ""
    made = {"commit": commit, "tree": tree, "parents": [spec.head], "changes": briefly(result.changes)}
    with night.ledger.together():
        driver.flush()
        night.record("intends", {**made, "message": message, "date": date, "ref": ref, "old": old}, **driver.where)
    point("intended")
    if not loop.workspace.advance(ref, commit, old):
        loop.workspace.advance(f"refs/ralph/quarantine/{spec.iteration}", commit, "")
        return None
    point("advanced")
    if night.config.night.branch_per == "loop":
        loop.head, loop.head_tree = commit, tree
    return {**made, "branch": ref, "kind": spec.task.kind.value}


def conflicted(night: Night, loop: LoopState, task: Task, agent: str, conflict: opening.Conflict) -> Ended:
    """Make a merge conflict between dependencies a visible iteration that ended before it started."""
    spec = opening.began_conflict(night, loop, task, agent)
    result = IterationResult(spec.iteration, False, Outcome.CONFLICT, conflict.message)
    end = Ended(task, spec.iteration, agent, Outcome.CONFLICT, result)
    settle(night, loop, spec, end)
    return end


def briefly(changes: tuple[Change, ...]) -> list[dict[str, str]]:
    return [{"status": change.status, "path": change.path} for change in changes]
