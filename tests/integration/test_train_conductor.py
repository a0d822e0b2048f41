"""The daemon's side of the train: when it runs, what it records, how it ends; with a real worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nights import commit, night_on

from ralph.config import freeze
from ralph.engine.executor import SpawnedExecutor
from ralph.engine.night import Night
from ralph.engine.train.remote import Conductor
from ralph.host.files import own_directory

GATE = {"name": "pair", "command": "! ( [ -e a.txt ] && [ -e b.txt ] )", "shell": True}
SLOW = {"name": "slow", "command": "sleep 60"}


def conduct(night: Night, act: Callable[[Conductor], Awaitable[None]]) -> Conductor:
    """Run ``act`` with a conductor whose workers are real processes."""
    own_directory(night.layout.nights)
    night.layout.frozen(night.id).write_text(freeze(night.config))

    async def run() -> Conductor:
        night.executor = SpawnedExecutor()
        night.train = conductor = Conductor(night)
        try:
            await act(conductor)
        finally:
            await night.executor.close()
        return conductor

    return asyncio.run(run())


def two_branches(night: Night) -> None:
    one, two = night.loops.values()
    commit(night, one, "a", a_dot_txt="a\n")
    commit(night, two, "b", b_dot_txt="b\n")


def trains(night: Night) -> list[dict[str, Any]]:
    return [event.data for event in night.ledger.events(kinds=("train",))]


def test_what_is_found_is_on_record_with_its_executions(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2, gates=[GATE]) as night:
        two_branches(night)

        async def twice(conductor: Conductor) -> None:
            await conductor.run("")
            await conductor.run("")  # nothing has changed since

        conductor = conduct(night, twice)
        (found,) = trains(night)
        assert [one["branch"] for one in found["land"]] == ["ralph/loop-1"]
        assert conductor.refused() == ["ralph/loop-2"]
        assert (conductor.link, conductor.step) == (None, "")
        rows = list(night.ledger.events(kinds=("gate",)))
        assert {row.iteration for row in rows} == {f"{night.id}.train.1"}
        assert {row.data["verdict"] for row in rows} == {"passed", "failed"}
        for row in rows:
            ran = row.data["execution"]
            assert (night.layout.run(ran["run"]) / ran["log"]).exists()
        began = next(night.ledger.events(kinds=("train_began",)))
        assert list(began.data["heads"]) == ["ralph/loop-1", "ralph/loop-2"]


def test_an_early_train_is_run_again_only_for_new_commits(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, {"id": "c"}, loops=2, gates=[GATE]) as night:
        two_branches(night)

        async def early(conductor: Conductor) -> None:
            conductor.early(datetime.now(UTC))
            while not trains(night):
                await asyncio.sleep(0.05)
            await conductor.run("")
            assert len(trains(night)) == 1
            commit(night, next(iter(night.loops.values())), "c", c_dot_txt="c\n")
            await conductor.run("")

        conduct(night, early)
        first, second = trains(night)
        assert first["land"][0]["tasks"] == ["a"]
        assert second["left"][0]["tasks"] == ["a", "c"], "it has more files by now, and is the one that is left"


def test_a_stopped_night_says_that_it_had_no_train(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2, gates=[SLOW]) as night:
        two_branches(night)
        conduct(night, lambda conductor: conductor.run("ralph stop"))
        (found,) = trains(night)
        assert found["stopped"] == "the night was stopped before it (ralph stop)"
        assert not list(night.ledger.events(kinds=("gate",)))


def test_a_worker_that_dies_leaves_a_train_that_says_so(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2, gates=[SLOW]) as night:
        two_branches(night)

        async def killed(conductor: Conductor) -> None:
            running = asyncio.ensure_future(conductor.run(""))
            while not conductor.step.startswith("gates on"):
                await asyncio.sleep(0.02)
            assert night.running() == [conductor.link]
            assert conductor.link
            conductor.link.kill()
            await running

        conduct(night, killed)
        (found,) = trains(night)
        assert found["stopped"] == "its worker died"


def test_a_night_without_branches_or_without_a_box_has_no_train(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2, gates=[GATE]) as night:
        conduct(night, lambda conductor: conductor.run(""))
        assert trains(night) == []
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2, gates=[GATE], night={"train_minutes": 0}) as night:
        two_branches(night)
        conduct(night, lambda conductor: conductor.run(""))
        assert trains(night) == []


def test_a_base_that_can_not_be_asked_is_the_night_s_own(git_repo: Path) -> None:
    """Its branch is gone: what was pinned still stands in the mirror."""
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2, gates=[GATE]) as night:
        two_branches(night)
        (git_repo / ".git/refs/heads/main").rename(git_repo / ".git/refs/heads/other")
        conduct(night, lambda conductor: conductor.run(""))
        (found,) = trains(night)
        assert (found["base_commit"], found["moved"]) == (night.base, False)
