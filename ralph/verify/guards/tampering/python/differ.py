"""Where two expressions differ, and which differences follow from what the change does to the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ralph.verify.guards.tampering.python import nodes

Pair = tuple[ast.AST, ast.AST]


@dataclass(frozen=True, slots=True)
class Context:
    """What the change renames, moves and re-signs, in the product and in the test code."""

    gone: frozenset[str] = frozenset()
    """Names that were defined before and no longer are."""
    came: frozenset[str] = frozenset()
    resigned: frozenset[str] = frozenset()
    """Functions and classes whose parameters changed."""
    subclasses: frozenset[tuple[str, str]] = frozenset()
    """(class, base) for the classes that the change adds."""
    product: frozenset[str] = frozenset()
    """Functions and classes of the product that the change alters."""
    fixtures: frozenset[str] = frozenset()
    """Parameters of the new test that nothing in the change binds."""


def pairs(a: ast.AST, b: ast.AST) -> Iterator[Pair]:
    """The smallest parts that differ; none where the expressions are equal.

    What two versions of a fixture or a helper made is left out: it prepares the test, and is compared where it asserts.
    """
    yield from _pairs(a, b, top=True)


def _pairs(a: ast.AST, b: ast.AST, *, top: bool = False) -> Iterator[Pair]:
    if not top and nodes.from_support(a) and nodes.from_support(b):
        return
    if type(a) is not type(b):
        yield a, b
    elif isinstance(a, ast.Constant) and isinstance(b, ast.Constant):
        if type(a.value) is not type(b.value) or a.value != b.value:
            yield a, b
    elif isinstance(a, ast.Call) and isinstance(b, ast.Call) and not _same_shape(a, b):
        yield a, b
    else:
        yield from _in_fields(a, b)


def _same_shape(a: ast.Call, b: ast.Call) -> bool:
    return len(a.args) == len(b.args) and [one.arg for one in a.keywords] == [one.arg for one in b.keywords]


def _in_fields(a: ast.AST, b: ast.AST) -> Iterator[Pair]:
    for name in a._fields:
        one, other = getattr(a, name, None), getattr(b, name, None)
        if isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                yield a, b
                return
            for x, y in zip(one, other, strict=True):
                if isinstance(x, ast.AST) and isinstance(y, ast.AST):
                    yield from _pairs(x, y)
                elif x != y:
                    yield a, b
                    return
        elif isinstance(one, ast.AST) and isinstance(other, ast.AST):
            yield from _pairs(one, other)
        elif one != other:
            yield a, b
            return


def benign(pair: Pair, context: Context) -> bool:
    """Whether a difference follows from a rename, a moved module or a new signature in this change."""
    match pair:
        case ast.Name(a), ast.Name(b):
            return _renamed(a, b, context) or b in context.fixtures
        case ast.Attribute(value=x, attr=a), ast.Attribute(value=y, attr=b):
            return (a == b or _renamed(a, b, context)) and all(benign(one, context) for one in pairs(x, y))
        case ast.Attribute(attr=a), ast.Name(b) if a == b:
            return True
        case ast.Name(a), ast.Attribute(attr=b) if a == b:
            return True
        case ast.Call() as a, ast.Call() as b:
            return _same_call(a, b, context)
        case ast.Dict() as a, ast.Dict() as b:
            return _grown(a, b)
        case ((ast.Call() | ast.Attribute() | ast.Subscript()), ast.Name(b)):
            return b in context.fixtures
    return False


def _renamed(a: str, b: str, context: Context) -> bool:
    return a in context.gone and b in context.came


def _same_call(a: ast.Call, b: ast.Call, context: Context) -> bool:
    """The same function with the same values: by keyword instead of position, or with what its new signature asks."""
    if not all(benign(one, context) for one in pairs(a.func, b.func)):
        return False
    before = [ast.dump(one) for one in (*a.args, *(word.value for word in a.keywords))]
    after = [ast.dump(one) for one in (*b.args, *(word.value for word in b.keywords))]
    if sorted(before) == sorted(after):
        return before == after or len(a.args) != len(b.args) or len(set(before)) == len(before)
    if not {called(a), called(b)} & context.resigned:
        return False
    fewer, more = sorted((before, after), key=len)
    return all(fewer.count(one) <= more.count(one) for one in fewer)


def _grown(a: ast.Dict, b: ast.Dict) -> bool:
    """Data of a test with further entries, all old ones kept."""
    before, after = (
        {(ast.dump(k), ast.dump(v)) for k, v in zip(one.keys, one.values, strict=True) if k} for one in (a, b)
    )
    return before < after


def called(node: ast.Call) -> str:
    """Last name of the function that is called."""
    match node.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""
