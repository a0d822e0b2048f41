"""Assertions that can never fail, told from their form."""

from __future__ import annotations

import ast

from ralph.verify.guards.tampering.python import values

_MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "PropertyMock", "create_autospec"})
_RECORDED = frozenset(
    [
        "called",
        "call_count",
        "call_args",
        "call_args_list",
        "mock_calls",
        "method_calls",
        "await_count",
        "awaited",
        "await_args",
    ]
)


def why(written: ast.expr, meant: ast.expr) -> str:
    """Why the expression holds whatever the product does; empty where it may fail.

    ``written`` as it stands in the test, ``meant`` with its names resolved.
    """
    if values.truth(meant) is True or isinstance(meant, ast.JoinedStr | ast.Lambda):
        return "it asserts a constant"
    if isinstance(meant, ast.Tuple) and meant.elts:
        return "it asserts a tuple, which is always true"
    if isinstance(meant, ast.BoolOp) and isinstance(meant.op, ast.Or):
        return _disjunction(meant)
    if _same_on_both_sides(written, meant):
        return "both sides are the same"
    if _vacuous(meant):
        return "it holds for every value"
    return "it asserts a mock" if _only_mocks(meant) else ""


def _disjunction(node: ast.BoolOp) -> str:
    seen = set()
    for part in node.values:
        if values.truth(part) is True or why(part, part):
            return "one side of its `or` is always true"
        seen.add(ast.dump(part))
    negations = {ast.dump(negated(part)) for part in node.values}
    return "one side of its `or` negates the other" if seen & negations else ""


def negated(node: ast.expr) -> ast.expr:
    """The opposite of a condition, in its plainest form."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return positive(inner)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPPOSITE:
            return ast.Compare(left, [_OPPOSITE[type(op)]()], [right])
    return ast.UnaryOp(ast.Not(), node)


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Is: ast.Is,
    ast.IsNot: ast.IsNot,
}


def positive(node: ast.expr) -> ast.expr:
    """The condition without ``not`` where that can be, constants on the right, bool() taken off."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return negated(positive(inner))
        case ast.Call(func=ast.Name("bool"), args=[inner], keywords=[]):
            return positive(inner)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            if type(op) in _MIRRORED and is_literal(left) and not is_literal(right):
                return ast.Compare(right, [_MIRRORED[type(op)]()], [left])
    return node


def is_literal(node: ast.expr) -> bool:
    try:
        values.value(node)
    except values.NotLiteral:
        return False
    return True


def _same_on_both_sides(written: ast.expr, meant: ast.expr) -> bool:
    match written, meant:
        case ast.Compare(left=a, ops=[op], comparators=[b]), ast.Compare(left=x, comparators=[y]):
            if not isinstance(op, ast.Eq | ast.Is | ast.LtE | ast.GtE):
                return False
            if isinstance(a, ast.Name) and isinstance(b, ast.Name) and a.id != b.id:
                return False
            return ast.dump(x) == ast.dump(y) and not _makes_an_object(x) and not _makes_an_object(a)
    return False


def _makes_an_object(node: ast.expr) -> bool:
    """``Point(1) == Point(1)`` is an honest test of equality."""
    match node:
        case ast.Call(func=ast.Name("§var"), args=[inner]):
            return _makes_an_object(inner)
        case ast.Call(func=func):
            name = ast.unparse(func).rsplit(".", 1)[-1]
            return name in ("hash", "repr", "str") or name[:1].isupper()
    return False


def _vacuous(node: ast.expr) -> bool:
    match node:
        case ast.Compare(left=ast.Call(func=ast.Name("len")), ops=[ast.GtE()], comparators=[ast.Constant(0)]):
            return True
        case ast.Compare(left=ast.Call(func=ast.Name("len")), ops=[ast.Gt()], comparators=[ast.UnaryOp()]):
            return True
        case ast.Call(func=ast.Name("isinstance"), args=[_, ast.Name("object")]):
            return True
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return any(isinstance(one, ast.Name | ast.Attribute) and _last(one) == "ANY" for one in (left, right))
        case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.List(elts=elts) | ast.Tuple(elts=elts)]):
            return ast.dump(left) in {ast.dump(one) for one in elts}
    return False


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rsplit(".", 1)[-1]


def _only_mocks(node: ast.expr) -> bool:
    """A value that only a mock made here gives; what a mock recorded is a fact about its callers."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    if not names & _MOCKS or any(isinstance(one, ast.Attribute) and one.attr in _RECORDED for one in ast.walk(node)):
        return False
    return not {name for name in names - _MOCKS if not name.startswith("§") and name not in _HARMLESS}


_HARMLESS = frozenset({"len", "list", "str", "int", "isinstance", "dict", "sorted", "tuple", "set", "bool"})
