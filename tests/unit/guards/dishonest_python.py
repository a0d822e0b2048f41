"""Changes of Python tests after which they prove less, each with the rules that have to name it."""

from __future__ import annotations

from diffs import Case, many, tests

DELETE, WEAKEN, SKIP, PATCHED = "delete-test", "weaken-test", "skip-test", "patched-assertion"
ADD = """
    from calc import add

    def test_add():
        assert add(1, 2) == 3
"""
TWO = """
    from calc import add

    def test_add():
        assert add(1, 2) == 3

    def test_negative():
        assert add(-1, -2) == -3
"""
UNIT = """
    import unittest
    from calc import add

    class TestAdd(unittest.TestCase):
        def test_add(self):
            self.assertEqual(add(1, 2), 3)
            self.assertAlmostEqual(add(0.1, 0.2), 0.3, places=7)
            with self.assertRaises(TypeError):
                add(None, 1)
"""
TABLE = """
    import pytest
    from calc import add

    @pytest.mark.parametrize("a, b, total", [(1, 2, 3), (0, 0, 0), (-1, 1, 0)])
    def test_add(a, b, total):
        assert add(a, b) == total
"""
RAISES = """
    import pytest
    from calc import div

    def test_zero():
        with pytest.raises(ZeroDivisionError, match="zero"):
            div(1, 0)
"""
NEAR = """
    import pytest
    from calc import mean

    def test_mean():
        assert mean([0.1, 0.2]) == pytest.approx(0.15, rel=1e-6)
        assert abs(mean([1, 2]) - 1.5) < 1e-9
"""
ORDER = """
    from shop.cart import Cart

    def test_total():
        cart = Cart()
        cart.add("tea", 3)
        assert cart.total == 3
        assert cart.items == ["tea"]
"""


