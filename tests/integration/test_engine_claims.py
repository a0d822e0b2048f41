"""Which loop may take which task while branches hold files: redone tasks, tasks that were sent home."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from loops import git
from nights import begin, commit, edit, ended, night_on, task

from ralph.cli.main import cli
from ralph.core.pick import Idle, Pick
from ralph.domain import Outcome, Status
from ralph.engine import blocked, opening, settle
from ralph.engine.finish import finish
from ralph.engine.iteration import unstarted
from ralph.engine.night import Night
from ralph.report import collect

HELD = {"files": ["one"]}


def picked(night: Night, loop: str) -> str:
    choice = night.pick(night.loops[loop])
    return choice.task.id if isinstance(choice, Pick) else choice.value


def redo(night: Night, id: str) -> None:
    night.record("task", {"status": "pending", "reason": "retry", "by": "person"}, task=id)


def test_a_redone_task_leaves_its_files_with_the_branch_that_has_the_old_commit(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a", **HELD}, {"id": "b", **HELD}, loops=2) as night:
        commit(night, night.loops["loop-1"], "a", one="1\n")
        redo(night, "a")
        assert [(claim.loop, claim.task) for claim in night.claims()] == [("loop-1", "a")]
        assert picked(night, "loop-2") == Idle.DONE, "neither b's files nor a's own commit are on this branch"
        assert picked(night, "loop-1") == "a"
        commit(night, night.loops["loop-1"], "a", two="2\n")
        assert picked(night, "loop-2") == Idle.DONE
        assert picked(night, "loop-1") == "b"


def test_the_claim_goes_with_the_old_commit(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a", **HELD}, {"id": "b", **HELD}, loops=2) as night:
        made = commit(night, night.loops["loop-1"], "a", one="1\n")
        redo(night, "a")
        git(git_repo, "fetch", "-q", str(night.loops["loop-1"].workspace.git_dir), made)
        git(git_repo, "merge", "-q", "--ff-only", made)
        night.mirror.fetch(["refs/heads/main"])
        night.base = made
        assert night.claims() == []
        assert picked(night, "loop-2") == "a"


@pytest.mark.parametrize("per", ["loop", "task"])
def test_a_branch_of_its_own_is_made_anew_for_the_task_that_is_done_again(git_repo: Path, per: str) -> None:
    with night_on(git_repo, {"id": "a"}, loops=2, night={"branch_per": per}) as night:
        commit(night, night.loops["loop-1"], "a", one="1\n")
        redo(night, "a")
        commit(night, night.loops["loop-1"], "a", two="2\n")
        held = {path for claim in night.claims() for path in claim.patterns}
        assert held == ({"/one", "/two"} if per == "loop" else {"/two"})


def conflict(night: Night, id: str, loop: str) -> None:
    """The task could not start on ``loop``: the branches that it needs do not merge there."""
    state = night.loops[loop]
    unstarted(night, state, task(night, id), "sh", Outcome.CONFLICT, opening.Conflict("loop-1", ["x"]))


CHAIN = ({"id": "base"}, {"id": "rival"}, {"id": "top", "depends_on": ["base"], **HELD})


def asked(night: Night) -> str:
    """What a person is told about the task ``top``; empty where it is still open."""
    state = night.board.state("top")
    return state.reason if state.status is Status.NEEDS_HUMAN else ""


def run(night: Night, deed: Callable[[], object]) -> None:
    async def live() -> None:
        deed()

    asyncio.run(live())


def test_a_task_is_not_sent_to_a_loop_that_may_not_touch_its_files(git_repo: Path) -> None:
    with night_on(git_repo, *CHAIN, loops=3) as night:
        commit(night, night.loops["loop-1"], "base", zero="0\n")
        commit(night, night.loops["loop-3"], "rival", one="1\n")
        run(night, lambda: conflict(night, "top", "loop-2"))
        assert "loop-3 holds its files (rival)" in asked(night)
        assert night.board.state("top").pinned == ""


def test_a_task_that_was_sent_home_is_a_persons_once_its_files_are_taken(git_repo: Path) -> None:
    with night_on(git_repo, *CHAIN, loops=3) as night:
        commit(night, night.loops["loop-1"], "base", zero="0\n")
        run(night, lambda: conflict(night, "top", "loop-2"))
        assert night.board.state("top").pinned == "loop-1"
        assert blocked.reasons(night)["top"] == "it conflicts with the other branches: only loop-1 can do it"
        commit(night, night.loops["loop-3"], "rival", one="1\n")
        assert [picked(night, f"loop-{n}") for n in (1, 2, 3)] == [Idle.DONE] * 3
        assert "its files are held by loop-3 (rival)" in blocked.reasons(night)["top"]
        run(night, lambda: settle._stranded(night))
        assert "sent to loop-1" in asked(night)
        assert "loop-3 holds its files (rival)" in asked(night)


def test_kept_work_binds_no_task_whose_files_another_branch_has_got(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a", **HELD}, {"id": "b"}, loops=2) as night:
        one = night.loops["loop-1"]
        spec = begin(night, one, "a")
        ended(night, one, spec, "rejected", edit(one, spec.head, one="half\n"))
        assert picked(night, "loop-2") == "b"
        commit(night, night.loops["loop-2"], "b", one="1\n")
        assert picked(night, "loop-1") == Idle.DONE
        assert picked(night, "loop-2") == "a"
        assert "held by loop-2 (b)" in blocked.reasons(night)["a"]


def test_files_that_two_branches_hold_are_said_and_reach_report_and_list(
    git_repo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ["one", "two"]
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, {"id": "c", "files": files}, loops=2) as night:
        night.record("night_started", {"base_commit": night.base, "occurrence": "once"})
        commit(night, night.loops["loop-1"], "a", one="1\n")
        commit(night, night.loops["loop-2"], "b", two="2\n")
        assert asyncio.run(finish(night)) == 4
        why = "its files are held by loop-1 (a) and loop-2 (b)"
        assert why in next(line.reason for line in collect(night.ledger, night.id).tasks if line.id == "c")
    monkeypatch.chdir(git_repo)
    cli.main(args=["tasks", "list", "--status", "blocked", "--json"], standalone_mode=False)
    (row,) = json.loads(capsys.readouterr().out)
    assert row["blocked"].startswith(f"last night: {why}")
