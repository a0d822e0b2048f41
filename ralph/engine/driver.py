"""The daemon's end of the line to one worker: grants budget, records what comes, until the result is there."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, assert_never

from ralph.domain import Cause, IterationResult, IterationSpec, Outcome
from ralph.engine import messages, opening
from ralph.engine.budget import LOST, REVIEWER, Scopes
from ralph.engine.executor import Link
from ralph.engine.faults import point
from ralph.engine.loop_state import LoopState
from ralph.engine.messages import plain
from ralph.engine.night import Night
from ralph.engine.patience import patience
from ralph.engine.reviews import Reviewing

GRANT_SECONDS = 600
"""A grant that is not answered in this time is a denial."""
HELD_SECONDS = 1.0
"""How long a verdict may wait for the next write."""


class Driver:
    """Talks to the worker of one iteration until it is done, broken or dead."""

    def __init__(self, night: Night, loop: LoopState, spec: IterationSpec, scopes: Scopes) -> None:
        self.night, self.loop, self.spec, self.scopes = night, loop, spec, scopes
        self.where = {"loop": loop.name, "task": spec.task.id, "iteration": spec.iteration}
        self.result: IterationResult | None = None
        self.told: set[str] = set()
        self.asks: set[asyncio.Task[None]] = set()
        self.asked: list[str] = []
        self.held: list[tuple[str, dict[str, Any]]] = []
        self.timer: asyncio.TimerHandle | None = None
        self.reviewing = Reviewing(night, loop, spec.task.id, spec.agent, self.where)

    async def run(self, link: Link) -> IterationResult:
        """Drive the worker; a worker that dies or babbles makes an infrastructure failure."""
        if link.ready is None:
            await link.close()
            return self._broken("the worker did not start")
        await self.loop.worker_gone()
        self.loop.link = link
        seconds = patience(self.night.config, self.spec.task, self.spec.seconds_left)
        watchdog = asyncio.get_running_loop().call_later(seconds, link.kill)
        try:
            await self._converse(link)
        finally:
            watchdog.cancel()
            for task in self.asks:
                task.cancel()
            self.reviewing.close()
            self.night.budget.close(self.asked, orderly=self.result is not None and self.result.outcome not in LOST)
            self.loop.link = None
            self.loop.closing = asyncio.create_task(link.close())
        return self.result or self._broken("the worker died")

    async def _converse(self, link: Link) -> None:
        link.tell(messages.Go(self.spec, opening.secrets_for(self.night, self.spec.agent)))
        if why := self._unwanted():
            link.tell(messages.Tell(why, stop=True, cause=Cause.STOPPED))
        point("worker-told")
        while self.result is None:
            message = await link.hear()
            if message is None:
                return
            self._handle(link, message)

    def _unwanted(self) -> str:
        """Why the iteration must not go on, where that was said while there was nobody to tell."""
        cancelled = self.spec.task.id in self.night.cancel_wanted
        return self.night.stopping or ("the task was cancelled" if cancelled else "")

    def _handle(self, link: Link, message: messages.Up) -> None:
        night = self.night
        match message:
            case messages.Ready() | messages.Checked() | messages.Measured() | messages.TrainRan() | messages.Probed():
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
                self.loop.at(self.loop.step, f"agent waits: {message.reason}")
            case messages.AgentEnded():
                self._hold("agent_ended", {**plain(message.result), "seconds": message.seconds})
                night.budget.worked(self.scopes, message.seconds)
                point("agent-ended")
            case messages.Snapshot():
                self._hold("snapshot", {"tree": message.tree})
                self.flush()
                point("snapshot")
                link.tell(messages.Known(night.verdicts_of(message.tree), night.verdicts_of(self.spec.head_tree)))
            case messages.Judged():
                self._judged(message)
            case messages.AskReview():
                self.reviewing.wanted(link, self.scopes)
            case messages.ReviewEnded():
                self.reviewing.ended(message)
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
        scopes, more = self._who(ask.review)
        waiting = budget.ask(self.asked[-1], scopes, ask.tokens, ask.dollars)
        try:
            hit = await asyncio.wait_for(waiting, GRANT_SECONDS)
        except TimeoutError:
            link.tell(messages.Granted(ask.id, False, "no budget came free in time", Cause.STOPPED))
            return
        if hit:
            cause = hit.cause.cause
            if not ask.review:
                self.loop.denied = hit
            link.tell(messages.Granted(ask.id, False, str(hit), cause))
            return
        data = {"id": ask.id, "tokens": ask.tokens, "dollars": ask.dollars, **more}
        self.night.record("reserved", data, **self.where)
        link.tell(messages.Granted(ask.id, True))

    def _spent(self, link: Link, spent: messages.Spent) -> None:
        scopes, more = self._who(spent.review)
        agent = more.get("agent", self.spec.agent)
        data = {"id": spent.id, "model": spent.model, "usage": plain(spent.usage), **more}
        self.night.record("settled", data, **self.where)
        one_by_one = self.night.config.agents[agent].kind == "api"
        book = self.night.budget.settle if one_by_one else self.night.budget.charge
        book(f"{self.spec.iteration}/{spent.id}", scopes, spent.usage)
        self.night.account_answered(agent, self.loop)
        for hit in self.night.budget.nearly(scopes):
            if hit.scope == scopes.iteration and hit.scope not in self.told:
                self.told.add(hit.scope)
                link.tell(messages.Tell(f"Budget nearly used ({hit}). Finish now: leave the work in a good state."))

    def _who(self, review: bool) -> tuple[Scopes, dict[str, str]]:
        """Whose budget a call is on, and what its events say besides; the iteration's, where nobody reviews."""
        if review and self.reviewing.agent and self.reviewing.scopes:
            return self.reviewing.scopes, {"role": REVIEWER, "agent": self.reviewing.agent}
        return self.scopes, {}

    def _judged(self, message: messages.Judged) -> None:
        for guard in message.guards:
            self._hold("guard", {"tree": message.tree, **plain(guard)})
        for gate in message.gates:
            self._hold("gate", {"tree": message.tree, **plain(gate)})
        self.night.remember(message.tree, message.gates)
        point("judged")

    def _hold(self, kind: str, data: dict[str, Any]) -> None:
        """Keep an event for the next write, at most ``HELD_SECONDS``: what is lost with us is only run again."""
        if not self.held:
            self.timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self.flush)
        self.held.append((kind, data))

    def flush(self) -> None:
        """Write the events that are held, together."""
        held, self.held = self.held, []
        if not held:
            return
        if self.timer:
            self.timer.cancel()
        with self.night.ledger.together():
            for kind, data in held:
                self.night.record(kind, data, **self.where)

    def _broken(self, reason: str, detail: str = "") -> IterationResult:
        if detail:
            self.night.record("warning", {"text": f"{reason}: {detail[:2000]}"}, **self.where)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return IterationResult(
            self.spec.iteration, False, Outcome.INFRASTRUCTURE, f"{reason} ({now})" if not detail else reason
        )
