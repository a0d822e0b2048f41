"""Honest changes of Python tests, which the guard lets through."""

from __future__ import annotations

from diffs import Case, many, tests
from dishonest_python import ADD, NEAR, ORDER, RAISES, TABLE, TWO, UNIT, one

CLASS = "class TestAdd:\n    def test_a(self):\n        assert add(1) == 1\n"
PRODUCT = "def add(a, b):\n    return a + b\n"
SHOP = "class Cart:\n    def __init__(self):\n        self.items = []\n"

CASES: list[Case] = [
    tests("new file", None, ADD),
    tests("new test", ADD, TWO),
    tests(
        "new test with a condition on the platform",
        ADD,
        ADD
        + "\n    @pytest.mark.skipif(sys.platform == 'win32', reason='posix')\n    def test_new():\n        assert add(2, 2) == 4\n",
    ),
    tests("new smoke test", ADD, ADD + "\n    def test_runs():\n        add(1, 1)\n"),
    tests(
        "new test of an exception",
        ADD,
        ADD + "\n    def test_bad():\n        with pytest.raises(TypeError):\n            add(None, 1)\n",
    ),
    tests("new test of equality", ADD, ADD + "\n    def test_eq():\n        assert Point(1, 2) == Point(1, 2)\n"),
    tests(
        "new test that two calls agree",
        ADD,
        ADD + "\n    def test_same():\n        a = add(1, 2)\n        b = add(1, 2)\n        assert a == b\n",
    ),
    tests(
        "new test with a mock of a collaborator",
        ADD,
        ADD
        + "\n    def test_mock():\n        send = Mock()\n        notify(send, 'x')\n        send.assert_called_once_with('x')\n",
    ),
    tests(
        "new test looks at what a mock recorded",
        ADD,
        ADD
        + "\n    def test_mock():\n        send = Mock()\n        notify(send, 'x')\n        assert send.call_args.args == ('x',)\n",
    ),
    tests(
        "new test with monkeypatched environment",
        ADD,
        ADD
        + "\n    def test_env(monkeypatch):\n        monkeypatch.setenv('HOME', '/x')\n        monkeypatch.setattr('time.sleep', lambda s: None)\n        assert add(1, 1) == 2\n",
    ),
    many(
        "new test patches a collaborator of the new function",
        {
            "shop/cart.py": (SHOP, SHOP + "\ndef fetch():\n    return 1\n\ndef load():\n    return fetch() + 1\n"),
            "tests/test_load.py": (
                None,
                "from shop import cart\n\ndef test_load(monkeypatch):\n    monkeypatch.setattr(cart, 'fetch', lambda: 4)\n    assert cart.load() == 5\n",
            ),
        },
    ),
    tests(
        "new parametrised test",
        ADD,
        ADD + "\n    @pytest.mark.parametrize('n', [1, 2])\n    def test_n(n):\n        assert add(n, 0) == n\n",
    ),
    tests(
        "new hypothesis test",
        ADD,
        ADD
        + "\n    @settings(max_examples=200)\n    @given(st.integers())\n    def test_n(n):\n        assert add(n, 0) == n\n",
    ),
    tests(
        "new fixture and a test for it",
        ADD,
        "    import pytest\n"
        + ADD
        + "\n    @pytest.fixture\n    def cart():\n        cart = Cart()\n        cart.add('x', 1)\n        return cart\n\n    def test_cart(cart):\n        assert cart.total == 1\n",
    ),
    tests(
        "new conftest fixture",
        None,
        "import pytest\n\n@pytest.fixture\ndef one():\n    return 1\n",
        path="tests/conftest.py",
    ),
    tests(
        "new autouse fixture for the environment",
        ADD,
        "    import pytest\n\n    @pytest.fixture(autouse=True)\n    def _env(monkeypatch):\n        monkeypatch.setenv('TZ', 'UTC')\n"
        + ADD,
    ),
    one("new case", TABLE, "(-1, 1, 0)", "(-1, 1, 0), (5, 5, 10)"),
    one("cases in another order", TABLE, "(1, 2, 3), (0, 0, 0)", "(0, 0, 0), (1, 2, 3)"),
    one("ids for the cases", TABLE, "(-1, 1, 0)])", "(-1, 1, 0)], ids=['a', 'b', 'c'])"),
    one("a case becomes a param with an id", TABLE, "(-1, 1, 0)", "pytest.param(-1, 1, 0, id='zero')"),
    tests("a single test becomes parametrised", ADD, TABLE),
    tests(
        "two tests become one with cases",
        TWO,
        "\n    import pytest\n    from calc import add\n\n    @pytest.mark.parametrize(('a', 'b', 'c'), [(1, 2, 3), (-1, -2, -3)])\n    def test_add(a, b, c):\n        assert add(a, b) == c\n",
    ),
    tests(
        "cases go into a constant",
        TABLE,
        "\n    import pytest\n    from calc import add\n\n    CASES = [(1, 2, 3), (0, 0, 0), (-1, 1, 0)]\n\n    @pytest.mark.parametrize('a, b, total', CASES)\n    def test_add(a, b, total):\n        assert add(a, b) == total\n",
    ),
    tests(
        "a loop becomes cases",
        "def test_a():\n    for n, m in [(1, 1), (2, 4)]:\n        assert sq(n) == m\n",
        "@pytest.mark.parametrize('n, m', [(1, 1), (2, 4)])\ndef test_a(n, m):\n    assert sq(n) == m\n",
    ),
    one("added assertion", ADD, "== 3", "== 3\n        assert add(2, 1) == 3"),
    one(
        "split and",
        "def test_a():\n    assert f(1) == 1 and f(2) == 2\n",
        "assert f(1) == 1 and f(2) == 2",
        "assert f(1) == 1\n    assert f(2) == 2",
    ),
    one("message added", ADD, "== 3", "== 3, 'sum'"),
    one("turned round", ADD, "add(1, 2) == 3", "3 == add(1, 2)"),
    one("local extracted", ADD, "assert add(1, 2) == 3", "result = add(1, 2)\n        assert result == 3"),
    one("expectation gets a name", ADD, "assert add(1, 2) == 3", "expected = 3\n        assert add(1, 2) == expected"),
    tests(
        "local renamed",
        "def test_a():\n    res = f(1)\n    assert res.a == 1\n    assert res.b == 2\n",
        "def test_a():\n    result = f(1)\n    assert result.a == 1\n    assert result.b == 2\n",
    ),
    tests(
        "loop variable renamed",
        "def test_a():\n    for x in things():\n        assert x.ok == 1\n",
        "def test_a():\n    for thing in things():\n        assert thing.ok == 1\n",
    ),
    tests(
        "comprehension variable renamed",
        "def test_a():\n    assert [x.id for x in all_of()] == [1]\n",
        "def test_a():\n    assert [one.id for one in all_of()] == [1]\n",
    ),
    tests(
        "with variable renamed",
        "def test_a(tmp_path):\n    with open(tmp_path / 'x') as f:\n        assert f.read() == 'a'\n",
        "def test_a(tmp_path):\n    with open(tmp_path / 'x') as handle:\n        assert handle.read() == 'a'\n",
    ),
    one(
        "mutated local renamed",
        ORDER,
        'cart = Cart()\n        cart.add("tea", 3)\n        assert cart.total == 3\n        assert cart.items == ["tea"]',
        'basket = Cart()\n        basket.add("tea", 3)\n        assert basket.total == 3\n        assert basket.items == ["tea"]',
    ),
    one("quotes", ORDER, '"tea", 3', "'tea', 3"),
    one(
        "black",
        ORDER,
        '        assert cart.items == ["tea"]',
        '        assert cart.items == [\n            "tea",\n        ]',
    ),
    one("annotation", ADD, "def test_add():", "def test_add() -> None:"),
    one("docstring", ADD, "def test_add():\n", 'def test_add():\n        """Adds."""\n'),
    one("comment", ADD, "== 3", "== 3  # the sum"),
    one("tighter: truthy to value", "def test_a():\n    assert f(1)\n", "f(1)", "f(1) == 4"),
    one("tighter: not None to value", "def test_a():\n    assert f(1) is not None\n", "is not None", "== 4"),
    one(
        "tighter: isinstance to value",
        "def test_a():\n    assert isinstance(f(1), int)\n",
        "isinstance(f(1), int)",
        "f(1) == 4",
    ),
    one(
        "tighter: length to list", "def test_a():\n    assert len(f(1)) == 2\n", "len(f(1)) == 2", "f(1) == ['a', 'b']"
    ),
    one("tighter: in to equal", "def test_a():\n    assert 'a' in f(1)\n", "'a' in f(1)", "f(1) == 'abc'"),
    one("tighter: bound to value", "def test_a():\n    assert f(1) > 0\n", "> 0", "== 5"),
    one("tighter bound", NEAR, "< 1e-9", "< 1e-12"),
    one("tighter rel", NEAR, "rel=1e-6", "rel=1e-9"),
    one(
        "narrower exception",
        "import pytest\n\ndef test_a():\n    with pytest.raises(Exception):\n        f(1)\n",
        "Exception",
        "KeyError",
    ),
    one(
        "match added",
        "import pytest\n\ndef test_a():\n    with pytest.raises(KeyError):\n        f(1)\n",
        "KeyError",
        "KeyError, match='x'",
    ),
    one(
        "mock assertion tighter",
        "def test_a():\n    m = Mock()\n    run(m)\n    m.assert_called_with(1)\n",
        "assert_called_with",
        "assert_called_once_with",
    ),
    one("skip removed", "@pytest.mark.skip\ndef test_a():\n    assert f(1) == 1\n", "@pytest.mark.skip\n", ""),
    one(
        "case enabled",
        "@pytest.mark.parametrize('n', [1, pytest.param(2, marks=pytest.mark.xfail)])\ndef test_a(n):\n    assert f(n) == n\n",
        "pytest.param(2, marks=pytest.mark.xfail)",
        "2",
    ),
    one(
        "more examples",
        "@settings(max_examples=10)\n@given(st.integers())\ndef test_a(n):\n    assert f(n) == n\n",
        "=10",
        "=500",
    ),
    one("assert True replaced", "def test_a():\n    assert True\n", "assert True", "assert f(1) == 1"),
    many("file renamed", {"tests/test_calc.py": (ADD, None), "tests/test_adding.py": (None, ADD)}),
    many(
        "tests moved between files",
        {
            "tests/test_calc.py": (TWO, ADD),
            "tests/test_negative.py": (
                None,
                "from calc import add\n\ndef test_negative():\n    assert add(-1, -2) == -3\n",
            ),
        },
    ),
    tests(
        "test renamed",
        ADD,
        "\n    from calc import add\n\n    def test_one_and_two():\n        assert add(1, 2) == 3\n",
    ),
    tests(
        "moved into a class",
        TWO,
        "\n    from calc import add\n\n    class TestAdd:\n        def test_add(self):\n            assert add(1, 2) == 3\n\n        def test_negative(self):\n            assert add(-1, -2) == -3\n",
    ),
    tests("moved out of a class", CLASS, "def test_a():\n    assert add(1) == 1\n"),
    one("class renamed", CLASS, "TestAdd", "TestAdding"),
    tests(
        "test split",
        ORDER,
        "\n    from shop.cart import Cart\n\n    def test_total():\n        cart = Cart()\n        cart.add('tea', 3)\n        assert cart.total == 3\n\n    def test_items():\n        cart = Cart()\n        cart.add('tea', 3)\n        assert cart.items == ['tea']\n",
    ),
    tests(
        "helper extracted",
        "def test_a():\n    r = get('/')\n    assert r.code == 200\n    assert r.body == 'x'\n",
        "def check(r, body):\n    assert r.code == 200\n    assert r.body == body\n\ndef test_a():\n    check(get('/'), 'x')\n",
    ),
    tests(
        "helper with any number of arguments extracted",
        "def test_run():\n    assert main(['show', 'a']) == 0\n",
        "def runs(*words):\n    assert main(list(words)) == 0\n\ndef test_run():\n    runs('show', 'a')\n",
    ),
    tests(
        "helper that hands its arguments on extracted",
        "def test_run():\n    assert add(1, 2) == 3\n",
        "def sums(wanted, *parts):\n    assert add(*parts) == wanted\n\ndef test_run():\n    sums(3, 1, 2)\n",
    ),
    tests(
        "helper inlined",
        "def check(r, body):\n    assert r.code == 200\n    assert r.body == body\n\ndef test_a():\n    check(get('/'), 'x')\n",
        "def test_a():\n    r = get('/')\n    assert r.code == 200\n    assert r.body == 'x'\n",
    ),
    many(
        "helper in another test file",
        {
            "tests/test_a.py": (
                "def test_a():\n    r = get('/')\n    assert r.code == 200\n",
                "from tests.checks import fine\n\ndef test_a():\n    fine(get('/'))\n",
            ),
            "tests/checks.py": (None, "def fine(r):\n    assert r.code == 200\n"),
        },
    ),
    tests(
        "predicate extracted",
        "def test_a():\n    assert get('/').code == 200\n",
        "def ok(r):\n    return r.code == 200\n\ndef test_a():\n    assert ok(get('/'))\n",
    ),
    tests(
        "fixture extracted",
        ORDER,
        "\n    import pytest\n    from shop.cart import Cart\n\n    @pytest.fixture\n    def cart():\n        return Cart()\n\n    def test_total(cart):\n        cart.add('tea', 3)\n        assert cart.total == 3\n        assert cart.items == ['tea']\n",
    ),
    tests(
        "fixture of a conftest that the change leaves alone",
        "def test_a():\n    assert Calc().add(1, 2) == 3\n",
        "def test_a(calc):\n    assert calc.add(1, 2) == 3\n",
    ),
    tests(
        "setUp extracted",
        "import unittest\n\nclass TestA(unittest.TestCase):\n    def test_a(self):\n        c = Calc()\n        self.assertEqual(c.add(1), 1)\n",
        "import unittest\n\nclass TestA(unittest.TestCase):\n    def setUp(self):\n        self.c = Calc()\n\n    def test_a(self):\n        self.assertEqual(self.c.add(1), 1)\n",
    ),
    tests(
        "unittest to pytest",
        UNIT,
        "\n    import pytest\n    from calc import add\n\n    def test_add():\n        assert add(1, 2) == 3\n        assert add(0.1, 0.2) == pytest.approx(0.3, abs=1e-12)\n        with pytest.raises(TypeError):\n            add(None, 1)\n",
    ),
    tests(
        "unittest to pytest, in the class",
        "import unittest\n\nclass TestA(unittest.TestCase):\n    def setUp(self):\n        self.c = Calc()\n\n    def test_a(self):\n        self.assertTrue(self.c.ok(1))\n        self.assertIsNone(self.c.get(2))\n        self.assertIn(3, self.c.all())\n        self.assertFalse(self.c.bad(1))\n",
        "class TestA:\n    def test_a(self):\n        c = Calc()\n        assert c.ok(1)\n        assert c.get(2) is None\n        assert 3 in c.all()\n        assert not c.bad(1)\n",
    ),
    tests(
        "try and fail becomes raises",
        "def test_a():\n    try:\n        f(1)\n    except KeyError:\n        pass\n    else:\n        pytest.fail('no error')\n",
        "def test_a():\n    with pytest.raises(KeyError):\n        f(1)\n",
    ),
    many(
        "a new argument",
        {
            "calc.py": (PRODUCT, "def add(a, b, mode):\n    return a + b\n"),
            "tests/test_calc.py": (ADD, ADD.replace("add(1, 2)", "add(1, 2, 'exact')")),
        },
    ),
    many("an argument by keyword", {"tests/test_calc.py": (ADD, ADD.replace("add(1, 2)", "add(1, b=2)"))}),
    many(
        "an argument removed",
        {
            "calc.py": ("def add(a, b, mode):\n    return a + b\n", PRODUCT),
            "tests/test_calc.py": (ADD.replace("add(1, 2)", "add(1, 2, 'exact')"), ADD),
        },
    ),
    many(
        "function renamed",
        {
            "calc.py": (PRODUCT, "def plus(a, b):\n    return a + b\n"),
            "tests/test_calc.py": (ADD, ADD.replace("add(1", "plus(1").replace("import add", "import plus")),
        },
    ),
    many(
        "method renamed",
        {
            "shop/cart.py": (
                "class Cart:\n    def total(self):\n        return 1\n",
                "class Cart:\n    def sum(self):\n        return 1\n",
            ),
            "tests/test_cart.py": (
                "from shop.cart import Cart\n\ndef test_a():\n    cart = Cart()\n    assert cart.total() == 1\n",
                "from shop.cart import Cart\n\ndef test_a():\n    cart = Cart()\n    assert cart.sum() == 1\n",
            ),
        },
    ),
    many(
        "module moved",
        {
            "calc.py": (PRODUCT, None),
            "math/adding.py": (None, PRODUCT),
            "tests/test_calc.py": (ADD, ADD.replace("from calc", "from math.adding")),
        },
    ),
    many(
        "constructor takes more",
        {
            "shop/cart.py": (SHOP, SHOP.replace("(self)", "(self, currency)")),
            "tests/test_cart.py": (ORDER, ORDER.replace("Cart()", "Cart('EUR')")),
        },
    ),
    many(
        "new subclass of the exception",
        {
            "calc.py": (
                "def div(a, b):\n    return a / b\n",
                "class Zero(ZeroDivisionError):\n    pass\n\ndef div(a, b):\n    raise Zero('zero')\n",
            ),
            "tests/test_div.py": (
                RAISES,
                RAISES.replace("raises(ZeroDivisionError", "raises(Zero").replace("import div", "import Zero, div"),
            ),
        },
    ),
    tests("import by module", ADD, "\n    import calc\n\n    def test_add():\n        assert calc.add(1, 2) == 3\n"),
    tests(
        "test data of a fixture grows",
        "@pytest.fixture\ndef row():\n    return {'a': 1}\n\ndef test_a(row):\n    assert f(row) == 1\n",
        "@pytest.fixture\ndef row():\n    return {'a': 1, 'b': 2}\n\ndef test_a(row):\n    assert f(row) == 1\n",
    ),
    tests("declared: changed expectation", ADD, ADD.replace("== 3", "== 4"), allow=("weaken-test",)),
    tests("declared: deleted", TWO, ADD, allow=("delete-test",)),
    tests("declared: skipped", ADD, ADD.replace("def test", "@pytest.mark.skip\n    def test"), allow=("skip-test",)),
    Case("declared: snapshot", {"tests/__snapshots__/a.ambr": ("a\n", "b\n")}, allow=("snapshot",)),
    Case("declared: suppression", {"calc.py": ("x = 1\n", "x = f()  # type: ignore\n")}, allow=("suppress",)),
    many(
        "suppression moved with its line",
        {"calc.py": ("import sys  # noqa: F401\nx = 1\n", "x = 1\nimport sys  # noqa: F401\n")},
    ),
    many(
        "suppression moved to another file",
        {
            "calc.py": ("import sys  # noqa: F401\nx = 1\n", "x = 1\n"),
            "shop/a.py": (None, "import sys  # noqa: F401\n"),
        },
    ),
    many(
        "line with a suppression edited",
        {"calc.py": ("x = f(1)  # type: ignore[arg-type]\n", "x = f(1, 2)  # type: ignore[arg-type]\n")},
    ),
    many("suppression narrowed", {"calc.py": ("x = f(1)  # type: ignore\n", "x = f(1)  # type: ignore[arg-type]\n")}),
    many("suppression only in a string", {"calc.py": ("x = 1\n", "x = '# noqa'\ny = '# type: ignore'\n")}),
    many("suppression removed", {"calc.py": ("x = 1  # noqa\n", "x = 1\n")}),
    many("print in a command line module", {"shop/cli.py": ("x = 1\n", "def main():\n    print('x')\n")}),
    many("print in a library is only named", {"shop/cart.py": ("x = 1\n", "x = 1\nprint(x)\n")}),
    many(
        "exit below __main__",
        {"shop/cart.py": ("x = 1\n", "import sys\nif __name__ == '__main__':\n    sys.exit(0)\n")},
    ),
    many("exit in a function", {"shop/cart.py": ("x = 1\n", "import sys\ndef main():\n    sys.exit(1)\n")}),
    many("atexit in the product", {"shop/cart.py": ("x = 1\n", "import atexit\natexit.register(print)\n")}),
    many(
        "equality of the product",
        {
            "shop/cart.py": (
                "x = 1\n",
                "class P:\n    def __eq__(self, other):\n        return isinstance(other, P) and self.x == other.x\n",
            )
        },
    ),
    many(
        "a module named like one of the library, in a package",
        {"shop/types.py": (None, "X = 1\n"), "shop/logging.py": (None, "X = 1\n")},
    ),
    many(
        "a test named after a module",
        {"tests/test_json.py": (None, "from calc import add\n\ndef test_a():\n    assert add(1, 1) == 2\n")},
    ),
    many("new snapshot beside a new test", {"tests/__snapshots__/test_b.ambr": (None, "a\n")}),
    many("snapshot with one more entry", {"tests/__snapshots__/test_b.ambr": ("# a\n1\n", "# a\n1\n# b\n2\n")}),
    many("test data with one more entry", {"tests/data/cases.json": ('{"a": 1}', '{"a": 1, "b": 2}')}),
    many("new test data", {"tests/data/new.json": (None, '{"a": 1}')}),
    many("golden file moved", {"tests/golden/a.txt": ("a\n", None), "tests/golden/b.txt": (None, "a\n")}),
    many("only the product", {"calc.py": (PRODUCT, "def add(a, b):\n    return b + a\n")}),
    many("a product file that does not parse is not this guard's", {"calc.py": (PRODUCT, "def add(:\n")}),
    many("a readme", {"README.md": ("a\n", "b  # noqa\n")}),
]
