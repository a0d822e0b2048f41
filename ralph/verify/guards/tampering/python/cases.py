"""The cases of a parametrised test, or of a loop over literals, as rows of resolved values."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence

from ralph.verify.guards.tampering.python import values
from ralph.verify.guards.tampering.python.differ import called
from ralph.verify.guards.tampering.python.module import Test
from ralph.verify.guards.tampering.python.resolve import Env, World, bound, resolve

MOST = 120
"""Rows beyond which a test is compared row by row instead of claim by claim."""

Row = tuple[Env, str, ast.expr | None]
"""Names to values, the text of the row, its marks."""


def of_test(test: Test, world: World) -> list[list[Row]]:
    """One list of rows for each ``parametrize`` (or ``given``) round the test."""
    found = []
    for mark in test.marks:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("parametrize"):
            found.append(list(_rows(mark, world)))
    return found


def _rows(mark: ast.Call, world: World) -> Iterator[Row]:
    words = {word.arg: word.value for word in mark.keywords}
    names_at = mark.args[0] if mark.args else words.get("argnames")
    values_at = mark.args[1] if len(mark.args) > 1 else words.get("argvalues")
    if names_at is None or values_at is None:
        return
    names = _names(names_at)
    table = resolve(values_at, {}, world)
    rows = elements(table)
    if rows is None:
        yield {name: bound(table, f"§{name}") for name in names}, ast.dump(table), None
        return
    for row in rows:
        yield _row(names, row)


def _names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [name.strip() for name in node.value.split(",") if name.strip()]
    if isinstance(node, ast.Tuple | ast.List):
        return [str(one.value) for one in node.elts if isinstance(one, ast.Constant)]
    return []


def _row(names: Sequence[str], row: ast.expr) -> Row:
    marks = None
    parts = [row]
    if isinstance(row, ast.Call) and called(row) == "param":
        marks = next((word.value for word in row.keywords if word.arg == "marks"), None)
        parts = list(row.args)
    elif len(names) > 1 and isinstance(row, ast.Tuple | ast.List):
        parts = list(row.elts)
    env = dict(zip(names, parts, strict=False))
    return env, ", ".join(ast.dump(part) for part in parts), marks


def elements(node: ast.expr) -> list[ast.expr] | None:
    """The elements that a loop over a literal, a literal range, or a literal's items() goes through."""
    match node:
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            return None if any(isinstance(one, ast.Starred) for one in elts) else list(elts)
        case ast.Call(func=ast.Name("range"), args=args) if args:
            numbers = [values.number(arg) for arg in args]
            spans = [int(one) for one in numbers if one is not None]
            if len(spans) == len(args) and not (len(spans) > 2 and spans[2] == 0):
                whole = range(*spans)
                return [ast.Constant(one) for one in whole] if len(whole) <= MOST else None
        case ast.Call(func=ast.Name("enumerate"), args=[inner]):
            each = elements(inner)
            return each and [ast.Tuple([ast.Constant(at), one], ast.Load()) for at, one in enumerate(each)]
        case ast.Call(func=ast.Name("zip"), args=args):
            columns = [elements(arg) for arg in args]
            if all(column is not None for column in columns):
                filled = [column for column in columns if column is not None]
                return [ast.Tuple(list(row), ast.Load()) for row in zip(*filled, strict=False)]
        case ast.Call(func=ast.Attribute(value=ast.Dict(keys=keys, values=held), attr="items"), args=[]):
            pairs = zip(keys, held, strict=True)
            return [ast.Tuple([key, value], ast.Load()) for key, value in pairs if key is not None]
        case ast.Dict(keys=keys):
            return [key for key in keys if key is not None]
        case ast.Constant(value=str() as text) if 0 < len(text) <= MOST:
            return [ast.Constant(letter) for letter in text]
    return None


def combined(lists: Sequence[Sequence[Row]]) -> list[Env] | None:
    """Every combination of rows; None where there are too many to go through."""
    size = 1
    for rows in lists:
        size *= max(1, len(rows))
    if size > MOST:
        return None
    merged = []
    for combination in itertools.product(*lists):
        env: Env = {}
        for row in combination:
            env |= row[0]
        merged.append(env)
    return merged
