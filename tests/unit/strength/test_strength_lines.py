from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.verify.strength.lines import changed_lines, executable


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, b"a\nb\n", {1, 2}),
        (b"a\nb\n", b"a\nb\n", set()),
        (b"a\nb\nc\n", b"a\nx\nc\n", {2}),
        (b"a\nc\n", b"a\nb\nc\n", {2}),
        (b"a\nb\nc\n", b"a\nc\n", set()),
        (b"a\nb", b"a\r\nb\r\n", set()),
        (b"x\nx\n", b"x\nx\nx\n", {3}),
        (
            b"def f():\n    1\n\ndef g():\n    2\n",
            b"def f():\n    1\n\ndef h():\n    3\n\ndef g():\n    2\n",
            {4, 5, 6},
        ),
    ],
)
def test_changed_lines_are_numbers_of_the_new_file(old: bytes | None, new: bytes, expected: set[int]) -> None:
    assert changed_lines(old, new) == expected


@given(st.lists(st.sampled_from([b"a", b"b", b"", b"c"]), max_size=12), st.lists(st.sampled_from([b"a", b"b", b""])))
def test_what_is_left_unchanged_is_the_old_files_in_its_order(old: list[bytes], new: list[bytes]) -> None:
    changed = changed_lines(b"".join(line + b"\n" for line in old), b"".join(line + b"\n" for line in new))
    rest = iter(old)
    assert all(line in rest for number, line in enumerate(new, start=1) if number not in changed)


@pytest.mark.timeout(10)
def test_a_file_of_equal_lines_is_all_changed_rather_than_compared_for_ever() -> None:
    count = 60_000
    lines = [random.Random(7).choice([b"a", b"b"]) for _ in range(count)]
    new = b"\n".join([b"new", *reversed(lines), b"newer"])
    assert changed_lines(b"\n".join(lines), new) == frozenset(range(1, count + 3))


SOURCE = b'''"""What it holds."""
import os
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from a import b
LIMIT = 5
total: int
total = 0

@cached(
    size=3,
)
def f(
    a,
    b=1,
):
    """Say it."""
    global total
    try:
        x = call(
            a,
            b,
        )
    except ValueError as error:
        raise KeyError from error
    while True:
        if (
            a
            and b
        ):
            break
        else:
            pass
    match x:
        case 1:
            return 2
    with open(a) as one, \\
         open(b) as two:
        yield one

class C:
    """A thing."""
    size: int = 3
    async def g(self): return 1

if __name__ == "__main__":
    f()
'''


def test_executable_are_the_statements_that_a_test_can_reach() -> None:
    found = executable(SOURCE, range(1, 100))
    assert found is not None
    assert [(one.first, one.last, one.function) for one in found] == [
        (6, 6, ""),
        (8, 8, ""),
        (20, 23, "f"),
        (24, 24, "f"),
        (25, 25, "f"),
        (27, 30, "f"),
        (31, 31, "f"),
        (34, 34, "f"),
        (36, 36, "f"),
        (37, 38, "f"),
        (39, 39, "f"),
        (43, 43, "C"),
        (44, 44, "C.g"),
    ]


def test_a_change_inside_a_statement_is_one_of_that_statement_alone() -> None:
    found = executable(SOURCE, {22, 17, 40})
    assert found is not None
    assert [(one.first, one.last) for one in found] == [(20, 23)]


@pytest.mark.parametrize(
    "source", [b"def f(:\n", b"\0", b"# coding: nonsense\n", b"\xff", b"(" * 5000, b"x" * 3_000_000]
)
def test_what_is_no_python_is_not_judged(source: bytes) -> None:
    assert executable(source, {1}) is None
