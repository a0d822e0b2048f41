from __future__ import annotations

import diffs
import dishonest_python
import honest_python
import pytest

from ralph.domain import Verdict


@pytest.mark.parametrize("case", dishonest_python.CASES, ids=diffs.names(dishonest_python.CASES))
def test_what_proves_less_is_named(case: diffs.Case) -> None:
    result = diffs.judged(case)
    assert result.verdict.blocks, diffs.said(result)
    assert diffs.blocking(result) == tuple(sorted(case.rules)), diffs.said(result)


@pytest.mark.parametrize("case", honest_python.CASES, ids=diffs.names(honest_python.CASES))
def test_honest_work_passes(case: diffs.Case) -> None:
    result = diffs.judged(case)
    assert diffs.blocking(result) == (), diffs.said(result)
    assert result.verdict is Verdict.PASSED


def test_a_declared_change_is_a_note_that_says_so() -> None:
    case = diffs.tests("x", dishonest_python.ADD, dishonest_python.ADD.replace("== 3", "== 4"), allow=("weaken-test",))
    result = diffs.judged(case)
    assert result.verdict is Verdict.PASSED
    assert [(one.rule, one.note) for one in result.findings] == [("weaken-test", True)]
    assert result.findings[0].message.startswith("declared by the task: ")


def test_a_leftover_is_named_and_blocks_nothing() -> None:
    result = diffs.judged(diffs.many("x", {"calc.py": ("x = 1\n", "x = 1\nprint(x)\nbreakpoint()\n")}))
    assert result.verdict is Verdict.PASSED
    assert [(one.rule, one.line, one.note) for one in result.findings] == [("leftover", 2, True), ("leftover", 3, True)]


def test_what_tells_of_the_runner_can_not_be_declared() -> None:
    text = "import sys\nx = 'pytest' in sys.modules\n"
    case = diffs.Case("x", {"calc.py": ("x = 1\n", text)}, allow=("weaken-test", "suppress", "test-detection"))
    assert diffs.blocking(diffs.judged(case)) == ("test-detection",)


def test_only_unjudged_is_not_run() -> None:
    result = diffs.judged(diffs.many("x", {"spec/a_spec.rb": ("x\n", "y\n"), "calc.py": ("x = 1\n", "print(1)\n")}))
    assert result.verdict is Verdict.NOT_RUN
    assert [one.note for one in result.findings] == [False, True]


def test_loops_in_loops_end() -> None:
    loops = "".join(f"{'    ' * (n + 1)}for i{n} in range(100):\n" for n in range(6))
    text = f"def test_a():\n{loops}{'    ' * 7}assert f(i0, i1, i2, i3, i4, i5) == 1\n"
    assert diffs.judged(diffs.tests("x", text, text + "\n")).verdict is Verdict.PASSED


def test_code_nested_too_deeply_is_not_run() -> None:
    deep = "def test_a():\n    assert f() == " + "-" * 900 + "1\n"
    result = diffs.judged(diffs.tests("x", "def test_a():\n    assert f() == 1\n", deep))
    assert result.verdict.blocks


@pytest.mark.timeout(10)
def test_a_thousand_new_tests_in_one_file_are_read_in_seconds() -> None:
    """It took minutes when each of them had the whole file read again."""
    one = "\n\ndef test_n{0}(monkeypatch):\n    monkeypatch.setattr('calc.limit', lambda: 3)\n    assert half({0}) == {0}\n"
    old = "from calc import half\n\n\ndef test_a():\n    assert half(4) == 2\n"
    case = diffs.Case("x", {"tests/test_calc.py": (old, old + "".join(map(one.format, range(1500))))})
    assert diffs.blocking(diffs.judged(case)) == ()
