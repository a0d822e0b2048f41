"""Changes that try to be accepted without doing what they should: one for each way that once worked."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from judging import Court, Edits, new_repo

from ralph.config import Config
from ralph.domain import Kind, Task, Verdict
from ralph.engine.judge.gates import run_gates
from ralph.host.process import Shim
from ralph.host.sandbox import Sandbox

PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"
SOURCE = """\
def half(a):
    return a // 2


def limit():
    return 3
"""
TESTS = """\
from calc import half


def test_half():
    assert half(4) == 2
"""
BASE = {
    "calc.py": SOURCE,
    "check.py": "import calc, sys\nsys.exit(calc.half(3) != 1.5)\n",
    "support/__init__.py": "",
    "support/checks.py": "def check_limit(n):\n    assert n == 3\n",
    "golden/limit.txt": "3",
    "tests/test_golden.py": "import pathlib\nfrom calc import limit\nfrom support.checks import check_limit\n\n\n"
    "def test_golden():\n    check_limit(limit())\n"
    "    assert str(limit()) == (pathlib.Path(__file__).parents[1] / 'golden/limit.txt').read_text()\n",
    "tests/conftest.py": "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1]))\n",
    "tests/test_calc.py": TESTS,
    "tests/test_limit.py": "from calc import limit\n\n\ndef test_limit():\n    assert limit() == 3\n",
}
FIX = Task("t", "T", kind=Kind.FIX)
IDLE = SOURCE + "\n# fixed\n"
FIXED = SOURCE.replace("a // 2", "a / 2  # the whole half")


def config(command: str = "tests", **more: object) -> Config:
    gate: dict[str, object] = {"name": "tests", "command": f"{PYTEST} {command}", "kind": "tests", **more}
    gate["env"] = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return Config.model_validate({"gates": [gate], "verify": {"strength": "off"}})


@pytest.fixture(scope="module")
def shim() -> Iterator[Shim]:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory, shim: Shim) -> Court:
    folder = tmp_path_factory.mktemp("court")
    return Court(new_repo(folder / "repo"), folder / "state", shim, config(), BASE)


def refusal(court: Court, edits: Edits, task: Task = FIX) -> str:
    return court.judge(task, edits).blocked


def new_test(*body: str, given: str = "") -> str:
    return TESTS + f"\n\ndef test_new({given}):\n" + "".join(f"    {line}\n" for line in body)


def test_an_honest_change_is_accepted(court: Court) -> None:
    found = court.judge(FIX, {"calc.py": FIXED, "tests/test_calc.py": new_test("assert half(3) == 1.5")})
    assert not found.blocked
    proof = found.gates[-1]
    assert [run.execution.purpose for run in proof.runs] == ["fail-to-pass", "control"]
    assert proof.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "test",
    [
        new_test("assert half(4) + (len(request.session.items) == 1) == 2", given="request"),
        new_test("import sys", "assert half(4) + any('::' in one for one in sys.argv) == 2"),
        new_test("import sys", "assert half(4) == 2", "assert {'test_limit', 'tests.test_limit'} & set(sys.modules)"),
    ],
    ids=["number of tests", "arguments", "other tests"],
)
def test_a_test_that_tells_runs_apart_proves_nothing(court: Court, test: str) -> None:
    assert "test_new could not be run" in refusal(court, {"calc.py": IDLE, "tests/test_calc.py": test})


@pytest.mark.parametrize(
    "body",
    [
        ("text = pathlib.Path(calc.__file__).read_text()", "assert half(4) == 2", "assert '# fixed' in text"),
        ("size = pathlib.Path(calc.__file__).stat().st_size", "assert half(4) == 2", f"assert size == {len(IDLE)}"),
    ],
    ids=["comment", "size"],
)
def test_a_test_that_knows_the_source_by_its_text_proves_nothing(court: Court, body: tuple[str, ...]) -> None:
    test = new_test("import pathlib, calc", *body)
    assert "test_new could not be run" in refusal(court, {"calc.py": IDLE, "tests/test_calc.py": test})


def test_without_a_change_of_anything_but_tests_nothing_is_proven(court: Court) -> None:
    """It passes at its first run and fails at the second one on the same tree."""
    mark = ("import os, pathlib", "place = pathlib.Path(os.environ['XDG_CACHE_HOME'])")
    test = new_test(*mark, "assert half(4) + place.exists() == 2", "place.mkdir(parents=True)")
    assert "passes without the change as well" in refusal(court, {"tests/test_calc.py": test})


def test_what_a_check_runs_is_not_the_agents_to_write(court: Court) -> None:
    task = Task("t", "T", kind=Kind.FIX, checks=(f"{sys.executable} check.py", f"{sys.executable} later.py"))
    assert "guard protected: check.py" in refusal(court, {"calc.py": IDLE, "check.py": "print()\n"}, task)
    later = Task("t", "T", kind=Kind.FIX, checks=(f"{sys.executable} later.py",))
    assert "no test was added" in refusal(court, {"calc.py": IDLE, "later.py": "pass\n"}, later)
    honest = Task("t", "T", kind=Kind.FIX, checks=(f"{sys.executable} check.py",))
    assert not refusal(court, {"calc.py": FIXED}, honest)


def test_a_change_beside_all_that_tests_look_at_proves_nothing(tmp_path: Path, shim: Shim) -> None:
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, config(when=["*.py"]), BASE)
    assert "nothing proves it" in refusal(court, {"README.md": "Fixed.\n"})
    assert not refusal(court, {"README.md": "Said.\n"}, Task("t", "T", kind=Kind.DOCS))


def test_examples_in_docstrings_are_tests_where_a_gate_runs_them(tmp_path: Path, shim: Shim) -> None:
    source = SOURCE.replace("    return a // 2", '    """\n    >>> half(3)\n    1.5\n    """\n    return a // 2')
    gates = config("--doctest-modules calc.py tests")
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, gates, {**BASE, "calc.py": source})
    assert "half no longer shows: half(3) -> 1.5" in refusal(court, {"calc.py": source.replace("1.5", "1")})
    skipped = source.replace("half(3)\n", "half(3)  # doctest: +SKIP\n")
    assert "half no longer shows" in refusal(court, {"calc.py": skipped})
    assert not refusal(court, {"calc.py": source.replace("//", "/")})


def test_what_tests_rest_on_beside_them_is_part_of_them(court: Court) -> None:
    looser = "def check_limit(n):\n    assert n in (3, 4)\n"
    edits: Edits = {"calc.py": FIXED, "tests/test_calc.py": new_test("assert half(3) == 1.5")}
    assert "the assertion is weaker" in refusal(court, {**edits, "support/checks.py": looser})


def test_stored_results_of_any_name_speak_as_they_were(tmp_path: Path, shim: Shim) -> None:
    base = {
        **BASE,
        "tests/test_limit.py": "",
        "tests/test_golden.py": BASE["tests/test_golden.py"]
        .replace("    check_limit(limit())\n", "")
        .replace("from support.checks import check_limit\n", ""),
    }
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, config(), base)
    edits: Edits = {"calc.py": FIXED.replace("3", "4"), "golden/limit.txt": "4"}
    edits = {**edits, "tests/test_calc.py": new_test("assert half(3) == 1.5")}
    assert "test_golden" in refusal(court, edits) or "golden/limit.txt" in refusal(court, edits)
    assert not refusal(court, edits, Task("t", "T", kind=Kind.FIX, allow=("snapshot", "weaken-test")))


def test_a_chore_changes_nothing_that_tests_see(tmp_path: Path, shim: Shim) -> None:
    base = {**BASE, "tests/test_calc.py": new_test("assert half(3) == 1.5")}
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, config(), base)
    assert "changes nothing that tests see" in refusal(court, {"calc.py": FIXED}, Task("t", "T", kind=Kind.CHORE))
    checked = Task("t", "T", kind=Kind.CHORE, checks=(f"{sys.executable} check.py",))
    assert not refusal(court, {"calc.py": FIXED}, checked)
    assert not refusal(court, {"calc.py": IDLE}, Task("t", "T", kind=Kind.CHORE))


def test_what_makes_the_kept_folders_is_not_the_agents_to_write(tmp_path: Path, shim: Shim) -> None:
    """It would plant what every later gate imports."""
    table = {"keep": [".venv"], "setup": "sh tools/setup.sh", "inputs": ["requirements.txt"]}
    own = config().model_dump() | {"workspace": table}
    base = {**BASE, "tools/setup.sh": "mkdir -p .venv\n"}
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, Config.model_validate(own), base)
    assert "guard protected: tools/setup.sh" in refusal(court, {"tools/setup.sh": "touch .venv/x\n"})
    backend = '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    assert "guard protected: pyproject.toml" in refusal(court, {"pyproject.toml": backend})


def test_what_one_run_leaves_behind_kills_no_mutant(tmp_path: Path, shim: Shim) -> None:
    """The test fails whenever it has run before, and never because of what ``clamp`` does to a bound."""
    own = config().model_dump() | {"verify": {"strength": "report", "mutation_seconds": 20}}
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, Config.model_validate(own), BASE)
    bounds = "".join(f"    if a {bound}:\n        raise ValueError(a)\n" for bound in ("<= low", ">= high", "<= -99"))
    clamp = f"\n\ndef clamp(a, low, high):\n{bounds}    return a\n"
    test = new_test(
        "import calc, os, pathlib",
        "place = pathlib.Path(os.environ['XDG_CACHE_HOME']) / 'seen'",
        "assert calc.clamp(5, 1, 9) == 5",
        "assert not place.exists()",
        "place.mkdir(parents=True)",
    )
    found = court.judge(FIX, {"calc.py": SOURCE + clamp, "tests/test_calc.py": test})
    assert not found.blocked
    (strength,) = [gate.strength for gate in found.gates if gate.strength]
    assert {mutant.fate for mutant in strength.mutants if mutant.after.startswith("if a")} == {"survived"}


PLANTS = """

