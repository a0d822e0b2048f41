"""What a person can repair between two starts, and what a night does while an account has to wait."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from loops import git
from nights import commit, forge_of, night_on, task

from ralph.core.pick import Idle, Pick
from ralph.domain import GateResult, Outcome, Verdict, Wait
from ralph.engine import preflight
from ralph.engine.executor import Link
from ralph.engine.iteration import iterate
from ralph.engine.loop import account_ready, idle, leave
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.engine.occurrence import unfinished
from ralph.engine.opening import start_spare
from ralph.engine.preflight import CheckResult, Preflight
from ralph.engine.publish import Publisher
from ralph.memory.ledger import Ledger

TWO = {"sh": {"kind": "command", "command": ["true"]}, "other": {"kind": "command", "command": ["false"]}}


def test_a_waiting_account_does_not_hold_the_head_of_the_queue(git_repo: Path) -> None:
    """The first task waits for hours; the second one has another agent and is ready."""
    tables: dict[str, Any] = {"agents": TWO, "routes": {"implementer": ["sh"], "backend": ["other"]}}
    with night_on(git_repo, {"id": "first"}, {"id": "second", "role": "backend"}, **tables) as night:
        (loop,) = night.loops.values()
        night.accounts.hit(night.account("sh"), Wait(2e12, "usage limit"))
        choice = night.pick(loop)
        assert isinstance(choice, Pick)
        assert choice.task.id == "second"
        night.record("task", {"status": "completed", "reason": "", "by": "daemon"}, task="second")
        choice = night.pick(loop)
        assert isinstance(choice, Pick)
        assert choice.task.id == "first"  # nothing else is ready: it is worth waiting for


def test_a_loop_that_waits_for_an_account_leaves_its_followers_to_others(git_repo: Path) -> None:
    """The first loop holds what the task builds on, and can do nothing for hours."""
    tables: dict[str, Any] = {"agents": TWO, "routes": {"implementer": ["sh"], "backend": ["other"]}}
    rows = ({"id": "one"}, {"id": "next"}, {"id": "top", "role": "backend", "depends_on": ["one"]})
    with night_on(git_repo, *rows, loops=2, **tables) as night:
        first, second = night.loops.values()
        commit(night, first, "one", one="1\n")
        night.parked.add("next")

        async def live() -> None:
            assert night.pick(second) is Idle.DONE, "the loop that holds it is free"
            night.accounts.hit(night.account("sh"), Wait(2e12, "usage limit"))
            assert not await account_ready_at_once(night, first)
            choice = night.pick(second)
            assert isinstance(choice, Pick)
            assert choice.merge == ("loop-1",)
            night.accounts.hit(night.account("other"), Wait(2e12, "usage limit"))
            assert night.pick(second) is Idle.DONE, "it would have to wait as well, and then the first can do it"
            assert await goes_on(night, second), "there will be work once the account answers"

        asyncio.run(live())


async def account_ready_at_once(night: Night, loop: LoopState) -> bool:
    asking = asyncio.create_task(account_ready(night, loop, "sh"))
    await asyncio.sleep(0)
    while loop.step != "waiting":
        await asyncio.sleep(0.01)
    await night.wake()
    return await asking


async def goes_on(night: Night, loop: LoopState) -> bool:
    going = asyncio.create_task(idle(night, loop, Idle.DONE))
    await asyncio.sleep(0.02)
    await night.wake()
    return await going


def test_a_machine_that_gives_no_process_is_nobodys_failure(git_repo: Path) -> None:
    async def refused(_config: str = "") -> Link:
        raise BlockingIOError("fork: resource temporarily unavailable")

    async def live(night: Night) -> None:
        (loop,) = night.loops.values()
        night.executor = SimpleNamespace(start=refused)  # type: ignore[assignment]
        start_spare(night, loop)
        await asyncio.sleep(0)
        choice = night.pick(loop)
        assert isinstance(choice, Pick)
        ended = await iterate(night, loop, choice, "sh")
        assert ended
        assert ended.outcome is Outcome.INFRASTRUCTURE
        assert "no worker could be started" in ended.result.summary
        start_spare(night, loop)
        await leave(night, loop)

    with night_on(git_repo, {"id": "a"}) as night:
        asyncio.run(live(night))
        assert (night.board.state("a").attempts, night.board.state("a").status) == (0, "pending")


def test_looking_for_a_waiting_account_makes_nobody_the_probe(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, loops=2) as night:
        account = night.account("sh")
        night.accounts.hit(account, Wait(1.0, "over already"))
        for loop in night.loops.values():
            night.pick(loop)
        assert night.accounts.blocks(account, "loop-2", 2.0) is None
        assert night.accounts.blocks(account, "loop-1", 2.0) is not None


@pytest.mark.parametrize(
    ("verdict", "check", "settled"),
    [
        (Verdict.PASSED, Verdict.FAILED, True),
        (Verdict.FAILED, Verdict.FAILED, False),
        (Verdict.NOT_RUN, Verdict.FAILED, False),
        (Verdict.PASSED, Verdict.NOT_RUN, False),
    ],
)
def test_a_red_base_is_looked_at_again(verdict: Verdict, check: Verdict, settled: bool) -> None:
    """The database that was down, the package that was missing: neither is part of the key."""
    gate = GateResult("g", "tests", verdict, "")
    found = Preflight("k", "t", (gate,), (CheckResult("a", "x", check, ""),))
    assert found.settled() is settled


def test_only_a_settled_preflight_is_taken_from_the_ledger(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        asked: list[str] = []

        async def start(_config: str = "") -> Link:
            asked.append("a worker")
            raise RuntimeError("enough")

        def ask(found: Preflight) -> None:
            night.record("preflight", found.as_data())
            executor: Any = SimpleNamespace(start=start)
            asyncio.run(
                preflight.remote(executor, night.layout, night.config, night.id, night.base, "none", [], night.ledger)
            )

        key = preflight.spec_for(night.layout, night.config, night.id, night.base, "none", []).key
        with pytest.raises(RuntimeError, match="enough"):
            ask(Preflight(key, "t", (GateResult("g", "tests", Verdict.FAILED, ""),)))
        ask(Preflight(key, "t", (GateResult("g", "tests", Verdict.PASSED, ""),)))
        assert asked == ["a worker"]


def test_a_night_in_which_nothing_began_is_not_pinned_to_its_base(git_repo: Path) -> None:
    """Its setup failed, say: the person repairs the base and starts again."""
    with night_on(git_repo, {"id": "a"}) as night:
        night.record("night_started", {"base_commit": night.base, "occurrence": "once"})
        found = unfinished(night.ledger, "once", None)
        assert found
        assert not found["pinned"]
        (loop,) = night.loops.values()
        commit(night, loop, "a", one="1\n")
        found = unfinished(night.ledger, "once", None)
        assert found
        assert found["pinned"]


def test_a_branch_that_a_person_rewrote_is_left_alone(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        theirs = git(git_repo, "commit-tree", "-p", "main", "-m", "rewritten", "main^{tree}")
        git(git_repo, "branch", "ralph/loop-1", theirs)
        night.delivered["refs/heads/ralph/loop-1"] = theirs  # as it was found when the night was set up
        made = commit(night, loop, "a", one="1\n")

        async def send() -> None:
            publisher = Publisher(night, forge_of(night))
            publisher.publish(loop, made, task(night, "a"))
            await publisher.finish()

        asyncio.run(send())
        assert git(git_repo, "rev-parse", "ralph/loop-1") == theirs
        assert git(git_repo, "rev-parse", f"ralph/loop-1-parked-{made[:12]}") == made


def test_a_commit_of_the_ledger_that_fails_leaves_nothing_half_open(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.append("one", {})
    real = ledger._db

    class Full:
        """The disk is full at the commit."""

        in_transaction = property(lambda _self: real.in_transaction)

        def execute(self, sql: str, *values: Any) -> Any:
            if sql == "commit":
                raise sqlite3.OperationalError("database or disk is full")
            return real.execute(sql, *values)

    ledger._db = Full()  # type: ignore[assignment]
    with pytest.raises(sqlite3.OperationalError), ledger.together():
        ledger.append("two", {})
    ledger._db = real
    assert not real.in_transaction
    ledger.append("three", {})
    ledger.close()
    again = Ledger.read_only(tmp_path / "ledger.db")
    assert [event.kind for event in again.events()] == ["one", "three"]
    assert again.query("select count(*) from events")[1] == [(2,)]
    again.close()
