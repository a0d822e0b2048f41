"""Which tests a change touched: by what is written in its test files."""

from __future__ import annotations

import pytest

from ralph.verify.proof.touched import TestFile, touched

IDS = {"tests/test_a.py::test_one": "passed", "tests/test_a.py::test_two": "passed", "tests/sub/test_b.py::t": "passed"}


@pytest.mark.parametrize(
    ("path", "replaced"),
    [
        ("tests/data/stock.json", set(IDS)),
        ("tests/sub/data/stock.json", {"tests/sub/test_b.py::t"}),
        ("tests/conftest.py", set(IDS)),
        ("testdata/deep/stock.json", set(IDS)),
    ],
)
def test_what_tests_read_stands_for_those_in_the_nearest_folder_that_has_some(path: str, replaced: set[str]) -> None:
    assert set(touched([TestFile(path, b"old = 1", b"new = 2")], IDS, IDS, None).replaced) == replaced


def test_only_the_functions_that_differ() -> None:
    old = b"def test_one():\n    assert 1\n\ndef test_two():\n    assert 2\n"
    found = touched([TestFile("tests/test_a.py", old, old.replace(b"2\n", b"3\n"))], IDS, IDS, None)
    assert found.altered == found.replaced == ("tests/test_a.py::test_two",)
