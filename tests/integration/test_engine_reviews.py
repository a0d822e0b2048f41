"""Who reviews, how many at once, and what is given back when a review ends in whatever way."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from nights import begin, ended, night_on, task

from ralph.config.schema import Loop
from ralph.domain import AgentResult, Wait
from ralph.engine import messages
from ralph.engine.budget import Scopes
from ralph.engine.messages import Down
from ralph.engine.night import Night
from ralph.engine.reviews import Reviewing, choose, refusals, slots

AGENTS = {
    "sh": {"kind": "command", "command": ["true"]},
    "twin": {"kind": "command", "command": ["true"]},
    "critic": {"kind": "command", "command": ["cat"]},
    "second": {"kind": "command", "command": ["cat", "-"]},
}


def night(repo: Path, *reviewers: str, loops: int = 1, **tables: Any) -> AbstractContextManager[Night]:
    routes = {"implementer": ["sh"], "reviewer": list(reviewers)}
    return night_on(repo, {"id": "a"}, loops=loops, agents=AGENTS, routes=routes, **tables)


class Hearing:
    """A worker's end of the line that only listens."""

    def __init__(self) -> None:
        self.heard: list[Down] = []

    def tell(self, message: Down) -> None:
        self.heard.append(message)

    @property
    def reviewers(self) -> list[messages.Reviewer]:
        return [one for one in self.heard if isinstance(one, messages.Reviewer)]


def test_somebody_else_reviews_wherever_there_is_somebody_else(git_repo: Path) -> None:
    with night(git_repo, "sh", "twin", "critic", "second") as here:
        loop = here.loops["loop-1"]
        assert choose(here, loop, "sh") == ("critic", ""), "a table of the same content is the same agent"
        here.accounts.hit(here.account("critic"), Wait(time.time() + 60, "later"))
        assert choose(here, loop, "sh") == ("second", "")
        here.accounts.hit(here.account("second"), Wait(0, "no key", halt=True))
        assert choose(here, loop, "sh") == ("", "second: no key"), "never the one that did the work instead"
    with night(git_repo, "twin") as here:
        assert choose(here, here.loops["loop-1"], "sh") == ("twin", "")


def test_a_loop_may_have_reviewers_of_its_own(git_repo: Path) -> None:
    with night(git_repo, "critic") as here:
        loop = here.loops["loop-1"]
        loop.config = Loop(name="loop-1", reviewer=["second"])
        assert choose(here, loop, "sh") == ("second", "")


def test_refusals_count_since_a_person_said_retry(git_repo: Path) -> None:
    with night(git_repo, "critic") as here:
        loop = here.loops["loop-1"]
        for verdict in ("failed", "passed", "failed", "not_run"):
            spec = begin(here, loop, "a")
            data = {"name": "review", "kind": "review", "verdict": verdict, "reason": "", "tree": "t"}
            here.record("gate", data, loop=loop.name, task="a", iteration=spec.iteration)
            ended(here, loop, spec, "rejected")
        assert refusals(here, "a") == 2
        here.record("task", {"status": "pending", "by": "person"}, task="a")
        assert refusals(here, "a") == 0


async def sitting(here: Night, name: str) -> tuple[Reviewing, Hearing]:
    loop, link = here.loops[name], Hearing()
    made = Reviewing(here, loop, "a", "sh", {"loop": name, "task": "a", "iteration": f"i.{name}"})
    scopes: Scopes = here.budget.scopes(f"i.{name}", task(here, "a"), name)
    made.wanted(link, scopes)  # type: ignore[arg-type]
    made.wanted(link, scopes)  # type: ignore[arg-type]  # a worker that asks twice gets one
    await turn()
    return made, link


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_five_loops_have_two_slots_and_each_end_frees_one(git_repo: Path) -> None:
    async def go(here: Night) -> None:
        sat = [await sitting(here, name) for name in here.loops]
        assert [len(link.reviewers) for _, link in sat] == [1, 1, 0, 0, 0]
        sat[0][0].ended(messages.ReviewEnded(AgentResult(exit_code=0), 1.5))
        await turn()
        assert [len(link.reviewers) for _, link in sat] == [1, 1, 1, 0, 0]
        sat[1][0].close()  # its worker died
        sat[3][0].close()  # it did not want to wait any longer
        await turn()
        assert [len(link.reviewers) for _, link in sat] == [1, 1, 1, 0, 1]
        for one, _ in sat:
            one.close()
            one.close()
        assert slots(here)._value == 2
        assert here.budget.used("role reviewer").seconds == 1.5

    with night(git_repo, "critic", loops=5) as here:
        asyncio.run(go(here))


def test_a_wait_of_the_account_is_the_nights_and_frees_the_slot(git_repo: Path) -> None:
    async def go(here: Night) -> None:
        one, _ = await sitting(here, "loop-1")
        wait = Wait(time.time() + 600, "5-hour limit")
        one.ended(messages.ReviewEnded(AgentResult(exit_code=1, wait=wait), 1.0))
        two, link = await sitting(here, "loop-2")
        assert link.reviewers == [messages.Reviewer("", "critic: 5-hour limit")]
        two.close()
        assert slots(here)._value == 1
        (event,) = here.ledger.events(kinds=("review_ended",))
        assert (event.data["agent"], event.data["role"]) == ("critic", "reviewer")

    with night(git_repo, "critic", loops=2) as here:
        asyncio.run(go(here))


def test_a_used_budget_of_the_role_names_nobody(git_repo: Path) -> None:
    async def go(here: Night) -> None:
        one, link = await sitting(here, "loop-1")
        assert link.reviewers[0].agent == "critic"
        one.close()
        two, link = await sitting(here, "loop-1")
        assert "the budget of reviewers is used: role reviewer: 1 of 1 iterations" in link.reviewers[0].reason
        two.close()

    with night(git_repo, "critic", roles={"reviewer": {"limits": {"iterations": 1}}}) as here:
        asyncio.run(go(here))
