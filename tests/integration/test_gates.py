"""Real test runners under the planned command: what they leave behind, and what the verdict makes of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ralph.config import Config, Gate
from ralph.domain import GateResult, Task, TestCounts, Verdict
from ralph.host.process import Completed
from ralph.verify import gates, reports
from ralph.verify.excerpt import read_log
from ralph.verify.gates import BaseResult

PYTEST = f"{sys.executable} -m pytest -q"
GREEN = "def test_one():\n    assert 1 == 1\n\ndef test_two():\n    pass\n"
RED = "def test_good():\n    pass\n\ndef test_bad():\n    assert 1 == 2, 'numbers differ'\n"
FORGED = '<testsuites><testsuite><testcase classname="x" name="forged"/></testsuite></testsuites>'


@dataclass
class Bench:
    """A tree and everything beside it that a gate needs."""

    root: Path

    @property
    def tree(self) -> Path:
        return self.root / "tree"

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.tree / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def gate(self, command: str, kind: str = "tests", base: BaseResult | None = None, **more: object) -> GateResult:
        """Plan, run and judge one gate as the daemon does."""
        self.tree.mkdir(exist_ok=True)
        gate = Gate.model_validate({"name": "g", "command": command, "kind": kind, **more})
        [planned] = gates.plan(Config(gates=[gate]), Task(id="t", title="t"), ["a"])
        outside = self.root / "outside"
        shutil.rmtree(outside, ignore_errors=True)
        (outside / "caches").mkdir(parents=True)
        junit = outside / "junit.xml"
        argv, env = gates.command_of(planned, str(junit), caches=str(outside / "caches"), root=str(self.tree))
        before = self.hashes()
        completed = self.run(argv, env, outside / "gate.log")
        wrote = sorted(path for path, content in self.hashes().items() if before.get(path, content) != content)
        report = reports.gather(planned, completed, junit=junit, tree=self.tree, into=outside / "left")
        log = read_log(completed.log)
        return gates.judge(planned, completed, report, "tree", base, log, wrote, root=str(self.tree))

    def run(self, argv: tuple[str, ...], env: dict[str, str], log: Path) -> Completed:
        started, clock = datetime.now(UTC).isoformat(), time.monotonic()
        home = {"HOME": str(self.root), "GOCACHE": str(self.root / "gocache"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        code: int | None
        error, number = "", None
        with log.open("wb") as file:
            try:
                ran = subprocess.run(
                    argv,
                    cwd=self.tree,
                    env={"PATH": os.environ["PATH"], **home, **env},
                    stdout=file,
                    stderr=file,
                    stdin=subprocess.DEVNULL,
                    check=False,
                )
                code = ran.returncode
                if code < 0:
                    code, number = None, -code
            except FileNotFoundError as missing:
                code, error = 127, str(missing)
        data = log.read_bytes()
        seconds = time.monotonic() - clock
        digest = hashlib.sha256(data).hexdigest()
        return Completed(argv, code, number, None, started, seconds, log, len(data), digest, error=error)

    def hashes(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.tree)): path.read_bytes() for path in self.tree.rglob("*") if path.is_file()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_green(bench: Bench) -> None:
    bench.write(tests__test_a_dot_py=GREEN)
    result = bench.gate(PYTEST)
    assert (result.verdict, result.reason) == (Verdict.PASSED, "2 tests passed")
    assert result.outcomes == {"tests/test_a.py::test_one": "passed", "tests/test_a.py::test_two": "passed"}
    left = {path.name for path in bench.tree.rglob("*")}
    assert left == {"tests", "test_a.py"}, "bytecode and caches lie outside the tree"


def test_red(bench: Bench) -> None:
    bench.write(tests__test_a_dot_py=RED)
    result = bench.gate(PYTEST)
    assert (result.verdict, result.counts) == (Verdict.FAILED, TestCounts(2, 1, 1, 0))
    assert [failure.id for failure in result.failures] == ["tests/test_a.py::test_bad"]
    assert "numbers differ" in result.failures[0].message
    assert "1 failed" in result.excerpt
    excused = bench.gate(PYTEST, base=BaseResult(frozenset({"tests/test_a.py::test_bad"})))
    assert excused.verdict is Verdict.PASSED and excused.failures


def test_a_red_base_does_not_excuse_a_run_that_stops_at_it(bench: Bench) -> None:
    bench.write(test_a_dot_py=RED, test_b_dot_py=RED)
    base = BaseResult(frozenset({"test_a.py::test_bad"}))
    assert bench.gate(f"{PYTEST} -x", base=base).verdict is Verdict.FAILED
    bench.write(test_a_dot_py="import nowhere\n", test_b_dot_py=RED)
    collection = bench.gate(PYTEST, base=BaseResult(frozenset({"test_a.py"})))
    assert collection.verdict is Verdict.FAILED, collection.reason


def test_zero_tests(bench: Bench) -> None:
    bench.write(calc_dot_py="x = 1\n")
    result = bench.gate(PYTEST)
    assert result.verdict is Verdict.NOT_RUN and "no tests" in result.reason
    bench.write(test_a_dot_py=GREEN)
    assert bench.gate(f"{PYTEST} -k nothing_like_this").verdict is Verdict.NOT_RUN
    assert bench.gate(f"{PYTEST} --collect-only").verdict is Verdict.NOT_RUN


@pytest.mark.parametrize("command", ["no-such-program --flag", "./no/such.sh", "/nowhere/pytest"])
def test_missing_binary(bench: Bench, command: str) -> None:
    result = bench.gate(command)
    assert result.verdict is Verdict.NOT_RUN and "could not be started" in result.reason
    through_shell = bench.gate(command, shell=True)
    assert through_shell.verdict is Verdict.NOT_RUN


def test_a_conftest_that_forces_exit_0_does_not_hide_a_red_test(bench: Bench) -> None:
    bench.write(test_a_dot_py=RED, conftest_dot_py="def pytest_sessionfinish(session):\n    session.exitstatus = 0\n")
    result = bench.gate(PYTEST)
    assert result.execution is not None and result.execution.exit_code == 0
    assert result.verdict is Verdict.FAILED


def test_leaving_early_with_exit_0_leaves_no_report(bench: Bench) -> None:
    bench.write(test_a_dot_py="import os\n\ndef test_a():\n    os._exit(0)\n\n" + RED)
    result = bench.gate(PYTEST)
    assert result.execution is not None and result.execution.exit_code == 0
    assert result.verdict is Verdict.NOT_RUN and "no report" in result.reason


def test_a_report_forged_in_the_tree_is_not_read(bench: Bench) -> None:
    forge = f"""from pathlib import Path

