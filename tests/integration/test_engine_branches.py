"""A branch for each task: what a person did with it between two nights."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from loops import git
from nights import commit, forge_of, night_on, task

from ralph.domain import Status
from ralph.engine.night import Night
from ralph.engine.publish import Publisher
from ralph.engine.staging import _make_loops

ROWS: list[dict[str, Any]] = [{"id": "a"}, {"id": "b", "files": ["one"]}]
BRANCH = "ralph-task/a"


def first_night(repo: Path, loops: int = 1) -> str:
    """Task a is done on the last loop and its branch proposed."""
    with night_on(repo, *ROWS, loops=loops, night={"branch_per": "task"}) as night:
        *_, loop = night.loops.values()
        made = commit(night, loop, "a", one="1\n")

        async def send() -> None:
            publisher = Publisher(night, forge_of(night))
            publisher.publish(loop, made, task(night, "a"))
            await publisher.finish()

        asyncio.run(send())
        assert git(repo, "rev-parse", BRANCH) == made
        return made


def next_night(repo: Path) -> dict[str, Any]:
    with night_on(repo, *ROWS, night={"branch_per": "task"}) as night:
        asyncio.run(_make_loops(night, forge_of(night), resumed=False))
        state = night.board.state("a")
        return {
            "landed": "a" in night.landed,
            "status": state.status,
            "reason": state.reason,
            "claims": [claim.task for claim in night.claims()],
            "pull": getattr(forge_of(night).find(BRANCH), "state", None),
        }


def squash(repo: Path) -> None:
    git(repo, "merge", "-q", "--squash", BRANCH)
    git(repo, "commit", "-q", "-m", "One, squashed")


def test_an_open_branch_keeps_its_claim(git_repo: Path) -> None:
    first_night(git_repo)
    found = next_night(git_repo)
    assert found == {"landed": False, "status": "completed", "reason": "", "claims": ["a"], "pull": "open"}


@pytest.mark.parametrize("deleted", [True, False])
def test_squashed_work_has_landed(git_repo: Path, deleted: bool) -> None:
    made = first_night(git_repo)
    squash(git_repo)
    if deleted:
        git(git_repo, "branch", "-D", BRANCH)
    found = next_night(git_repo)
    assert found == {"landed": True, "status": "completed", "reason": "", "claims": [], "pull": "merged"}
    assert made in git(git_repo, "for-each-ref", "--format=%(objectname)", "refs/heads").split()


def test_merged_work_has_landed(git_repo: Path) -> None:
    first_night(git_repo)
    git(git_repo, "merge", "-q", "--no-ff", "-m", "Merge", BRANCH)
    git(git_repo, "branch", "-D", BRANCH)
    found = next_night(git_repo)
    assert (found["landed"], found["claims"], found["pull"]) == (True, [], "merged")


def test_a_branch_that_was_turned_down_asks_for_a_word_and_holds_no_files(git_repo: Path) -> None:
    made = first_night(git_repo)
    git(git_repo, "branch", "-D", BRANCH)
    for _ in range(2):
        found = next_night(git_repo)
        assert found["status"] is Status.NEEDS_HUMAN
        assert found["reason"] == "its pull request was closed without a merge"
        assert (found["landed"], found["claims"], found["pull"]) == (False, [], "closed")
    assert made in git(git_repo, "for-each-ref", "--format=%(objectname)", "refs/heads/ralph-attic").split()


def test_what_nobody_has_seen_was_not_turned_down(git_repo: Path) -> None:
    """The daemon died between the commit and its delivery."""
    with night_on(git_repo, *ROWS, night={"branch_per": "task"}) as night:
        commit(night, next(iter(night.loops.values())), "a", one="1\n")
    assert next_night(git_repo)["status"] is Status.COMPLETED


def test_the_branch_of_a_loop_that_is_gone_waits_all_the_same(git_repo: Path) -> None:
    first_night(git_repo, loops=2)
    found = next_night(git_repo)
    assert (found["landed"], found["pull"]) == (False, "open")


def test_it_can_be_done_again(git_repo: Path) -> None:
    first_night(git_repo)
    git(git_repo, "branch", "-D", BRANCH)
    next_night(git_repo)

    async def again(night: Night) -> str:
        await _make_loops(night, forge_of(night), resumed=False)
        night.record("task", {"status": "pending", "reason": "retry", "by": "person"}, task="a")
        (loop,) = night.loops.values()
        assert night.claims() == []
        made = commit(night, loop, "a", two="2\n")
        publisher = Publisher(night, forge_of(night))
        publisher.publish(loop, made, task(night, "a"))
        await publisher.finish()
        return made

    with night_on(git_repo, *ROWS, night={"branch_per": "task"}) as night:
        made = asyncio.run(again(night))
    assert git(git_repo, "rev-parse", BRANCH) == made
    assert git(git_repo, "rev-parse", f"{BRANCH}^") == git(git_repo, "rev-parse", "main")
