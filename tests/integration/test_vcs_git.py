"""The git runner: closed environment, deadlines, limits, errors, and nothing left behind."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import psutil
import pytest
from loops import git

from ralph.errors import GitError
from ralph.vcs.git import Git, identity, locked, version


def test_the_version_is_new_enough() -> None:
    assert version() >= (2, 39)


def test_git_variables_of_the_outside_do_not_count(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_DIR", "GIT_NAMESPACE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.abbrev'='5'")
    assert len(Git(git_repo / ".git").line("rev-parse", "HEAD")) == 40


def test_global_configuration_counts_only_where_it_is_wanted(
    git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "global").write_text("[user]\n\tsigningkey = mine\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    closed = Git(git_repo / ".git").status("config", "user.signingkey")
    opened = Git(git_repo / ".git", user_config=True).status("config", "user.signingkey")
    assert (closed[0], opened[1]) == (1, b"mine\n")


def test_a_failure_says_what_git_said(git_repo: Path) -> None:
    with pytest.raises(GitError, match=r"git cat-file: fatal: .*nonsense"):
        Git(git_repo / ".git").run("cat-file", "-p", "nonsense")


def test_a_held_lock_is_told_from_other_failures(git_repo: Path) -> None:
    (git_repo / ".git/index.lock").touch()
    with pytest.raises(GitError) as caught:
        Git(git_repo / ".git", git_repo).run("add", "-A")
    assert locked(caught.value)
    assert "lock file" in caught.value.hint


def living_children() -> list[str]:
    """Names of this process's descendants; another test may have made it the reaper of strangers' zombies."""
    found = psutil.Process().children(recursive=True)
    return sorted(child.name() for child in found if child.status() != psutil.STATUS_ZOMBIE)


def test_the_deadline_ends_git_and_its_children(git_repo: Path) -> None:
    started = time.monotonic()
    with pytest.raises(GitError, match="took over"):
        Git(git_repo / ".git").run("-c", "alias.nap=!sleep 60", "nap", timeout=0.3)
    assert time.monotonic() - started < 5
    assert not [name for name in living_children() if "sleep" in name]


def test_head_stops_reading_at_the_limit(git_repo: Path) -> None:
    (git_repo / "big").write_bytes(b"x" * 5_000_000)
    git(git_repo, "add", "big")
    runner = Git(git_repo / ".git")
    data, more = runner.head("cat-file", "blob", ":big", limit=1000)
    assert (len(data), more) == (1000, True)
    assert runner.head("rev-parse", "HEAD", limit=1000)[1] is False
    with pytest.raises(GitError):
        runner.head("cat-file", "blob", "HEAD:none", limit=10)


def test_identity_is_for_one_call(git_repo: Path) -> None:
    runner = Git(git_repo / ".git")
    tree = runner.line("rev-parse", "HEAD^{tree}")
    env = identity("Eve", "eve@example.org", "1700000000 +0000")
    commit = runner.run("commit-tree", tree, "-m", "x", env=env).decode().strip()
    assert b"author Eve <eve@example.org> 1700000000 +0000" in runner.run("cat-file", "-p", commit)


def test_nothing_is_left_over_after_200_operations(git_repo: Path) -> None:
    runner = Git(git_repo / ".git")
    runner.run("rev-parse", "HEAD")
    me = psutil.Process()
    fds, before = me.num_fds(), living_children()
    for number in range(200):
        runner.run("rev-parse", "HEAD", input=b"x" if number % 2 else None)
    deadline = time.monotonic() + 5
    while len(threading.enumerate()) > 3 and time.monotonic() < deadline:
        os.sched_yield()
    assert me.num_fds() == fds
    assert len(threading.enumerate()) <= 3
    assert living_children() == before


def test_only_one_file_imports_gitpython() -> None:
    package = Path(__file__).parents[2] / "ralph"
    importing = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^\s*(import|from) git\b", path.read_text(), re.M)
    ]
    assert importing == ["vcs/git.py"]
