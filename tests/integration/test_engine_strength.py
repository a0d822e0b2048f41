"""Strength by execution: which changed lines the tests run, and which planted faults they notice."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from loops import Loop, commit_all, make_loop

from ralph.config import Config, freeze
from ralph.core.secrets import Redactor
from ralph.domain import GateResult, IterationSpec, Task, Verdict
from ralph.engine.jails import Place
from ralph.engine.judge.base import Base
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.case import Assessment, Case
from ralph.engine.judge.execute import cache_of
from ralph.engine.judge.gates import run_gates
from ralph.engine.judge.strength import strength
from ralph.engine.keep import Keeper
from ralph.host.files import own_directory
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox, Sandbox

TASK = Task("a", "A")
PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q"
UNITTEST = f"{shlex.quote(sys.executable)} -m unittest"
SHOP = """\
RATE = 2


def price(count):
    total = count * RATE
    if count > 10:
        total = total - 1
    return total


def label(name):
    return name.upper()
"""
CHANGED = """\
RATE = 2


def price(count, free=0):
    total = (count - free) * RATE
    if count >= 10:
        total = total - 1
    if count < 0:
        raise ValueError(count)
    return total


def label(name):
    return name.upper()
"""
TESTS = """\
import shop


def test_price():
    assert shop.price(1) == 2


def test_label():
    assert shop.label("a") == "A"
"""
MORE = """

def test_many():
    assert shop.price(20) == 39
"""


@dataclass
class Shop:
    """A small project, a change of it, and the bench on which it is judged."""

    loop: Loop
    bench: Bench
    config: Config

    def judged(self, files: dict[str, str]) -> tuple[GateResult, ...]:
        for name, text in files.items():
            path = self.loop.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        tree = self.loop.space.snapshot()
        head_tree = self.loop.space.tree_of(self.loop.base)
        changes = tuple(self.loop.space.changes(head_tree, tree))
        case = Case(TASK, self.loop.base, head_tree, tree, changes, {}, lambda: {})
        found = Assessment(case, Base(self.bench, TASK, head_tree, {}), {})
        found.gates = run_gates(self.bench, TASK, tree, case.paths, {})
        assert not found.blocked, (found.blocked, found.gates[0].excerpt)
        results = strength(self.bench, found)
        assert self.loop.space.snapshot() == tree, "the candidate lies there as it was"
        return results


@pytest.fixture
def shim() -> Iterator[Shim]:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


def shop(
    repo: Path,
    state: Path,
    shim: Shim,
    sandbox: Sandbox | None = None,
    gate: dict[str, str] | None = None,
    **verify: object,
) -> Shop:
    table = {"name": "tests", "command": PYTEST, "kind": "tests", **(gate or {})}
    config = Config.model_validate({"gates": [table], "verify": {"mutation_seconds": 60, **verify}})
    (repo / "shop.py").write_text(SHOP)
    (repo / "tests").mkdir()
    (repo / "tests/__init__.py").write_text("")
    (repo / "tests/test_shop.py").write_text(TESTS)
    commit_all(repo)
    own_directory(state)
    own_directory(state / "loops" / "alpha")
    loop = make_loop(repo, state)
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
        mirror=str(loop.mirror.path),
        checkout=str(repo),
        head=loop.base,
        start_tree=None,
        validate_only=False,
        gate_base=False,
        agent="sh",
        config=str(frozen),
    )
    place = Place(spec, config, sandbox or NoSandbox())
    place.make()
    keeper = Keeper(place, shim, loop.space)
    bench = Bench(place, config, shim, loop.space, keeper, Redactor(), (), (), lambda *_: None)
    return Shop(loop, bench, config)


@pytest.mark.parametrize("boxed", [False, pytest.param(True, marks=pytest.mark.sandbox)])
def test_lines_that_no_test_runs_and_faults_that_none_notices_are_named(
    git_repo: Path, tmp_path: Path, shim: Shim, boxed: bool, request: pytest.FixtureRequest
) -> None:
    sandbox = request.getfixturevalue("sandbox_or_skip") if boxed else NoSandbox()
    project = shop(git_repo, tmp_path / "state", shim, sandbox)
    (result,) = project.judged({"shop.py": CHANGED, "tests/test_shop.py": TESTS + MORE})
    assert (result.kind, result.verdict, result.blocks) == ("strength", Verdict.PASSED, False), result.reason
    found = result.strength
    assert found is not None
    assert (found.changed, found.covered, found.uncovered) == (4, 3, ("shop.py:9",))
    fates = {(one.line, one.after): one.fate for one in found.mutants}
    assert fates == {
        (4, "def price(count, free=1):"): "killed",
        (5, "total = (count + free) * RATE"): "survived",
        (5, "total = (count - free) / RATE"): "killed",
        (6, "if count > 10:"): "survived",
        (6, "if not (count >= 10):"): "killed",
        (6, "if count >= 11:"): "survived",
        (8, "if count <= 0:"): "survived",
        (8, "if not (count < 0):"): "killed",
        (8, "if count < 1:"): "survived",
        (9, "pass"): "untested",
    }
    assert "3 of 4 changed statements ran in the tests" in result.reason
    assert "the tests noticed 4 of 9 planted faults" in result.reason
    assert result.excerpt.count("    + ") == 3
    assert "and 2 more" in result.excerpt
    assert "No test runs: shop.py:9" in result.excerpt
    executed = [one.execution for one in result.runs]
    together, *alone = [one for one in result.runs if one.execution.purpose == "mutant"]
    assert sorted(together.outcomes.values()) == ["killed"] * 4 + ["survived"] * 5
    assert len({one.execution.tree for one in alone}) == 3, "what is shown was run as trees of their own"
    assert all(set(one.outcomes.values()) == {"passed"} for one in alone)
    assert all(one.log_sha256 for one in executed)
    named = {test for one in found.mutants for test in one.tests}
    assert named == {"tests/test_shop.py::test_price", "tests/test_shop.py::test_many"}
    assert not (cache_of(project.bench.place, project.config.gates[0], executed[1].tree) / "pytest").exists()


def test_the_next_change_asks_only_the_tests_that_concern_it(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    project = shop(git_repo, tmp_path / "state", shim)
    project.judged({"shop.py": SHOP.replace("upper()", "upper().strip()")})
    (result,) = project.judged({"shop.py": SHOP.replace("upper()", "strip().upper()")})
    measured = [one for one in result.runs if one.execution.purpose == "coverage"]
    assert [set(one.outcomes) for one in measured] == [{"tests/test_shop.py::test_label"}]
    assert "1 test of the gate tests concerned" in result.reason


UNIT_TESTS = """\
import unittest

