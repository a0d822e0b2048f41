"""What keeps a test from running: marks, skip calls, conditions of its module, an early return."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ralph.verify.guards.tampering.python import cases, values
from ralph.verify.guards.tampering.python.module import Module, Test
from ralph.verify.guards.tampering.python.resolve import World

_MARKS = ("skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure")
_CALLS = ("skip", "skipTest", "xfail", "importorskip")
_OURS = ("pytest", "unittest", "self", "mark", "skip", "skipTest", "xfail", "importorskip")


@dataclass(frozen=True, slots=True)
class Skip:
    """One thing that keeps a test from running. Equal ones are the same before and after."""

    text: str
    conditional: bool
    line: int = 0

    @property
    def name(self) -> tuple[str, bool]:
        return self.text, self.conditional


def of(test: Test, world: World) -> list[Skip]:
    """Everything that keeps the test, or one of its cases, from running or from counting."""
    found = [skip for mark in test.marks if (skip := _mark(mark, world))]
    found += [Skip(f"if {one}", True, test.node.lineno) for one in test.conditions]
    for table in cases.of_test(test, world):
        found += [skip for _, _, marks in table if marks is not None for skip in _case_marks(marks, world)]
    found += _in_body(test.node)
    if any(isinstance(one, ast.Yield | ast.YieldFrom) for one in _own(test.node)):
        found.append(Skip("yield in a test: it is not run", False, test.node.lineno))
    return found


def _case_marks(marks: ast.expr, world: World) -> Iterator[Skip]:
    for mark in marks.elts if isinstance(marks, ast.List | ast.Tuple) else [marks]:
        if skip := _mark(mark, world):
            yield Skip(f"a case: {skip.text}", skip.conditional, skip.line)


def _mark(mark: ast.expr, world: World) -> Skip | None:
    if isinstance(mark, ast.Name) and mark.id in world.module.constants:
        mark = world.module.constants[mark.id]
    target = mark.func if isinstance(mark, ast.Call) else mark
    name = ast.unparse(target).rsplit(".", 1)[-1]
    if name not in _MARKS:
        return None
    conditional = name in ("skipif", "skipIf", "skipUnless") and isinstance(mark, ast.Call)
    if conditional and isinstance(mark, ast.Call) and mark.args and values.truth(mark.args[0]) is not None:
        conditional = False
    condition = ast.unparse(mark.args[0]) if isinstance(mark, ast.Call) and mark.args and conditional else ""
    return Skip(f"{name}({condition})" if condition else name, conditional, getattr(mark, "lineno", 0))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from _own(child)


def _in_body(node: ast.AST) -> Iterator[Skip]:
    conditional = {id(one) for each in ast.walk(node) if isinstance(each, ast.If | ast.Try) for one in ast.walk(each)}
    for one in ast.walk(node):
        match one:
            case ast.Call(func=func):
                parts = ast.unparse(func).split(".")
                if parts[-1] in _CALLS and parts[0] in _OURS:
                    yield Skip(parts[-1], id(one) in conditional or parts[-1] == "importorskip", one.lineno)
            case ast.Raise(exc=ast.expr() as exc) if "SkipTest" in ast.unparse(exc) or "skip.Exception" in ast.unparse(
                exc
            ):
                yield Skip("SkipTest", id(one) in conditional, one.lineno)


def of_module(module: Module) -> list[Skip]:
    """Skips at the top of a file, which take all its tests along, and files that are not collected."""
    found: list[Skip] = []
    for node in module.tree.body:
        if isinstance(node, ast.Expr | ast.If | ast.Try | ast.Raise | ast.Assign):
            found += _in_body(node)
    for name in ("collect_ignore", "collect_ignore_glob", "__test__"):
        value = module.constants.get(name)
        if value is not None and values.truth(value) is not (name == "__test__"):
            found.append(Skip(f"{name} = {ast.unparse(value)}", False, value.lineno))
    if "load_tests" in module.functions:
        found.append(Skip("load_tests", False, module.functions["load_tests"].lineno))
    return found
