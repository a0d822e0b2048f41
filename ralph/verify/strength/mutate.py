"""Plant small faults on given lines of Python source, one at a time, everything else byte for byte as it was."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ralph.verify.strength.operators import Edit, Family, edits
from ralph.verify.strength.source import Source, is_environment, last_name, never_run, parse

_SHOWN = 160
_LONGEST_STATEMENT = 30
"""Lines up to which a change inside a statement counts as one of the whole statement."""
_UNSEEN_FUNCTIONS = frozenset({"__repr__", "__rich_repr__", "__hash__", "__dir__", "__sizeof__"})
_UNSEEN_CALLS = frozenset(
    {"cast", "TypeVar", "ParamSpec", "NewType", "sleep", "warn", "getLogger", "basicConfig", "setLevel"}
)
_UNSEEN_ARGUMENTS = frozenset(
    {"timeout", "maxsize", "stacklevel", "buffering", "bufsize", "chunk_size", "level", "loglevel", "log_level"}
)
_LOG_METHODS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "isEnabledFor"})
_LOGGER = re.compile(r"_*(?:\w+_)?(?:log|logger|logging|warnings)s?", re.IGNORECASE)
_CONSTANT_NAME = re.compile(r"_*[A-Z][A-Z0-9_]*")
_LARGE = 10
_RANK = {family: rank for rank, family in enumerate(Family)}


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault that can be planted. ``start``, ``end`` and ``text`` are the edit, in bytes of the UTF-8 text."""

    path: str
    line: int
    family: Family
    before: str
    """The line as it is, without indentation."""
    after: str
    """The line with the fault."""
    function: str
    start: int
    end: int
    text: bytes


def mutations(path: str, source: bytes, lines: Collection[int]) -> tuple[Mutation, ...] | None:
    """All faults that can be planted on ``lines`` of Python ``source``, in its order; None where it can't be parsed.

    Left out is what good tests rightly don't notice: logging, representations, annotations, docstrings, ``__all__``,
    assertions, what errors say, named limits, time-outs, questions for the platform, the main program.
    """
    parsed = parse(source)
    if parsed is None:
        return None
    wanted = frozenset(lines)
    found: dict[tuple[int, int, bytes], Mutation] = {}
    for node, function in _nodes(parsed.tree):
        for edit in edits(node, parsed):
            line = _line(edit, parsed, wanted)
            if line and parsed.data[edit.start : edit.end] != edit.after:
                found.setdefault(edit[:3], _mutation(path, line, function, edit, parsed))
    return tuple(sorted(found.values(), key=lambda one: (one.start, _RANK[one.family], one.end, one.text)))


def choose(found: Sequence[Mutation], most: int) -> tuple[Mutation, ...]:
    """At most ``most`` of the faults, in the order in which they tell most: spread over functions, lines, families."""
    by_function: dict[tuple[str, str], list[Mutation]] = defaultdict(list)
    turns: dict[tuple[str, int], int] = defaultdict(int)
    ranked: list[tuple[int, int, int, int, Mutation]] = []
    for mutation in sorted(found, key=lambda one: (one.path, _RANK[one.family], one.start, one.end)):
        turn = turns[mutation.path, mutation.line]
        turns[mutation.path, mutation.line] += 1
        ranked.append((turn, _RANK[mutation.family], mutation.start, mutation.end, mutation))
    for *_, mutation in sorted(ranked, key=lambda one: one[:4]):
        by_function[mutation.path, mutation.function].append(mutation)
    groups = [by_function[key] for key in sorted(by_function)]
    rounds = (mutation for one_each in zip_longest(*groups) for mutation in one_each if mutation)
    return tuple(mutation for mutation, _ in zip(rounds, range(most), strict=False))


def mutated(source: bytes, mutation: Mutation) -> bytes | None:
    """The file with the fault in it; None where that is no Python, or means the same as before."""
    before = parse(source)
    if before is None:
        return None
    data = before.data[: mutation.start] + mutation.text + before.data[mutation.end :]
    after = parse(data.decode().encode(before.encoding))
    if after is None or ast.dump(after.tree) == ast.dump(before.tree):
        return None
    return data.decode().encode(before.encoding)


