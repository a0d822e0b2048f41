"""What the tests of a change prove, by running them on the base's source with real pytest."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from judging import Court, Edits, new_repo

from ralph.config import Config
from ralph.domain import GateResult, Kind, Proof, Task, Verdict
from ralph.engine.judge import first
from ralph.host.process import Shim

PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider tests"
BASE = {
    "calc.py": "def add(a, b):\n    return a + b\n\n\ndef half(a):\n    return a // 2\n\n\n"
    "def limit():\n    return 3\n",
    "tests/conftest.py": "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1]))\n",
    "tests/test_calc.py": "from calc import add, half\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
    "def test_half():\n    assert half(4) == 2\n",
    "tests/test_table.py": "import json, pathlib\nimport pytest\nfrom calc import add, limit\n\n"
    "ROWS = json.loads((pathlib.Path(__file__).parent / 'rows.json').read_text())\n\n\n"
    "@pytest.mark.parametrize('row', ROWS)\ndef test_row(row):\n    assert add(row, 1) == row + 1\n\n\n"
    "def test_limit():\n    assert limit() == int((pathlib.Path(__file__).parent / 'limit.txt').read_text())\n",
    "tests/rows.json": "[1, 2, 3]\n",
    "tests/limit.txt": "3",
}
FIX = Task("t", "T", kind=Kind.FIX)
SOURCE = BASE["calc.py"]
TESTS = BASE["tests/test_calc.py"]
FIXED = SOURCE.replace("a // 2", "a / 2")
ADDED = SOURCE + "\n\ndef double(a):\n    return a * 2\n"


def config(**policy: str) -> Config:
    gate = {"name": "tests", "command": PYTEST, "kind": "tests", "env": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}}
    return Config.model_validate({"gates": [gate], "verify": {"policy": policy, "strength": "off"}})


@pytest.fixture(scope="module")
def shim() -> Iterator[Shim]:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory, shim: Shim) -> Court:
    folder = tmp_path_factory.mktemp("court")
    return Court(new_repo(folder / "repo"), folder / "state", shim, config(), BASE)


def proof_of(court: Court, edits: Edits, task: Task = FIX) -> GateResult:
    found = court.judge(task, edits)
    (result,) = [gate for gate in found.gates if gate.name == "proof"] or [None]
    assert result, found.blocked
    return result


def with_test(body: str, head: str = "from calc import add, half") -> str:
    return TESTS.replace("from calc import add, half", head) + f"\n\ndef test_new():\n    {body}\n"


SAME = with_test("assert half(6) == 3")
SHAPES = """\
SIDES = 4


class Square:
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2
"""
TEST_SHAPES = """\
from shapes import SIDES, Square


def test_area():
    assert Square(2).area() == 4


def test_sides():
    assert SIDES == 4
