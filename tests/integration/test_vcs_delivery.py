"""Delivery into the user's repository and to remotes: nothing forced, nothing else touched."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from loops import BRANCH, Loop, commit_all, git, make_loop

from ralph.errors import GitError
from ralph.vcs import delivery
from ralph.vcs.delivery import deliver, existing_branch, push, read_note, snapshot_state, write_note


@pytest.fixture
def loop(git_repo: Path, tmp_path: Path) -> Loop:
    return make_loop(git_repo, tmp_path / "state")


def work(loop: Loop, text: str = "work\n") -> str:
    (loop.tree / "README.md").write_text(text)
    return loop.land(loop.space.snapshot())


def send(loop: Loop, commit: str, expected: str | None, branch: str = BRANCH) -> delivery.Delivery:
    return deliver(loop.repo, loop.space.git_dir, branch, commit, expected, patience=0.2)


def refs(repo: Path) -> set[str]:
    return set(git(repo, "for-each-ref", "--format=%(refname)").split())


def test_a_branch_is_made_moved_and_left_alone_when_it_is_there(loop: Loop) -> None:
    first = work(loop, "1")
    assert send(loop, first, None).how == "ref"
    assert send(loop, first, None).how == "unchanged"
    second = work(loop, "2")
    assert send(loop, second, first).how == "ref"
    assert existing_branch(loop.repo, "ralph/alpha") == second
    assert refs(loop.repo) == {"refs/heads/main", BRANCH}
    assert not (loop.repo / ".git/refs/ralph").exists()
    assert not (loop.repo / ".git/FETCH_HEAD").exists()


def test_the_users_repository_is_otherwise_byte_identical(loop: Loop) -> None:
    repo = loop.repo
    (repo / "README.md").write_text("stashed\n")
    git(repo, "stash")
    (repo / "README.md").write_text("not yet committed\n")
    (repo / "staged").write_text("staged\n")
    git(repo, "add", "staged")
    (repo / "untracked").write_text("untracked\n")
    git(repo, "tag", "v1")
    before = snapshot_state(repo)
    for number in range(3):
        commit = work(loop, str(number))
        send(loop, commit, existing_branch(repo, BRANCH))
        write_note(repo, commit, f"evidence {number}\n")
    assert snapshot_state(repo) == before
    for change in ("echo x >> README.md", "git tag v2", "touch .git/hooks/x", "git config a.b c", "git add untracked"):
        git(repo, "-c", f"alias.do=!{change}", "do")
        after = snapshot_state(repo)
        assert after != before, change
        before = after


@pytest.mark.parametrize("holder", ["checkout", "worktree", "rebase"])
def test_a_branch_in_use_is_left_alone_and_the_result_parked(loop: Loop, tmp_path: Path, holder: str) -> None:
    first = work(loop, "1")
    send(loop, first, None)
    if holder == "checkout":
        git(loop.repo, "checkout", "-q", "ralph/alpha")
    else:
        git(loop.repo, "worktree", "add", "-q", str(tmp_path / "wt"), "ralph/alpha")
    if holder == "rebase":
        git(tmp_path / "wt", "-c", "sequence.editor=sed -i 1ibreak", "rebase", "-i", "HEAD~1")
    second = work(loop, "2")
    before = snapshot_state(loop.repo)
    sent = send(loop, second, first)
    assert (sent.how, sent.branch) == ("parked", f"{BRANCH}-parked-{second[:12]}")
    assert "checked out" in sent.detail
    assert existing_branch(loop.repo, BRANCH) == first
    assert existing_branch(loop.repo, sent.branch) == second
    assert snapshot_state(loop.repo) == before


@pytest.mark.parametrize("expected", ["first", None])
def test_a_branch_that_somebody_moved_is_not_forced(loop: Loop, expected: str | None) -> None:
    first = work(loop, "1")
    send(loop, first, None)
    git(loop.repo, "branch", "-f", "ralph/alpha", "main")
    second = work(loop, "2")
    sent = send(loop, second, first if expected else None)
    assert sent.how == "parked"
    assert "moved" in sent.detail
    assert existing_branch(loop.repo, BRANCH) == loop.base
    git(loop.repo, "branch", "-D", "ralph/alpha")
    assert "deleted" in send(loop, second, first).detail


def test_only_branches_of_ralph_are_moved(loop: Loop) -> None:
    commit = work(loop)
    for branch in ("refs/heads/main", "refs/heads/ralphael", "main", "refs/tags/ralph/x"):
        with pytest.raises(GitError, match="not ralph's"):
            send(loop, commit, None, branch)


def test_a_branch_called_ralph_is_an_error_in_words(loop: Loop) -> None:
    git(loop.repo, "branch", "ralph")
    with pytest.raises(GitError, match="ralph"):
        send(loop, work(loop), None)
    assert not [ref for ref in refs(loop.repo) if "tmp" in ref]


def test_a_lock_of_the_user_is_waited_for_and_never_removed(loop: Loop) -> None:
    commit = work(loop)
    lock = loop.repo / ".git" / f"{BRANCH}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(GitError) as caught:
        send(loop, commit, None)
    assert "lock" in caught.value.message
    assert lock.exists()
    timer = threading.Timer(0.3, lock.unlink)
    timer.start()
    assert deliver(loop.repo, loop.space.git_dir, BRANCH, commit, None, patience=20).how == "ref"
    timer.join()


def test_what_a_killed_delivery_left_goes(loop: Loop) -> None:
    before = snapshot_state(loop.repo)
    git(loop.repo, "update-ref", "refs/ralph/tmp/ralph.alpha", "main")
    git(loop.repo, "update-ref", "refs/ralph/tmp/ralph.beta", "main")
    assert send(loop, work(loop), None).how == "ref"
    assert delivery.sweep(loop.repo) == ["refs/ralph/tmp/ralph.beta"]
    assert delivery.sweep(loop.repo) == []
    assert snapshot_state(loop.repo) == before


def test_hooks_of_the_user_do_not_run(loop: Loop, tmp_path: Path) -> None:
    hooks = loop.repo / ".git/hooks"
    shutil.rmtree(hooks, ignore_errors=True)
    hooks.mkdir()
    for name in ("reference-transaction", "pre-push", "post-update", "post-rewrite", "prepare-commit-msg"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/fired\nexit 1\n")
        (hooks / name).chmod(0o755)
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    commit = work(loop)
    assert send(loop, commit, None).how == "ref"
    write_note(loop.repo, commit, "note")
    assert push(loop.repo, loop.repo / ".git", str(tmp_path / "remote.git"), BRANCH, commit, None).how == "pushed"
    assert not (tmp_path / "fired").exists()


def test_notes_hold_exactly_what_was_written(loop: Loop) -> None:
    commit = work(loop)
    send(loop, commit, None)
    assert read_note(loop.repo, commit) is None
    text = "\n\n# heading\n\n\n  evidence ü \n"
    write_note(loop.repo, commit, text)
    at = git(loop.repo, "rev-parse", "refs/notes/ralph")
    assert read_note(loop.repo, commit) == text
    write_note(loop.repo, commit, text)
    assert git(loop.repo, "rev-parse", "refs/notes/ralph") == at
    write_note(loop.repo, commit, "other")
    assert read_note(loop.repo, commit) == "other"


def test_the_attic_keeps_an_old_head(loop: Loop) -> None:
    commit = work(loop)
    send(loop, commit, None)
    ref = delivery.attic(loop.repo, BRANCH, commit)
    assert ref == f"refs/heads/ralph-attic/alpha-{commit[:12]}"
    assert delivery.attic(loop.repo, BRANCH, commit) == ref
    assert existing_branch(loop.repo, ref) == commit


def test_a_push_has_a_lease(loop: Loop, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    url = str(tmp_path / "remote.git")
    first = work(loop, "1")

    def go(commit: str, expected: str | None) -> delivery.Push:
        return push(loop.repo, loop.space.git_dir, url, BRANCH, commit, expected)

    assert go(first, None).how == "pushed"
    assert go(first, first).how == "unchanged"
    second = work(loop, "2")
    assert go(second, first).how == "pushed"
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", "-b", "ralph/alpha", url, str(other))
    (other / "theirs").write_text("x")
    theirs = commit_all(other)
    git(other, "push", "-q")
    third = work(loop, "3")
    assert go(third, second).how == "rejected"
    assert go(third, None).how == "rejected"
    assert delivery.remote_branch(loop.repo, loop.space.git_dir, url, BRANCH) == theirs
    with pytest.raises(GitError):
        push(loop.repo, loop.space.git_dir, str(tmp_path / "none.git"), BRANCH, third, None)


def test_a_push_that_timed_out_after_the_server_took_it_is_found(loop: Loop, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    hook = tmp_path / "remote.git/hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nsleep 60\n")
    hook.chmod(0o755)
    commit = work(loop)
    sent = push(loop.repo, loop.space.git_dir, str(tmp_path / "remote.git"), BRANCH, commit, None, timeout=1.5)
    assert (sent.how, "unknown outcome" in sent.detail) == ("pushed", True)


def test_credentials_come_from_the_users_settings(loop: Loop, tmp_path: Path) -> None:
    from ralph.vcs.user import network_settings

    git(loop.repo, "config", "http.https://example.org/.extraheader", "AUTHORIZATION: basic c2VjcmV0")
    env = network_settings(loop.repo)
    assert "AUTHORIZATION: basic c2VjcmV0" in env.values()
    assert env["GIT_SSH_COMMAND"] == "ssh -oBatchMode=yes"
    git(loop.repo, "config", "core.sshCommand", "ssh -i key")
    assert "GIT_SSH_COMMAND" not in network_settings(loop.repo)


def test_the_identity_is_the_users(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name)
    assert delivery.user_identity(loop.repo) == ("Ada Tester", "ada@example.org")
    git(loop.repo, "config", "--unset", "user.email")
    with pytest.raises(GitError) as caught:
        delivery.user_identity(loop.repo)
    assert "git config" in caught.value.hint
