"""`ralph init`: what it writes, what it leaves alone, what it refuses by name."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ralph import config
from ralph.cli.programs import present
from ralph.cli.template import Choices, render, toml
from ralph.engine.lock import lock_repository
from ralph.host.footprint import EXCLUDED
from ralph.host.paths import layout
from ralph.memory.tasks import TaskFile


def init(repo: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "ralph", "init", *args]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, env=os.environ | env)


def git(repo: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=repo, check=True, capture_output=True, text=True).stdout


def commit(repo: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "more")


def state_of(repo: Path) -> tuple[str, str, str]:
    return git(repo, "status", "--porcelain"), git(repo, "rev-parse", "HEAD"), (repo / ".git/config").read_text()


def test_a_repository_becomes_ready_and_only_ralph_toml_is_new_to_git(git_repo: Path) -> None:
    done = init(git_repo)
    assert (done.returncode, done.stderr) == (0, "")
    assert git(git_repo, "status", "--porcelain") == "?? ralph.toml\n"
    config.load(git_repo / "ralph.toml")
    assert TaskFile(git_repo / "tasks.json", layout(git_repo).good_tasks).load().tasks == ()
    assert Path(os.path.realpath(git_repo / ".ralph")) == layout(git_repo).root
    assert stat.S_IMODE(layout(git_repo).root.stat().st_mode) == 0o700
    assert "ralph doctor" in done.stdout


def test_nothing_that_exists_is_overwritten_and_a_second_run_changes_nothing(git_repo: Path) -> None:
    (git_repo / "ralph.toml").write_text("[night]\nloops = 7\n")
    (git_repo / "tasks.json").symlink_to("elsewhere.json")
    (git_repo / ".ralph").write_text("mine")
    exclude = git_repo / ".git/info/exclude"
    exclude.write_text("no newline at the end")
    first = init(git_repo)
    after = exclude.read_text()
    second = init(git_repo, "--example")
    assert first.returncode == second.returncode == 0
    assert (git_repo / "ralph.toml").read_text() == "[night]\nloops = 7\n"
    assert not (git_repo / "elsewhere.json").exists()
    assert (git_repo / ".ralph").read_text() == "mine"
    assert all(f"kept {name}" in second.stdout for name in ("ralph.toml", "tasks.json", ".ralph"))
    assert exclude.read_text() == after
    assert after.splitlines() == ["no newline at the end", "# run state of ralph", *EXCLUDED]


def test_no_tracked_file_is_edited(git_repo: Path) -> None:
    commit(git_repo, {"AGENTS.md": "ours\n"})
    before = state_of(git_repo)
    init(git_repo, "--agents-md")
    (git_repo / "ralph.toml").unlink()
    assert state_of(git_repo) == before
    assert (git_repo / "AGENTS.md").read_text() == "ours\n"


def test_agents_md_only_when_asked(git_repo: Path) -> None:
    assert "--agents-md" in init(git_repo).stdout
    assert not (git_repo / "AGENTS.md").exists()
    assert "wrote AGENTS.md" in init(git_repo, "--agents-md").stdout


def test_the_example_is_a_task_that_can_run(git_repo: Path) -> None:
    init(git_repo, "--example")
    (task,) = TaskFile(git_repo / "tasks.json", layout(git_repo).good_tasks).load().tasks
    assert task.acceptance
    assert json.loads((git_repo / "tasks.json").read_text())["version"] == 1


PROJECTS = {
    "python": ({"pyproject.toml": "[project]\nname='a'\nversion='1'\n", "tests/test_a.py": ""}, "pytest"),
    "javascript": ({"package.json": '{"scripts": {"test": "node --test"}}', "package-lock.json": "{}"}, "npm test"),
    "go": ({"go.mod": "module example.org/a\n\ngo 1.19\n", "a.go": "package a\n"}, "go test"),
    "rust": ({"Cargo.toml": "[package]\nname='a'\nversion='0.1.0'\n", "src/lib.rs": ""}, "cargo test"),
    "java": ({"pom.xml": "<project/>", "src/main/java/A.java": "class A {}"}, "mvn"),
}


@pytest.mark.parametrize("language", PROJECTS)
def test_languages_and_their_gates_are_found(git_repo: Path, language: str) -> None:
    files, gate = PROJECTS[language]
    commit(git_repo, files)
    done = init(git_repo)
    gates = config.load(git_repo / "ralph.toml").gates
    assert language in done.stdout.lower()
    assert any(gate in found.command for found in gates), [found.command for found in gates]


@pytest.mark.parametrize(
    ("branches", "head", "expected"),
    [(["main", "work"], "work", "main"), (["master", "work"], "work", "master"), (["trunk"], "trunk", "trunk")],
)
def test_loops_start_from_the_default_branch(git_repo: Path, branches: list[str], head: str, expected: str) -> None:
    git(git_repo, "branch", "-m", "main", branches[0])
    for name in branches[1:]:
        git(git_repo, "branch", name)
    git(git_repo, "checkout", "-q", head)
    init(git_repo)
    assert config.load(git_repo / "ralph.toml").night.base == expected


def test_a_linked_worktree_shares_state_with_its_repository(git_repo: Path, tmp_path: Path) -> None:
    git(git_repo, "worktree", "add", "-q", str(tmp_path / "linked"))
    done = init(tmp_path / "linked")
    assert done.returncode == 0, done.stderr
    assert Path(os.path.realpath(tmp_path / "linked/.ralph")) == layout(git_repo).root
    assert git(tmp_path / "linked", "status", "--porcelain") == "?? ralph.toml\n"


def shallow(repo: Path) -> Path:
    commit(repo, {"b": "b"})
    git(repo, "clone", "-q", "--depth=1", f"file://{repo}", str(repo.parent / "copy"))
    return repo.parent / "copy"


def lfs(repo: Path) -> Path:
    commit(repo, {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    return repo


def submodule(repo: Path) -> Path:
    commit(repo, {"b": "b"})
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{git(repo, 'rev-parse', 'HEAD').strip()},sub")
    git(repo, "commit", "-q", "-m", "gitlink")
    return repo


def empty(repo: Path) -> Path:
    git(repo, "init", "-q", str(repo.parent / "empty"))
    return repo.parent / "empty"


def detached(repo: Path) -> Path:
    git(repo, "checkout", "-q", "--detach")
    git(repo, "branch", "-D", "main")
    return repo


@pytest.mark.parametrize(
    ("make", "named"),
    [(shallow, "shallow"), (lfs, "LFS"), (submodule, "submodules"), (empty, "empty"), (detached, "detached")],
)
def test_what_cannot_be_supported_is_refused_by_name_and_nothing_is_written(
    git_repo: Path, make: object, named: str
) -> None:
    repo = make(git_repo)  # type: ignore[operator]
    done = init(repo)
    assert done.returncode == 1
    assert named in done.stderr
    assert "hint:" in done.stderr
    assert not (repo / "ralph.toml").exists()
    assert not (repo / "tasks.json").exists()


def test_a_state_directory_inside_the_repository_is_refused(git_repo: Path) -> None:
    done = init(git_repo, XDG_STATE_HOME=str(git_repo / "state"))
    assert done.returncode == 1
    assert "inside the repository" in done.stderr
    assert not (git_repo / "ralph.toml").exists()


def test_outside_a_repository_it_says_what_to_do(tmp_path: Path) -> None:
    done = init(tmp_path)
    assert done.returncode == 1
    assert "git init" in done.stderr


def test_it_is_refused_while_a_daemon_runs(git_repo: Path) -> None:
    with lock_repository(layout(git_repo)):
        done = init(git_repo)
    assert done.returncode == 1
    assert "daemon" in done.stderr
    assert not (git_repo / "ralph.toml").exists()


def test_agents_that_are_here_are_picked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    (tmp_path / "claude").chmod(0o755)
    (tmp_path / ".claude").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    assert present() == {"claude": {"kind": "claude-code", "state": ["~/.claude"]}}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-x")
    made = config.parse(render(Choices("main", [], agents=present())))
    assert made.routes == {"implementer": ["claude", "api"]}
    assert "sk-ant-x" not in render(Choices("main", [], agents=present()))


def test_every_commented_table_is_right_once_uncommented() -> None:
    text = render(Choices("main", []))
    lines = [line.removeprefix("# ") if is_toml(line) else line for line in text.splitlines()]
    made = config.parse("\n".join(lines))
    assert set(made.agents) == {"claude", "api", "mine"}
    assert made.gates[0].name == "tests"
    assert made.workspace.setup
    assert made.notify.command


def is_toml(line: str) -> bool:
    return re.match(r"# (\[\[?[a-z.]+\]\]?$|[a-z_]+ = )", line) is not None


@pytest.mark.parametrize("value", ['a"b\\c\n\t\x7f\x00é😀', True, 0, 1_000_000, 0.5, [], ["a", "b"], {"a.b": [1]}, {}])
def test_values_survive_toml(value: object) -> None:
    import tomllib

    assert tomllib.loads(f"key = {toml(value)}")["key"] == value