"""


@pytest.mark.parametrize(
    ("edits", "grade", "verdict"),
    [
        ({"calc.py": FIXED, "tests/test_calc.py": with_test("assert half(3) == 1.5")}, Proof.PROVEN, Verdict.PASSED),
        ({"calc.py": FIXED, "tests/test_calc.py": SAME}, Proof.NOT_DISCRIMINATING, Verdict.FAILED),
        ({"calc.py": FIXED}, Proof.NOT_PROVABLE, Verdict.FAILED),
        ({"calc.py": SOURCE + "\n# fixed\n", "tests/test_calc.py": SAME}, Proof.NOT_DISCRIMINATING, Verdict.FAILED),
    ],
)
def test_a_fix_needs_a_test_that_fails_without_it(court: Court, edits: Edits, grade: Proof, verdict: Verdict) -> None:
    result = proof_of(court, edits)
    assert result.proof and result.proof.grade is grade, result.reason
    assert result.verdict is verdict
    assert {run.execution.purpose for run in result.runs} <= {"fail-to-pass", "control"}


@pytest.mark.parametrize(
    ("body", "grade"),
    [
        ("assert double(2) == 4", Proof.PROVEN),
        ("assert double.__name__ == 'double'", Proof.NOT_DISCRIMINATING),
        ("assert callable(double)", Proof.NOT_DISCRIMINATING),
    ],
)
@pytest.mark.parametrize("head", ["from calc import add, double, half", "from calc import *"])
def test_a_missing_name_alone_proves_nothing(court: Court, body: str, grade: Proof, head: str) -> None:
    result = proof_of(court, {"calc.py": ADDED, "tests/test_calc.py": with_test(body, head)})
    assert result.proof and result.proof.grade is grade, result.reason
    assert result.proof.tests["tests/test_calc.py::test_new"] is grade


def test_a_new_module_is_proven_by_its_tests(court: Court) -> None:
    edits = {"shapes.py": SHAPES, "tests/test_shapes.py": TEST_SHAPES}
    result = proof_of(court, edits, Task("t", "T", kind=Kind.FEATURE))
    assert result.proof and set(result.proof.tests.values()) == {Proof.PROVEN}, result
    assert [run.execution.purpose for run in result.runs] == ["fail-to-pass", "stub", "control"]


LIMITED = {"calc.py": SOURCE.replace("return 3", "return 2"), "tests/limit.txt": "2"}


@pytest.mark.parametrize(("allow", "verdict"), [(("weaken-test",), Verdict.PASSED), ((), Verdict.FAILED)])
def test_an_original_that_fails_on_the_new_source_needs_a_declaration(
    court: Court, allow: tuple[str, ...], verdict: Verdict
) -> None:
    result = court.prove(Task("t", "T", kind=Kind.FIX, allow=allow), LIMITED)
    assert [run.execution.purpose for run in result.runs] == ["fail-to-pass", "replay", "control"]
    assert result.verdict is verdict, result.reason
    assert verdict is Verdict.PASSED or "tests/test_table.py::test_limit" in result.reason


def test_declared_stored_results_are_those_of_the_change(court: Court) -> None:
    result = proof_of(court, LIMITED, Task("t", "T", kind=Kind.FIX, allow=("snapshot",)))
    assert result.verdict is Verdict.PASSED, result.reason


def test_a_test_that_was_red_on_the_base_proves_the_fix(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    red = BASE | {"tests/test_calc.py": TESTS + "\n\ndef test_odd():\n    assert half(3) == 1.5\n"}
    court = Court(git_repo, tmp_path / "state", shim, config(), red)
    result = proof_of(court, {"calc.py": FIXED})
    assert result.proof and result.proof.turned == ("tests/test_calc.py::test_odd",)
    assert result.verdict is Verdict.PASSED


def test_a_check_that_was_red_on_the_base_proves_the_change(court: Court) -> None:
    task = Task("t", "T", kind=Kind.FIX, checks=(f"{sys.executable} -c 'import calc; assert calc.half(3) == 1.5'",))
    result = proof_of(court, {"calc.py": FIXED}, task)
    assert result.proof and result.proof.turned == ("check-1",), result
    vacuous = Task("t", "T", kind=Kind.FIX, checks=("true",))
    assert proof_of(court, {"calc.py": FIXED}, vacuous).verdict is Verdict.FAILED


@pytest.mark.parametrize("kind", [Kind.REFACTOR, Kind.CHORE, Kind.TEST])
def test_kinds_that_change_no_behaviour_need_no_proof(court: Court, kind: Kind) -> None:
    edits = {"calc.py": SOURCE.replace("a + b", "b + a")}
    result = proof_of(court, edits, Task("t", "T", kind=kind))
    assert (result.verdict, result.proof and result.proof.grade) == (Verdict.PASSED, Proof.NOT_PROVABLE)


def test_a_case_that_vanishes_at_run_time_blocks(court: Court) -> None:
    edits = {"calc.py": FIXED, "tests/test_calc.py": with_test("assert half(3) == 1.5"), "tests/rows.json": "[1, 2]\n"}
    found = court.judge(Task("t", "T", kind=Kind.FIX, allow=("snapshot",)), edits)
    gate = next(gate for gate in found.gates if gate.name == "tests")
    assert gate.comparison and gate.comparison.vanished == ("tests/test_table.py::test_row[3]",)
    assert gate.verdict is Verdict.FAILED and "delete-test" in gate.reason


def test_the_base_is_executed_once(court: Court) -> None:
    for number in range(2):
        proof_of(court, {"calc.py": FIXED, "tests/test_calc.py": with_test(f"assert half(3) == 1.5 + {number} * 0")})
    head_tree = court.spec.head_tree
    assert [
        gate.execution and gate.execution.purpose
        for tree, gate in court.told
        if tree == head_tree and gate.name == "tests"
    ] == ["base"]


def test_tests_that_concern_the_change_go_first_and_spare_the_rest(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "LONG", 0.0)
    proof_of(court, {"calc.py": FIXED, "tests/test_calc.py": with_test("assert half(3) == 1.5")})  # the base is known
    red = court.judge(FIX, {"calc.py": FIXED, "tests/test_new.py": "def test_x():\n    assert 1 == 2\n"})
    (gate,) = red.gates
    assert gate.execution and gate.execution.purpose == "first" and list(gate.outcomes) == ["tests/test_new.py::test_x"]
    assert gate.verdict is Verdict.FAILED and "the others were not run" in gate.reason
    green = court.judge(FIX, {"calc.py": FIXED, "tests/test_calc.py": with_test("assert half(5) == 2.5")})
    assert green.gates[0].execution and green.gates[0].execution.purpose == "head"
