"""Conflicts between live branches are known as soon as there are two commits that make one, and so is their end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from nights import commit, night_on

from ralph.cli.glance import lines
from ralph.engine.forecast import Forecast
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.engine.status import night_status


def look(night: Night, forecast: Forecast, times: int = 1) -> None:
    async def run() -> None:
        for _ in range(times):
            forecast.soon()
        await forecast.finish()

    asyncio.run(run())


def told(night: Night) -> list[tuple[list[str], list[str]]]:
    return [(event.data["branches"], event.data["paths"]) for event in night.ledger.events(kinds=("forecast",))]


PAIR = ["ralph/loop-1", "ralph/loop-2"]


def loops(night: Night) -> list[LoopState]:
    return list(night.loops.values())


def test_a_conflict_is_told_once_and_its_end_too(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, {"id": "c"}, loops=3) as night:
        night.forecast = forecast = Forecast(night)
        one, two, three = loops(night)
        before = two.head
        commit(night, one, "a", README_dot_md="ours\n")
        look(night, forecast)
        assert told(night) == [], "one branch conflicts with nothing"
        commit(night, two, "b", README_dot_md="theirs\n")
        commit(night, three, "c", c_dot_txt="c\n")
        look(night, forecast, times=3)
        assert told(night) == [(PAIR, ["README.md"])]
        status = night_status(night)
        assert status["forecast"] == [{"branches": PAIR, "paths": ["README.md"]}]
        shown = {**status, "state": "running", "pid": 1}
        assert "Conflict ahead: ralph/loop-1 and ralph/loop-2 in README.md" in lines(shown)
        two.head = before
        look(night, forecast)
        assert told(night)[1:] == [(PAIR, [])]
        assert night_status(night)["forecast"] == []


def test_a_night_that_goes_on_does_not_tell_again(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2) as night:
        one, two = loops(night)
        commit(night, one, "a", README_dot_md="ours\n")
        commit(night, two, "b", README_dot_md="theirs\n")
        look(night, Forecast(night))
        look(night, Forecast(night))
        assert len(told(night)) == 1


def test_branches_of_tasks_are_looked_at_too(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=1, night={"branch_per": "task"}) as night:
        (one,) = loops(night)
        commit(night, one, "a", README_dot_md="ours\n")
        commit(night, one, "b", README_dot_md="theirs\n")
        look(night, Forecast(night))
        assert told(night) == [(["ralph-task/a", "ralph-task/b"], ["README.md"])]


def test_no_object_and_no_ref_of_a_loop_is_written(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2) as night:
        one, two = loops(night)
        commit(night, one, "a", README_dot_md="ours\n")
        commit(night, two, "b", b_dot_txt="theirs\n")

        def files() -> list[Path]:
            return [path for loop in loops(night) for path in sorted(loop.workspace.git_dir.rglob("*"))]

        before = files()
        look(night, Forecast(night))
        assert files() == before


def test_a_store_that_can_not_be_made_is_no_end_of_the_night(git_repo: Path, caplog: pytest.LogCaptureFixture) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, loops=2) as night:
        one, two = loops(night)
        commit(night, one, "a", README_dot_md="ours\n")
        commit(night, two, "b", README_dot_md="theirs\n")
        (night.layout.root / "forecast").write_text("in the way")
        look(night, Forecast(night))
        assert told(night) == []
        assert "the forecast could not be made" in caplog.text
