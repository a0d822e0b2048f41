from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import pytest

from ralph.verify.strength.mutate import Mutation, choose, mutated, mutations
from ralph.verify.strength.operators import Family

EVERY = range(1, 2000)


def found(source: str | bytes, lines: range | set[int] = EVERY) -> tuple[Mutation, ...]:
    data = source if isinstance(source, bytes) else source.encode()
    result = mutations("m.py", data, lines)
    assert result is not None
    for mutation in result:
        changed = mutated(data, mutation)
        assert changed is not None, mutation
        same = [a == b for a, b in zip(data.split(b"\n"), changed.split(b"\n"), strict=False)]
        assert same.count(False) >= 1
    return result


def after(source: str) -> list[tuple[str, str]]:
    return [(one.family.value, one.after) for one in found(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", [("comparison", "x = a <= b")]),
        ("x = a <= b < c", [("comparison", "x = a < b < c"), ("comparison", "x = a <= b <= c")]),
        ("x = a is not b", [("comparison", "x = a is b")]),
        ("x = a not  in b", [("comparison", "x = a in b")]),
        ("x = (a) == (b)", [("comparison", "x = (a) != (b)")]),
        ("x = a == 'on'", [("comparison", "x = a != 'on'"), ("constant", "x = a == 'on_'")]),
        ("x = a and b and c", [("logic", "x = a or b and c"), ("logic", "x = a and b or c")]),
        ("x = not a", [("logic", "x = a")]),
        ("x = a + b", [("arithmetic", "x = a - b")]),
        ("x = a // b % c", [("arithmetic", "x = a / b % c"), ("arithmetic", "x = a // b * c")]),
        ("x = a ** b", [("arithmetic", "x = a * b")]),
        ("x = 9", [("constant", "x = 10")]),
        ("RATE = 2", [("constant", "RATE = 3")]),
        ("UNITS = {'h': 60}", [("constant", "UNITS = {'h': 61}")]),
        ("x = 0x10", [("constant", "x = 17")]),
        ("x = 1.5", [("constant", "x = 2.5")]),
        ("x = True", [("constant", "x = False")]),
        ("x = d['k']", [("constant", "x = d['k_']")]),
        ("x = a if b else c", [("condition", "x = a if not (b) else c")]),
        ("x = [a for a in b if a]", [("condition", "x = [a for a in b if not (a)]")]),
        ("x -= a", [("removal", "pass"), ("arithmetic", "x += a")]),
        ("if a: b = c", [("condition", "if not (a): b = c")]),
        ("if a == b: b = c", [("comparison", "if a != b: b = c")]),
        ("while a(b): b = c", [("condition", "while not (a(b)): b = c")]),
        ("def f(): return a", [("return", "def f(): return None")]),
        ("def f(): return False", [("constant", "def f(): return True")]),
        ("def f(): return None", []),
        ("a.append(b)", [("removal", "pass")]),
        ("a.b = c", [("removal", "pass")]),
        ("raise A(1 + 2, 'x' == y)", [("removal", "pass")]),
        ("for a in b: break", [("removal", "for a in b: continue")]),
    ],
)
def test_each_family_plants_its_faults(source: str, expected: list[tuple[str, str]]) -> None:
    assert after(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""Say 1 + 2."""',
        "__all__ = ['a', 'b']",
        "__version__ = 3",
        "import a",
        "assert a < 3, 'less than 3'",
        "log.debug('x %d', a + 1)",
        "self._logger.info(1 + 1)",
        "logging.getLogger(a).setLevel(10)",
        "warnings.warn(a, stacklevel=2)",
        "time.sleep(0.5)",
        "def f(self, timeout=5, *, level=10): pass",
        "def __repr__(self): return a + b",
        "x: Literal[3] | None",
        "def f(x: Literal[3]) -> Literal[4]: ...",
        "@lru_cache(maxsize=128)\ndef f(): ...",
        "@retry(3)\ndef f(): ...",
        "@overload\ndef f(x=3): ...",
        "x = f'{a + 1}'",
        "x = 'a' + b",
        "x = 'a %s' % b",
        "Number = int | float",
        "Maybe = A | None",
        "if TYPE_CHECKING:\n    x = 3",
        "if __name__ == '__main__':\n    x = 3",
        "if sys.version_info >= (3, 12):\n    pass",
        "x = cast(Literal[3], y)",
        "x = None",
        "x = 'text'",
        "MOST = 200",
        "_LIMIT: Final = 10 * 1024",
        "x = 10000000000000000000000000",
    ],
)
def test_what_good_tests_rightly_miss_is_left_alone(source: str) -> None:
    assert found(source) == ()


def test_only_the_given_lines_are_touched() -> None:
    source = "def f(a, b):\n    if a < b:\n        return a + 1\n    return b\n"
    assert {one.line for one in found(source)} == {2, 3, 4}
    assert {one.line for one in found(source, {3})} == {3}
    whole = "def f(a):\n    return call(\n        a,\n        other,\n    )\n"
    assert [(one.line, one.family) for one in found(whole, {4})] == [(4, Family.RETURN)]


def test_everything_else_stays_byte_for_byte() -> None:
    source = "# -*- coding: latin-1 -*-\r\nx = 'h\xe9' ;y = (a  # < is meant\r\n     <   b)\r\n\tz = 1".replace(
        "\t", ""
    )
    data = source.encode("latin-1")
    (moved, constant) = found(data)
    assert mutated(data, moved) == data.replace(b"<   b", b"<=   b")
    assert mutated(data, constant) == data.replace(b"z = 1", b"z = 2")
    assert moved.before == "<   b)".replace("   ", " ")
    assert mutated(b"\xef\xbb\xbfx = 1\n", found(b"\xef\xbb\xbfx = 1\n")[0]) == b"\xef\xbb\xbfx = 2\n"


def test_a_fault_knows_its_function() -> None:
    source = "class C:\n    def f(self):\n        def g():\n            return a\n        return g\n"
    assert [one.function for one in found(source)] == ["C.f.g", "C.f"]


def test_choice_spreads_over_functions_and_lines_and_is_always_the_same() -> None:
    long = "def f(a):\n" + "".join(f"    b{n} = a + {n} < {n}\n" for n in range(20))
    source = long + "def g(a):\n    return a\n\ndef h(a):\n    return a < 1\n"
    everything = found(source)
    chosen = choose(everything, 6)
    assert [one.function for one in chosen] == ["f", "g", "h", "f", "h", "f"]
    assert len({one.line for one in chosen if one.function == "f"}) == 3
    assert chosen == choose(tuple(reversed(everything)), 6)
    assert choose(everything, 0) == ()
    assert set(choose(everything, 1000)) == set(everything)


@pytest.mark.parametrize("name", ["textwrap.py", "heapq.py", "dataclasses.py"])
def test_on_real_sources_every_chosen_fault_is_python_and_differs(name: str) -> None:
    source = Path(sysconfig.get_path("stdlib"), name).read_bytes()
    everything = mutations(name, source, range(1, 5000))
    assert everything is not None
    assert len(everything) > 50
    for mutation in choose(everything, 25):
        changed = mutated(source, mutation)
        assert changed is not None
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_what_is_no_python_has_no_faults() -> None:
    assert mutations("m.py", b"def f(:", {1}) is None
