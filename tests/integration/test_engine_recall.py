"""A daemon that comes back in the same night: what was paused, parked or waiting still is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nights import forge_of, night_on

from ralph.core.pick import Idle, Pick
from ralph.domain import Outcome, Usage, Wait
from ralph.engine import recall
from ralph.engine.night import Night
from ralph.engine.staging import _make_loops

TASKS: list[dict[str, Any]] = [{"id": "a"}, {"id": "b", "role": "backend"}, {"id": "c"}]


def back(repo: Path, *before: Callable[[Night], object], **tables: Any) -> dict[str, Any]:
    """Do things in a night, let its daemon die, and say what the next one holds back."""

    async def live() -> None:
        for deed in before:
            deed(night)

    with night_on(repo, *TASKS, loops=2, **tables) as night:
        asyncio.run(live())
    with night_on(repo, *TASKS, loops=2, **tables) as night:
        asyncio.run(_make_loops(night, forge_of(night), resumed=True))
        choice = night.pick(night.loops["loop-1"])
        return {
            "loops": {loop.name: loop.paused for loop in night.loops.values() if loop.paused},
            "roles": night.paused_roles,
            "parked": night.parked,
            "waits": night.accounts.waiting(),
            "picked": choice.task.id if isinstance(choice, Pick) else choice,
            "spent": night.budget.used("loop loop-1").tokens,
        }


def pause(night: Night) -> None:
    night.pause(night.loops["loop-1"], "limit: 9 of 10 tokens")
    night.pause(night.loops["loop-2"], "paused by a person", by="person")
    night.pause_role("backend", "limit: 9 of 10 tokens")


def park(night: Night) -> None:
    night.record("parked", {"scope": "task", "cause": "tokens", "cap": 10, "used": 9}, task="a")


def retry(night: Night) -> None:
    night.record("task", {"status": "pending", "reason": "retry", "by": "person"}, task="a")


def wait(night: Night, until: float = 2e12, *, halt: bool = False) -> None:
    night.hit_account("sh", Wait(until, "usage limit", halt=halt))


def test_pauses_of_loops_and_roles_outlast_the_daemon(git_repo: Path) -> None:
    found = back(git_repo, pause, park)
    assert found["loops"] == {"loop-1": "limit: 9 of 10 tokens", "loop-2": "paused by a person"}
    assert found["roles"] == {"backend": "limit: 9 of 10 tokens"}
    assert found["parked"] == {"a"}
    assert found["picked"] == "c"


def test_what_a_person_resumed_goes_on_with_its_cap_once_more(git_repo: Path) -> None:
    def spend(night: Night) -> None:
        where = {"loop": "loop-1", "task": "a", "iteration": f"{night.id}.loop-1.1"}
        night.record("began", {"title": "a", "attempt": 1, "agent": "sh", "head_tree": "t"}, **where)
        night.record("settled", {"id": 1, "model": "m", "usage": {"input_tokens": 70}}, **where)
        night.budget.charge("x", night.budget.scopes(where["iteration"], night.rows[0], "loop-1"), Usage(70))
        night.record("ended", {"outcome": Outcome.STOPPED, "attempt": 1}, **where)

    assert back(git_repo, spend, pause)["spent"] == 70
    found = back(git_repo, park, retry, lambda night: recall.holds(night), lambda night: night.resume())
    assert found["loops"] == {}
    assert found["roles"] == {}
    assert found["parked"] == set()
    assert found["picked"] == "a"
    assert found["spent"] == 0, "else the loop would pause again at once"


def test_a_waiting_account_is_still_waited_for(git_repo: Path) -> None:
    found = back(git_repo, wait)
    assert list(found["waits"].values()) == [Wait(2e12, "usage limit")]


def test_an_account_that_answered_since_is_free(git_repo: Path) -> None:
    def answered(night: Night) -> None:
        account = night.account("sh")
        night.accounts.retry(account)
        assert night.accounts.blocks(account, "loop-1", 1.0) is None
        night.account_answered("sh", night.loops["loop-1"])

    assert back(git_repo, wait, answered)["waits"] == {}


def test_a_halt_outlasts_a_crash_and_a_persons_stop_and_start_tries_it_once(git_repo: Path) -> None:
    def halt(night: Night) -> None:
        wait(night, 0, halt=True)

    def stop(night: Night) -> None:
        night.record("night_ended", {"reason": "stop", "exit_code": 0, "resumable": True})

    assert back(git_repo, halt)["picked"] is Idle.DONE
    found = back(git_repo, stop)
    assert found["picked"] == "a"
    assert [one.halt for one in found["waits"].values()] == [False]
