"""The floor: every way in which a command can end, and what it may count as."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.config import Config, Gate
from ralph.domain import Cause, GateResult, Grade, Task, Verdict
from ralph.host.process import Completed
from ralph.verify import gates
from ralph.verify.gates import BaseResult, PlannedGate, judge

DONE = Completed(("pytest", "-q"), 0, None, None, "2026-01-01T00:00:00+00:00", 1.5, Path("/run/gate.log"), 10, "ab")
TASK = Task(id="t", title="t")


def planned(command: str = "pytest -q", kind: str = "tests", **more: object) -> PlannedGate:
    gate = Gate.model_validate({"name": "g", "command": command, "kind": kind, **more})
    return gates.plan(Config(gates=[gate]), TASK, ["a"])[0]


def ended(code: int | None = 0, **more: object) -> Completed:
    return replace(DONE, exit_code=code, **more)  # type: ignore[arg-type]


def report(tmp_path: Path, **outcomes: str) -> Path:
    marks = {"passed": "", "failed": '<failure message="assert 1 == 2"/>', "skipped": "<skipped/>"}
    cases = "".join(f'<testcase classname="c" name="{name}">{marks[it]}</testcase>' for name, it in outcomes.items())
    path = tmp_path / "junit.xml"
    path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return path


GREEN, RED = {"a": "passed", "b": "passed"}, {"a": "passed", "b": "failed"}


@pytest.mark.parametrize(
    ("code", "outcomes", "verdict", "reason"),
    [
        (0, GREEN, Verdict.PASSED, "2 tests passed"),
        (0, {"a": "passed", "s": "skipped"}, Verdict.PASSED, "1 test passed, 1 skipped"),
        (1, RED, Verdict.FAILED, "exit 1, 1 of 2 tests failed"),
        (0, RED, Verdict.FAILED, "exit 0, 1 of 2 tests failed"),
        (1, GREEN, Verdict.FAILED, "exit 1, although 2 tests passed"),
        (0, {}, Verdict.NOT_RUN, "exit 0: no tests were run"),
        (1, {}, Verdict.NOT_RUN, "exit 1: no tests were run"),
        (0, {"a": "skipped"}, Verdict.NOT_RUN, "all 1 tests were skipped"),
        (5, {}, Verdict.NOT_RUN, "no tests were found"),
        (5, GREEN, Verdict.NOT_RUN, "no tests were found"),
        (126, GREEN, Verdict.NOT_RUN, "not executable"),
        (127, GREEN, Verdict.NOT_RUN, "command not found: pytest"),
        (137, GREEN, Verdict.NOT_RUN, "killed by SIGKILL"),
        (0, None, Verdict.NOT_RUN, "no report of its tests"),
        (4, None, Verdict.NOT_RUN, "exit 4, but no report of its tests"),
    ],
)
def test_exit_code_and_report_decide_together(
    tmp_path: Path, code: int, outcomes: dict[str, str] | None, verdict: Verdict, reason: str
) -> None:
    path = report(tmp_path, **outcomes) if outcomes is not None else None
    result = judge(planned(), ended(code), path, "tree")
    assert (result.verdict, result.advisory) == (verdict, False)
    assert reason in result.reason


@pytest.mark.parametrize("cause", list(Cause))
def test_a_command_that_was_ended_did_not_run(tmp_path: Path, cause: Cause) -> None:
    result = judge(planned(), ended(0, cause=cause), report(tmp_path, **GREEN), "tree")
    assert result.verdict is Verdict.NOT_RUN and result.blocks
    assert "stopped after" in result.reason


@pytest.mark.parametrize(
    ("completed", "verdict", "reason"),
    [
        (ended(None, signal=9), Verdict.NOT_RUN, "killed by SIGKILL"),
        (ended(None, signal=15), Verdict.NOT_RUN, "killed by SIGTERM"),
        (ended(None, signal=11), Verdict.FAILED, "crashed by SIGSEGV"),
        (ended(None), Verdict.NOT_RUN, "without an exit code"),
        (ended(127, error="No such file or directory"), Verdict.NOT_RUN, "No such file"),
    ],
)
def test_signals_and_failed_starts(tmp_path: Path, completed: Completed, verdict: Verdict, reason: str) -> None:
    result = judge(planned("ruff check .", "lint"), completed, None, "tree")
    assert (result.verdict, reason in result.reason) == (verdict, True)


@pytest.mark.parametrize(
    ("command", "kind", "code", "log", "verdict", "grade"),
    [
        ("ruff check .", "lint", 0, "", Verdict.PASSED, Grade.VERIFIED),
        ("ruff check .", "lint", 1, "E501", Verdict.FAILED, Grade.VERIFIED),
        ("ruff check .", "lint", 5, "", Verdict.FAILED, Grade.VERIFIED),
        ("make test", "tests", 0, "fine", Verdict.PASSED, Grade.OBSERVED),
        ("make test", "tests", 2, "bad", Verdict.FAILED, Grade.VERIFIED),
        ("make test", "tests", 5, "", Verdict.NOT_RUN, Grade.VERIFIED),
        ("make test", "tests", 0, "Ran 0 tests in 0.0s\n\nOK\n", Verdict.NOT_RUN, Grade.VERIFIED),
        ("make test", "tests", 2, "no tests ran in 0.01s", Verdict.NOT_RUN, Grade.VERIFIED),
        ("make test", "tests", 0, "1 failed, 2 passed in 0.1s", Verdict.FAILED, Grade.VERIFIED),
        ("python -m unittest", "tests", 0, "Ran 0 tests in 0.0s\n\nOK\n", Verdict.NOT_RUN, Grade.VERIFIED),
        ("python -m unittest", "tests", 0, "Ran 2 tests in 0.0s\n\nOK\n", Verdict.PASSED, Grade.VERIFIED),
        ("python -m unittest", "tests", 0, "", Verdict.NOT_RUN, Grade.VERIFIED),
        ("go test ./...", "tests", 0, "?   \tm\t[no test files]\n", Verdict.NOT_RUN, Grade.VERIFIED),
        ("go test ./...", "tests", 0, "--- PASS: TestA (0.00s)\nPASS\nok  \tm\t0.1s\n", Verdict.PASSED, Grade.VERIFIED),
        ("cargo test", "tests", 0, "\nrunning 3 tests\n", Verdict.NOT_RUN, Grade.VERIFIED),
    ],
)
def test_commands_without_a_report_file(
    command: str, kind: str, code: int, log: str, verdict: Verdict, grade: Grade
) -> None:
    result = judge(planned(command, kind), ended(code), None, "tree", log_text=log)
    assert (result.verdict, result.grade) == (verdict, grade), result.reason


def test_a_report_counts_also_for_an_unknown_runner(tmp_path: Path) -> None:
    assert judge(planned("make test"), ended(0), report(tmp_path, **RED), "tree").verdict is Verdict.FAILED
    result = judge(planned("make test"), ended(0), report(tmp_path, **GREEN), "tree")
    assert (result.verdict, result.grade) == (Verdict.PASSED, Grade.VERIFIED)


def test_a_missing_report_blocks_where_one_is_configured() -> None:
    result = judge(planned("make test", junit="out/report.xml"), ended(0), None, "tree")
    assert result.verdict is Verdict.NOT_RUN


@pytest.mark.parametrize("text", ["<testsuites", "<!DOCTYPE a><testsuites/>", ""])
def test_an_unreadable_report_blocks_for_any_runner(tmp_path: Path, text: str) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(text)
    for command in ("pytest", "make test"):
        assert judge(planned(command), ended(0), path, "tree").verdict is Verdict.NOT_RUN


def test_a_gate_that_wrote_tracked_files_failed(tmp_path: Path) -> None:
    green = report(tmp_path, **GREEN)
    result = judge(planned(), ended(0), green, "tree", wrote=["src/a.py", "b"])
    assert (result.verdict, result.reason) == (Verdict.FAILED, "gate wrote src/a.py and 1 more")
    assert judge(planned(), ended(127), green, "tree", wrote=["src/a.py"]).verdict is Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("outcomes", "red", "code", "log", "verdict"),
    [
        (RED, {"c::b"}, 1, "", Verdict.PASSED),
        (RED, {"c::b", "c::z"}, 1, "", Verdict.PASSED),
        (RED, {"c::z"}, 1, "", Verdict.FAILED),
        ({"a": "failed", "b": "failed"}, {"c::b"}, 1, "", Verdict.FAILED),
        (RED, {"c::b"}, 2, "", Verdict.FAILED),
        (RED, {"c::b"}, 0, "", Verdict.FAILED),
        (RED, {"c::b"}, 1, "!!!!! stopping after 1 failures !!!!!", Verdict.FAILED),
        (RED, set(), 1, "", Verdict.FAILED),
    ],
)
def test_only_exactly_what_is_red_on_the_base_is_excused(
    tmp_path: Path, outcomes: dict[str, str], red: set[str], code: int, log: str, verdict: Verdict
) -> None:
    result = judge(planned(), ended(code), report(tmp_path, **outcomes), "tree", BaseResult(frozenset(red)), log)
    assert (result.verdict, result.advisory) == (verdict, False), result.reason
    assert "c::b" in [failure.id for failure in result.failures], "what is excused is still listed"


def test_new_failures_come_first(tmp_path: Path) -> None:
    base = BaseResult(frozenset({"c::a"}))
    result = judge(planned(), ended(1), report(tmp_path, a="failed", b="failed"), "tree", base)
    assert [failure.id for failure in result.failures] == ["c::b", "c::a"]
    assert "1 of them not on the base" in result.reason


def test_a_red_gate_without_ids_is_advice_on_a_base_that_was_red_so(tmp_path: Path) -> None:
    base = BaseResult(advisory=True)
    lint = planned("ruff check .", "lint")
    red = judge(lint, ended(1), None, "tree", base)
    assert (red.verdict, red.advisory, red.blocks) == (Verdict.FAILED, True, False)
    assert judge(lint, ended(127), None, "tree", base).blocks
    assert judge(lint, ended(1, cause=Cause.TIMEOUT), None, "tree", base).blocks
    assert judge(planned(), ended(1), report(tmp_path, **RED), "tree", base).blocks
    assert not judge(lint, ended(0), None, "tree", base).advisory


def test_evidence_is_complete_and_redacted(tmp_path: Path) -> None:
    token = "gh" + "p_" + "b2" * 18
    log = f"\x1b[31mstart\x1b[0m {token}\n" + "line\n" * 200 + "end\n"
    result = judge(planned(), ended(1), report(tmp_path, **RED), "tree", log_text=log, directory="/w", sandbox="bwrap")
    assert result.execution is not None
    assert (result.execution.tree, result.execution.exit_code, result.execution.log_sha256) == ("tree", 1, "ab")
    assert (result.execution.sandbox, result.execution.log, result.execution.network) == ("bwrap", "gate.log", False)
    lines = result.excerpt.splitlines()
    assert lines[0] == "start [redacted:github-token]" and lines[-1] == "end" and len(lines) == 60
    assert "left out" in result.excerpt
    assert result.outcomes == {"c::a": "passed", "c::b": "failed"}


CONFIG = Config.model_validate(
    {
        "gates": [
            {"name": "slow", "command": "pytest", "kind": "tests"},
            {"name": "types", "command": "mypy", "kind": "types", "cost": "cheap"},
            {"name": "fix", "command": "fixer", "kind": "lint", "cost": "cheap", "writes": True},
            {"name": "web", "command": "npm test", "kind": "tests", "when": ["web/**"]},
            {"name": "lint", "command": "ruff check", "kind": "lint", "cost": "cheap"},
            {"name": "deep", "command": "semgrep", "kind": "security", "writes": False},
        ]
    }
)


def test_cheap_gates_come_first_and_only_parallel_ones_share_a_batch() -> None:
    task = replace(TASK, checks=("test -f a && grep b a", "python -m pytest tests/test_b.py"))
    planned_gates = gates.plan(CONFIG, task, ["src/a.py"])
    names = [[one.name for one in batch] for batch in gates.batches(planned_gates)]
    assert names == [["lint", "types"], ["fix"], ["deep"], ["slow"], ["web"], ["check-1"], ["check-2"]]
    by_name = {one.name: one for one in planned_gates}
    assert by_name["check-1"].gate.shell and by_name["check-1"].kind == "other"
    assert not by_name["check-2"].gate.shell and by_name["check-2"].kind == "tests"
    settled = by_name["web"].settled
    assert settled is not None and settled.verdict is Verdict.NOT_APPLICABLE and not settled.blocks
    assert gates.plan(CONFIG, task, ["web/x.js"])[4].settled is None


def test_without_gates_nothing_passes() -> None:
    [only] = gates.plan(Config(), TASK, ["a"])
    assert only.settled is not None and only.settled.verdict is Verdict.NOT_RUN and only.settled.blocks
    assert [one.name for one in gates.plan(Config(), replace(TASK, checks=("true",)), [])] == ["check-1"]


@pytest.mark.parametrize("command", ["pytest 'unbalanced", "   "])
def test_a_command_that_can_not_be_read_blocks(command: str) -> None:
    settled = planned(command).settled
    assert settled is not None and settled.verdict is Verdict.NOT_RUN


def test_the_command_of_a_gate_and_its_variables() -> None:
    gate = planned("./ci/run.sh --all", "tests", env={"A": "1"})
    argv, env = gates.command_of(gate, "/r/j.xml", caches="/c", root="/work/app")
    assert argv == ("/work/app/ci/run.sh", "--all")
    assert (env["A"], env["RALPH_JUNIT"], env["PYTHONDONTWRITEBYTECODE"]) == ("1", "/r/j.xml", "1")
    assert {"COVERAGE_FILE", "XDG_CACHE_HOME", "MYPY_CACHE_DIR", "RUFF_CACHE_DIR"} <= env.keys()


def test_own_pytest_options_stay() -> None:
    shell = planned("cd a && pytest", shell=True, env={"PYTEST_ADDOPTS": "-p no:randomly"})
    argv, env = gates.command_of(shell, "/r/j.xml", caches="/c", env={"PYTEST_ADDOPTS": "-x"})
    assert argv == ("/bin/sh", "-c", "cd a && pytest")
    expected = "-p no:randomly -o cache_dir=/c/pytest --junitxml=/r/j.xml -o junit_family=xunit1"
    assert env["PYTEST_ADDOPTS"] == expected
    _, env = gates.command_of(planned("pytest"), "/r/j.xml", caches="/c", env={"PYTEST_ADDOPTS": "-x"})
    assert env["PYTEST_ADDOPTS"] == "-x -o cache_dir=/c/pytest"


def test_a_configured_report_is_left_to_the_command() -> None:
    argv, _ = gates.command_of(planned("pytest --junitxml=r.xml", junit="r.xml"), "/r/j.xml")
    assert argv == ("pytest", "--junitxml=r.xml")


OUTCOMES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["passed", "failed", "skipped"]), max_size=4)


@given(
    st.sampled_from(["pytest", "make test", "go test ./...", "ruff check"]),
    st.sampled_from(["tests", "lint", "other"]),
    st.one_of(st.none(), st.integers(0, 255)),
    st.sampled_from([None, *Cause]),
    st.one_of(st.none(), OUTCOMES),
    st.sets(st.sampled_from(["c::a", "c::b"])),
    st.sampled_from(["", "0 passed in 1s", "1 failed in 1s", "ok  \tm\t0.1s\n", "noise"]),
)
def test_passed_is_never_anything_else(
    tmp_path_factory: pytest.TempPathFactory,
    command: str,
    kind: str,
    code: int | None,
    cause: Cause | None,
    outcomes: dict[str, str] | None,
    red: set[str],
    log: str,
) -> None:
    path = report(tmp_path_factory.getbasetemp(), **outcomes) if outcomes is not None else None
    result = judge(planned(command, kind), ended(code, cause=cause), path, "t", BaseResult(frozenset(red)), log)
    assert result == judge(planned(command, kind), ended(code, cause=cause), path, "t", BaseResult(frozenset(red)), log)
    if result.verdict is Verdict.PASSED:
        _holds(result, code, cause, outcomes, red)


def _holds(
    result: GateResult, code: int | None, cause: Cause | None, outcomes: dict[str, str] | None, red: set[str]
) -> None:
    failing = {f"c::{name}" for name, outcome in (outcomes or {}).items() if outcome == "failed"}
    assert cause is None
    assert failing <= red
    assert code == 0 or (failing and code == 1)
    assert result.counts is None or result.counts.passed + result.counts.failed > 0
