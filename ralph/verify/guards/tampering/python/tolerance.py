"""How much an assertion forgives: taken out of the expression, so that the rest can be compared."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ralph.verify.guards.tampering.python import values
from ralph.verify.guards.tampering.python.nodes import made

Tolerances = tuple[tuple[str, float | str], ...]

_WORDS = frozenset({"rel", "abs", "rtol", "atol", "rel_tol", "abs_tol", "delta", "places", "decimal", "nan_ok"}) | {
    "tolerance",
    "significant",
    "msec_tolerance",
    "check_exact",
    "timeout",
}
_TIGHTER_IS_MORE = frozenset({"places", "decimal", "significant"})
_DEFAULTS = {"approx": 0.0, "rel": 1e-6, "abs": 1e-12, "rtol": 1e-7, "atol": 0.0, "rel_tol": 1e-9, "abs_tol": 0.0}
_DEFAULTS |= {"delta": 0.0, "places": 7.0, "decimal": 6.0, "significant": 7.0, "nan_ok": 0.0}
_FORGIVING = frozenset({"approx", "isclose", "allclose"})
_POSITIONS = {"approx": ("rel", "abs"), "assert_allclose": ("", "rtol", "atol"), "allclose": ("", "rtol", "atol")}
_POSITIONS |= {"assert_almost_equal": ("", "decimal"), "assert_array_almost_equal": ("", "decimal")}


def taken(meant: ast.expr) -> tuple[ast.expr, Tolerances]:
    """The expression without its tolerances, and the tolerances by name."""
    found: dict[str, float | str] = {}
    plain = _Taker(found).visit(meant) if _has_any(meant) else meant
    assert isinstance(plain, ast.expr)
    return plain, tuple(sorted(found.items()))


def measured(given: Mapping[str, ast.expr]) -> Tolerances:
    return tuple(sorted((name, _measure(value)) for name, value in given.items()))


def wider(old: Tolerances, new: Tolerances) -> list[str]:
    """The names of the tolerances that forgive more than before."""
    before, after = dict(old), dict(new)
    return [name for name in sorted(before.keys() | after.keys()) if _wider(name, before, after)]


def _wider(name: str, before: Mapping[str, float | str], after: Mapping[str, float | str]) -> bool:
    if name not in _DEFAULTS and not (name in before and name in after):
        return False
    if name == "places" and "delta" in after:
        return False
    old, new = (side.get(name, _DEFAULTS.get(name, 0.0)) for side in (before, after))
    if isinstance(old, str) or isinstance(new, str):
        return old != new
    return new < old if name in _TIGHTER_IS_MORE else new > old


def _measure(value: ast.expr) -> float | str:
    number = values.number(value)
    if number is not None:
        return number
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return float(value.value)
    return ast.dump(value)


def _has_any(node: ast.expr) -> bool:
    return any(
        isinstance(one, ast.Call) and (_name(one) in _POSITIONS or _name(one) in _FORGIVING or one.keywords)
        for one in ast.walk(node)
    )


def _name(node: ast.Call) -> str:
    match node.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


class _Taker(ast.NodeTransformer):
    def __init__(self, found: dict[str, float | str]) -> None:
        self.found = found

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Make new nodes: the old ones are shared."""
        fields = {name: self._fresh(value) for name, value in ast.iter_fields(node)}
        return made(node, fields)

    def _fresh(self, value: object) -> object:
        if isinstance(value, list):
            return [self._fresh(one) for one in value]
        return self.visit(value) if isinstance(value, ast.AST) else value

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = _name(node)
        args = list(node.args)
        words = {word.arg: word.value for word in node.keywords if word.arg in _WORDS}
        for at, word in enumerate(_POSITIONS.get(name, ()), start=1):
            if word and len(args) > at:
                words[word] = args[at]
        if name in _POSITIONS:
            args = args[: 1 + _POSITIONS[name].count("")]
        for known, value in words.items():
            self.found[known or ""] = _measure(value)
        if name == "approx":
            self.found["approx"] = 1.0
            if len(args) == 1:
                return self._copy(args[0])
        kept = [ast.keyword(word.arg, self._copy(word.value)) for word in node.keywords if word.arg not in _WORDS]
        return ast.Call(self._copy(node.func), [self._copy(arg) for arg in args], kept)

    def _copy(self, node: ast.expr) -> ast.expr:
        made = self.visit(node)
        assert isinstance(made, ast.expr)
        return made
