"""One iteration from the daemon's side: pick, implement, validate, commit, settle; the next worker resets.

docs/architecture.md lists what is on disk after each step and what a restart does there.
"""

from __future__ import annotations

import time
from typing import Any

from ralph.core.pick import Pick
from ralph.domain import Change, IterationResult, IterationSpec, Outcome, Task
from ralph.engine import environment, flakes, opening
from ralph.engine.driver import Driver
from ralph.engine.faults import point
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.engine.settle import Ended, settle
from ralph.engine.words import commit_message
from ralph.errors import GitError, RalphError

COMMITTER = ("ralph", "ralph@localhost")


async def iterate(night: Night, loop: LoopState, pick: Pick, agent: str) -> Ended | None:
    """Run one iteration to its end; every way it can go is a value, and each is in the ledger.

    None where agents were stopped before it could begin.
    """
    try:
        start = opening.heads(night, loop, pick)
    except opening.Conflict as conflict:
        return unstarted(night, loop, pick.task, agent, Outcome.CONFLICT, conflict)
    except GitError as error:
        return unstarted(night, loop, pick.task, agent, Outcome.INFRASTRUCTURE, error)
    try:
        link = await opening.take_worker(night, loop)
    except opening.NoWorker as error:
        return unstarted(night, loop, pick.task, agent, Outcome.INFRASTRUCTURE, error)
    if night.stopping:
        await link.close()
        return None
    spec, scopes = opening.begin(night, loop, pick.task, start, (agent, link), pick.why)
    point("began")
    driver = Driver(night, loop, spec, scopes)
    result = await driver.run(link)
    committed: dict[str, Any] | None = None
    outcome = result.outcome
    if outcome is Outcome.LIMIT and result.agent.cause:
        loop.denied = loop.denied or night.budget.tightest(scopes.names(), result.agent.cause)
        if loop.denied and loop.denied.scope not in (scopes.iteration, scopes.task):
            outcome = Outcome.STOPPED  # what others spent is not charged to this task
    if result.ready:
        committed = land(night, loop, spec, result, driver)
        outcome = Outcome.COMMITTED if committed else Outcome.QUARANTINED
    outcome = environment.suspect(night, loop, spec, result, outcome)
    driver.flush()
    end = Ended(spec.task, spec.iteration, spec.agent, outcome, result, committed["commit"] if committed else None)
    settle(night, loop, spec, end, committed)
    flakes.consider(night, loop, spec, result)
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
    per_loop = night.config.night.branch_per == "loop"
    old = loop.head if per_loop else loop.workspace.ref(ref) or ""
    made = {"commit": commit, "tree": tree, "parents": [spec.head], "changes": briefly(result.changes)}
    with night.ledger.together():
        driver.flush()
        night.record("intends", {**made, "message": message, "date": date, "ref": ref, "old": old}, **driver.where)
    point("intended")
    if not loop.workspace.advance(ref, commit, old):
        quarantine(night, loop, spec, commit, ref)
        return None
    point("advanced")
    if per_loop:
        loop.head, loop.head_tree = commit, tree
    return {**made, "branch": ref, "kind": spec.task.kind.value}


def quarantine(night: Night, loop: LoopState, spec: IterationSpec, commit: str, ref: str) -> None:
    """The branch moved under us: park the commit, tell a person, and go on from where the branch is now."""
    loop.workspace.advance(f"refs/ralph/quarantine/{spec.iteration}", commit, "")
    if night.config.night.branch_per == "loop":
        now = loop.workspace.ref(ref)
        if now is None:
            loop.workspace.advance(ref, loop.head, "")
        else:
            loop.head, loop.head_tree = now, loop.workspace.tree_of(now)
    text = f"{ref} of {loop.name} was moved by somebody else; the commit of {spec.task.id} is in quarantine"
    night.record("warning", {"text": text}, loop=loop.name, task=spec.task.id, iteration=spec.iteration)
    night.tell("needs_human", text)


def unstarted(night: Night, loop: LoopState, task: Task, agent: str, outcome: Outcome, error: RalphError) -> Ended:
    """Make what kept an iteration from starting (heads that do not merge, a git that fails) one that ended."""
    spec = opening.began_unstarted(night, loop, task, agent)
    result = IterationResult(spec.iteration, False, outcome, error.message)
    end = Ended(task, spec.iteration, agent, outcome, result)
    settle(night, loop, spec, end)
    return end


def briefly(changes: tuple[Change, ...]) -> list[dict[str, str]]:
    return [{"status": change.status, "path": change.path} for change in changes]
