"""What a commit's way out does: nothing of anybody else is overwritten, and a pull request tells what it brings."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from loops import git
from nights import commit, forge_of, night_on, task

from ralph.engine.finish import finish
from ralph.engine.night import Night
from ralph.engine.publish import Publisher
from ralph.forge.base import Proposal, PullRequest
from ralph.forge.local import LocalForge


def publish(night: Night, *made: tuple[str, str], before: list[object] | None = None) -> PullRequest | None:
    """Send commits (task, commit) of the first loop; returns the first loop's pull request."""
    loop = next(iter(night.loops.values()))

    async def send() -> None:
        publisher = Publisher(night, forge_of(night))
        for work in before or ():
            publisher.later(work)  # type: ignore[arg-type]
        for id, head in made:
            publisher.publish(loop, head, task(night, id))
        await asyncio.wait_for(publisher.finish(), 30)

    asyncio.run(send())
    return forge_of(night).find(f"ralph/{loop.name}")


def failures(night: Night) -> list[str]:
    return [event.data["reason"] for event in night.ledger.events(kinds=("delivery_failed",))]


@pytest.fixture
def remote(git_repo: Path, tmp_path: Path) -> Path:
    where = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(where))
    git(git_repo, "remote", "add", "origin", str(where))
    return where


def test_commits_of_somebody_else_at_the_remote_are_not_overwritten(git_repo: Path, remote: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, forge={"kind": "github", "repository": "o/r"}) as night:
        (loop,) = night.loops.values()
        publish(night, ("a", commit(night, loop, "a", one="1\n")))
        assert failures(night) == []
        theirs = git(git_repo, "commit-tree", "-p", "ralph/loop-1", "-m", "theirs", "ralph/loop-1^{tree}")
        git(git_repo, "push", "-q", "origin", f"{theirs}:refs/heads/ralph/loop-1")
        night.pushed.clear()  # as after a restart, or in the next night

        publish(night, ("b", commit(night, loop, "b", two="2\n")))

        assert git(remote, "rev-parse", "ralph/loop-1") == theirs
        assert "somebody else" in failures(night)[0]


def test_what_we_pushed_in_an_earlier_night_is_no_obstacle(git_repo: Path, remote: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, forge={"kind": "github", "repository": "o/r"}) as night:
        (loop,) = night.loops.values()
        publish(night, ("a", commit(night, loop, "a", one="1\n")))
        night.pushed.clear()
        second = commit(night, loop, "b", two="2\n")
        publish(night, ("b", second))
        assert failures(night) == []
        assert git(remote, "rev-parse", "ralph/loop-1") == second


def test_a_pull_request_tells_only_of_commits_that_are_not_in_the_base(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "merged-before"}, {"id": "new"}) as night:
        (loop,) = night.loops.values()
        first = commit(night, loop, "merged-before", one="1\n")
        publish(night, ("merged-before", first))
        git(git_repo, "update-ref", "refs/heads/main", first)
        night.base = night.mirror.resolve("main")
        found = publish(night, ("new", commit(night, loop, "new", two="2\n")))
        assert found
        assert "merged-before" not in found.title
        assert "new" in found.title
        assert "merged-before" not in Path(found.url).read_text()


def test_a_task_done_again_replaces_its_own_branch_and_keeps_the_old_head(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, night={"branch_per": "task"}) as night:
        (loop,) = night.loops.values()
        first = commit(night, loop, "a", one="1\n")
        publish(night, ("a", first))
        night.record("task", {"status": "pending", "reason": "retry", "by": "person"}, task="a")
        night.delivered.clear()  # the next night
        second = commit(night, loop, "a", other="2\n")
        publish(night, ("a", second))
        assert git(git_repo, "rev-parse", "ralph-task/a") == second
        assert git(git_repo, "rev-parse", f"ralph-attic/a-{first[:12]}") == first


def test_whatever_breaks_the_others_are_sent(git_repo: Path) -> None:
    def broken() -> None:
        raise KeyError("unforeseen")

    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        made = commit(night, loop, "a", one="1\n")
        publish(night, ("a", made), before=[broken])
        assert git(git_repo, "rev-parse", "ralph/loop-1") == made
        assert "unforeseen" in next(iter(night.ledger.events(kinds=("warning",)))).data["text"]


def test_a_night_that_still_sends_says_so(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(LocalForge):
        def publish(self, proposal: Proposal) -> PullRequest:
            time.sleep(0.3)
            return super().publish(proposal)

    async def end(night: Night) -> list[str]:
        said: list[str] = []
        (loop,) = night.loops.values()
        night.publisher = Publisher(night, Slow(night.layout.prs))
        night.publisher.publish(loop, commit(night, loop, "a", one="1\n"), task(night, "a"))
        assert await finish(night, say=said.append) == 0
        assert night.publisher.left() == []
        return said

    monkeypatch.setattr("ralph.engine.finish.SAY_SECONDS", 0.05)
    with night_on(git_repo, {"id": "a"}) as night:
        night.record("night_started", {"base_commit": night.base, "occurrence": "once"})
        assert list(dict.fromkeys(asyncio.run(end(night)))) == ["sending ralph/loop-1", "reporting"]
