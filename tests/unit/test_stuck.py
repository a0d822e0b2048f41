import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.stuck import fingerprint, is_stuck, normalised
from ralph.domain import Finding, GateResult, GuardResult, Outcome, TestFailure, Verdict


def red(excerpt="", failures=(), name="tests", reason="exit 1", verdict=Verdict.FAILED, **more) -> GateResult:
    return GateResult(name, "tests", verdict, reason, excerpt=excerpt, failures=tuple(failures), **more)


def of(*gates: GateResult, guards=(), outcome=Outcome.REJECTED, summary="") -> str:
    return fingerprint(gates, guards, outcome, summary)


SAME = [
    ("FAILED in 3.41s", "FAILED in 0.2s"),
    ("/home/a/src/calc.py:12: error: bad", "/work/tree/other/calc.py:408: error: bad"),
    ("<Foo object at 0x7f3a1c> is wrong", "<Foo object at 0xdeadbeef00> is wrong"),
    ("2026-11-20T11:29:18.406Z worker died", "2026-01-02 03:04:05 worker died"),
    ("at 3:14 PM it broke", "at 11:05 am it broke"),
    ("commit 3f9a2bc1 is red", "commit 9e8d7c6b5a is red"),
    ("id 723383b6-b715-438b-90e3-585d90d8f62f gone", "id c4dc6839-8eec-4ecf-869b-f226cef2ad3c gone"),
    ("==== 2 failed, 14 passed in 0.42s ====", "======== 3 failed, 11 passed in 10.01s ========"),
    ("\x1b[31mError\x1b[0m: x", "Error: x"),
    ("took 12 ms", "took 1,204.5 ms"),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_what_changes_from_run_to_run_does_not_count(left, right):
    assert normalised(left) == normalised(right)
    assert of(red(left)) == of(red(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("NameError: name 'x' is not defined", "TypeError: unsupported operand"),
        ("error: missing return", "error: unused import"),
        ("expected apples", "expected pears"),
    ],
)
def test_different_failures_stay_different(left, right):
    assert of(red(left)) != of(red(right))


def test_other_failing_tests_are_another_failure():
    one, two = TestFailure("tests/t.py::test_a", "assert 1 == 2"), TestFailure("tests/t.py::test_b", "assert 1 == 2")
    assert of(red(failures=[one])) != of(red(failures=[two]))
    assert of(red(failures=[one, two])) == of(red(failures=[two, one]))
    assert of(red(failures=[one])) == of(red(failures=[TestFailure("tests/t.py::test_a", "assert 7 == 9")]))


def test_order_of_output_lines_and_of_gates_does_not_count():
    assert of(red("a.py: bad\nb: worse")) == of(red("b: worse\na.py: bad\n"))
    mine, other = red("x", name="lint"), red("y", name="types")
    assert of(mine, other) == of(other, mine)


def test_gates_that_pass_or_only_advise_do_not_count():
    fine = red("noise 1", name="lint", verdict=Verdict.PASSED)
    advice = red("noise 2", name="types", advisory=True)
    assert of(red("bad"), fine, advice) == of(red("bad"))


def test_guard_findings_count_with_rule_and_path():
    def guard(path):
        return GuardResult("scope", Verdict.FAILED, (Finding("scope", path, f"{path} is outside"),))

    assert of(guards=[guard("a.py")]) == of(guards=[guard("a.py")])
    assert of(guards=[guard("a.py")]) != of(guards=[guard("b.py")])


def test_without_verdicts_outcome_and_summary_count():
    died = of(outcome=Outcome.AGENT_FAILED, summary="exit 1 after 3.2 s")
    assert died == of(outcome=Outcome.AGENT_FAILED, summary="exit 1 after 41.9 s")
    assert died != of(outcome=Outcome.LIMIT, summary="exit 1 after 3.2 s")
    assert died != of(outcome=Outcome.AGENT_FAILED, summary="program not found")


@given(st.text(max_size=300))
def test_any_output_has_a_fingerprint(text):
    assert len(fingerprint([red(text)], [], Outcome.REJECTED, text)) == 16


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1e4), st.floats(0, 1e4))
def test_numbers_never_matter(a, b, x, y):
    left, right = f"line {a}: got {x:.2f}s", f"line {b}: got {y:.2f}s"
    assert of(red(left)) == of(red(right))


@pytest.mark.parametrize(
    ("prints", "changed", "stuck"),
    [
        ([], [], False),
        (["a"], [True], False),
        (["a", "a"], [True, True], False),
        (["a", "a", "a"], [True, True, True], True),
        (["a", "b", "a", "a"], [True] * 4, False),
        (["b", "a", "a", "a"], [True] * 4, True),
        (["", "", ""], [True] * 3, False),
        (["a"], [False], False),
        (["a", "b"], [False, False], True),
        (["a", "b", "c"], [False, True, False], False),
        (["a", "b", "c"], [True, False, False], True),
    ],
)
def test_stuck(prints, changed, stuck):
    assert is_stuck(prints, changed) is stuck
