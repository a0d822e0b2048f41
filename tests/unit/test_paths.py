from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ralph.errors import RalphError
from ralph.host.paths import common_dir, find_repo, layout


def git(repo: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=repo, check=True, capture_output=True, text=True).stdout.strip()


def test_the_top_is_found_from_a_folder_deep_inside(git_repo: Path) -> None:
    deep = git_repo / "a" / "b"
    deep.mkdir(parents=True)
    assert find_repo(deep) == git_repo


def test_a_folder_outside_any_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RalphError, match="not inside a git repository"):
        find_repo(tmp_path)


def test_an_empty_dot_git_is_not_a_repository(git_repo: Path) -> None:
    inner = git_repo / "inner"
    (inner / ".git").mkdir(parents=True)
    assert find_repo(inner) == git_repo


def test_linked_worktrees_share_state_but_not_the_checkout(git_repo: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(git_repo, "worktree", "add", "-q", str(linked))
    assert common_dir(linked) == common_dir(git_repo) == git_repo / ".git"
    assert common_dir(linked) == Path(git(linked, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    assert layout(linked).root == layout(git_repo).root
    assert layout(linked).repo == linked
    assert layout(linked).lock == git_repo / ".git" / "ralph.lock"


def test_a_separate_git_dir_is_followed(tmp_path: Path) -> None:
    repo, elsewhere = tmp_path / "repo", tmp_path / "elsewhere.git"
    subprocess.run(["git", "init", "-q", f"--separate-git-dir={elsewhere}", str(repo)], check=True)
    assert common_dir(find_repo(repo)) == elsewhere


def test_a_link_to_the_checkout_means_the_same_state(git_repo: Path, tmp_path: Path) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(git_repo)
    assert layout(find_repo(alias)) == layout(git_repo)


def test_state_lies_below_xdg_state_home_and_different_repositories_differ(git_repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    root = layout(git_repo).root
    assert root.parent == Path(os.environ["XDG_STATE_HOME"]) / "ralph"
    assert len(root.name) == 16
    assert layout(other).root != root


@pytest.mark.parametrize("runtime", ["", "relative", "/tmp/" + "x" * 100])
def test_a_runtime_directory_that_cannot_hold_a_socket_is_not_used(
    git_repo: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    socket = layout(git_repo).socket
    assert socket.parent == Path(f"/tmp/ralph-{os.getuid()}")
    assert len(str(socket)) <= 103


def test_the_socket_lies_in_the_runtime_directory(git_repo: Path, runtime_dir: Path) -> None:
    assert layout(git_repo).socket.parent == runtime_dir / "ralph"


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b"])
def test_names_cannot_leave_the_state_directory(git_repo: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a file name"):
        layout(git_repo).loop(name)


def test_importing_it_loads_nothing_slow() -> None:
    code = "import sys, ralph.host.paths, ralph.host.files; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"asyncio", "pydantic", "psutil", "ctypes", "hashlib", "subprocess"} & set(loaded)


def test_a_runtime_directory_that_is_gone_is_not_used(
    git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert layout(git_repo).socket.is_relative_to(f"/tmp/ralph-{os.getuid()}")
