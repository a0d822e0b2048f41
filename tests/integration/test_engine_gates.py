"""What gates see besides the tree: nothing that an agent, another task or another tree has left there."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from loops import Loop, commit_all, make_loop

from ralph.config import Config, freeze
from ralph.core.secrets import Redactor
from ralph.domain import GateResult, IterationSpec, Task, Verdict
from ralph.engine.jails import Place
from ralph.engine.judge import execute as judging
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.gates import run_gates
from ralph.engine.keep import Keeper
from ralph.host.files import own_directory
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox, Sandbox

TASK = Task("a", "A")


class Stage:
    """A loop whose gates run under a real shim."""

    def __init__(self, repo: Path, state: Path, shim: Shim, sandbox: Sandbox, config: Config) -> None:
        own_directory(state / "loops" / "alpha")
        self.loop: Loop = make_loop(repo, state)
        frozen = state / "frozen.toml"
        frozen.write_text(freeze(config))
        spec = IterationSpec(
            night="n",
            iteration="n.alpha.1",
            loop="alpha",
            task=TASK,
            attempt=1,
            tag="0" * 32,
            run_dir=str(state / "runs" / "one"),
            loop_dir=str(state / "loops" / "alpha"),
            mirror=str(self.loop.mirror.path),
            checkout=str(repo),
            head=self.loop.base,
            start_tree=None,
            validate_only=False,
            gate_base=False,
            agent="sh",
            config=str(frozen),
        )
        self.place = Place(spec, config, sandbox)
        self.place.make()
        space = self.loop.space
        keeper = Keeper(self.place, shim, space)
        self.bench = Bench(self.place, config, shim, space, keeper, Redactor(), (), (), lambda *_: None)

    def write(self, name: str, text: str) -> None:
        path = self.loop.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def gates(self, tree: str = "", known: Sequence[GateResult] = (), task: Task = TASK) -> dict[str, GateResult]:
        kept = self.bench.keeper.folders(self.loop.space.tree_of(self.loop.base))
        tree = tree or self.loop.space.tree_of(self.loop.base)
        return {result.name: result for result in run_gates(self.bench, task, tree, ["x"], kept, known)}


@pytest.fixture
def shim() -> object:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


def config(command: str, **workspace: list[str]) -> Config:
    return Config.model_validate(
        {"gates": [{"name": "g", "command": command, "shell": True, "writes": False}], "workspace": workspace}
    )


@pytest.mark.parametrize("boxed", [False, pytest.param(True, marks=pytest.mark.sandbox)])
def test_a_keep_folder_that_an_agent_made_is_not_believed(
    git_repo: Path, tmp_path: Path, shim: Shim, boxed: bool, request: pytest.FixtureRequest
) -> None:
    """Its programs come first on PATH: a planted one would be every later gate."""
    (git_repo / ".gitignore").write_text(".venv/\n")
    commit_all(git_repo)
    sandbox = request.getfixturevalue("sandbox_or_skip") if boxed else NoSandbox()
    stage = Stage(git_repo, tmp_path / "state", shim, sandbox, config("test-runner-of-mine", keep=[".venv"]))
    stage.write(".venv/bin/test-runner-of-mine", "#!/bin/sh\nexit 0\n")
    assert stage.gates()["g"].verdict is not Verdict.PASSED
    assert not (stage.loop.tree / ".venv").exists()


@pytest.mark.sandbox
def test_scratch_folders_can_be_written_and_are_empty_for_each_tree(
    git_repo: Path, tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox
) -> None:
    command = 'test -z "$(ls target)" && echo planted > target/left'
    stage = Stage(git_repo, tmp_path / "state", shim, sandbox_or_skip, config(command, scratch=["target"]))
    for _ in range(2):
        assert stage.gates()["g"].verdict is Verdict.PASSED, stage.gates()["g"].reason


def test_a_verdict_is_taken_over_for_the_same_command_only(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    """`check-1` is the first check of every task, and a person may correct it."""
    stage = Stage(git_repo, tmp_path / "state", shim, NoSandbox(), config("true"))
    wrong = stage.gates(task=replace(TASK, checks=("false",)))
    assert wrong["check-1"].verdict is Verdict.FAILED
    known = tuple(wrong.values())
    assert stage.gates(known=known, task=replace(TASK, checks=("true",)))["check-1"].verdict is Verdict.PASSED
    again = stage.gates(known=known, task=replace(TASK, checks=("false",)))
    assert again["check-1"] is wrong["check-1"]
    execution = wrong["check-1"].execution
    assert execution
    elsewhere = replace(wrong["check-1"], execution=replace(execution, environment="another"))
    anew = stage.gates(known=(elsewhere,), task=replace(TASK, checks=("false",)))
    assert anew["check-1"] is not elsewhere


def test_caches_of_old_trees_go(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    stage = Stage(git_repo, tmp_path / "state", shim, NoSandbox(), config("true"))
    for number in range(judging.CACHES + 4):
        stage.write("file", str(number))
        stage.gates(stage.loop.space.snapshot())
    assert len(list((stage.place.loop / "cache" / "trees").iterdir())) <= judging.CACHES + 1


def test_no_mount_point_is_made_through_a_link_of_the_tree(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (git_repo / "front").symlink_to(outside)
    commit_all(git_repo)
    stage = Stage(git_repo, tmp_path / "state", shim, NoSandbox(), config("true"))
    stage.bench.keeper.mount_points({"front/node_modules": tmp_path})
    assert list(outside.iterdir()) == []


@pytest.mark.sandbox
@pytest.mark.parametrize("left", ["link", "file"])
def test_what_an_agent_left_at_a_mount_point_is_taken_away(
    git_repo: Path, tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox, left: str
) -> None:
    """A kept folder that was bound over a link would hide whatever the link leads to: the sources, say."""
    (git_repo / ".venv" / "bin").mkdir(parents=True)
    (git_repo / "src").mkdir()
    (git_repo / "src" / "a").write_text("a\n")
    (git_repo / ".gitignore").write_text(".venv\n")
    commit_all(git_repo)
    stage = Stage(git_repo, tmp_path / "state", shim, sandbox_or_skip, config("ls src .venv", keep=[".venv"]))
    there = stage.loop.tree / ".venv"
    there.symlink_to("src") if left == "link" else there.write_text("")
    result = stage.gates()["g"]
    assert result.verdict is Verdict.PASSED, result.reason
    log = (stage.place.run / (result.execution or pytest.fail("it was not executed")).log).read_text()
    assert log.split() == [".venv:", "bin", "src:", "a"]
    assert there.is_dir() and not there.is_symlink()


@pytest.mark.sandbox
def test_a_link_that_the_project_has_at_a_mount_point_stays(
    git_repo: Path, tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox
) -> None:
    (git_repo / "modules").symlink_to("src")
    commit_all(git_repo)
    stage = Stage(git_repo, tmp_path / "state", shim, sandbox_or_skip, config("true"))
    stage.bench.keeper.mount_points({"modules": tmp_path})
    assert (stage.loop.tree / "modules").is_symlink()
