"""Which loop may take which task while branches hold files: redone tasks, tasks that were sent home."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import git
from nights import commit, night_on

from ralph.core.pick import Idle, Pick
from ralph.engine.night import Night

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
