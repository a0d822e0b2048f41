from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ralph.domain import Execution, Finding, GateResult, GuardResult, TestFailure, Verdict
from ralph.verify import feedback

RAN = Execution(("pytest", "-q"), "/w", "tree", "2026-01-01T00:00:00+00:00", 1.0, 1)
RED = GateResult(
    "tests",
    "tests",
    Verdict.FAILED,
    "exit 1, 1 of 2 tests failed",
    execution=RAN,
    failures=(TestFailure("tests/test_a.py::test_x", "AssertionError: assert 1 == 2\ntests/test_a.py:4"),),
    excerpt="collected 2 items\nE assert 1 == 2",
)
GREEN = GateResult("lint", "lint", Verdict.PASSED, "exit 0", excerpt="all fine")
ADVICE = GateResult("types", "types", Verdict.FAILED, "exit 1", excerpt="old trouble", advisory=True)
SCOPE = GuardResult("scope", Verdict.FAILED, (Finding("not-owned", "b.py", "the task owns a.py", 3),))
FINE = GuardResult("secrets", Verdict.PASSED)


def test_only_what_blocks_is_told_with_command_exit_code_tests_and_output() -> None:
    text = feedback.text([SCOPE, FINE], [GREEN, ADVICE, RED])
    assert text == (
        "guard scope: failed\n- b.py:3: the task owns a.py\n\n"
        "gate tests (tests): failed: exit 1, 1 of 2 tests failed\ncommand: pytest -q\nexit code: 1\nfailing tests:\n"
        "- tests/test_a.py::test_x\n    AssertionError: assert 1 == 2\n    tests/test_a.py:4\n"
        "output:\ncollected 2 items\nE assert 1 == 2"
    )


def test_nothing_blocks_nothing_is_told() -> None:
    assert feedback.text([FINE], [GREEN, ADVICE]) == ""
    assert feedback.summary([FINE], [GREEN]) == "all guards and gates passed"


def test_the_summary_names_the_first_and_counts_the_others() -> None:
    assert feedback.summary([SCOPE], [RED]) == "guard scope: b.py: the task owns a.py (and 1 more)"
    assert feedback.summary([], [RED]) == "gate tests: exit 1, 1 of 2 tests failed"


def test_what_is_no_part_of_the_change_is_told_beside_what_blocks() -> None:
    left = GuardResult("left-out", Verdict.PASSED, (Finding("ignored", "data/", "ignored", note=True),))
    told = feedback.text([left], [RED])
    assert told.startswith("not part of your change, so no gate has seen it:\n- data/: ignored\n\ngate tests")


def test_not_run_is_said_to_block() -> None:
    gate = GateResult("tests", "tests", Verdict.NOT_RUN, "no tests were run")
    assert feedback.text([], [gate]) == "gate tests (tests): not run, which blocks like a failure: no tests were run"


@given(st.lists(st.text(max_size=3000), max_size=6), st.integers(2_000, 20_000))
def test_feedback_has_a_size_and_every_failure_has_its_share(outputs: list[str], limit: int) -> None:
    gates = [GateResult(f"g{n}", "other", Verdict.FAILED, "exit 1", excerpt=text) for n, text in enumerate(outputs)]
    text = feedback.text([], gates, limit)
    assert len(text) <= limit + 100
    assert all(f"gate g{n} " in text for n in range(len(gates)))
    assert "\x1b" not in text
