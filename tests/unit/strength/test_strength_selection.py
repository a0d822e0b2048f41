from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ralph.config import Gate
from ralph.domain import Cause, Execution, GateResult, Mutant, Strength, Verdict
from ralph.verify import runners
from ralph.verify.gates import PlannedGate
from ralph.verify.strength import equipment
from ralph.verify.strength.coverage import Coverage, FileCoverage, Unreadable, merge
from ralph.verify.strength.equipment import Equipment
from ralph.verify.strength.selection import Selection, load, map_of, select
from ralph.verify.strength.survivors import survivors
from ralph.verify.strength.verdict import fate_of, not_run, rule

INSIDE = Path(equipment.__file__).with_name("inside")
SOURCE = b"LIMIT = 3\n\ndef f(a):\n    return a\n\ndef g(a):\n    return f(a)\n\nclass C:\n    size = 1\n"
SEEN = FileCoverage(
    frozenset({1, 3, 4, 6, 7, 9, 10}),
    tests={4: frozenset({"t.py::test_f", "t.py::test_g"}), 7: frozenset({"t.py::test_g"})},
)
KNOWN = map_of("tree", Coverage({"m.py": SEEN}), {"m.py": SOURCE})
BOTH = frozenset({"t.py::test_f", "t.py::test_g"})


@pytest.mark.parametrize(
    ("functions", "expected"),
    [
        ({"f"}, BOTH),
        ({"g"}, {"t.py::test_g"}),
        ({""}, BOTH),
        ({"C"}, BOTH),
        ({"new"}, set()),
        (set(), set()),
    ],
)
def test_a_map_knows_the_tests_of_a_function(functions: set[str], expected: set[str]) -> None:
    assert KNOWN.of("m.py", functions) == expected
    assert KNOWN.of("other.py", functions) == frozenset()


def test_a_map_is_stored_and_a_broken_one_is_none() -> None:
    assert load(KNOWN.model_dump_json().encode()) == KNOWN
    assert load(b"") is None
    assert load(b'{"tree": 3}') is None


def test_selected_are_touched_files_and_the_tests_of_changed_functions() -> None:
    assert select(KNOWN, {"m.py": {"g"}}, ["t2.py"]) == Selection(frozenset({"t.py::test_g"}), frozenset({"t2.py"}))
    assert select(KNOWN, {}, ["t2.py"]) == Selection(frozenset(), frozenset({"t2.py"}))
    assert select(KNOWN, {"m.py": {"g"}}, []) == Selection(frozenset({"t.py::test_g"}))
    assert select(KNOWN, {"m.py": {"new"}}, []) is None, "nothing known: all tests"
    assert select(None, {"m.py": {"g"}}, ["t2.py"]) is None


def test_what_several_processes_ran_is_put_together() -> None:
    one = Coverage({"a": FileCoverage(frozenset({1}), frozenset({2, 3}), {1: frozenset({"x"})})})
    two = Coverage({"a": FileCoverage(frozenset({2}), frozenset({1, 3}), {1: frozenset({"y"})}), "b": FileCoverage()})
    both = FileCoverage(frozenset({1, 2}), frozenset({3}), {1: frozenset({"x", "y"})})
    assert merge([one, two]).files == {"a": both, "b": FileCoverage()}


def planned(command: str, shell: bool = False, **more: object) -> PlannedGate:
    gate = Gate.model_validate({"name": "tests", "command": command, "kind": "tests", "shell": shell, **more})
    return PlannedGate(gate, 0, runners.recognise(command, shell))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pytest -q tests", "pytest -q tests"),
        ("coverage run --source src -m pytest -q", "python -m pytest -q"),
        ("python3 -m coverage run -m pytest -q", "python3 -m pytest -q"),
        ("uv run coverage run -m unittest", "uv run python -m unittest -f"),
        ("python -m unittest discover -s t", "python -m unittest discover -s t -f"),
    ],
)
def test_the_command_stays_but_for_a_coverage_of_its_own(command: str, expected: str) -> None:
    made = equipment.equipped(planned(command), Equipment(first_failure=True), "/f", {}, "")
    assert made.gate.command == expected
    assert made.runner == planned(command).runner


