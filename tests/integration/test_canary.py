"""Runs of tests that were forged: green on the outside, and never passed; and honest ones, which change in nothing."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Container, Iterable
from pathlib import Path

import pytest
from loops import commit_all
from test_engine_gates import TASK, Stage

from ralph.config import Config
from ralph.domain import GateResult, Grade, Verdict
from ralph.engine.judge.gates import run_gates
from ralph.engine.judge.mute import listened, without
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox, Sandbox

PYTEST = f"{sys.executable} -m pytest"
SUITE = "def test_good():\n    assert True\n\ndef test_bad():\n    assert 1 == 2\n"
GREEN = "def test_good():\n    assert True\n\ndef test_fine():\n    pass\n"
REPORT = """
from xml.sax.saxutils import quoteattr
TEXT = '<testsuites><testsuite>' + ''.join(
    '<testcase classname="test_it" file="test_it.py" name=%s/>' % quoteattr(n) for n in ('test_good', 'test_bad')
) + '</testsuite></testsuites>'
import os
for path in (os.environ['RALPH_JUNIT'], 'junit.xml', 'report.xml'):
    open(path, 'w').write(TEXT)
"""
GREEN_REPORTS = """
import pytest
@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""
RUNNER = (
    "import sys\nclass P:\n    pass\ndef hookimpl(*a, **k):\n    return lambda f: f\n"
    "def main(*a):\n    return 0\nif __name__ == '__main__':\n    print('2 passed in 0.01s')\n"
)
FORGERIES: dict[str, dict[str, str]] = {
    "exit_status": {"conftest.py": "def pytest_sessionfinish(session, exitstatus):\n    session.exitstatus = 0\n"},
    "exit_in_a_test": {"test_a.py": "import os\ndef test_a():\n    os._exit(0)\n"},
    "sys_exit_of_pytest": {"test_a.py": "import pytest\ndef test_a():\n    pytest.exit('done', returncode=0)\n"},
    "exit_at_import": {"source.py": "import os\nos._exit(0)\n", "test_a.py": "import source\n"},
    "exit_at_the_end": {"conftest.py": "import atexit, os\natexit.register(os._exit, 0)\n"},
    "exit_after_the_session": {"conftest.py": "import os\ndef pytest_unconfigure():\n    os._exit(0)\n"},
    "report_of_its_own": {"test_a.py": REPORT + "def test_a():\n    os._exit(0)\n"},
    "report_at_import": {"conftest.py": REPORT + "os._exit(0)\n"},
    "report_of_atexit": {"conftest.py": f"import atexit\natexit.register(exec, {REPORT + 'os._exit(0)'!r}, {{}})\n"},
    "sitecustomize": {"sitecustomize.py": REPORT + "import sys\nif 'pytest' in ' '.join(sys.orig_argv): os._exit(0)\n"},
    "usercustomize": {"usercustomize.py": REPORT + "os._exit(0)\n"},
    "pytest_py": {"pytest.py": RUNNER},
    "pytest_py_with_report": {"pytest.py": REPORT + RUNNER},
    "pytest_package": {"pytest/__init__.py": "", "pytest/__main__.py": REPORT + "print('2 passed in 0.01s')\n"},
    "inner_pytest": {"_pytest/__init__.py": REPORT + "os._exit(0)\n", "_pytest/config.py": ""},
    "junitparser": {"junitparser.py": "class Failure: pass\n", "xml.py": REPORT + "os._exit(0)\n"},
    "green_reports": {"conftest.py": GREEN_REPORTS},
    "silent_reports": {"conftest.py": GREEN_REPORTS.replace('"passed"', '"skipped"')},
    "call_replaced": {"conftest.py": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n"},
    "runner_replaced": {"conftest.py": "import _pytest.python as p\np.Function.runtest = lambda self: None\n"},
    "junit_replaced": {
        "conftest.py": "import _pytest.junitxml as j\nj._NodeReporter.append_failure = j._NodeReporter.append_pass\n"
    },
    "junit_written_by_another": {
        "conftest.py": "import _pytest.junitxml as j\n"
        + REPORT
        + "j.LogXML.pytest_sessionfinish = lambda self: open(self.logfile, 'w').write(TEXT)\n"
        + "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
    },
    "dropped": {
        "conftest.py": "def pytest_collection_modifyitems(items):\n"
        "    items[:] = [item for item in items if item.name != 'test_bad']\n"
    },
    "all_dropped": {"conftest.py": "def pytest_collection_modifyitems(items):\n    items.clear()\n"},
    "ignored": {"conftest.py": "collect_ignore = ['test_it.py']\n", "test_a.py": "def test_a():\n    pass\n"},
    "ignored_by_glob": {
        "conftest.py": "collect_ignore_glob = ['*it.py']\n",
        "test_a.py": "def test_a():\n    pass\n",
    },
    "skipped": {"conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef no():\n    pytest.skip('later')\n"},
    "path_file": {"mine.pth": "import os; os._exit(0)\n", "conftest.py": "import site\nsite.addsitedir('.')\n"},
    "startup": {
        ".pythonrc.py": REPORT + "os._exit(0)\n",
        "test_a.py": "import os\nos.environ['PYTHONSTARTUP'] = '.pythonrc.py'\n",
    },
}  # fmt: skip


def config(command: str, **more: object) -> Config:
    gate = {"name": "tests", "command": command, "kind": "tests", "env": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}}
    return Config.model_validate({"gates": [{**gate, **more}]})


