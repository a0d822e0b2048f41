"""Objects and refs of a loop: deterministic commits, compare-and-swap, merges, locks."""

from __future__ import annotations

import subprocess
import time
from datetime import date
from pathlib import Path

import pytest
from loops import ADA, BRANCH, RALPH, Loop, commit_all, git, make_loop

from ralph.errors import GitError
from ralph.vcs.objects import ZERO


@pytest.fixture
def loop(git_repo: Path, tmp_path: Path) -> Loop:
    for name in ("a", "b"):
        (git_repo / name).write_text("".join(f"{number}\n" for number in range(20)))
    commit_all(git_repo)
    return make_loop(git_repo, tmp_path / "state")


def edit(loop: Loop, name: str, text: str) -> str:
    (loop.tree / name).write_text(text)
    return loop.space.snapshot()


def test_the_same_commit_twice_has_one_id_and_is_what_git_would_write(loop: Loop) -> None:
    tree = edit(loop, "a", "new\n")
    commit = loop.commit(tree)
    assert loop.commit(tree) == commit
    env = ["GIT_AUTHOR_NAME=Ada Tester", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=ralph"]
    env += ["GIT_COMMITTER_EMAIL=ralph@localhost", "GIT_AUTHOR_DATE=1700000000 +0000"]
    env += ["GIT_COMMITTER_DATE=1700000000 +0000", f"GIT_DIR={loop.space.git_dir}"]
    made = subprocess.run(
        ["env", *env, "git", "commit-tree", tree, "-p", loop.base, "-m", "feat: work"], capture_output=True, text=True
    )
    assert made.stdout.strip() == commit
    assert loop.space.tree_of(commit) == tree
    assert loop.space.git.run("fsck", "--strict", commit) == b""


def test_a_ref_moves_only_from_where_it_is_expected(loop: Loop) -> None:
    first, second = loop.commit(edit(loop, "a", "1")), loop.commit(edit(loop, "a", "2"))
    assert loop.space.ref(BRANCH) is None
    assert loop.space.advance(BRANCH, first, ZERO)
    assert loop.space.advance(BRANCH, first, ZERO), "once more is the same"
    assert not loop.space.advance(BRANCH, second, loop.base)
    assert not loop.space.advance(BRANCH, second, ZERO)
    assert loop.space.ref(BRANCH) == first
    assert loop.space.advance(BRANCH, second, first)
    loop.space.git.run("pack-refs", "--all")
    assert loop.space.ref(BRANCH) == second
    with pytest.raises(GitError):
        loop.space.advance(BRANCH, "1" * 40, second)


def test_attempts_are_kept_by_name_and_removed_by_date(loop: Loop) -> None:
    tree = edit(loop, "a", "attempt")
    ref = loop.space.keep_attempt("2026-11-20-1.alpha.3", tree, loop.base, 1_700_000_000)
    commit = loop.space.ref(ref)
    assert ref == "refs/ralph/attempts/2026-11-20-1.alpha.3"
    assert commit is not None
    assert loop.space.tree_of(commit) == tree
    assert loop.space.keep_attempt("2026-11-20-1.alpha.3", tree, loop.base, 1_700_000_000) == ref
    assert loop.space.ref(ref) == commit
    odd = loop.space.keep_attempt("2026-11-21-1.a..b.1", tree, loop.base)
    assert loop.space.ref(odd) is not None
    assert loop.space.remove_attempts(date(2026, 11, 20)) == 0
    assert loop.space.remove_attempts(date(2026, 11, 21)) == 1
    assert loop.space.ref(ref) is None
    assert loop.space.ref(odd) is not None


def test_diff_and_blob_are_cut_and_not_fooled_by_attributes(loop: Loop) -> None:
    (loop.tree / ".gitattributes").write_text("* -diff\n*.bin binary\n")
    (loop.tree / "x.bin").write_bytes(b"\0secret\n" * 3)
    tree = edit(loop, "a", "password\n")
    patch = loop.space.diff(loop.base, tree, 100_000)
    assert "+password" in patch
    assert "secret" in patch
    assert loop.space.diff(loop.base, tree, 50).endswith("[cut after 50 bytes]\n")
    blobs = {change.path: change.new_blob for change in loop.space.changes(loop.base, tree)}
    assert loop.space.blob(blobs["a"], 4) == b"pass"
    git(loop.repo, "gc", "-q")
    packed = next(name for _, name, path in loop.mirror.list_tree(loop.base) if path == "b")
    assert loop.space.blob(packed, 4) == b"0\n1\n"
    with pytest.raises(GitError):
        loop.space.blob("1" * 40, 10)


def test_replace_refs_hide_nothing(loop: Loop) -> None:
    bad = loop.commit(edit(loop, "a", "bad\n"))
    loop.space.git.run("update-ref", f"refs/replace/{bad}", loop.base)
    assert [change.path for change in loop.space.changes(loop.base, bad)] == ["a"]
    assert "+bad" in loop.space.diff(loop.base, bad, 10_000)


def test_merges_without_a_work_tree(loop: Loop) -> None:
    text = (loop.tree / "a").read_text()
    ours = loop.commit(edit(loop, "a", "first\n" + text))
    theirs = loop.commit(edit(loop, "a", text + "last\n"))
    clash = loop.commit(edit(loop, "a", "other\n" + text))
    tree, paths = loop.space.merge(ours, theirs)
    assert tree is not None
    assert paths == []
    merged = {path: name for _, name, path in loop.mirror.list_tree(loop.base)}
    blob = loop.space.changes(loop.base, tree)[0].new_blob
    assert loop.space.blob(blob, 10_000).decode() == f"first\n{text}last\n"
    assert merged["a"] != blob
    assert loop.space.merge(ours, clash) == (None, ["a"])
    joined = loop.space.commit_object(tree, [ours, theirs], "merge\n", ADA, RALPH, 0)
    assert loop.space.contains(joined, theirs)
    assert not loop.space.contains(ours, theirs)
    with pytest.raises(GitError):
        loop.space.contains(ours, "1" * 40)


def test_a_tree_is_composed_of_another_and_some_paths(loop: Loop) -> None:
    space, base = loop.space, loop.space.tree_of(loop.base)
    blob = space.write_blob(b"other\n")
    composed = space.compose(base, {"a": ("100755", blob), "b": None, "c/d \u00e9": ("100644", blob)})
    found = {(change.status, change.path, change.new_mode) for change in space.changes(base, composed)}
    assert found == {("M", "a", "100755"), ("D", "b", "000000"), ("A", "c/d \u00e9", "100644")}
    assert space.compose(base, {}) == base
    below = space.compose(composed, {"c": ("100644", blob)})
    assert [change.path for change in space.changes(composed, below)] == ["c", "c/d \u00e9"]
    assert space.snapshot() == base, "the work tree is as it was"


def test_a_commit_moves_from_loop_to_loop(loop: Loop, tmp_path: Path) -> None:
    other = make_loop(loop.repo, tmp_path / "state", "beta")
    commit = loop.commit(edit(loop, "a", "mine\n"))
    other.space.fetch_from(loop.space.git_dir, commit)
    assert other.space.contains(commit, other.base)
    other.space.prepare(commit)
    assert (other.tree / "a").read_text() == "mine\n"
    assert other.space.git.run("for-each-ref") == b""


def test_locks_and_leftovers_of_a_killed_git_go(loop: Loop) -> None:
    space = loop.space
    for name in ("index.lock", "HEAD.lock", "refs/heads/ralph/alpha.lock", "objects/12/tmp_obj_x"):
        (space.git_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (space.git_dir / name).touch()
    (space.objects / "tmp_objdir-bulk-fsync-abc").mkdir()
    (loop.tree / "a").write_text("x")
    with pytest.raises(GitError):
        space.snapshot()
    assert len(space.unlock()) == 5
    assert space.unlock() == []
    commit = loop.land(space.snapshot())
    assert space.ref(BRANCH) == commit


def test_a_git_that_outlived_its_parent_ends_before_its_lock_goes(loop: Loop) -> None:
    late = subprocess.Popen(
        ["git", "-c", "alias.nap=!sleep 60", "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        env={"GIT_DIR": str(loop.space.git_dir), "PATH": "/usr/bin:/bin"},
    )
    loop.space.unlock()
    assert late.wait(5) == -9
    assert late.stdin is not None
    late.stdin.close()


def test_git_killed_in_the_middle_leaves_nothing_that_stops_the_next(loop: Loop) -> None:
    for number in range(400):
        (loop.tree / f"f{number}").write_text(f"{number}" * 500)
    delay = 0.0005
    for _ in range(12):
        process = subprocess.Popen(
            ["git", "add", "-A"],
            env={
                "GIT_DIR": str(loop.space.git_dir),
                "GIT_WORK_TREE": str(loop.tree),
                "GIT_INDEX_FILE": str(loop.space.index),
                "PATH": "/usr/bin:/bin",
            },
        )
        end = time.monotonic() + delay
        while time.monotonic() < end and process.poll() is None:
            pass
        process.kill()
        process.wait()
        delay *= 1.5
        loop.space.unlock()
        loop.space.prepare(loop.base) if delay > 0.02 else None
        (loop.tree / "last").write_text(str(delay))
    tree = loop.space.snapshot()
    commit = loop.land(tree)
    found = loop.space.git.run("fsck", "--strict", "--no-dangling", commit)
    assert b"missing" not in found
    assert b"broken" not in found