def _line(edit: Edit, source: Source, wanted: frozenset[int]) -> int:
    """The line that an edit belongs to, where it is one of the wanted ones; else 0."""
    first, last = source.line_at(edit.start), source.line_at(max(edit.start, edit.end - 1))
    if not edit.whole:
        return first if first in wanted else 0
    lines = range(first, min(last, first + _LONGEST_STATEMENT) + 1)
    return next((line for line in lines if line in wanted), 0)


def _mutation(path: str, line: int, function: str, edit: Edit, source: Source) -> Mutation:
    first, last = source.line_at(edit.start), source.line_at(max(edit.start, edit.end - 1))
    start = source.starts[first - 1]
    end = source.starts[last] if last < len(source.starts) else len(source.data)
    before = source.data[start:end]
    after = source.data[start : edit.start] + edit.after + source.data[edit.end : end]
    return Mutation(path, line, edit.family, _shown(before), _shown(after), function, edit.start, edit.end, edit.after)


def _shown(text: bytes) -> str:
    return " ".join(text.decode("utf-8", "replace").split())[:_SHOWN]


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every node at which a fault would show, with the dotted name of the function or class around it."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, function = waiting.pop()
        if _unseen(node):
            continue
        if isinstance(node, ast.If) and (never_run(node.test) or is_environment(node.test)):
            inner = [] if never_run(node.test) else node.body
            waiting += [(child, function) for child in (*inner, *node.orelse)]
            continue
        yield node, function
        if isinstance(node, ast.Raise):
            continue  # leaving it out is the fault; how it is worded is not
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
        waiting += [(child, function) for child in _children(node)]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "type_comment", "ctx", "op", "ops"):
            continue
        if name in ("defaults", "kw_defaults") and isinstance(node, ast.arguments):
            yield from _defaults(node, name)
        elif isinstance(value, list):
            yield from (child for child in value if isinstance(child, ast.AST))
        elif isinstance(value, ast.AST):
            yield value


def _defaults(node: ast.arguments, name: str) -> Iterator[ast.AST]:
    positional = [*node.posonlyargs, *node.args]
    if name == "defaults":
        named = list(zip(positional[len(positional) - len(node.defaults) :], node.defaults, strict=True))
        yield from (value for arg, value in named if arg.arg not in _UNSEEN_ARGUMENTS)
    else:
        pairs = zip(node.kwonlyargs, node.kw_defaults, strict=True)
        yield from (value for arg, value in pairs if value is not None and arg.arg not in _UNSEEN_ARGUMENTS)


def _unseen(node: ast.AST) -> bool:
    """Whether faults in there are rightly unnoticed, or can't be planted by bytes."""
    match node:
        case (
            ast.FunctionDef(name=name, decorator_list=decorators)
            | ast.AsyncFunctionDef(name=name, decorator_list=decorators)
        ):
            return name in _UNSEEN_FUNCTIONS or any(last_name(one) == "overload" for one in decorators)
        case ast.Expr(value=ast.Constant()) | ast.Assert() | ast.JoinedStr():
            return True  # inside f-strings older interpreters count columns from elsewhere
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=value)
        ):
            return (name.startswith("__") and name.endswith("__")) or _is_measure(name, value)
        case ast.keyword(arg=str(name)):
            return name in _UNSEEN_ARGUMENTS
        case ast.Expr(value=call) | ast.Await(value=call) if _unseen(call):
            return True
        case ast.Call(func=called):
            return _is_logging(called) or last_name(called) in _UNSEEN_CALLS
    return type(node).__name__ in ("TypeAlias", "TemplateStr")


def _is_measure(name: str, value: ast.expr | None) -> bool:
    """A named limit, size or time-out: how large exactly, one more or less, no test should have to say."""
    if value is None or not _CONSTANT_NAME.fullmatch(name):
        return False
    parts = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    plain = all(isinstance(node, ast.Constant | ast.BinOp | ast.operator) for node in ast.walk(value))
    return plain and any(isinstance(part, int | float) and part >= _LARGE for part in parts)


def _is_logging(called: ast.expr) -> bool:
    return (
        isinstance(called, ast.Attribute)
        and called.attr in _LOG_METHODS
        and bool(_LOGGER.fullmatch(last_name(called.value)))
    )