def test_a():
    Path('junit.xml').write_text({FORGED!r})
    assert False
"""
    bench.write(test_a_dot_py=forge, junit_dot_xml=FORGED, report_dot_xml=FORGED)
    result = bench.gate(PYTEST)
    assert result.verdict is Verdict.FAILED
    assert "x::forged" not in result.outcomes


def test_a_report_that_was_there_before_is_stale(bench: Bench) -> None:
    bench.write(out__r_dot_xml=FORGED)
    old = time.time() - 60
    os.utime(bench.tree / "out/r.xml", (old, old))
    assert bench.gate("true", junit="out/r.xml").verdict is Verdict.NOT_RUN
    fresh = bench.gate(f"printf '{FORGED}' > out/new.xml", shell=True, junit="out/new.xml")
    assert (fresh.verdict, fresh.counts) == (Verdict.PASSED, TestCounts(1, 1, 0, 0))
    linked = bench.gate("ln -s r.xml out/link.xml", shell=True, junit="out/link.xml")
    assert linked.verdict is Verdict.NOT_RUN


def test_pytest_behind_a_shell_and_a_pipe(bench: Bench) -> None:
    bench.write(test_a_dot_py=RED)
    result = bench.gate(f"{PYTEST} | cat; true", shell=True)
    assert (result.verdict, result.counts) == (Verdict.FAILED, TestCounts(2, 1, 1, 0))


def test_a_gate_that_writes_tracked_files_fails(bench: Bench) -> None:
    bench.write(test_a_dot_py="def test_a():\n    open('data.txt', 'w').write('new')\n", data_dot_txt="old")
    result = bench.gate(PYTEST)
    assert (result.verdict, result.reason) == (Verdict.FAILED, "gate wrote data.txt")


def test_unittest(bench: Bench) -> None:
    command = f"{sys.executable} -m unittest"
    case = "import unittest\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        {}\n"
    bench.write(test_a_dot_py=case.format("self.assertEqual(1, 1)"))
    green = bench.gate(command)
    assert (green.verdict, green.outcomes) == (Verdict.PASSED, {"test_a.T::test_a": "passed"})
    bench.write(test_a_dot_py=case.format("self.assertEqual(1, 2)"))
    red = bench.gate(command)
    assert (red.verdict, red.outcomes) == (Verdict.FAILED, {"test_a.T::test_a": "failed"})
    assert "1 != 2" in red.failures[0].message
    bench.write(test_a_dot_py=case.format("import os; os._exit(0)"))
    assert bench.gate(command).verdict is Verdict.NOT_RUN
    bench.write(test_a_dot_py="x = 1\n")
    assert bench.gate(command).verdict is Verdict.NOT_RUN


def test_a_shell_gate_with_a_make_like_wrapper_is_read_from_its_output(bench: Bench) -> None:
    bench.write(run_dot_sh=f"#!/bin/sh\n{PYTEST} || true\n", test_a_dot_py=RED)
    (bench.tree / "run.sh").chmod(0o755)
    result = bench.gate("./run.sh")
    assert result.verdict is Verdict.FAILED and "output says" in result.reason


def test_reports_that_a_build_tool_leaves_in_the_tree(bench: Bench) -> None:
    old = "module/target/surefire-reports/TEST-old.xml"
    wrapper = f"#!/bin/sh\nmkdir -p target/surefire-reports\necho '{FORGED}' > target/surefire-reports/TEST-new.xml\n"
    bench.write(mvnw=wrapper, **{old.replace("/", "__").replace(".", "_dot_"): FORGED.replace("forged", "stale")})
    (bench.tree / "mvnw").chmod(0o755)
    past = time.time() - 60
    os.utime(bench.tree / old, (past, past))
    result = bench.gate("./mvnw -B test")
    assert (result.verdict, result.outcomes) == (Verdict.PASSED, {"x::forged": "passed"})
    bench.write(mvnw="#!/bin/sh\nexit 0\n")
    shutil.rmtree(bench.tree / "target")
    assert bench.gate("./mvnw -B test").verdict is Verdict.NOT_RUN


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node(bench: Bench) -> None:
    head = "const test = require('node:test'); const assert = require('node:assert');\n"
    bench.write(a_dot_test_dot_js=head + "test('good', () => {}); test('bad', () => assert.equal(1, 2));\n")
    red = bench.gate("node --test")
    assert (red.verdict, red.outcomes) == (Verdict.FAILED, {"test::good": "passed", "test::bad": "failed"})
    bench.write(a_dot_test_dot_js=head + "test('good', () => {});\n")
    assert bench.gate("node --test").verdict is Verdict.PASSED
    assert bench.gate("node --test a.test.js > /dev/null", shell=True).verdict is Verdict.PASSED


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_go(bench: Bench) -> None:
    test = 'package m\nimport "testing"\nfunc TestA(t *testing.T) {}\nfunc TestB(t *testing.T) { t.Error("bad") }\n'
    bench.write(go_dot_mod="module example.com/m\ngo 1.19\n", a_test_dot_go=test)
    red = bench.gate("go test ./...")
    expected = {"example.com/m::TestA": "passed", "example.com/m::TestB": "failed"}
    assert (red.verdict, red.outcomes) == (Verdict.FAILED, expected), red.excerpt
    bench.write(a_test_dot_go="package m\n")
    assert bench.gate("go test ./...").verdict is Verdict.NOT_RUN
    bench.write(a_test_dot_go="package m\nfunc broken( {\n")
    broken = bench.gate("go test ./...")
    assert broken.verdict is Verdict.FAILED and "setup failed" in broken.failures[0].id