def stage(repo: Path, state: Path, shim: Shim, command: str, files: dict[str, str], **more: object) -> Stage:
    for name, text in files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    commit_all(repo)
    return Stage(repo, state, shim, NoSandbox(), config(command, **more))


@pytest.fixture
def shim() -> object:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


ALIKE = {
    "exit_at_the_end", "exit_after_the_session", "report_at_import", "report_of_atexit", "usercustomize",
    "inner_pytest", "junitparser", "silent_reports", "ignored_by_glob", "path_file", "startup", "all_dropped",
}  # fmt: skip
"""Forgeries that differ little from others, and cases that do: for the long run."""


def some(names: Iterable[str], slow: Container[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]


@pytest.mark.parametrize("forgery", some(FORGERIES, ALIKE))
def test_a_forged_run_does_not_pass(git_repo: Path, tmp_path: Path, shim: Shim, forgery: str) -> None:
    """What only leaves tests out is seen by their ids, beside the base; what says that all is well, by the canary."""
    files = {"test_it.py": SUITE, **FORGERIES[forgery]}
    result = stage(git_repo, tmp_path / "state", shim, f"{PYTEST} -q", files).gates()["tests"]
    leaves_out = forgery in ("dropped", "ignored", "ignored_by_glob")
    if leaves_out:
        assert "test_it.py::test_bad" not in result.outcomes
    else:
        assert result.verdict is not Verdict.PASSED, result.reason


def test_without_the_canary_some_of_them_pass(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    """The forgeries are real ones: nothing else sees these."""
    for number, forgery in enumerate(("green_reports", "report_of_its_own", "pytest_py_with_report")):
        repo = tmp_path / f"repo{number}"
        git_repo.rename(repo)
        space = stage(repo, tmp_path / f"s{number}", shim, f"{PYTEST} -q", {"test_it.py": SUITE, **FORGERIES[forgery]})
        space.bench.config.verify.__dict__["canary"] = False
        assert space.gates()["tests"].verdict is Verdict.PASSED
        for name in FORGERIES[forgery]:
            (repo / name).unlink()
        repo.rename(git_repo)


def seen(result: GateResult, tree: Path, run: Path) -> tuple[object, ...]:
    """What a person sees of a run, without times and paths."""
    assert result.execution
    log = (run / result.execution.log).read_text()
    log = re.sub(r"\d+\.\d+s|0x[0-9a-f]+|/\S*/reports/\S*", "", log)
    log = "\n".join(sorted(log.splitlines()) if "slowest" in log else log.splitlines())
    return result.verdict, result.reason, result.counts, result.outcomes, result.execution.exit_code, log


CASES: dict[str, tuple[str, dict[str, str]]] = {
    "green": ("-v", {"test_it.py": GREEN}),
    "red": ("", {"test_it.py": SUITE}),
    "first_failure": ("-x -q", {"test_a.py": SUITE, "test_b.py": SUITE}),
    "second_failure": ("--maxfail=2", {"test_a.py": SUITE, "test_b.py": SUITE}),
    "green_maxfail": ("-x -rA", {"test_it.py": GREEN}),
    "durations": ("--durations=9 -vv", {"test_it.py": GREEN}),
    "nothing": ("-q", {"module.py": ""}),
    "cannot_import": ("-q", {"test_it.py": GREEN, "test_b.py": "import nothing_like_it\n"}),
    "none_selected": ("-k nothing_like_it", {"test_it.py": GREEN}),
    "failed_first": ("--ff --lf", {"test_it.py": GREEN}),
    "teardown_of_the_session": (
        "-q",
        {
            "conftest.py": "import pytest\n@pytest.fixture(scope='session', autouse=True)\ndef s():\n    yield\n"
            "    raise RuntimeError('left open')\n",
            "test_it.py": GREEN,
        },
    ),
    "suites_of_classes": (
        "-v",
        {
            "test_it.py": "import unittest\nclass TestIt(unittest.TestCase):\n    @classmethod\n"
            "    def tearDownClass(cls):\n        print('down')\n    def test_a(self):\n        pass\n"
        },
    ),
    "inner_run": (
        "-q",
        {
            "test_it.py": "import os, subprocess, sys\ndef test_inner(tmp_path):\n"
            "    assert 'PYTHONPATH' not in os.environ\n    (tmp_path / 'test_a.py').write_text('def test_a(): pass')\n"
            "    ran = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-o', 'cache_dir=c', str(tmp_path)],"
            " capture_output=True, text=True)\n    assert '1 passed' in ran.stdout, ran.stdout\n"
        },
    ),
    "strict_warnings": ("-W error --strict-markers --strict-config", {"test_it.py": GREEN}),
    "curious_conftest": (
        "-q",
        {
            "conftest.py": "def pytest_runtest_setup(item):\n    item.fixturenames, item.module, item.cls, item.obj\n"
            "    item.get_closest_marker('slow')\n",
            "test_it.py": GREEN,
        },
    ),
}


LONG = {"second_failure", "green_maxfail", "durations", "none_selected", "failed_first", "strict_warnings"}


@pytest.mark.parametrize("case", some(CASES, LONG))
def test_a_canary_changes_nothing_that_the_run_says(git_repo: Path, tmp_path: Path, shim: Shim, case: str) -> None:
    options, files = CASES[case]
    space = stage(git_repo, tmp_path / "state", shim, f"{PYTEST} {options}", files)
    if case == "failed_first":
        space.gates()  # the first run fills the cache
    with_canary = space.gates()["tests"]
    assert with_canary.execution and with_canary.execution.canary
    space.bench.config.verify.__dict__["canary"] = False
    without = space.gates()["tests"]
    assert without.execution and not without.execution.canary
    run = space.place.run
    assert seen(with_canary, space.loop.tree, run) == seen(without, space.loop.tree, run)


XDIST = ["-n2", "-n2 --dist=loadfile", "-n2 -x", "-n1 --maxfail=1"]


@pytest.mark.parametrize("options", some(XDIST, XDIST[1:]))
def test_workers_of_xdist_carry_one_too(git_repo: Path, tmp_path: Path, shim: Shim, options: str) -> None:
    files = {"test_a.py": GREEN, "test_b.py": GREEN.replace("def test_", "def test_b_")}
    space = stage(git_repo, tmp_path / "state", shim, f"{PYTEST} -q -p xdist {options}", files)
    green = space.gates()["tests"]
    assert (green.verdict, green.reason) == (Verdict.PASSED, "4 tests passed"), green.excerpt
    (space.loop.tree / "conftest.py").write_text(GREEN_REPORTS)
    forged = space.gates(space.loop.space.snapshot())["tests"]
    assert forged.verdict is Verdict.NOT_RUN and "planted" in forged.reason


def test_a_red_run_of_xdist_stays_red(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    space = stage(git_repo, tmp_path / "state", shim, f"{PYTEST} -q -p xdist -n2 -x", {"test_a.py": SUITE})
    red = space.gates()["tests"]
    assert red.verdict is Verdict.FAILED and [one.id for one in red.failures] == ["test_a.py::test_bad"]


def test_a_shell_is_told_by_variables(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    files = {"test_it.py": CASES["inner_run"][1]["test_it.py"]}
    command = f"true && {PYTEST} -q"
    space = stage(git_repo, tmp_path / "state", shim, command, files, shell=True)
    assert space.gates()["tests"].verdict is Verdict.PASSED, space.gates()["tests"].excerpt
    (space.loop.tree / "conftest.py").write_text(GREEN_REPORTS)
    assert space.gates(space.loop.space.snapshot())["tests"].verdict is Verdict.NOT_RUN


UNIT = (
    "import unittest\nclass TestIt(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(1, 1)\n"
    "    def test_b(self):\n        self.assertEqual(1, {})\n"
)


@pytest.mark.parametrize("options", ["", "discover", "-v", "-f", "test_it", "-b -q"])
@pytest.mark.parametrize("number", [1, 2])
def test_unittest_says_the_same_with_and_without(
    git_repo: Path, tmp_path: Path, shim: Shim, options: str, number: int
) -> None:
    command = f"{sys.executable} -m unittest {options}"
    space = stage(git_repo, tmp_path / "state", shim, command, {"test_it.py": UNIT.format(number)})
    with_canary = space.gates()["tests"]
    assert with_canary.execution and with_canary.execution.canary
    assert with_canary.verdict is (Verdict.PASSED if number == 1 else Verdict.FAILED), with_canary.reason
    assert "planted" not in with_canary.excerpt and with_canary.execution.canary not in with_canary.excerpt
    space.bench.config.verify.__dict__["canary"] = False
    without = space.gates()["tests"]
    assert (with_canary.reason, with_canary.counts, with_canary.outcomes) == (
        without.reason,
        without.counts,
        without.outcomes,
    )
    assert with_canary.execution.exit_code == without.execution.exit_code if without.execution else False


UNIT_FORGERIES = {
    "exit": "import os\n"
    "print('test_a (test_it.TestIt.test_a) ... ok\\n\\n\\nRan 2 tests in 0.1s\\n\\nOK', flush=True)\nos._exit(0)\n",
    "all_successes": "import unittest\nunittest.TestResult.addFailure = lambda self, t, e: None\n"
    "unittest.TextTestResult.addFailure = lambda self, t, e: self.addSuccess(t)\n",
    "no_run": "import unittest\nunittest.TestCase.run = lambda self, result: (result.startTest(self),"
    " result.addSuccess(self), result.stopTest(self))\n",
}


@pytest.mark.parametrize("forgery", UNIT_FORGERIES)
def test_forged_runs_of_unittest_do_not_pass(git_repo: Path, tmp_path: Path, shim: Shim, forgery: str) -> None:
    files = {"test_it.py": UNIT.format(2), "test_0.py": UNIT_FORGERIES[forgery]}
    result = stage(git_repo, tmp_path / "state", shim, f"{sys.executable} -m unittest", files).gates()["tests"]
    assert result.verdict is Verdict.NOT_RUN and "planted" in result.reason


@pytest.mark.sandbox
def test_the_sandbox_shows_the_canary_and_lets_nobody_write_it(
    git_repo: Path, tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox
) -> None:
    text = "import os\ndef test_a():\n    assert not os.access('/run/ralph/canary', os.W_OK)\n"
    (git_repo / "test_it.py").write_text(text)
    commit_all(git_repo)
    space = Stage(git_repo, tmp_path / "state", shim, sandbox_or_skip, config(f"{PYTEST} -q"))
    result = space.gates()["tests"]
    assert result.verdict is Verdict.PASSED and result.execution and result.execution.canary, result.reason


def test_a_gate_that_takes_no_canary_is_found_on_the_base(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    """An isolated interpreter does not look where the canary lies."""
    isolated = f"{sys.executable} -I -m pytest -q"
    space = stage(git_repo, tmp_path / "state", shim, isolated, {"test_it.py": GREEN})
    tree = space.loop.space.tree_of(space.loop.base)
    first = tuple(space.gates().values())
    assert first[0].verdict is Verdict.NOT_RUN
    results, mute = listened(space.bench, TASK, tree, ["x"], {}, first)
    assert mute == ("tests",) and results[0].verdict is Verdict.PASSED and results[0].grade is Grade.OBSERVED
    tonight = without(space.bench, mute)
    (again,) = run_gates(tonight, TASK, tree, ["x"], {})
    assert again.verdict is Verdict.PASSED and again.grade is Grade.OBSERVED


def test_what_does_not_run_anyway_is_not_blamed_on_the_canary(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    space = stage(git_repo, tmp_path / "state", shim, f"{PYTEST} -q", {"test_it.py": ""})
    tree = space.loop.space.tree_of(space.loop.base)
    first = tuple(space.gates().values())
    results, mute = listened(space.bench, TASK, tree, ["x"], {}, first)
    assert not mute and [(one.verdict, one.reason) for one in results] == [(one.verdict, one.reason) for one in first]
    assert len(results[0].runs) == 1, "what was executed is on record"
