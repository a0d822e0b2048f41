"""The daemon's side of a review: who does it, when one is free, what it spends, and how often a task was refused."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ralph.domain import Verdict
from ralph.engine import messages, opening
from ralph.engine.budget import REVIEWER, Scopes
from ralph.engine.messages import plain

if TYPE_CHECKING:
    from ralph.engine.executor import Link
    from ralph.engine.loop_state import LoopState
    from ralph.engine.night import Night

LOOPS_PER_REVIEWER = 4


def slots(night: Night) -> asyncio.Semaphore:
    """As many at once as there are reviewers: one for up to four loops."""
    if night.review_slots is None:
        loops = max(1, len(night.config.loop_list()))
        night.review_slots = asyncio.Semaphore(-(-loops // LOOPS_PER_REVIEWER))
    return night.review_slots


def choose(night: Night, loop: LoopState, doer: str) -> tuple[str, str]:
    """The agent that reviews what ``doer`` did, or an empty name and why there is none.

    One that did not do the work, wherever the route has one: where only those have to wait, nobody reviews.
    """
    table, route = night.config.agents, night.config.reviewers(loop.config)
    others = [name for name in route if name != doer and table[name] != table[doer]]
    reason = "no agent is named as a reviewer"
    for name in others or route:
        wait = night.accounts.blocks(night.account(name), loop.name, time.time())
        if wait is None:
            return name, ""
        reason = f"{name}: {wait.reason}"
    return "", reason


def refusals(night: Night, task: str) -> int:
    """How often reviewers have refused a task since a person last said retry."""
    return sum(
        event.data.get("kind") == "review" and event.data.get("verdict") == Verdict.FAILED
        for attempt in night.board.state(task).history
        for event in night.ledger.events(iteration=attempt.iteration, kinds=("gate",))
    )


class Reviewing:
    """The review of one iteration: admission, then the end of it, whichever way it comes."""

    def __init__(self, night: Night, loop: LoopState, task: str, doer: str, where: dict[str, str]) -> None:
        self.night, self.loop, self.task, self.doer, self.where = night, loop, task, doer, where
        self.agent = ""
        self.scopes: Scopes | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._holds = False

    def wanted(self, link: Link, scopes: Scopes) -> None:
        """The worker asks for a reviewer; it hears when one is free."""
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._admit(link, self.night.budget.review_scopes(scopes)))

    async def _admit(self, link: Link, scopes: Scopes) -> None:
        self.loop.at("review", "waits for a reviewer")
        await slots(self.night).acquire()
        self._holds = True
        night, (agent, reason) = self.night, choose(self.night, self.loop, self.doer)
        if agent and (hit := night.budget.standing(scopes.role)):
            night.accounts.release(night.account(agent), self.loop.name)
            agent, reason = "", f"the budget of reviewers is used: {hit}"
        if not agent:
            self.close()
            link.tell(messages.Reviewer("", reason))
            return
        self.agent, self.scopes = agent, scopes
        night.budget.begin_review(scopes)
        self.loop.at("review", agent)
        seconds, tokens, _ = night.budget.left(scopes)
        same = night.config.agents[agent] == night.config.agents[self.doer]
        secrets = opening.secrets_for(night, agent)
        refused = refusals(night, self.task)
        link.tell(messages.Reviewer(agent, "", same, refused, seconds, tokens, secrets))

    def ended(self, message: messages.ReviewEnded) -> None:
        """Book the time, take over a wait of the account, and let the next one in."""
        night, result = self.night, message.result
        if self.agent and self.scopes and result:
            night.budget.worked(self.scopes, message.seconds)
            data = {"agent": self.agent, "role": REVIEWER, "seconds": message.seconds, **plain(result)}
            night.record("review_ended", data, **self.where)
            if result.wait:
                night.hit_account(self.agent, result.wait)
            elif result.exit_code == 0:
                night.account_answered(self.agent, self.loop)
        self.close()

    def close(self) -> None:
        """Give back what is held: also where the worker is dead."""
        if self._waiting and not self._waiting.done() and self._waiting is not asyncio.current_task():
            self._waiting.cancel()
        if self.agent:
            self.night.accounts.release(self.night.account(self.agent), self.loop.name)
            self.agent = ""
        if self._holds:
            self._holds = False
            slots(self.night).release()
