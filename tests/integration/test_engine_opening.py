"""How an iteration begins: the head it stands on, and the kept work it goes on from."""

from __future__ import annotations

from pathlib import Path

from nights import begin, commit, edit, ended, night_on


def test_kept_work_is_carried_over_to_a_head_that_has_moved(git_repo: Path) -> None:
    """Else the attempt would start without what was committed since, and its commit would take that back."""
    with night_on(git_repo, {"id": "a"}, {"id": "b"}) as night:
        (loop,) = night.loops.values()
        first = begin(night, loop, "a")
        ended(night, loop, first, "stopped", edit(loop, first.head, half="half\n"))
        commit(night, loop, "b", precious="precious\n")

        again = begin(night, loop, "a")

        assert again.start_tree
        assert set(loop.workspace.paths(again.start_tree)) == {".gitignore", "README.md", "half", "precious"}


def test_kept_work_that_no_longer_fits_is_a_clean_start_and_said(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}) as night:
        (loop,) = night.loops.values()
        first = begin(night, loop, "a")
        ended(night, loop, first, "stopped", edit(loop, first.head, same="mine\n"))
        commit(night, loop, "b", same="theirs\n")

        again = begin(night, loop, "a")

        assert again.start_tree is None
        assert not again.validate_only
        (event,) = night.ledger.events(kinds=("clean_start",))
        assert "same" in event.data["reason"]
        assert night.board.state("a").kept_tree is None


def test_kept_work_on_the_same_head_is_taken_as_it_is(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        first = begin(night, loop, "a")
        tree = edit(loop, first.head, half="half\n")
        ended(night, loop, first, "rejected", tree)
        again = begin(night, loop, "a")
        assert (again.start_tree, again.start_refused) == (tree, True)
