"""The lines that a change brought, and those of them at which something is executed."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from ralph.verify.strength.source import last_name, never_run, parse

_MOST_PAIRS = 1_000_000
"""Pairs of equal lines up to which a line matching takes less than about a second."""


@dataclass(frozen=True, slots=True)
class Statement:
    """An executable statement: of one with a body only the head, from ``first`` to ``last`` line."""

    first: int
    last: int
    function: str
    """Dotted name of the function or class around it; empty at module level."""

    @property
    def lines(self) -> range:
        return range(self.first, self.last + 1)


def changed_lines(old: bytes | None, new: bytes) -> frozenset[int]:
    """Numbers of the lines in ``new`` that are not ``old``'s; all of them where there is no old file.

    Line ends count only as such, so that a file whose line ends were converted has not changed.
    """
    before, after = (old or b"").splitlines(), new.splitlines()
    head = _alike(before, after)
    tail = _alike(before[head:][::-1], after[head:][::-1])
    before, after = before[head : len(before) - tail], after[head : len(after) - tail]
    return frozenset(head + 1 + at for at in _unmatched(before, after))


def _alike(one: list[bytes], other: list[bytes]) -> int:
    """How many lines both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _unmatched(before: list[bytes], after: list[bytes]) -> Iterator[int]:
    counts = Counter(before)
    if sum(counts[line] for line in after) > _MOST_PAIRS:
        yield from range(len(after))  # thousands of equal lines: rather too many than too few
        return
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag in ("replace", "insert"):
            yield from range(start, end)


def executable(source: bytes, changed: Collection[int]) -> tuple[Statement, ...] | None:
    """The executable statements of Python ``source`` that a changed line belongs to; None where it can't be parsed.

    Not executable in this sense is what running proves nothing about: imports, docstrings, heads of functions and
    classes (they run when the module is imported), declarations without a value, blocks for type checkers and for the
    main program.
    """
    parsed = parse(source)
    if parsed is None:
        return None
    wanted = frozenset(changed)
    found = (statement for statement in _statements(parsed.tree) if not wanted.isdisjoint(statement.lines))
    return tuple(sorted(found, key=lambda statement: (statement.first, statement.last)))


def _statements(tree: ast.Module) -> Iterator[Statement]:
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, function = waiting.pop()
        if isinstance(node, ast.If) and never_run(node.test):
            waiting += [(child, function) for child in node.orelse]
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if any(last_name(decorator) == "overload" for decorator in node.decorator_list):
                continue
            function = f"{function}.{node.name}".lstrip(".")
        elif _runs(node):
            assert isinstance(node, ast.stmt | ast.excepthandler)
            yield Statement(node.lineno, _end_of_head(node), function)
        waiting += [(child, function) for child in _blocks(node)]


def _blocks(node: ast.AST) -> Iterator[ast.AST]:
    """The statements inside a statement, exception handlers among them."""
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, field, None) or ():
            if isinstance(child, ast.match_case):
                yield from child.body
            elif isinstance(child, ast.stmt | ast.excepthandler):
                yield child


def _runs(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Global() | ast.Nonlocal():
            return False
        case ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None):
            return False
        case ast.If(test=ast.Constant()) | ast.While(test=ast.Constant()):
            return False  # the compiler drops the question
        case ast.Try() | ast.TryStar():
            return False  # a bare word: what can run is in its blocks
        case ast.stmt():
            return type(node).__name__ != "TypeAlias"  # known to newer interpreters only
    return isinstance(node, ast.excepthandler)


def _end_of_head(node: ast.stmt | ast.excepthandler) -> int:
    inner = [child.lineno for child in _blocks(node) if isinstance(child, ast.stmt | ast.excepthandler)]
    if isinstance(node, ast.Match):
        return node.subject.end_lineno or node.lineno
    last = node.end_lineno or node.lineno
    return max(node.lineno, min([last, *(line - 1 for line in inner)])) if inner else last
