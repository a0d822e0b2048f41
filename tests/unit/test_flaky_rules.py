"""Which newly failing tests are excused, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ralph.domain import Comparison, Execution, GateResult, Grade, TestCounts, Verdict
from ralph.verify.flaky import MOST, Known, Trial, settled, steady, suspects, turned_by_chance

UNKNOWN = Known()
RED = frozenset({1})
RAN = Execution(("pytest",), "/", "t", "2026-01-01T00:00:00+00:00", 1.0, 1)
OUTCOMES = {"t.py::a": "failed", "t.py::b": "passed"}
RESULT = GateResult(
    "tests",
    "tests",
    Verdict.FAILED,
    "exit 1, 1 of 2 tests failed",
    RAN,
    TestCounts(2, 1, 1, 0),
    outcomes=OUTCOMES,
    comparison=Comparison("b", newly_failing=("t.py::a",)),
)


def trial(
    whole: str = "f", alone: str = "", base: str = "p", *, touched: bool = False, known: Known = UNKNOWN
) -> Trial:
    """Outcomes by letters."""
    words = {"p": "passed", "f": "failed"}
    lists = ([words[letter] for letter in text] for text in (whole, alone, base))
    return Trial("t.py::a", "t.py::a", touched, known, *lists)


@pytest.mark.parametrize(
    ("one", "excused"),
    [
        (trial("f", "ppf", "pfpp"), True),
        (trial("f", "ppf", "pppp"), False),  # nothing shows that the base has it too
        (trial("f", "fff", "pppp"), False),
        (trial("fp", "ppp", "pppp", known=Known(failed=1, runs=20)), True),
        (trial("ff", "ppp", "pfpp"), False),  # always among the others: a matter of order, and of the change
        (trial("f", "fff", "pfff"), True),  # at that rate nobody could tell
        (trial("f", "fff", "pfpp"), False),  # one failure of four there does not explain four of four here
        (trial("f", "fff", "pppp", known=Known(since="2026-01-01")), True),
        (trial("f", "ppf", "pfpp", touched=True), False),
        (trial("f", "ppf", "pfpp", touched=True, known=Known(since="2026-01-01")), False),
        (replace(trial("f", "ppf", "f"), there=""), False),
    ],
)
def test_who_is_excused(one: Trial, excused: bool) -> None:
    result = settled(RESULT, [one], (), RED, ())
    assert one.excused is excused
    assert result.verdict is (Verdict.PASSED if excused else Verdict.FAILED)
    if excused:
        assert result.grade is Grade.OBSERVED and result.flaky == ("t.py::a",) and "not gating" in result.reason


def test_a_flaky_failure_that_is_not_excused_is_named_with_its_figures() -> None:
    result = settled(RESULT, [trial("f", "ppp", "pppp")], (), RED, ())
    assert "passes alone and fails among the others; failed 1 of 4 here, 0 of 4 on the base" in result.reason
    result = settled(RESULT, [trial("fp", "ppp", "pppp")], (), RED, ())
    assert result.reason.endswith("flaky: t.py::a (failed 1 of 5 here, 0 of 4 on the base)")
    assert result.flaky == ("t.py::a",) and result.verdict is Verdict.FAILED
    assert "flaky" not in settled(RESULT, [trial("f", "fff", "pppp")], (), RED, ()).reason


@pytest.mark.parametrize(
    "result",
    [
        replace(RESULT, execution=replace(RAN, exit_code=2)),
        replace(RESULT, counts=TestCounts(3, 1, 2, 0)),
        replace(RESULT, comparison=Comparison("b", newly_failing=("t.py::a",), died=True)),
        replace(RESULT, comparison=Comparison("b", newly_failing=("t.py::a",), vanished=("t.py::c",))),
        replace(RESULT, comparison=Comparison("b", newly_failing=("t.py::a",), newly_skipped=("t.py::c",))),
    ],
)
def test_nothing_else_may_be_wrong_with_the_run(result: GateResult) -> None:
    assert settled(result, [trial("f", "ppf", "pfpp")], (), RED, ()).verdict is Verdict.FAILED


def test_what_a_task_may_do_to_tests_is_no_fault() -> None:
    result = replace(RESULT, comparison=Comparison("b", newly_failing=("t.py::a",), vanished=("t.py::c",)))
    assert settled(result, [trial("f", "ppf", "pfpp")], (), RED, {"delete-test"}).verdict is Verdict.PASSED


def test_one_test_that_is_not_excused_is_enough() -> None:
    both = [trial("f", "ppf", "pfpp"), replace(trial("f", "fff", "pppp"), id="t.py::c", there="t.py::c")]
    assert settled(RESULT, both, (), RED, ()).verdict is Verdict.FAILED


def test_suspects_are_new_failures_by_the_name_they_have_now() -> None:
    found = Comparison("b", newly_failing=("old.py::a",), absent_to_red=("t.py::n",), moved={"old.py::a": "t.py::a"})
    assert suspects(replace(RESULT, comparison=found)) == {"t.py::a": "old.py::a", "t.py::n": ""}
    assert suspects(replace(RESULT, verdict=Verdict.PASSED)) == {}
    many = Comparison("b", newly_failing=tuple(f"t.py::t{n}" for n in range(MOST + 1)))
    assert suspects(replace(RESULT, comparison=many)) == {}
    assert suspects(replace(RESULT, execution=replace(RAN, dirty=True))) == {}


def test_a_test_that_passes_on_the_base_at_times_did_not_turn_green() -> None:
    green = replace(RESULT, verdict=Verdict.PASSED, comparison=Comparison("b", newly_passing=("t.py::a", "t.py::b")))
    result = turned_by_chance(green, {"t.py::a": ["failed", "passed"], "t.py::b": ["failed"]}, ())
    assert result.comparison and result.comparison.newly_passing == ("t.py::b",) and result.flaky == ("t.py::a",)


def test_a_failure_by_chance_does_not_stand_on_the_next_base() -> None:
    """Else a change could break the test for good, as one that was red before."""
    assert steady(replace(RESULT, flaky=("t.py::a", "t.py::gone"))) == {"t.py::a": "passed", "t.py::b": "passed"}
    assert steady(RESULT) == OUTCOMES