import shop


class PriceTest(unittest.TestCase):
    def test_price(self):
        self.assertEqual(shop.price(20), 39)
"""


def test_unittest_is_measured_as_a_whole(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    project = shop(git_repo, tmp_path / "state", shim, gate={"command": UNITTEST})
    (result,) = project.judged({"shop.py": SHOP.replace("> 10", "> 12"), "tests/test_shop.py": UNIT_TESTS})
    assert result.strength is not None, result.reason
    assert (result.strength.changed, result.strength.covered) == (1, 1)
    assert {one.after: one.fate for one in result.strength.mutants} == {
        "if count >= 12:": "survived",
        "if not (count > 12):": "killed",
        "if count > 13:": "survived",
    }


STARTING = """\
import pathlib
import subprocess
import sys


def test_label_of_a_program():
    printed = subprocess.run([sys.executable, "-c", "import shop; print(shop.label('a'))"], capture_output=True)
    assert printed.stdout == b"A\\n"


def test_a_test_run_of_its_own(tmp_path):
    (tmp_path / "test_inner.py").write_text("def test_one(): pass\\ndef test_two(): pass\\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert b"2 passed" in ran.stdout, ran
"""


def test_programs_that_tests_start_are_measured_and_their_own_test_runs_left_alone(
    git_repo: Path, tmp_path: Path, shim: Shim
) -> None:
    project = shop(git_repo, tmp_path / "state", shim)
    changed = SHOP.replace("name.upper()", "name.upper() if name else name")
    (result,) = project.judged({"shop.py": changed, "tests/test_shop.py": "", "tests/test_starting.py": STARTING})
    assert result.strength is not None, result.reason
    assert (result.strength.changed, result.strength.covered) == (1, 1)
    (kept,) = {one.tests for one in result.strength.mutants}
    assert kept == ("tests/test_starting.py::test_label_of_a_program",)
    assert {one.after: one.fate for one in result.strength.mutants} == {
        "return name.upper() if not (name) else name": "killed",
        "return None": "killed",
    }


@pytest.mark.slow
def test_a_fault_that_never_ends_is_noticed(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    project = shop(git_repo, tmp_path / "state", shim)
    endless = "def label(name):\n    left = 3\n    while left:\n        left -= 1\n    return name.upper()\n"
    (result,) = project.judged({"shop.py": SHOP.partition("def label")[0] + endless})
    assert result.strength is not None, result.reason
    fates = {one.after: one.fate for one in result.strength.mutants}
    assert fates["left += 1"] == fates["pass"] == "timeout"
    assert fates["left = 4"] == "survived"


def test_with_retry_survivors_refuse_a_task_once(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    project = shop(git_repo, tmp_path / "state", shim, strength="retry", mutation_seconds=0.1)
    change = {"shop.py": SHOP.replace("> 10", ">= 10")}
    for _ in range(2):
        (first,) = project.judged(change)
        assert (first.verdict, first.blocks) == (Verdict.FAILED, True), "the same tree is as weak as before"
        assert "+ if count > 10:" in first.excerpt
    (second,) = project.judged({"shop.py": SHOP.replace("> 10", ">= 11")})
    assert (second.verdict, second.blocks) == (Verdict.PASSED, False)


def test_what_can_not_be_measured_is_not_run_and_keeps_nothing_out(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    project = shop(git_repo, tmp_path / "state", shim)
    hostile = "import atexit, os, shutil\nif place := os.environ.get('RALPH_COVERAGE_RC'):\n"
    hostile += "    atexit.register(shutil.rmtree, os.path.dirname(place))\n"
    (result,) = project.judged({"shop.py": CHANGED, "tests/conftest.py": hostile})
    assert (result.verdict, result.blocks) == (Verdict.NOT_RUN, False)
    assert "tests: the tests" in result.reason
    assert project.judged({"shop.py": SHOP, "README.md": "x"}) == ()


SCRIPT = """\
set -e
grep -q "return a" src/add.js
mkdir -p out
printf 'TN:\\nSF:src/add.js\\nDA:2,1\\nDA:3,0\\nend_of_record\\n' > out/lcov.info
"""
MUTATE = """\
echo noise >&2
echo "$RALPH_CHANGED_LINES" | sed 's/.*://;s/,/ /' | while read first second; do
    echo "src/add.js:$second: + became -"
done
"""


@pytest.mark.parametrize(
    ("mutation", "verdict", "said"),
    [
        ("", Verdict.PASSED, "1 of 2 changed statements ran in the tests"),
        ("sh mutate.sh", Verdict.PASSED, "the mutation command names 1 survivor on changed lines"),
        ("echo src/add.js:99: not changed", Verdict.PASSED, "the mutation command names 0 survivors on changed lines"),
        ("echo All mutants killed", Verdict.NOT_RUN, "it printed a line that names no survivor"),
        ("false", Verdict.NOT_RUN, "mutation: exit 1"),
    ],
)
def test_other_languages_bring_a_coverage_file_and_a_mutation_command(
    git_repo: Path, tmp_path: Path, shim: Shim, mutation: str, verdict: Verdict, said: str
) -> None:
    (git_repo / "src").mkdir()
    (git_repo / "src/add.js").write_text("function add(a, b) {\n  return a;\n}\n")
    (git_repo / "check.sh").write_text(SCRIPT)
    (git_repo / "mutate.sh").write_text(MUTATE)
    (git_repo / ".gitignore").write_text("out/\n")
    gate = {"command": "/bin/sh check.sh", "kind": "other", "coverage": "out/lcov.info"}
    project = shop(git_repo, tmp_path / "state", shim, gate=gate, mutation_command=mutation)
    (result,) = project.judged({"src/add.js": "function add(a, b) {\n  if (b)\n    return a + b;\n  return a;\n}\n"})
    assert (result.verdict, result.blocks) == (verdict, False), result.reason
    assert said in result.reason
    assert result.strength is not None
    assert result.strength.uncovered == ("src/add.js:3",)
    assert [one.line for one in result.strength.mutants] == ([3] if mutation == "sh mutate.sh" else [])


def test_tests_that_fail_in_a_fork_say_nothing_about_faults(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    project = shop(git_repo, tmp_path / "state", shim)
    shy = "import os\n\n\ndef pytest_runtest_call():\n    assert 'RALPH_STRENGTH_PLANTED' not in os.environ\n"
    (result,) = project.judged({"shop.py": SHOP.replace("> 10", ">= 10"), "tests/conftest.py": shy})
    assert result.strength is not None, result.reason
    assert {one.after: one.fate for one in result.strength.mutants} == {
        "if count > 10:": "survived",
        "if count >= 11:": "survived",
        "if not (count >= 10):": "killed",
    }
