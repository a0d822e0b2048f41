"""The mirror: bases by name, files by commit, and repositories that ralph can't handle."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from loops import commit_all, git

from ralph.errors import GitError
from ralph.vcs.mirror import Mirror
from ralph.vcs.user import git_dirs, snapshot_state, unsupported, worktrees


@pytest.fixture
def mirror(git_repo: Path, tmp_path: Path) -> Mirror:
    found = Mirror(tmp_path / "state/mirror.git", git_repo)
    found.ensure()
    return found


def test_a_local_branch_is_fetched_and_followed(mirror: Mirror) -> None:
    head = git(mirror.repo, "rev-parse", "HEAD")
    assert mirror.resolve("main") == head
    assert mirror.has(head)
    (mirror.repo / "README.md").write_text("two\n")
    git(mirror.repo, "commit", "-q", "--amend", "-am", "rewritten")
    assert mirror.resolve("main") == git(mirror.repo, "rev-parse", "HEAD")
    assert mirror.resolve(head) == head


def test_a_remote_branch_is_fetched_without_touching_the_checkout(mirror: Mirror, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    git(tmp_path, "clone", "-q", "--bare", str(mirror.repo), str(remote))
    git(mirror.repo, "remote", "add", "up/stream", "../remote.git")
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(remote), str(other))
    (other / "new").write_text("x")
    newer = commit_all(other)
    git(other, "push", "-q")
    before = snapshot_state(mirror.repo)
    assert mirror.resolve("up/stream/main") == newer
    assert snapshot_state(mirror.repo) == before
    with pytest.raises(GitError):
        mirror.resolve("up/stream/none")


@pytest.mark.parametrize("base", ["none", "origin/main", "-x", "a..b", "", "a b"])
def test_a_base_that_is_not_there_is_an_error_with_a_hint(mirror: Mirror, base: str) -> None:
    with pytest.raises(GitError) as caught:
        mirror.resolve(base)
    assert "[night] base" in caught.value.hint


def test_files_are_read_from_the_commit(mirror: Mirror) -> None:
    (mirror.repo / "AGENTS.md").symlink_to("docs/rules.md")
    (mirror.repo / "docs").mkdir()
    (mirror.repo / "docs/rules.md").write_bytes(b"rules\n\n\x00")
    (mirror.repo / "out").symlink_to("/etc/passwd")
    (mirror.repo / "odd\nname").write_text("odd")
    commit = commit_all(mirror.repo)
    mirror.resolve("main")
    assert mirror.read(commit, "AGENTS.md") == b"rules\n\n\x00"
    assert mirror.read(commit, "odd\nname") == b"odd"
    for path in ("none", "docs", "out", "docs/none"):
        assert mirror.read(commit, path) is None
    with pytest.raises(GitError):
        mirror.read("1" * 40, "AGENTS.md")
    assert ("120000", "AGENTS.md") in {(mode, path) for mode, _, path in mirror.list_tree(commit)}


def test_a_repository_of_another_user_can_be_read(mirror: Mirror) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a repository away")
    subprocess.run(["chown", "-R", "65534", str(mirror.repo)], check=True)
    assert len(mirror.resolve("main")) == 40


def test_nothing_of_the_users_runs(mirror: Mirror, tmp_path: Path) -> None:
    fired = tmp_path / "fired"
    script = tmp_path / "payload"
    script.write_text(f"#!/bin/sh\necho >> {fired}\ncat\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.alternateRefsCommand", "core.sshCommand"):
        git(mirror.repo, "config", key, str(script))
    shutil.rmtree(mirror.repo / ".git/hooks", ignore_errors=True)
    (mirror.repo / ".git/hooks").mkdir()
    for hook in ("reference-transaction", "post-checkout", "pre-auto-gc"):
        shutil.copy(script, mirror.repo / ".git/hooks" / hook)
    mirror.ensure()
    mirror.resolve("main")
    mirror.unsupported()
    assert not fired.exists()


def change_nothing(repo: Path, _: Path) -> Path:
    return repo


def shallow(repo: Path, tmp: Path) -> Path:
    (repo / "x").write_text("x")
    commit_all(repo)
    git(tmp, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    return tmp / "shallow"


def partial(repo: Path, tmp: Path) -> Path:
    git(repo, "config", "uploadpack.allowFilter", "true")
    git(tmp, "clone", "-q", "--filter=blob:none", f"file://{repo}", "partial")
    return tmp / "partial"


def sparse(repo: Path, _: Path) -> Path:
    git(repo, "sparse-checkout", "set", "docs")
    return repo


def submodules(repo: Path, _: Path) -> Path:
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    git(repo, "commit", "-qm", "lib")
    return repo


def lfs(repo: Path, _: Path) -> Path:
    (repo / "assets").mkdir()
    (repo / "assets/.gitattributes").write_text("*.psd filter=lfs diff=lfs merge=lfs -text\n")
    commit_all(repo)
    return repo


def sha256(_: Path, tmp: Path) -> Path:
    git(tmp, "init", "-q", "--object-format=sha256", "sha")
    return tmp / "sha"


def empty(_: Path, tmp: Path) -> Path:
    git(tmp, "init", "-q", "empty")
    return tmp / "empty"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (change_nothing, None),
        (shallow, "shallow clone"),
        (partial, "partial clone"),
        (sparse, "sparse checkout"),
        (submodules, "submodules"),
        (lfs, "Git LFS"),
        (sha256, "SHA-256 objects"),
        (empty, "empty repository"),
    ],
)
def test_what_ralph_can_not_handle_is_named(git_repo: Path, tmp_path: Path, make: object, word: str | None) -> None:
    assert callable(make)
    found = unsupported(make(git_repo, tmp_path))
    if word is None:
        assert found == []
    else:
        assert any(text.startswith(word) for text in found), found


def test_linked_worktrees_share_the_repository(git_repo: Path, tmp_path: Path) -> None:
    git(git_repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert git_dirs(tmp_path / "side")[1] == (git_repo / ".git").resolve()
    held = {tree.path: tree.branches for tree in worktrees(tmp_path / "side")}
    assert held == {str(git_repo): ("refs/heads/main",), str(tmp_path / "side"): ("refs/heads/side",)}
    found = Mirror(tmp_path / "state/mirror.git", tmp_path / "side")
    found.ensure()
    assert found.resolve("side") == git(git_repo, "rev-parse", "HEAD")


def test_a_directory_without_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="is not a git repository"):
        git_dirs(tmp_path)
