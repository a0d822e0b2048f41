"""Take the life out of what a change adds: the same names, whose bodies do nothing but fail.

A test that dies on the base because a name is missing shows on this source whether it needs more than the name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from ralph.verify.guards.tampering.files import TREES
from ralph.verify.proof import stub_trees
from ralph.verify.proof.splice import inner_tests, splice

_FAIL = "raise NotImplementedError"
_ENUMS = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})


def names(data: bytes | None, path: str) -> frozenset[str] | None:
    """Plain names of all functions, classes and module-level variables of a source; None where it can't be read."""
    if data is None:
        return frozenset()
    if PurePosixPath(path).suffix in TREES:
        return stub_trees.names(data, path)
    if PurePosixPath(path).suffix != ".py":
        return None
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return None
    defined = {
        one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return frozenset(defined | {name for node in tree.body for name in _assigned(node)})


def stub(old: bytes | None, new: bytes, path: str) -> bytes | None:
    """``new`` with the added functions, classes and constants made useless; None where nothing in it can be."""
    if path.endswith(".rs"):
        return _around_tests(old, new, path)
    if PurePosixPath(path).suffix in TREES:
        return stub_trees.stub(old, new, path)
    if PurePosixPath(path).suffix != ".py":
        return None
    try:
        before, after = _outline(ast.parse(old or b"")), ast.parse(new)
    except (SyntaxError, ValueError, RecursionError):
        return None
    edits = sorted(_edits(after, "", before, _Lines(new)), reverse=True)
    for at, end, text in edits:
        new = new[:at] + text.encode() + new[end:]
    return new if edits else None


def _around_tests(old: bytes | None, new: bytes, path: str) -> bytes | None:
    """The tests inside a source stay as they are: made to fail they would prove anything."""
    tests, bare = inner_tests(new, path), splice(new, b"")
    made = stub_trees.stub(old, bare, path) if bare is not None else None
    return splice(made, tests) if made is not None and tests is not None else None


@dataclass(frozen=True, slots=True)
class _Lines:
    """Byte offsets of a source's lines."""

    data: bytes

    def at(self, line: int, column: int) -> int:
        """Lines as Python counts them: a carriage return alone ends one, too."""
        ends = islice(re.finditer(rb"\r\n?|\n", self.data), max(line - 2, 0), None)
        return (next(ends).end() if line > 1 else 0) + column

    def starts_line(self, at: int) -> bool:
        return not re.split(rb"[\r\n]", self.data[:at])[-1].strip()


def _outline(tree: ast.Module) -> frozenset[str]:
    """Qualified names in a module."""
    return frozenset(_qualified(tree.body, ""))


def _qualified(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield prefix + node.name
            yield from _qualified(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _qualified(node.body, prefix)
        else:
            yield from (prefix + name for name in _assigned(node))


_Edit = tuple[int, int, str]


def _edits(node: ast.Module | ast.ClassDef, prefix: str, before: frozenset[str], lines: _Lines) -> Iterator[_Edit]:
    for inner in node.body:
        match inner:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if prefix + name not in before:
                yield _failing(inner.body, lines)
            case ast.ClassDef(name=name):
                if prefix + name in before or _has_methods(inner):
                    yield from _edits(inner, f"{prefix}{name}.", before, lines)
                else:
                    yield from _failing_class(inner, lines)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                if not prefix and _assigned(inner) and not set(_assigned(inner)) & before:
                    start = lines.at(value.lineno, value.col_offset)
                    yield start, lines.at(value.end_lineno or 0, value.end_col_offset or 0), "object()"
            case _:
                pass


def _failing(body: list[ast.stmt], lines: _Lines) -> _Edit:
    """A failure in front of a body; the body stays, so that a generator remains one."""
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        first = body[1]
    line = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", []))])
    at = lines.at(line, first.col_offset)
    if not lines.starts_line(at):
        return at, at, f"{_FAIL}; "
    return at, at, f"{_FAIL}\n{' ' * first.col_offset}"


def _failing_class(node: ast.ClassDef, lines: _Lines) -> Iterator[_Edit]:
    """A class of values only: it can't be made, has no fields, or has members of no value."""
    bases = {ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases}
    first, last = node.body[0], node.body[-1]
    at = lines.at(first.lineno, first.col_offset)
    if bases & _ENUMS:
        for member in node.body:
            if isinstance(member, ast.Assign):
                value = member.value
                start = lines.at(value.lineno, value.col_offset)
                yield start, lines.at(value.end_lineno or 0, value.end_col_offset or 0), "object()"
    elif "NamedTuple" in bases:
        yield at, lines.at(last.end_lineno or 0, last.end_col_offset or 0), "pass"
    elif lines.starts_line(at) and not bases & {"TypedDict", "Protocol"}:
        made = f"def __new__(cls, *args, **kwargs): {_FAIL}"
        yield at, at, f"{made}\n{' ' * first.col_offset}"


def _has_methods(node: ast.ClassDef) -> bool:
    return any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) for one in node.body)


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    found = [target.id for target in targets if isinstance(target, ast.Name)]
    return [] if any(name.startswith("__") for name in found) else found
