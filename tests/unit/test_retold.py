"""A source in other words: its comments are gone, what it does and its lines are not."""

from __future__ import annotations

import ast

import pytest

from ralph.verify.proof.retold import retold

END = "# the same in other words\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = 1  # one\n", "x = 1\n" + END),
        ("# fixed\nx = '# no'  # yes\n", "\nx = '# no'\n" + END),
        ("#!/usr/bin/env python\n# coding: utf-8\nx = []  # type: list[int]\n", None),
        ("x = 1 # a\r\n# b\r\n", "x = 1\r\n\r\n" + END),
        ("", END),
        ("x = 1", "x = 1\n" + END),
    ],
)
def test_python_loses_its_comments(old: str, new: str | None) -> None:
    assert retold(old.encode(), "a.py") == (old + END if new is None else new).encode()


def test_what_python_cannot_read_is_left_alone() -> None:
    assert retold(b"def f(:\n    '''", "a.py") is None
    assert retold(b"# coding: latin-1\nx = '\xe9'  # \xe9\n", "a.py") is None
    assert retold(b"text", "a.txt") is None


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (
            "a.js",
            "// fixed\nexport const a = '// no'; /* b\nc */ f();\n",
            "        \nexport const a = '// no';     \n     f();\n",
        ),
        ("a.ts", "// @ts-ignore\nlet a: number = 'b';\n", None),
        ("a.go", "package a\n\n//go:embed x\nvar b = 1 // one\n", "package a\n\n//go:embed x\nvar b = 1       \n"),
        ("a.go", 'package a\n\n// #include <x.h>\nimport "C"\n', None),
    ],
)
def test_other_languages_lose_theirs(path: str, old: str, new: str | None) -> None:
    made = retold(old.encode(), path)
    if 'import "C"' in old:
        assert made is None
    else:
        assert made == ((new or old) + "// the same in other words\n").encode()


def test_it_is_the_same_program() -> None:
    source = __import__("inspect").getsource(retold)
    made = retold(source.encode(), "a.py")
    assert made
    assert ast.dump(ast.parse(made)) == ast.dump(ast.parse(source))
