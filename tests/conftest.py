"""Fixtures every test may use: directories of its own, a git repository, a sandbox that really starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--slow",
        default="",
        metavar="SHARE",
        help="which slow tests run: a share such as 1/12, always the same ones; 1 all (default with -m slow), 0 none",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow matrices are left out, or run as a sample that is bounded, spread over the files and always the same."""
    share = Fraction(config.getoption("--slow") or int("slow" in config.option.markexpr))
    slow = [item for item in items if item.get_closest_marker("slow")]
    kept = {item for number, item in enumerate(slow) if share and int(number * share) < int((number + 1) * share)}
    left = [item for item in slow if item not in kept]
    if left:
        items[:] = [item for item in items if item not in set(left)]
        config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def runtime_dir() -> Iterator[Path]:
    """A directory short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def own_directories(tmp_path: Path, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State, configuration, cache and git identity that are nobody else's."""
    for name in ("state", "config", "cache", "data"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / ".xdg" / name))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_dir))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada Tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")


@pytest.fixture
def git_repo(tmp_path: Path) -> Path:
    """A repository with one commit on main: README.md and .gitignore."""
    repo = tmp_path / "project"
    repo.mkdir()
    (repo / "README.md").write_text("# project\n")
    (repo / ".gitignore").write_text("__pycache__/\n")
    for args in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Ada Tester"],
        ["config", "user.email", "ada@example.org"],
        ["add", "-A"],
        ["commit", "-q", "-m", "first"],
    ):
        subprocess.run(["git", *args], cwd=repo, check=True)
    return repo


@pytest.fixture
def sandbox_or_skip() -> object:
    """The machine's sandbox. Without one the test is skipped, or fails with RALPH_REQUIRE_SANDBOX=1."""
    from ralph.host.sandbox import probe

    found = probe("auto")
    if found.sandbox is None:
        reason = f"sandbox not_run: {found.detail}"
        if os.environ.get("RALPH_REQUIRE_SANDBOX") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found.sandbox


@pytest.fixture(autouse=True)
def no_strangers_children() -> None:
    """Start as an ordinary process: a test that ran a shim made this one the reaper of orphans."""
    import psutil

    from ralph.host.shim import SUBREAPER, prctl

    prctl(SUBREAPER, 0)
    for child in psutil.Process().children():
        if child.status() == psutil.STATUS_ZOMBIE:
            try:
                os.waitpid(child.pid, os.WNOHANG)
            except ChildProcessError:
                pass  # somebody waits for it already
