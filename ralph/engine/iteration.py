"""One iteration from the daemon's side: pick, implement, validate, commit, reset.

The table in docs/architecture.md lists what is on disk after each step and what a restart does there.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import assert_never

from ralph.core.pick import Pick
from ralph.domain import Change, IterationResult, IterationSpec, Outcome, Task
from ralph.engine import messages, opening
from ralph.engine.budget import Scopes
from ralph.engine.executor import Link
from ralph.engine.faults import point
from ralph.engine.messages import plain
from ralph.engine.night import LoopState, Night
from ralph.engine.settle import Ended, settle
from ralph.engine.words import commit_message

GRANT_SECONDS = 600
"""A grant that is not answered in this time is a denial."""
OVERTIME = 90
"""Seconds that a worker gets past its own limits before it is killed."""
COMMITTER = ("ralph", "ralph@localhost")


async def iterate(night: Night, loop: LoopState, pick: Pick, agent: str) -> Ended:
    """Run one iteration to its end; every way it can go is a value, and each is in the ledger."""
    try:
        spec, scopes = opening.begin(night, loop, pick, agent)
    except opening.Conflict as conflict:
        return conflicted(night, loop, pick.task, agent, conflict)
    point("began")
    worker = Driver(night, loop, spec, scopes)
    result = await worker.run()
    commit, outcome = None, result.outcome
    if result.ready:
        commit, outcome = land(night, loop, spec, result)
    end = Ended(spec.task, spec.iteration, spec.agent, outcome, result, commit)
    settle(night, loop, spec, end)
    return end


def land(night: Night, loop: LoopState, spec: IterationSpec, result: IterationResult) -> tuple[str | None, Outcome]:
    """Intend and commit: the commit is fixed in the ledger before the branch moves by compare-and-swap."""
    where = {"loop": loop.name, "task": spec.task.id, "iteration": spec.iteration}
    date = max(int(time.time()), loop.workspace.date_of(spec.head) + 1)
    message = commit_message(spec, result)
    tree = result.tree or ""
    commit = loop.workspace.commit_object(tree, [spec.head], message, night.author, COMMITTER, date)
    point("commit-made")
    ref = opening.branch_ref(night, loop, spec.task)
    old = loop.workspace.ref(ref) or ""
    intent = {"tree": tree, "parents": [spec.head], "message": message, "date": date, "commit": commit}
    night.record("intends", {**intent, "ref": ref, "old": old, "changes": briefly(result.changes)}, **where)
    point("intended")
    if not loop.workspace.advance(ref, commit, old):
        loop.workspace.advance(f"refs/ralph/quarantine/{spec.iteration}", commit, "")
        return None, Outcome.QUARANTINED
    point("advanced")
    if night.config.night.branch_per == "loop":
        loop.head, loop.head_tree = commit, tree
    committed = {"commit": commit, "tree": tree, "branch": ref, "parents": [spec.head], "kind": spec.task.kind.value}
    night.record("committed", {**committed, "changes": briefly(result.changes)}, **where)
    point("committed")
    return commit, Outcome.COMMITTED


def conflicted(night: Night, loop: LoopState, task: Task, agent: str, conflict: opening.Conflict) -> Ended:
    """Make a merge conflict between dependencies a visible iteration that ended before it started."""
    spec = opening.began_conflict(night, loop, task, agent)
    result = IterationResult(spec.iteration, False, Outcome.CONFLICT, conflict.message)
    end = Ended(task, spec.iteration, agent, Outcome.CONFLICT, result)
    settle(night, loop, spec, end)
    return end


def briefly(changes: tuple[Change, ...]) -> list[dict[str, str]]:
    return [{"status": change.status, "path": change.path} for change in changes]


class Driver:
    """Talks to the worker of one iteration until it is done, broken or dead."""

    def __init__(self, night: Night, loop: LoopState, spec: IterationSpec, scopes: Scopes) -> None:
        self.night, self.loop, self.spec, self.scopes = night, loop, spec, scopes
        self.where = {"loop": loop.name, "task": spec.task.id, "iteration": spec.iteration}
        self.result: IterationResult | None = None
        self.told: set[str] = set()
        self.asks: set[asyncio.Task[None]] = set()
        self.asked: list[str] = []

    async def run(self) -> IterationResult:
        """Drive the worker; a worker that dies or babbles makes an infrastructure failure."""
        link = self.loop.link = await self._worker()
        watchdog = asyncio.get_running_loop().call_later(self._patience(), link.kill)
        try:
            await self._converse(link)
        finally:
            watchdog.cancel()
            for task in self.asks:
                task.cancel()
            self.night.budget.close(self.asked)
            self.loop.link = None
            await link.close()
        return self.result or self._broken("the worker died")

    async def _worker(self) -> Link:
        spare, self.loop.spare = self.loop.spare, None
        if spare is not None:
            link = await spare
            if link.ready:
                return link
            await link.close()
        return await self.night.executor.start()

    def _patience(self) -> float:
        gates = sum(gate.timeout for gate in self.night.config.gates) * 2 + 600
        own = self.spec.seconds_left or 7 * 24 * 3600
        return own + gates + OVERTIME

    async def _converse(self, link: Link) -> None:
        if link.ready is None:
            hello = await link.hear()
            if not isinstance(hello, messages.Ready):
                self.result = self._broken("the worker did not start")
                return
            link.ready = hello
        ready = {"pid": link.ready.pid, "create_time": link.ready.create_time, "boot_id": link.ready.boot_id}
        self.night.record("worker", ready, **self.where)
        link.tell(messages.Go(self.spec, opening.secrets_for(self.night, self.spec.agent)))
        point("worker-told")
        while self.result is None:
            message = await link.hear()
            if message is None:
                return
            self._handle(link, message)

    def _handle(self, link: Link, message: messages.Up) -> None:
        night = self.night
        match message:
            case messages.Ready() | messages.Checked():
                self.result = self._broken("the worker said something out of turn")
            case messages.Step():
                self.loop.at(message.name, message.detail)
                if message.name == "implement":
                    opening.start_spare(night, self.loop)
            case messages.Ask():
                task = asyncio.create_task(self._grant(link, message))
                self.asks.add(task)
                task.add_done_callback(self.asks.discard)
            case messages.Spent():
                self._spent(link, message)
            case messages.AgentWaits():
                self.loop.at("implement", f"agent waits: {message.reason}")
            case messages.AgentEnded():
                night.record("agent_ended", {**plain(message.result), "seconds": message.seconds}, **self.where)
                night.budget.worked(self.scopes, message.seconds)
                point("agent-ended")
            case messages.Snapshot():
                night.record("snapshot", {"tree": message.tree}, **self.where)
                point("snapshot")
                link.tell(messages.Known(tuple(night.verdicts.get(message.tree, {}).values())))
            case messages.Judged():
                self._judged(message)
            case messages.Done():
                self.result = message.result
                point("done")
            case messages.Broken():
                self.result = self._broken(message.reason, message.detail)
            case _:
                assert_never(message)

    async def _grant(self, link: Link, ask: messages.Ask) -> None:
        budget = self.night.budget
        self.asked.append(f"{self.spec.iteration}/{ask.id}")
        waiting = budget.ask(self.asked[-1], self.scopes, ask.tokens, ask.dollars)
        try:
            hit = await asyncio.wait_for(waiting, GRANT_SECONDS)
        except TimeoutError:
            link.tell(messages.Granted(ask.id, False, "no budget came free in time"))
            return
        if hit:
            cause = hit.cause.cause
            self.loop.denied = hit
            link.tell(messages.Granted(ask.id, False, str(hit), cause))
            return
        data = {"id": ask.id, "tokens": ask.tokens, "dollars": ask.dollars}
        self.night.record("reserved", data, **self.where)
        link.tell(messages.Granted(ask.id, True))

    def _spent(self, link: Link, spent: messages.Spent) -> None:
        data = {"id": spent.id, "model": spent.model, "usage": plain(spent.usage)}
        self.night.record("settled", data, **self.where)
        one_by_one = self.night.config.agents[self.spec.agent].kind == "api"
        book = self.night.budget.settle if one_by_one else self.night.budget.charge
        book(f"{self.spec.iteration}/{spent.id}", self.scopes, spent.usage)
        if self.night.accounts.answered(self.night.account(self.spec.agent)):
            self.night.record("resumed", {"account": self.night.account(self.spec.agent)})
        for hit in self.night.budget.nearly(self.scopes):
            if hit.scope == self.scopes.iteration and hit.scope not in self.told:
                self.told.add(hit.scope)
                link.tell(messages.Tell(f"Budget nearly used ({hit}). Finish now: leave the work in a good state."))

    def _judged(self, message: messages.Judged) -> None:
        with self.night.ledger.together():
            for guard in message.guards:
                self.night.record("guard", {"tree": message.tree, **plain(guard)}, **self.where)
            for gate in message.gates:
                self.night.record("gate", {"tree": message.tree, **plain(gate)}, **self.where)
        self.night.remember(message.tree, message.gates)
        point("judged")

    def _broken(self, reason: str, detail: str = "") -> IterationResult:
        if detail:
            self.night.record("warning", {"text": f"{reason}: {detail[:2000]}"}, **self.where)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return IterationResult(
            self.spec.iteration, False, Outcome.INFRASTRUCTURE, f"{reason} ({now})" if not detail else reason
        )
