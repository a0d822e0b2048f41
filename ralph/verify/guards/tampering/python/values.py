"""Evaluates expressions made of literals alone, without running anything of the project."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import NoReturn

_COMPARE: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,  # type: ignore[dict-item]  # a TypeError of unlike operands is caught
    ast.LtE: operator.le,  # type: ignore[dict-item]
    ast.Gt: operator.gt,  # type: ignore[dict-item]
    ast.GtE: operator.ge,  # type: ignore[dict-item]
    ast.In: lambda a, b: a in b,  # type: ignore[operator]
    ast.NotIn: lambda a, b: a not in b,  # type: ignore[operator]
    ast.Is: lambda a, b: a is b,
    ast.IsNot: lambda a, b: a is not b,
}
_MATH: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_TYPES = {"int": int, "float": float, "str": str, "bytes": bytes, "list": list, "dict": dict, "tuple": tuple}
_TYPES |= {"set": set, "bool": bool, "object": object, "frozenset": frozenset}
_PLAIN: dict[str, Callable[[object], object]] = {
    "len": len,  # type: ignore[dict-item]
    "sorted": sorted,  # type: ignore[dict-item]
    "set": set,  # type: ignore[dict-item]
    "list": list,  # type: ignore[dict-item]
    "tuple": tuple,  # type: ignore[dict-item]
    "bool": bool,
    "str": str,
    "sum": sum,  # type: ignore[dict-item]
    "any": any,  # type: ignore[dict-item]
    "all": all,  # type: ignore[dict-item]
    "min": min,  # type: ignore[dict-item]
    "max": max,  # type: ignore[dict-item]
    "abs": abs,  # type: ignore[dict-item]
}
_METHODS = frozenset({"startswith", "endswith", "lower", "upper", "strip", "count", "split", "splitlines", "keys"})


class NotLiteral(Exception):
    """The expression holds more than literals."""


def truth(node: ast.expr) -> bool | None:
    """Whether a literal expression is true; None where it can't be told."""
    try:
        return bool(value(node))
    except NotLiteral:
        return None


def number(node: ast.expr) -> float | None:
    """The value of a numeric literal expression."""
    try:
        found = value(node)
    except NotLiteral:
        return None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def value(node: ast.expr) -> object:
    """What a literal expression evaluates to; raises NotLiteral."""
    try:
        return _value(node)
    except (TypeError, ValueError, KeyError, IndexError, ArithmeticError, RecursionError, AttributeError):
        raise NotLiteral from None


def _value(node: ast.expr) -> object:
    match node:
        case ast.Constant():
            return node.value
        case ast.List(elts=elts):
            return [_value(one) for one in elts]
        case ast.Tuple(elts=elts):
            return tuple(_value(one) for one in elts)
        case ast.Set(elts=elts):
            return {_value(one) for one in elts}
        case ast.Dict(keys=keys, values=values):
            return {_value(k) if k else _refuse(): _value(v) for k, v in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=op, operand=operand):
            return _unary(op, _value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _MATH:
            return _math(type(op), _value(left), _value(right))
        case ast.BoolOp(op=op, values=parts):
            found = [bool(_value(part)) for part in parts]
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared(_value(left), ops, [_value(one) for one in others])
        case ast.Subscript(value=inner, slice=ast.expr() as at) if not isinstance(at, ast.Slice):
            return _value(inner)[_value(at)]  # type: ignore[index]
        case ast.Call():
            return _called(node)
    return _refuse()


def _refuse() -> NoReturn:
    raise NotLiteral


def _unary(op: ast.unaryop, operand: object) -> object:
    match op:
        case ast.Not():
            return not operand
        case ast.USub() if isinstance(operand, int | float):
            return -operand
        case ast.UAdd():
            return operand
    return _refuse()


def _math(op: type[ast.operator], left: object, right: object) -> object:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _MATH[op](left, right)
    if op is ast.Add and isinstance(left, str) and isinstance(right, str):
        return left + right
    return _refuse()


def _compared(left: object, ops: list[ast.cmpop], others: list[object]) -> bool:
    for op, right in zip(ops, others, strict=True):
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _called(node: ast.Call) -> object:
    if node.keywords:
        _refuse()
    match node.func:
        case ast.Name("isinstance") if len(node.args) == 2 and isinstance(node.args[1], ast.Name):
            known = _TYPES.get(node.args[1].id) or _refuse()
            return isinstance(_value(node.args[0]), known)
        case ast.Name(name) if name in _PLAIN and len(node.args) == 1:
            return _PLAIN[name](_value(node.args[0]))
        case ast.Attribute(value=owner, attr=name) if name in _METHODS:
            text = _value(owner)
            if isinstance(text, str | dict | list):
                return getattr(text, name)(*(_value(arg) for arg in node.args))
    return _refuse()