def test_a_shell_command_is_told_by_variables_alone() -> None:
    gate = planned("cd x && pytest", shell=True, env={"PYTHONPATH": "src"})
    wanted = Equipment(["a.py"], selection=Selection(frozenset({"t.py::x"})), first_failure=True, seconds=7)
    made = equipment.equipped(gate, wanted, "/f", {"PYTEST_ADDOPTS": "-v"}, "addopts = --cov")
    assert (made.gate.command, made.gate.timeout) == (gate.gate.command, 7)
    assert made.gate.env["PYTHONPATH"] == "/f:src"
    assert made.gate.env["PYTEST_ADDOPTS"] == "-v -p ralph_strength -x --no-cov"
    assert made.gate.env["RALPH_STRENGTH_SELECT"] == "/f/select.json"
    files = equipment.files(gate, wanted, "/tree", "/f")
    assert set(files) == {path.name for path in INSIDE.glob("*.py")} | {"coverage.ini", "select.json"}
    assert b"/tree/a.py" in files["coverage.ini"]
    assert json.loads(files["select.json"]) == {"root": "/tree", "whole": [], "tests": ["t.py::x"]}


def test_paths_are_no_patterns() -> None:
    assert equipment.literal("a[1]*$x.py") == "a[[]1][*]$$x.py"
    assert equipment.literal("a\nb.py") == ""


RAN = Execution(("pytest",), "/tree", "t", "2026-01-01T00:00:00+00:00", 1.0, 0)
PASSED = GateResult("tests", "tests", Verdict.PASSED, "", RAN)


@pytest.mark.parametrize(
    ("result", "limited", "fate"),
    [
        (PASSED, False, "survived"),
        (replace(PASSED, verdict=Verdict.FAILED), False, "killed"),
        (replace(PASSED, verdict=Verdict.NOT_RUN), False, "untested"),
        (replace(PASSED, verdict=Verdict.NOT_RUN, outcomes={"a": "failed"}), False, "killed"),
        (replace(PASSED, verdict=Verdict.NOT_RUN, execution=replace(RAN, signal=11)), False, "killed"),
        (replace(PASSED, verdict=Verdict.NOT_RUN, execution=replace(RAN, cause=Cause.TIMEOUT)), False, "timeout"),
        (replace(PASSED, verdict=Verdict.NOT_RUN, execution=replace(RAN, cause=Cause.TIMEOUT)), True, "untested"),
        (replace(PASSED, verdict=Verdict.NOT_RUN, execution=replace(RAN, cause=Cause.STOPPED)), False, "untested"),
        (replace(PASSED, execution=None), False, "untested"),
    ],
)
def test_the_fate_of_a_mutant_is_what_was_executed(result: GateResult, limited: bool, fate: str) -> None:
    assert fate_of(result, limited) == fate


def mutants(*fates: str) -> tuple[Mutant, ...]:
    return tuple(Mutant("a.py", line, "x < 1", "x <= 1", fate) for line, fate in enumerate(fates, start=1))


def test_only_retry_refuses_and_only_for_survivors() -> None:
    weak = Strength(3, 2, ("a.py:9",), mutants("survived", "survived", "killed", "survived", "survived", "untested"))
    report = rule(weak, "report", ())
    assert (report.verdict, report.blocks) == (Verdict.PASSED, False)
    assert report.reason == "2 of 3 changed statements ran in the tests; the tests noticed 1 of 5 planted faults"
    assert report.excerpt.count("+ x <= 1") == 3
    assert "and 1 more" in report.excerpt
    assert "No test runs: a.py:9" in report.excerpt
    assert rule(weak, "retry", ()).blocks
    assert not rule(weak, "retry", (), spent=True).blocks
    strong = replace(weak, mutants=mutants("killed", "timeout", "untested"))
    assert not rule(strong, "retry", ()).blocks


def test_what_fits_is_shown_in_full() -> None:
    lines = tuple(f"a.py:{line}" for line in range(10))
    assert "more" not in rule(Strength(10, 0, lines, mutants(*["survived"] * 3)), "report", ()).excerpt
    assert "and 1 more" in rule(Strength(11, 0, (*lines, "b.py:1")), "report", ()).excerpt


def test_what_was_not_measured_never_passes_and_never_blocks() -> None:
    nothing = not_run("no coverage data")
    assert (nothing.verdict, nothing.blocks) == (Verdict.NOT_RUN, False)


def test_survivors_are_lines_on_changed_lines_and_nothing_else() -> None:
    changed = {"src/a.js": {3, 4}}
    said = "src/a.js:3: < became <=\n\n./src/a.js:4: gone\nsrc/a.js:9: elsewhere\n/tree/src/a.js:3: again\n"
    found = survivors(said, "/tree", changed)
    assert isinstance(found, tuple)
    assert [(one.line, one.after, one.fate) for one in found] == [
        (3, "< became <=", "survived"),
        (4, "gone", "survived"),
        (3, "again", "survived"),
    ]
    assert survivors("", "/tree", changed) == ()
    for line in ("3 mutants killed", "src/a.js: 3: x", "src/a.js:3:", ":3: x"):
        assert isinstance(survivors(line, "/tree", changed), Unreadable)