def test_plant():
    import pathlib
    pathlib.Path('calc').mkdir(exist_ok=True)
    pathlib.Path('calc/__init__.py').write_text('def half(a): return a / 2')
    assert half(4) == 2
"""


@pytest.mark.sandbox
def test_what_tests_leave_in_the_tree_no_check_finds(tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox) -> None:
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, config(), BASE, sandbox_or_skip)
    check = f"{sys.executable} -c 'import calc; assert calc.half(3) == 1.5'"
    task = Task("t", "T", kind=Kind.FIX, checks=(check,))
    assert "gate check-1" in refusal(court, {"calc.py": IDLE, "tests/test_calc.py": TESTS + PLANTS}, task)


def test_a_tree_that_was_a_base_once_is_compared_when_it_comes_back(court: Court) -> None:
    """Its verdict as a base was reached beside nothing, so that no test was missing there."""
    found = court.judge(FIX, {"calc.py": FIXED, "tests/test_calc.py": new_test("assert half(3) == 1.5")})
    (there,) = [gate for tree, gate in court.told if tree == court.spec.head_tree and gate.name == "tests"][:1]
    assert there.verdict is Verdict.PASSED
    taken = replace(there, name="tests")
    fresh = run_gates(court.bench, FIX, court.spec.head_tree, [], found.kept, (taken,))
    assert fresh[0] is not taken


NODE = {
    "package.json": '{"type": "module"}',
    "calc.js": "export function half(a) {\n  return Math.floor(a / 2);\n}\n",
    "test/calc.test.js": "import assert from 'node:assert';\nimport fs from 'node:fs';\nimport test from 'node:test';\n"
    "import { half } from '../calc.js';\n\ntest('half', () => assert.strictEqual(half(4), 2));\n",
}


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("source", "claim", "said"),
    [
        ("// fixed", "fs.readFileSync('calc.js', 'utf8').includes('fixed')", "could not be run"),
        ("export const y = process.env.RALPH_RUN ? 1 : 2;", "half(4) === 2", "whether tests run (RALPH_RUN)"),
        ("export const half2 = (a) => a / 2;", "half(4) === 2", "passes without the change"),
    ],
    ids=["text", "night", "hollow"],
)
def test_the_same_in_javascript(tmp_path: Path, shim: Shim, source: str, claim: str, said: str) -> None:
    gate = {"name": "tests", "command": "node --test", "kind": "tests"}
    node = Config.model_validate({"gates": [gate], "verify": {"strength": "off"}})
    court = Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, node, NODE)
    test = f"{NODE['test/calc.test.js']}\ntest('new', () => assert.ok({claim}));\n"
    assert said in refusal(court, {"calc.js": f"{NODE['calc.js']}{source}\n", "test/calc.test.js": test})
