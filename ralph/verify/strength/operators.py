"""The faults that are planted: for each kind of node the small edits that a good test would notice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from ralph.verify.strength.source import Located, Source, last_name


class Family(StrEnum):
    """Kinds of faults, the most telling first."""

    COMPARISON = "comparison"
    """A boundary or a comparison moved: < to <=, == to !=, in to not in."""
    CONDITION = "condition"
    """A branch taken the other way round."""
    LOGIC = "logic"
    """and for or, a dropped not."""
    ARITHMETIC = "arithmetic"
    """Another operator: + for -, * for /."""
    RETURN = "return"
    """None instead of what was computed."""
    CONSTANT = "constant"
    """A number one larger, True for False, another string to compare with."""
    REMOVAL = "removal"
    """A statement left out that had an effect."""


class Edit(NamedTuple):
    """Bytes from ``start`` to ``end`` of the UTF-8 text that become ``after``."""

    start: int
    end: int
    after: bytes
    family: Family
    whole: bool = False
    """Whether it stands for the whole statement, on whichever of its lines the change was."""


_COMPARISONS = {
    ast.Lt: b"<=",
    ast.LtE: b"<",
    ast.Gt: b">=",
    ast.GtE: b">",
    ast.Eq: b"!=",
    ast.NotEq: b"==",
    ast.Is: b"is not",
    ast.IsNot: b"is",
    ast.In: b"not in",
    ast.NotIn: b"in",
}
_ARITHMETIC = {
    ast.Add: b"-",
    ast.Sub: b"+",
    ast.Mult: b"/",
    ast.Div: b"*",
    ast.FloorDiv: b"/",
    ast.Mod: b"*",
    ast.Pow: b"*",
    ast.LShift: b">>",
    ast.RShift: b"<<",
    ast.BitAnd: b"|",
    ast.BitOr: b"&",
    ast.BitXor: b"&",
}
_NEGATED_BY_COMPARISON = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_WORD = re.compile(
    rb"#[^\r\n]*|(is\s+not\b|not\s+in\b|is\b|in\b|and\b|or\b|\*\*=?|//=?|<<=?|>>=?|[<>=!]=|[-+*/%&|^@]=?|[<>])"
)
_LARGEST = 10**15


def edits(node: ast.AST, source: Source) -> Iterator[Edit]:
    """The faults that can be planted at ``node`` itself; its children are asked for theirs."""
    match node:
        case ast.Compare():
            yield from _compare(node, source)
        case ast.BoolOp(op=op, values=values):
            other = b"or" if isinstance(op, ast.And) else b"and"
            yield from _between_each(values, [other] * (len(values) - 1), Family.LOGIC, source)
        case ast.UnaryOp(op=ast.Not()):
            start, _ = source.span(node)
            yield Edit(start, start + 3, b"", Family.LOGIC)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC and not _text_or_type(node):
            yield from _between_each([left, right], [_ARITHMETIC[type(op)]], Family.ARITHMETIC, source)
        case ast.Constant(value=value):
            yield from _constant(node, value, source)
        case ast.Subscript(slice=ast.Constant(value=str(text)) as key):
            yield Edit(*source.span(key), repr(text + "_").encode(), Family.CONSTANT)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from _negation(test, source)
        case ast.comprehension(ifs=tests):
            for test in tests:
                yield from _negation(test, source)
        case ast.Return(value=ast.expr() as value) if not _trivial(value):
            yield Edit(*source.span(value), b"None", Family.RETURN, whole=True)
        case ast.stmt():
            yield from _statement(node, source)


def _compare(node: ast.Compare, source: Source) -> Iterator[Edit]:
    operands = [node.left, *node.comparators]
    yield from _between_each(operands, [_COMPARISONS[type(op)] for op in node.ops], Family.COMPARISON, source)
    for operand in operands:
        if isinstance(operand, ast.Constant) and isinstance(operand.value, str | bytes):
            value = operand.value
            other = repr(value + "_") if isinstance(value, str) else repr(value + b"_")
            yield Edit(*source.span(operand), other.encode(), Family.CONSTANT)


def _between_each(
    operands: Sequence[ast.expr], others: Sequence[bytes], family: Family, source: Source
) -> Iterator[Edit]:
    """Replace the operator between two operands each: only brackets, space and comments stand there besides."""
    for left, right, other in zip(operands, operands[1:], others, strict=False):
        if place := _operator(source, source.span(left)[1], source.span(right)[0]):
            yield Edit(*place, other, family)


def _operator(source: Source, start: int, end: int) -> tuple[int, int] | None:
    for found in _WORD.finditer(source.data, start, end):
        if found.group(1):
            return found.span(1)
    return None


def _text_or_type(node: ast.BinOp) -> bool:
    """Text put together, unions of types: another operator there is only a TypeError, which proves nothing."""
    text = any(
        isinstance(side, ast.JoinedStr | ast.List | ast.Tuple)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes | None))
        for side in (node.left, node.right)
    )
    names = [last_name(side) for side in (node.left, node.right)]
    return text or (
        isinstance(node.op, ast.BitOr) and all(name[:1].isupper() or name in _BUILT_IN_TYPES for name in names)
    )


_BUILT_IN_TYPES = frozenset(("int", "str", "float", "bool", "bytes", "list", "dict", "tuple", "set", "frozenset"))


def _constant(node: ast.Constant, value: object, source: Source) -> Iterator[Edit]:
    match value:
        case bool():
            other = str(not value)
        case int() | float() if abs(value) < _LARGEST:
            other = repr(value + 1)
        case _:
            return
    yield Edit(*source.span(node), other.encode(), Family.CONSTANT)


def _negation(test: ast.expr, source: Source) -> Iterator[Edit]:
    """The branch the other way round, where no other fault is the very same."""
    match test:
        case ast.Constant() | ast.UnaryOp(op=ast.Not()):
            return
        case ast.Compare(ops=[op]) if isinstance(op, _NEGATED_BY_COMPARISON):
            return
    yield Edit(*source.span(test), b"not (" + source.of(test) + b")", Family.CONDITION)


def _trivial(value: ast.expr) -> bool:
    """Whether returning None instead is no fault, or one that the constant's own already is."""
    return isinstance(value, ast.Constant) and not isinstance(value.value, str | bytes)


def _statement(node: ast.stmt, source: Source) -> Iterator[Edit]:
    match node:
        case ast.Break():
            yield Edit(*source.span(node), b"continue", Family.REMOVAL)
        case ast.Continue():
            yield Edit(*source.span(node), b"break", Family.REMOVAL)
        case ast.AugAssign(target=target, op=op, value=value):
            yield from _augmented(node, target, op, value, source)
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.Delete():
            yield _removed(node, source)
        case ast.Assign(targets=targets) if all(isinstance(one, ast.Attribute | ast.Subscript) for one in targets):
            yield _removed(node, source)


def _augmented(
    node: ast.AugAssign, target: ast.expr, op: ast.operator, value: ast.expr, source: Source
) -> Iterator[Edit]:
    other = _ARITHMETIC.get(type(op))
    text = isinstance(value, ast.JoinedStr | ast.List | ast.Tuple) or (
        isinstance(value, ast.Constant) and isinstance(value.value, str | bytes)
    )
    if other and not text and (place := _operator(source, source.span(target)[1], source.span(value)[0])):
        yield Edit(*place, other + b"=", Family.ARITHMETIC)
    yield _removed(node, source)


def _removed(node: Located, source: Source) -> Edit:
    return Edit(*source.span(node), b"pass", Family.REMOVAL, whole=True)
