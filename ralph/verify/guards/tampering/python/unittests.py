"""Assertion methods of unittest, as the plain expressions that they claim."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

Args = Sequence[ast.expr]


def _compare(operator: type[ast.cmpop]) -> Callable[[Args], ast.expr]:
    return lambda args: ast.Compare(args[0], [operator()], [args[1]])


def _none(operator: type[ast.cmpop]) -> Callable[[Args], ast.expr]:
    return lambda args: ast.Compare(args[0], [operator()], [ast.Constant(None)])


def _function(name: str) -> Callable[[Args], ast.expr]:
    return lambda args: ast.Call(ast.Name(name, ast.Load()), list(args[:2]), [])


def _not(inner: Callable[[Args], ast.expr]) -> Callable[[Args], ast.expr]:
    return lambda args: ast.UnaryOp(ast.Not(), inner(args))


def _approximately(args: Args) -> ast.expr:
    near = ast.Call(ast.Name("approx", ast.Load()), [args[1]], [])
    return ast.Compare(args[0], [ast.Eq()], [near])


_EQUAL = _compare(ast.Eq)
_CLAIMS: dict[str, tuple[int, Callable[[Args], ast.expr]]] = {
    "assertTrue": (1, lambda args: args[0]),
    "assert_": (1, lambda args: args[0]),
    "assertFalse": (1, lambda args: ast.UnaryOp(ast.Not(), args[0])),
    "assertEqual": (2, _EQUAL),
    "assertEquals": (2, _EQUAL),
    "assertListEqual": (2, _EQUAL),
    "assertTupleEqual": (2, _EQUAL),
    "assertDictEqual": (2, _EQUAL),
    "assertSetEqual": (2, _EQUAL),
    "assertSequenceEqual": (2, _EQUAL),
    "assertMultiLineEqual": (2, _EQUAL),
    "assertNotEqual": (2, _compare(ast.NotEq)),
    "assertIs": (2, _compare(ast.Is)),
    "assertIsNot": (2, _compare(ast.IsNot)),
    "assertIn": (2, _compare(ast.In)),
    "assertNotIn": (2, _compare(ast.NotIn)),
    "assertGreater": (2, _compare(ast.Gt)),
    "assertGreaterEqual": (2, _compare(ast.GtE)),
    "assertLess": (2, _compare(ast.Lt)),
    "assertLessEqual": (2, _compare(ast.LtE)),
    "assertIsNone": (1, _none(ast.Is)),
    "assertIsNotNone": (1, _none(ast.IsNot)),
    "assertIsInstance": (2, _function("isinstance")),
    "assertNotIsInstance": (2, _not(_function("isinstance"))),
    "assertIsSubclass": (2, _function("issubclass")),
    "assertAlmostEqual": (2, _approximately),
    "assertAlmostEquals": (2, _approximately),
}
RAISING = {
    "assertRaises": 1,
    "assertRaisesRegex": 2,
    "assertRaisesRegexp": 2,
    "assertWarns": 1,
    "assertWarnsRegex": 2,
    "assertLogs": 1,
    "raises": 1,
    "warns": 1,
    "deprecated_call": 0,
}
"""Name to the number of arguments before the callable."""


def claimed(name: str, site: ast.Call) -> ast.expr | None:
    """The expression that an assertion method claims to be true; None where it is none of these."""
    known = _CLAIMS.get(name)
    if known is None:
        return None
    words = {word.arg: word.value for word in site.keywords}
    args = [*site.args, *(words[one] for one in ("first", "second", "expr", "member", "container") if one in words)]
    return known[1](args) if len(args) >= known[0] else None


def tolerances(name: str, site: ast.Call) -> dict[str, ast.expr]:
    """Tolerance arguments of ``assertAlmostEqual``."""
    if not name.startswith("assertAlmost"):
        return {}
    given = {word.arg: word.value for word in site.keywords if word.arg in ("places", "delta")}
    if len(site.args) > 2:
        given["places"] = site.args[2]
    return {name or "": value for name, value in given.items()}
