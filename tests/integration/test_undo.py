"""Taking a task out again: which branch it stands on, what is left alone, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loops import commit_all, git
from nights import commit, night_on

from ralph.engine.night import Night
from ralph.engine.undo import Undone, branch_of, undo
from ralph.errors import RalphError
from ralph.vcs import delivery

GATE = {"name": "scripts", "command": "for check in ./*.sh; do sh $check || exit 1; done", "shell": True}


@pytest.fixture
def repo(git_repo: Path) -> Path:
    (git_repo / "check.sh").write_text("true\n")
    commit_all(git_repo)
    return git_repo


@contextmanager
def night_with(repo: Path, *ids: str, **tables: Any) -> Iterator[Night]:
    tables = {"gates": [GATE], "sandbox": {"mode": "none"}, **tables}
    with night_on(repo, *({"id": id} for id in ids), **tables) as night:
        night.record("night_started", {"base_commit": night.base, "occurrence": "once"})
        yield night


def take_out(night: Night, task: str, force: bool = False) -> Undone:
    return undo(night.layout, night.config, task, force, lambda _: None)


def deliver(night: Night) -> None:
    for loop in night.loops.values():
        delivery.deliver(night.layout.repo, loop.workspace.git_dir, f"refs/heads/ralph/{loop.name}", loop.head, None)


def test_it_stands_on_the_branch_as_a_person_left_it(repo: Path) -> None:
    """The person committed to the branch that was delivered; the undo goes on from there."""
    with night_with(repo, "a", "b") as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, one, "b", b_dot_txt="b\n")
        deliver(night)
        git(repo, "switch", "-q", "ralph/loop-1")
        (repo / "mine.txt").write_text("mine\n")
        mine = commit_all(repo)
        done = take_out(night, "a")
        assert (done.how, done.onto, done.recorded) == ("ref", "ralph/loop-1", True)
        assert git(repo, "rev-parse", "ralph-undo/a^") == mine
        there = git(repo, "ls-tree", "--name-only", "ralph-undo/a").split()
        assert "a.txt" not in there
        assert {"b.txt", "mine.txt"} < set(there)
        (event,) = night.ledger.events(kinds=("undone",))
        assert (event.task, event.night, event.data["commit"]) == ("a", "", done.commit)
        assert next(night.ledger.events(kinds=("gate",))).data["execution"]["purpose"] == "train"


def test_a_second_undo_on_a_newer_head_keeps_the_first_in_the_attic(repo: Path) -> None:
    with night_with(repo, "a", "b", "c") as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, one, "b", b_dot_txt="b\n")
        first = take_out(night, "a")
        commit(night, one, "c", c_dot_txt="c\n")
        second = take_out(night, "a")
        assert (first.how, second.how) == ("ref", "ref")
        assert git(repo, "rev-parse", "ralph-undo/a") == second.revert != first.revert
        assert first.revert in git(repo, "for-each-ref", "--format=%(objectname)", "refs/heads/ralph-attic")


def test_a_branch_of_that_name_that_is_not_ours_stays(repo: Path) -> None:
    with night_with(repo, "a") as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        git(repo, "branch", "ralph-undo/a", "main")
        done = take_out(night, "a")
        assert (done.how, done.branch) == ("parked", f"refs/heads/ralph-undo/a-parked-{done.revert[:12]}")
        assert git(repo, "rev-parse", "ralph-undo/a") == git(repo, "rev-parse", "main")


def test_with_a_branch_for_each_task_its_own_branch_is_meant(repo: Path) -> None:
    with night_with(repo, "a", night={"branch_per": "task"}) as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        assert take_out(night, "a").onto == "ralph-task/a"


def test_squashed_work_is_undone_on_the_base(repo: Path) -> None:
    with night_with(repo, "a") as night:
        (one,) = night.loops.values()
        made = commit(night, one, "a", a_dot_txt="a\n")
        (repo / "a.txt").write_text("a\n")
        base = commit_all(repo)
        night.record("landed", {"branch": "ralph/loop-1", "commit": made}, loop="loop-1", task="a")
        done = take_out(night, "a")
        assert (done.onto, done.commit) == ("main", made)
        assert git(repo, "rev-parse", "ralph-undo/a^") == base
        with pytest.raises(RalphError, match="nothing of a is left"):
            git(repo, "merge", "-q", "--no-edit", "ralph-undo/a")
            take_out(night, "a")


def test_what_is_red_without_it_is_refused_and_kept(repo: Path) -> None:
    with night_with(repo, "a", "b") as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, one, "b", check_dot_sh="test -e a.txt\n")
        done = take_out(night, "a")
        assert (done.how, done.red, done.branch) == ("refused", ("scripts",), "")
        assert not git(repo, "for-each-ref", "refs/heads/ralph-undo")
        where, ref = done.attempt.split()
        assert "a.txt" not in git(Path(where), "ls-tree", "--name-only", ref).split()
        forced = take_out(night, "a", force=True)
        assert (forced.how, forced.red) == ("ref", ("scripts",))


def test_what_was_red_before_is_no_reason_to_refuse(repo: Path) -> None:
    """Where the gate names its tests; one that does not can't tell."""
    report = "<testsuite tests='2'><testcase name='ok'/><testcase name='bad'><failure/></testcase></testsuite>"
    named = {"name": "tests", "command": f'printf "{report}" > "$RALPH_JUNIT"; exit 1', "shell": True, "kind": "tests"}
    for gate, how, red in ((named, "ref", ()), ({"name": "mute", "command": "false"}, "refused", ("mute",))):
        with night_with(repo, "a", gates=[gate]) as night:
            (one,) = night.loops.values()
            if not night.board.state("a").commit:
                commit(night, one, "a", a_dot_txt="a\n")
            done = take_out(night, "a")
            assert (done.how, done.red) == (how, red)


def test_what_others_changed_further_names_them(repo: Path) -> None:
    with night_with(repo, "a", "b", "c") as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, one, "b", a_dot_txt="b\n")
        commit(night, one, "c", c_dot_txt="c\n")
        with pytest.raises(RalphError, match=r"a can't be taken out: a\.txt was changed further") as error:
            take_out(night, "a")
        assert error.value.hint == "undo b first"
        with pytest.raises(RalphError, match="nothing was ever committed"):
            take_out(night, "d")


@pytest.mark.parametrize("task", ["a", "a.b", "..", ".a", "a.", "a.lock", "a..b"])
def test_every_task_has_a_branch_that_git_accepts(task: str, repo: Path) -> None:
    assert git(repo, "check-ref-format", branch_of(task)) == ""
