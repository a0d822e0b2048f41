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


@pytest.mark.parametrize(
    ("code", "all_of_them"),
    [
        ("def test_new():\n    assert 1\n", False),
        ("import tally\n\nLIMIT = 3\npytestmark = pytest.mark.slow\n", False),
        ("@pytest.fixture\ndef shelf():\n    return {}\n", False),
        ("def test_new(monkeypatch):\n    monkeypatch.setattr(tally, 'x', 1)\n", False),
        ("class TestNew:\n    def setup_method(self):\n        self.x = 1\n", False),
        ("def test_new():\n    shelf = {}\n    shelf['a'] = 1\n", False),
        ("import tally.stats\n\ntally.stats.share = lambda: 3\n", True),
        ("import tally\n\ndef test_aaa():\n    tally.share = 3\n", True),
        ("def test_one():\n    pass\n\ntest_one.__code__ = None\n", True),
        ("@pytest.fixture(autouse=True)\ndef quiet(request):\n    pass\n", True),
        ("@pytest.fixture\ndef quiet(request):\n    request.node.obj = print\n", True),
        ("def test_aaa():\n    setattr(tally, 'x', 1)\n", True),
        ("def pytest_runtest_call(item):\n    pass\n", True),
        ("share = 1\n\ndef setup_function():\n    pass\n", True),
        ("def test_new():\n    global share\n    share = 3\n", True),
        ("for one in (1, 2):\n    print(one)\n", True),
        ("import sys\n\nsys.modules['x'] = None\n", True),
        ("not python", True),
    ],
)
@pytest.mark.parametrize("old", [None, b"import pytest\n"])
def test_code_that_reaches_other_tests_has_all_of_them_run_as_they_were(
    code: str, all_of_them: bool, old: bytes | None
) -> None:
    new = (old or b"") + code.encode()
    found = touched([TestFile("tests/sub/test_c.py", old, new)], IDS, IDS, None)
    assert (set(found.replaced) == set(IDS)) is all_of_them


_OWN = b"""import unittest
from tally import share

class C(unittest.TestCase):
    def test_one(self):
        share(1)
"""
_OWN_IDS = {"tests/test_c.py::C::test_one": "passed", "tests/test_d.py::test_other": "passed"}


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("", "share = print\n", True),
        ("", "def share(part):\n    return part\n", True),
        ("from tally import share", "from tests.fake import share", True),
        ("    def test_one", "    def setUp(self):\n        self.assertEqual = print\n\n    def test_one", True),
        ("    def test_one", "    assertEqual = print\n\n    def test_one", True),
        ("    def test_one", "    def test_two(self):\n        share(2)\n\n    def test_one", False),
        ("", "def helper():\n    return share(4)\n\ndef test_three():\n    helper()\n", False),
        ("", "LIMIT = 4\n", False),
    ],
)
def test_new_code_that_changes_what_old_tests_use_has_their_file_run_as_it_was(old: str, new: str, again: bool) -> None:
    text = _OWN.decode()
    changed = text.replace(old, new) if old else text + "\n" + new
    found = touched([TestFile("tests/test_c.py", _OWN, changed.encode())], _OWN_IDS, _OWN_IDS, None)
    assert set(found.replaced) == ({"tests/test_c.py::C::test_one"} if again else set())