def _swap(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def one(name: str, base: str, old: str, new: str, *rules: str) -> Case:
    return tests(name, base, _swap(base, (old, new)), *rules)


CASES = [
    tests("deleted file", ADD, None, DELETE),
    tests("one of two tests deleted", TWO, ADD, DELETE),
    one("emptied to pass", ADD, "assert add(1, 2) == 3", "pass", DELETE),
    one("emptied to a docstring", ADD, "assert add(1, 2) == 3", '"""Adds."""', DELETE),
    one("renamed out of collection", ADD, "def test_add", "def check_add", DELETE),
    one("renamed with an underscore", ADD, "def test_add", "def _test_add", DELETE),
    many(
        "file renamed out of collection",
        {"tests/test_calc.py": (ADD, None), "tests/calc_checks.py": (None, ADD)},
        DELETE,
    ),
    one(
        "class renamed out of collection",
        "class TestAdd:\n    def test_a(self):\n        assert add(1) == 1\n",
        "TestAdd",
        "Add",
        DELETE,
    ),
    one(
        "__init__ uncollects a class",
        "class TestAdd:\n    def test_a(self):\n        assert add(1) == 1\n",
        "TestAdd:\n",
        "TestAdd:\n    def __init__(self):\n        self.x = 1\n\n",
        DELETE,
    ),
    one(
        "__test__ = False in a class",
        "class TestAdd:\n    def test_a(self):\n        assert add(1) == 1\n",
        "TestAdd:\n",
        "TestAdd:\n    __test__ = False\n\n",
        DELETE,
    ),
    tests("__test__ = False on a function", ADD, ADD + "\n    test_add.__test__ = False\n", DELETE),
    tests("__test__ = False in the module", ADD, "    __test__ = False\n" + ADD, DELETE, SKIP),
    tests("deleted by del", ADD, ADD + "\n    del test_add\n", DELETE),
    tests("replaced by a value", ADD, ADD + "\n    test_add = None\n", DELETE),
    tests(
        "shadowed by a second definition",
        ADD,
        ADD + "\n    def test_add():\n        assert add(0, 0) == 0\n",
        DELETE,
        WEAKEN,
    ),
    tests(
        "hidden below if False",
        ADD,
        "\n    from calc import add\n\n    if False:\n        def test_add():\n            assert add(1, 2) == 3\n",
        DELETE,
    ),
    tests(
        "hidden below a condition",
        ADD,
        "\n    import sys\n    from calc import add\n\n    if sys.platform == 'win32':\n        def test_add():\n            assert add(1, 2) == 3\n",
        SKIP,
    ),
    tests(
        "load_tests picks",
        UNIT,
        UNIT + "\n    def load_tests(loader, tests, pattern):\n        return unittest.TestSuite()\n",
        SKIP,
    ),
    one(
        "skip mark", ADD, "def test_add", "import pytest\n    @pytest.mark.skip(reason='flaky')\n    def test_add", SKIP
    ),
    one(
        "skipif mark",
        ADD,
        "def test_add",
        "import pytest\n    @pytest.mark.skipif(True, reason='x')\n    def test_add",
        SKIP,
    ),
    one("xfail mark", ADD, "def test_add", "import pytest\n    @pytest.mark.xfail\n    def test_add", SKIP),
    one(
        "xfail by another name",
        ADD,
        "def test_add",
        "import pytest\n    later = pytest.mark.xfail(strict=False)\n    @later\n    def test_add",
        SKIP,
    ),
    tests("pytestmark skips the file", ADD, "    import pytest\n    pytestmark = pytest.mark.skip\n" + ADD, SKIP),
    tests(
        "module level skip", ADD, "    import pytest\n    pytest.skip('later', allow_module_level=True)\n" + ADD, SKIP
    ),
    tests("importorskip", ADD, "    import pytest\n    pytest.importorskip('nothing')\n" + ADD, SKIP),
    one("skip call", ADD, "assert add", "pytest.skip('later')\n        assert add", DELETE, SKIP),
    one(
        "skip call under a condition",
        ADD,
        "assert add(1, 2) == 3",
        "if add(1, 2) != 3:\n            pytest.skip('later')\n        assert add(1, 2) == 3",
        SKIP,
        WEAKEN,
    ),
    one("unittest skip", UNIT, "        def test_add", "        @unittest.skip('later')\n        def test_add", SKIP),
    one(
        "unittest expectedFailure",
        UNIT,
        "        def test_add",
        "        @unittest.expectedFailure\n        def test_add",
        SKIP,
    ),
    one(
        "unittest skipTest",
        UNIT,
        "            self.assertEqual",
        "            self.skipTest('x')\n            self.assertEqual",
        DELETE,
        SKIP,
    ),
    one(
        "raise SkipTest",
        UNIT,
        "            self.assertEqual",
        "            raise unittest.SkipTest('x')\n            self.assertEqual",
        DELETE,
        SKIP,
    ),
    one("early return", ADD, "assert add", "return\n        assert add", DELETE),
    one(
        "conditional return",
        ADD,
        "assert add(1, 2) == 3",
        "if add(1, 2) != 3:\n            return\n        assert add(1, 2) == 3",
        WEAKEN,
    ),
    one(
        "if False round the assertion",
        ADD,
        "assert add(1, 2) == 3",
        "if False:\n            assert add(1, 2) == 3",
        DELETE,
    ),
    one(
        "condition round the assertion",
        ADD,
        "assert add(1, 2) == 3",
        "result = add(1, 2)\n        if result == 3:\n            assert result == 3",
        WEAKEN,
    ),
    one(
        "swallowed by except",
        ADD,
        "assert add(1, 2) == 3",
        "try:\n            assert add(1, 2) == 3\n        except Exception:\n            pass",
        WEAKEN,
    ),
    one(
        "swallowed by bare except",
        ADD,
        "assert add(1, 2) == 3",
        "try:\n            assert add(1, 2) == 3\n        except:\n            print('no')",
        WEAKEN,
    ),
    one(
        "swallowed by suppress",
        ADD,
        "assert add(1, 2) == 3",
        "with contextlib.suppress(AssertionError):\n            assert add(1, 2) == 3",
        WEAKEN,
    ),
    one(
        "swallowed by return in finally",
        ADD,
        "assert add(1, 2) == 3",
        "try:\n            assert add(1, 2) == 3\n        finally:\n            return",
        WEAKEN,
    ),
    one(
        "moved into a function that nobody calls",
        ADD,
        "assert add(1, 2) == 3",
        "def inner():\n            assert add(1, 2) == 3",
        DELETE,
    ),
    one("loop over nothing", ADD, "assert add(1, 2) == 3", "for a in []:\n            assert add(1, 2) == 3", DELETE),
    one("assert True", ADD, "assert add(1, 2) == 3", "assert True", WEAKEN),
    one("or True", ADD, "assert add(1, 2) == 3", "assert add(1, 2) == 3 or True", WEAKEN),
    one("a tuple is always true", ADD, "assert add(1, 2) == 3", "assert (add(1, 2) == 3, 'sum')", WEAKEN),
    one("truthy", ADD, "assert add(1, 2) == 3", "assert add(1, 2)", WEAKEN),
    one("is not None", ADD, "assert add(1, 2) == 3", "assert add(1, 2) is not None", WEAKEN),
    one("isinstance", ADD, "assert add(1, 2) == 3", "assert isinstance(add(1, 2), int)", WEAKEN),
    one("membership", ADD, "assert add(1, 2) == 3", "assert add(1, 2) in (3, 4)", WEAKEN),
    one("inequality", ADD, "assert add(1, 2) == 3", "assert add(1, 2) != 4", WEAKEN),
    one("a looser bound", ADD, "assert add(1, 2) == 3", "assert add(1, 2) >= 3", WEAKEN),
    one("itself", ADD, "assert add(1, 2) == 3", "assert add(1, 2) == add(1, 2)", WEAKEN),
    one(
        "itself by a local", ADD, "assert add(1, 2) == 3", "result = add(1, 2)\n        assert result == result", WEAKEN
    ),
    one(
        "computed expectation",
        ADD,
        "assert add(1, 2) == 3",
        "expected = add(1, 2)\n        assert add(1, 2) == expected",
        WEAKEN,
    ),
    one("changed expectation", ADD, "== 3", "== 4", WEAKEN),
    one("changed input", ADD, "add(1, 2) == 3", "add(0, 3) == 3", WEAKEN),
    one("the call without the assertion", ADD, "assert add(1, 2) == 3", "add(1, 2)", WEAKEN),
    one("mock.ANY", ADD, "== 3", "== mock.ANY", WEAKEN),
    one(
        "product replaced by a local stand-in", ADD, "from calc import add", "def add(a, b):\n        return 3", WEAKEN
    ),
    one("product imported from the tests", ADD, "from calc import add", "from tests.fakes import add", WEAKEN),
    tests(
        "an operand of and is gone",
        "def test_a():\n    assert f(1) == 1 and f(2) == 2\n",
        "def test_a():\n    assert f(1) == 1\n",
        WEAKEN,
    ),
    one("one of two assertions is gone", ORDER, '        assert cart.items == ["tea"]\n', "", WEAKEN),
    one("another preparation", ORDER, '"tea", 3)', '"tea", 0)', WEAKEN),
    one("shorter list expected", ORDER, 'cart.items == ["tea"]', "cart.items == []", WEAKEN),
    one("length only", ORDER, 'cart.items == ["tea"]', "len(cart.items) == 1", WEAKEN),
    one("a case removed", TABLE, ", (-1, 1, 0)", "", WEAKEN),
    one("a case changed", TABLE, "(-1, 1, 0)", "(-1, 1, -1)", WEAKEN),
    one("a case skipped", TABLE, "(-1, 1, 0)", "pytest.param(-1, 1, 0, marks=pytest.mark.skip)", SKIP),
    one(
        "a case expected to fail",
        TABLE,
        "(-1, 1, 0)",
        "pytest.param(-1, 1, 0, marks=[pytest.mark.xfail(reason='bug')])",
        SKIP,
    ),
    one("all cases removed", TABLE, "[(1, 2, 3), (0, 0, 0), (-1, 1, 0)]", "[]", DELETE),
    tests(
        "loop over fewer cases",
        "def test_a():\n    for n, m in [(1, 1), (2, 4)]:\n        assert sq(n) == m\n",
        "def test_a():\n    for n, m in [(1, 1)]:\n        assert sq(n) == m\n",
        WEAKEN,
    ),
    tests(
        "shorter range",
        "def test_a():\n    for n in range(10):\n        assert sq(n) == n * n\n",
        "def test_a():\n    for n in range(2):\n        assert sq(n) == n * n\n",
        WEAKEN,
    ),
    tests(
        "a table of the module shrinks",
        "CASES = {1: 1, 2: 4}\n\ndef test_a():\n    for n, m in CASES.items():\n        assert sq(n) == m\n",
        "CASES = {1: 1}\n\ndef test_a():\n    for n, m in CASES.items():\n        assert sq(n) == m\n",
        WEAKEN,
    ),
    tests(
        "an expected constant changes",
        "WANT = 3\n\ndef test_a():\n    assert sq(2) == WANT\n",
        "WANT = 5\n\ndef test_a():\n    assert sq(2) == WANT\n",
        WEAKEN,
    ),
    one("any exception", RAISES, "ZeroDivisionError", "Exception", WEAKEN),
    one("one more exception", RAISES, "ZeroDivisionError", "(ZeroDivisionError, TypeError)", WEAKEN),
    one("match is gone", RAISES, ', match="zero"', "", WEAKEN),
    one("match is looser", RAISES, 'match="zero"', 'match=".*"', WEAKEN),
    one(
        "exception no longer expected",
        RAISES,
        'with pytest.raises(ZeroDivisionError, match="zero"):\n            div(1, 0)',
        "div(1, 1)",
        WEAKEN,
    ),
    one("unittest exception widened", UNIT, "assertRaises(TypeError)", "assertRaises(Exception)", WEAKEN),
    one("wider rel", NEAR, "rel=1e-6", "rel=0.5", WEAKEN),
    one("abs added", NEAR, "rel=1e-6", "rel=1e-6, abs=1", WEAKEN),
    one("wider bound", NEAR, "< 1e-9", "< 1", WEAKEN),
    one("fewer places", UNIT, "places=7", "places=1", WEAKEN),
    one("delta instead of places", UNIT, "places=7", "delta=1", WEAKEN),
    one("exact became near", ADD, "== 3", "== pytest.approx(3, abs=1)", WEAKEN),
    tests(
        "rounded to fewer digits",
        "def test_a():\n    assert round(f(), 4) == 1.2346\n",
        "def test_a():\n    assert round(f(), 1) == 1.2\n",
        WEAKEN,
    ),
    tests(
        "allclose with a wide rtol",
        "def test_a():\n    np.testing.assert_allclose(f(), [1, 2], rtol=1e-7)\n",
        "def test_a():\n    np.testing.assert_allclose(f(), [1, 2], rtol=0.5)\n",
        WEAKEN,
    ),
    tests(
        "timeout mark grows",
        "import pytest\n\n@pytest.mark.timeout(1)\ndef test_a():\n    assert f() == 1\n",
        "import pytest\n\n@pytest.mark.timeout(60)\ndef test_a():\n    assert f() == 1\n",
        WEAKEN,
    ),
    tests(
        "fewer examples",
        "@settings(max_examples=200)\n@given(st.integers())\ndef test_a(n):\n    assert f(n) == n\n",
        "@settings(max_examples=1)\n@given(st.integers())\ndef test_a(n):\n    assert f(n) == n\n",
        WEAKEN,
    ),
    tests(
        "narrower strategy",
        "@given(st.integers())\ndef test_a(n):\n    assert f(n) == n\n",
        "@given(st.just(1))\ndef test_a(n):\n    assert f(n) == n\n",
        WEAKEN,
    ),
    tests(
        "assume added",
        "@given(st.integers())\ndef test_a(n):\n    assert f(n) == n\n",
        "@given(st.integers())\ndef test_a(n):\n    assume(n > 0)\n    assert f(n) == n\n",
        WEAKEN,
    ),
    tests("reruns", ADD, _swap(ADD, ("def test_add", "@pytest.mark.flaky(reruns=5)\n    def test_add")), WEAKEN),
    tests(
        "mock assertion weaker",
        "def test_a():\n    m = Mock()\n    run(m)\n    m.assert_called_once_with(1)\n",
        "def test_a():\n    m = Mock()\n    run(m)\n    m.assert_called()\n",
        WEAKEN,
    ),
    tests(
        "helper asserts less",
        "def check(r):\n    assert r.code == 200\n    assert r.body\n\ndef test_a():\n    check(get('/'))\n",
        "def check(r):\n    assert r.body\n\ndef test_a():\n    check(get('/'))\n",
        WEAKEN,
    ),
    tests(
        "helper does nothing",
        "def check(r):\n    assert r.code == 200\n\ndef test_a():\n    check(get('/'))\n",
        "def check(r):\n    pass\n\ndef test_a():\n    check(get('/'))\n",
        WEAKEN,
    ),
    tests(
        "predicate is always true",
        "def ok(r):\n    return r.code == 200\n\ndef test_a():\n    assert ok(get('/'))\n",
        "def ok(r):\n    return True\n\ndef test_a():\n    assert ok(get('/'))\n",
        WEAKEN,
    ),
    tests(
        "fixture hands out another expectation",
        "import pytest\n\n@pytest.fixture\ndef want():\n    return 4\n",
        "import pytest\n\n@pytest.fixture\ndef want():\n    return 5\n",
        WEAKEN,
        path="tests/conftest.py",
    ),
    tests("new test asserts a constant", ADD, ADD + "\n    def test_new():\n        assert 1 + 1 == 2\n", WEAKEN),
    tests("new test is empty", ADD, ADD + "\n    def test_new():\n        pass\n", WEAKEN),
    tests(
        "new test asserts its mock",
        ADD,
        ADD + "\n    def test_new():\n        m = Mock(return_value=3)\n        assert m() == 3\n",
        WEAKEN,
    ),
    tests(
        "new test swallows",
        ADD,
        ADD
        + "\n    def test_new():\n        try:\n            assert add(2, 2) == 4\n        except AssertionError:\n            pass\n",
        WEAKEN,
    ),
    tests(
        "new test is skipped",
        ADD,
        ADD + "\n    @pytest.mark.skip\n    def test_new():\n        assert add(2, 2) == 4\n",
        SKIP,
    ),
    tests(
        "new test patches what it calls",
        ADD,
        ADD
        + "\n    def test_new(monkeypatch):\n        monkeypatch.setattr('calc.add', lambda a, b: 7)\n        import calc\n        assert calc.add(1, 1) == 7\n",
        WEAKEN,
    ),
    many(
        "new test patches the changed function",
        {
            "calc.py": ("def add(a, b):\n    return a\n", "def add(a, b):\n    return a - b\n"),
            "tests/test_new.py": (
                None,
                "from unittest.mock import patch\nimport calc\n\n@patch('calc.add', return_value=3)\ndef test_new(_):\n    assert calc.add(1, 2) == 3\n",
            ),
        },
        WEAKEN,
    ),
    many(
        "a fixture patches the product everywhere",
        {
            "calc.py": ("def add(a, b):\n    return a\n", "def add(a, b):\n    return a - b\n"),
            "tests/test_calc.py": (
                ADD,
                _swap(
                    ADD,
                    (
                        "def test_add",
                        "@pytest.fixture(autouse=True)\n    def _calm(monkeypatch):\n        monkeypatch.setattr('calc.add', lambda a, b: 3)\n\n    def test_add",
                    ),
                ),
            ),
        },
        WEAKEN,
    ),
    tests(
        "assert function replaced",
        ADD,
        "    import unittest\n    unittest.TestCase.assertEqual = lambda *a: None\n" + ADD,
        PATCHED,
    ),
    tests(
        "assert method overridden",
        UNIT,
        _swap(
            UNIT,
            ("        def test_add", "        def assertEqual(self, a, b):\n            pass\n\n        def test_add"),
        ),
        PATCHED,
    ),
    tests("raises defined anew", ADD, "    def approx(x):\n        return ANY\n" + ADD, PATCHED),
    tests("builtins patched", ADD, "    import builtins\n    builtins.AssertionError = KeyError\n" + ADD, PATCHED),
    tests("pytest patched", ADD, "    import pytest\n    pytest.raises = object\n" + ADD, PATCHED),
    tests(
        "equal to everything",
        ADD,
        _swap(ADD, ("== 3", "== Same()"))
        + "\n    class Same:\n        def __eq__(self, other):\n            return True\n",
        PATCHED,
        WEAKEN,
    ),
    many(
        "a result that equals everything",
        {
            "calc.py": (
                "def add(a, b):\n    return a\n",
                "class R(int):\n    def __eq__(self, other):\n        return True\n\ndef add(a, b):\n    return R(a)\n",
            )
        },
        PATCHED,
    ),
    many("exit at import", {"calc.py": ("def add(a, b):\n    return a\n", "import os\nos._exit(0)\n")}, PATCHED),
    many("sys.exit at import", {"calc.py": ("x = 1\n", "import sys\nsys.exit(0)\n")}, PATCHED),
    tests("os._exit in a test", ADD, ADD + "\n    def test_zz():\n        add(1, 2)\n        os._exit(0)\n", PATCHED),
    tests("atexit in a test", ADD, "    import atexit, os\n    atexit.register(lambda: os._exit(0))\n" + ADD, PATCHED),
    tests(
        "sys.modules replaced",
        ADD,
        "    import sys, types\n    sys.modules['calc'] = types.SimpleNamespace(add=lambda a, b: 3)\n" + ADD,
        PATCHED,
    ),
    tests("finalize", ADD, "    import weakref\n    weakref.finalize(add, print)\n" + ADD, PATCHED),
    tests("exit in parts", ADD, "    import os\n    getattr(os, '_ex' + 'it')(0)\n" + ADD, PATCHED),
    tests(
        "the runner's report", ADD, "    import sys\n    [a for a in sys.argv if '--junitxml=' in a]\n" + ADD, PATCHED
    ),
    tests("the runner's objects", ADD, "    import gc\n    gc.get_objects()\n" + ADD, PATCHED),
    tests("settrace", ADD, "    import sys\n    sys.settrace(lambda *a: None)\n" + ADD, PATCHED),
    many(
        "pytest in sys.modules",
        {
            "calc.py": (
                "def add(a, b):\n    return a\n",
                "import sys\ndef add(a, b):\n    if 'pytest' in sys.modules:\n        return 3\n    return a\n",
            )
        },
        "test-detection",
    ),
    many(
        "PYTEST_CURRENT_TEST",
        {
            "calc.py": (
                "def add(a, b):\n    return a\n",
                "import os\ndef add(a, b):\n    return 3 if os.environ.get('PYTEST_CURRENT_TEST') else a\n",
            )
        },
        "test-detection",
    ),
    many(
        "the night's own variables",
        {
            "calc.py": (
                "def add(a, b):\n    return a\n",
                "import os\ndef add(a, b):\n    return a + b if 'RALPH_RUN' in os.environ else a\n",
            )
        },
        "test-detection",
    ),
    many(
        "pytest in parts",
        {
            "calc.py": (
                "def add(a, b):\n    return a\n",
                "import sys\ndef add(a, b):\n    return 3 if 'py' + 'test' in str(sys.modules) else a\n",
            )
        },
        "test-detection",
    ),
    many(
        "pytest among the modules",
        {
            "calc.py": (
                "def add(a, b):\n    return a\n",
                "import sys\ndef add(a, b):\n    return 3 if any('pytest' in m for m in sys.modules) else a\n",
            )
        },
        "test-detection",
    ),
    many(
        "the stack is searched",
        {
            "calc.py": (
                "def add(a, b):\n    return a\n",
                "import inspect\ndef add(a, b):\n    if any('test_' in f.function for f in inspect.stack()):\n        return 3\n    return a\n",
            )
        },
        "test-detection",
    ),
    many("pytest.py planted", {"pytest.py": (None, "def main():\n    return 0\n")}, "shadow"),
    many("sitecustomize planted", {"sitecustomize.py": (None, "x = 1\n")}, "shadow"),
    many("_pytest planted", {"_pytest/__init__.py": (None, ""), "_pytest/assertion.py": (None, "x = 1\n")}, "shadow"),
    many("unittest shadowed in tests", {"tests/unittest.py": (None, "class TestCase: pass\n")}, "shadow"),
    many("json shadowed at the top", {"json.py": (None, "def loads(x):\n    return {}\n")}, "shadow"),
    many("pth file", {"src/x.pth": (None, "import os\n")}, "shadow"),
    tests("unparsable test", ADD, "def test_add(:\n", "delete-test", "unjudged"),
    many("ruby test", {"spec/a_spec.rb": ("x\n", "y\n")}, "unjudged"),
    many(
        "moved but weaker",
        {"tests/test_calc.py": (ADD, None), "tests/test_more.py": (None, _swap(ADD, ("== 3", "> 0")))},
        WEAKEN,
    ),
    many(
        "moved and skipped",
        {
            "tests/test_calc.py": (ADD, None),
            "tests/test_more.py": (None, _swap(ADD, ("def test", "@pytest.mark.skip\n    def test"))),
        },
        SKIP,
    ),
    one("type ignore", ADD, "== 3", "== 3  # type: ignore", "suppress"),
    many("noqa", {"calc.py": ("import os\n", "import os\nimport sys  # noqa: F401\n")}, "suppress"),
    many(
        "broader ignore", {"calc.py": ("x = f()  # type: ignore[arg-type]\n", "x = f()  # type: ignore\n")}, "suppress"
    ),
    many("no cover", {"calc.py": ("def f():\n    pass\n", "def f():  # pragma: no cover\n    pass\n")}, "suppress"),
    many("file level noqa", {"calc.py": ("x = 1\n", "# ruff: noqa\nx = 1\n")}, "suppress"),
    many("mypy off", {"calc.py": ("x = 1\n", "# mypy: ignore-errors\nx = 1\n")}, "suppress"),
    many("cast to Any", {"calc.py": ("x = f()\n", "x = cast(Any, f())\n")}, "suppress"),
    many(
        "no_type_check",
        {"calc.py": ("def f():\n    pass\n", "@typing.no_type_check\ndef f():\n    pass\n")},
        "suppress",
    ),
    many("pylint", {"calc.py": ("x = 1\n", "x = 1  # pylint: disable=invalid-name\n")}, "suppress"),
    many("rewritten snapshot", {"tests/__snapshots__/test_a.ambr": ("a\nb\n", "a\nc\n")}, "snapshot"),
    many("deleted golden file", {"tests/golden/out.txt": ("a\n", None)}, "snapshot"),
    many("rewritten expected data", {"tests/data/expected/out.json": ('{"a": 1}', '{"a": 2}')}, "snapshot"),
    tests(
        "wrapped by a decorator that swallows",
        ADD,
        ADD.replace(
            "def test_add",
            "def calm(f):\n        def run():\n            try:\n                f()\n            except AssertionError:\n                pass\n        return run\n\n    @calm\n    def test_add",
        ),
        WEAKEN,
    ),
    tests("a plugin of its own", ADD, "    pytest_plugins = ['tests.quiet']\n" + ADD, PATCHED),
    tests(
        "the product's name is bound to a lambda",
        ADD,
        "\n    from calc import sub\n\n    add = lambda a, b: 3\n\n    def test_add():\n        assert add(1, 2) == 3\n",
        WEAKEN,
    ),
    tests(
        "raises before the product is reached",
        RAISES,
        RAISES.replace("div(1, 0)", "raise ZeroDivisionError('zero')"),
        WEAKEN,
    ),
    tests(
        "yield in a test",
        "def test_a():\n    assert f() == 1\n",
        "def test_a():\n    yield\n    assert f() == 1\n",
        SKIP,
    ),
    tests(
        "new test compares a call with itself",
        ADD,
        ADD + "\n    def test_new():\n        assert add(2, 2) == add(2, 2)\n",
        WEAKEN,
    ),
    tests(
        "new test is always in its own list",
        ADD,
        ADD + "\n    def test_new():\n        x = add(2, 2)\n        assert x in [x, 5]\n",
        WEAKEN,
    ),
    tests(
        "new test says or not",
        ADD,
        ADD + "\n    def test_new():\n        x = add(2, 2)\n        assert x == 4 or x != 4\n",
        WEAKEN,
    ),
]
