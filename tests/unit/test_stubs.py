"""What a change adds, with its names kept and its life taken out."""

from __future__ import annotations

import ast

import pytest

from ralph.verify.proof.stubs import names, stub

NOT = 'throw new Error("not implemented");'


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("a.py", "", "def f(x):\n    return x\n", "def f(x):\n    raise NotImplementedError\n    return x\n"),
        ("a.py", "", "def f(x): return x\n", "def f(x): raise NotImplementedError; return x\n"),
        ("a.py", "", 'def f():\n    """Doc."""\n    return 1\n', None),
        ("a.py", "def f(): pass\n", "def f(): return 1\n", "unchanged"),
        ("a.py", "K = 1\n", "K = 2\nL = [1,\n 2]\n", "K = 2\nL = object()\n"),
        ("a.py", "", "class E(Enum):\n    A = 1\n", "class E(Enum):\n    A = object()\n"),
        ("a.py", "", "class P(NamedTuple):\n    x: int\n    y: int = 2\n", "class P(NamedTuple):\n    pass\n"),
        ("a.py", "class C:\n    x = 1\n", "class C:\n    x = 1\n    def m(self): return 1\n", None),
        ("a.js", "function a(){}", "function a(){}\nb = (x) => x;", "unchanged"),
        ("a.js", "", "let b = (x) => x;", f"let b = (x) => {{ {NOT} }};"),
        ("a.ts", "", "class C { m(): number { return 1 } }\n", f"class C {{ m(): number {{{NOT} return 1 }} }}\n"),
        ("a.js", "", "export const K = 3;\n", "export const K = Symbol();\n"),
        ("a.go", "package a\n", "package a\nfunc F() int { return 1 }\n", None),
        ("a.rs", "", "fn f() -> i32 { 1 }\n", None),
        ("A.java", "", "class A { int f() { return 1; } }\n", None),
        ("a.rb", "", "def f; end\n", "unchanged"),
        ("a.py", "", "def f(:\n", "unchanged"),
        ("a.js", "", "function (\n", "unchanged"),
    ],
)  # fmt: skip
def test_a_stub(path: str, old: str, new: str, expected: str | None) -> None:
    made = stub(old.encode(), new.encode(), path)
    if expected == "unchanged":
        assert made is None
    elif expected is None:
        assert (made is not None and b"mplemented" in made) or b"Unsupported" in (made or b"")
        assert len(made or b"") > len(new)
    else:
        assert made is not None and made.decode() == expected


def test_a_stub_still_loads_and_fails_only_when_it_is_called() -> None:
    source = b"""
from dataclasses import dataclass

def ready(): return True

@dataclass
class Point:
    x: int = 0

class Shape:
    def area(self):
        "Doc."
        return 1

async def later():
    yield 1
"""
    made = stub(b"def ready(): return True\n", source, "shapes.py")
    space: dict[str, object] = {"__name__": __name__}
    exec(compile(made or b"", "shapes.py", "exec"), space)
    assert space["ready"]() is True  # type: ignore[operator]
    with pytest.raises(NotImplementedError):
        space["Point"](1)  # type: ignore[operator]
    with pytest.raises(NotImplementedError):
        space["Shape"]().area()  # type: ignore[operator]


def test_names_of_a_source() -> None:
    assert names(b"A = 1\ndef f(): pass\nclass C:\n    def m(self): pass\n", "a.py") == {"A", "f", "C", "m"}
    assert names(b"class C { m() {} }\nfunction g() {}\n", "a.js") == {"m", "g"}
    assert names(None, "a.py") == frozenset()
    assert names(b"def f(:", "a.py") is None


@pytest.mark.parametrize("ending", ["\r", "\r\n", "\n"])
def test_lines_end_as_python_reads_them(ending: str) -> None:
    new = ending.join(["def a():", "    return 1", "", "def b():", "    'Say.'", "    return 2", ""]).encode()
    made = stub(b"def a():\n    return 1\n", new, "a.py")
    assert made
    assert ast.unparse(ast.parse(made)).splitlines()[-2:] == ["    raise NotImplementedError", "    return 2"]
