"""Newly failing tests run again, on both trees: a counter outside the trees decides when the test fails."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from loops import commit_all
from test_engine_gates import TASK, Stage

from ralph.config import Config
from ralph.domain import GateResult, Grade, Verdict
from ralph.engine.judge.assess import assess
from ralph.engine.judge.case import Case
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox, Sandbox

TESTS = """import pathlib
COUNT = pathlib.Path({count!r})
def test_good():
    assert True
def test_chance():
    number = int(COUNT.read_text() or 0) + 1
    COUNT.write_text(str(number))
    assert number not in {fails}
"""
COMMAND = f"{sys.executable} -m pytest -q -p no:cacheprovider -p no:xdist"


@pytest.fixture
def shim() -> Iterator[Shim]:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


class Change:
    """A project with one test that fails when its counter says so, and a change to judge."""

    def __init__(
        self, repo: Path, root: Path, shim: Shim, fails: set[int], box: Sandbox | None = None, tests: str = TESTS
    ) -> None:
        self.count = root / "count"
        self.count.write_text("")
        (repo / "test_it.py").write_text(tests.format(count=str(self.count), fails=fails or "()"))
        (repo / "source.py").write_text("X = 1\n")
        commit_all(repo)
        gate = {"name": "tests", "command": COMMAND, "kind": "tests", "env": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}}
        verify = {"policy": {"feature": "any"}, "strength": "off"}
        config = Config.model_validate({"gates": [gate], "verify": verify})
        self.stage = Stage(repo, root / "state", shim, box or NoSandbox(), config)

    def judged(self, known_base: tuple[GateResult, ...] = (), **spec: object) -> GateResult:
        """The verdict on what lies in the work tree; ``known_base``: what is known of the tree that it builds on."""
        stage, space = self.stage, self.stage.loop.space
        bench = replace(stage.bench, place=replace(stage.place, spec=replace(stage.place.spec, **spec)))  # type: ignore[arg-type]
        before = next((one.execution.tree for one in known_base if one.execution), space.tree_of(stage.loop.base))
        tree = space.snapshot()
        changes = tuple(space.changes(before, tree))
        case = Case(TASK, stage.loop.base, before, tree, changes, {}, dict, known_base=known_base)

        @contextmanager
        def step(name: str) -> Iterator[None]:
            yield

        found = assess(bench, case, step)
        assert found.gates, found.guards
        return next(gate for gate in found.gates if gate.name == "tests")


def purposes(result: GateResult) -> list[tuple[str, int]]:
    return [(run.execution.purpose, run.execution.attempt) for run in result.runs]


def test_what_fails_at_times_on_the_base_too_does_not_gate(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    change = Change(git_repo, tmp_path, shim, {1, 4})  # the first run here, the second one on the base
    change.stage.write("source.py", "X = 2\n")
    result = change.judged()
    assert result.verdict is Verdict.PASSED and result.grade is Grade.OBSERVED, result.reason
    assert result.flaky == ("test_it.py::test_chance",)
    assert "failed 1 of 5 here, 1 of 5 on the base" in result.reason
    assert purposes(result) == [("rerun", n) for n in (1, 1, 2, 2, 3, 3, 1, 1)]
    assert {run.execution.tree for run in result.runs} == {
        result.execution.tree if result.execution else "",
        change.stage.loop.space.tree_of(change.stage.loop.base),
    }


def test_what_fails_at_times_here_only_is_flaky_and_refused(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    change = Change(git_repo, tmp_path, shim, {1})
    change.stage.write("source.py", "X = 2\n")
    result = change.judged()
    assert result.verdict is Verdict.FAILED and result.flaky == ("test_it.py::test_chance",)
    assert "flaky: test_it.py::test_chance (failed 1 of 5 here, 0 of 5 on the base)" in result.reason


def test_a_test_that_the_change_touched_is_never_excused(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    change = Change(git_repo, tmp_path, shim, {1, 4})
    path = change.stage.loop.tree / "test_it.py"
    path.write_text(path.read_text() + "def test_more():\n    import source\n    assert source.X == 1\n")
    quarantined = {"tests": {"test_it.py::test_chance": "2026-01-01"}}
    result = change.judged(quarantined=quarantined)
    assert result.verdict is Verdict.FAILED
    assert purposes(result) == [("rerun", 1), ("rerun", 1)]  # more could not change that


def test_a_quarantined_test_runs_and_does_not_gate(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    change = Change(git_repo, tmp_path, shim, {1, 3})
    change.stage.write("source.py", "X = 2\n")
    result = change.judged(quarantined={"tests": {"test_it.py::test_chance": "2026-01-01"}})
    assert result.verdict is Verdict.PASSED and "in quarantine since 2026-01-01" in result.reason
    assert result.outcomes["test_it.py::test_chance"] == "failed"


def test_rates_measured_on_the_base_count(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    change = Change(git_repo, tmp_path, shim, {1})
    change.stage.write("source.py", "X = 2\n")
    result = change.judged(flake_rates={"tests": {"test_it.py::test_chance": (2, 10)}})
    assert result.verdict is Verdict.PASSED and "2 of 15 on the base" in result.reason


@pytest.mark.sandbox
def test_a_change_that_breaks_a_test_is_to_blame(
    git_repo: Path, tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox
) -> None:
    (git_repo / "test_source.py").write_text("import source\ndef test_x():\n    assert source.X == 1\n")
    change = Change(git_repo, tmp_path, shim, set(), sandbox_or_skip, "def test_good():\n    pass\n")
    change.stage.write("source.py", "X = 2\n")
    result = change.judged()
    assert result.verdict is Verdict.FAILED and "flaky" not in result.reason and not result.flaky
    by_tree = {run.execution.tree: run.outcomes.get("test_source.py::test_x") for run in result.runs}
    assert sorted(map(str, by_tree.values())) == ["failed", "passed"] and len(result.runs) == 6


def test_a_test_of_the_base_that_failed_by_chance_did_not_turn_green(
    git_repo: Path, tmp_path: Path, shim: Shim
) -> None:
    change = Change(git_repo, tmp_path, shim, {2})  # the base's only run
    change.stage.write("source.py", "X = 2\n")
    result = change.judged()
    assert result.verdict is Verdict.PASSED and result.comparison
    assert result.comparison.newly_passing == () and result.flaky == ("test_it.py::test_chance",)


def test_a_failure_by_chance_hides_no_failure_of_the_next_change(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    """The first change landed although the test failed in its run; in the run of the second one it fails again."""
    change = Change(git_repo, tmp_path, shim, {1, 4, 11})
    change.stage.write("source.py", "X = 2\n")
    first = change.judged()
    assert first.verdict is Verdict.PASSED and first.outcomes["test_it.py::test_chance"] == "failed"
    change.stage.write("source.py", "X = 3\n")
    second = change.judged((first,))
    assert second.verdict is Verdict.FAILED and "flaky" in second.reason, second.reason
