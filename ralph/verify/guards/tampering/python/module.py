"""One Python file as the runner sees it: functions, classes, imports, constants, and the tests it collects."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = tuple[str, ...]
"""Names of the enclosing classes."""


@dataclass(frozen=True, slots=True)
class Test:
    """One collected test function with everything that stands round it."""

    name: str
    """Qualified: ``TestThing::test_it``."""
    node: Function
    owner: ast.ClassDef | None
    marks: tuple[ast.expr, ...]
    """Decorators and ``pytestmark`` entries of the function, its classes and its module."""
    conditions: tuple[str, ...] = ()
    """Texts of the module-level ``if`` conditions round it."""

    __test__ = False

    @property
    def leaf(self) -> str:
        return self.name.rsplit("::", 1)[-1]


@dataclass(slots=True)
class Module:
    """A parsed file. Later definitions of a name replace earlier ones, as they do when Python runs it."""

    path: str
    tree: ast.Module
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Local name to (module, name there); the second is empty for a module itself."""
    constants: dict[str, ast.expr] = field(default_factory=dict)
    conditions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    twice: dict[str, int] = field(default_factory=dict)
    """Tests defined more than once in one scope, with the line of the later one."""
    marks: tuple[ast.expr, ...] = ()
    tests: dict[str, Test] = field(default_factory=dict)
    taken: set[str] | None = None
    """Names that it takes from the project, once they were asked for."""


def parse(path: str, text: str) -> Module:
    """Read a file; raises SyntaxError, ValueError or RecursionError where Python can't."""
    module = Module(path, ast.parse(text))
    _read(module, module.tree.body, ())
    module.marks = _pytestmarks(module.constants)
    if not _is_false(module.constants.get("__test__")):
        module.tests = {test.name: test for test in _tests(module)}
    return module


def _read(module: Module, body: Sequence[ast.stmt], conditions: tuple[str, ...]) -> None:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                if node.name in module.functions and node.name.startswith("test") and not conditions:
                    module.twice[node.name] = node.lineno
                module.functions[node.name] = node
                module.conditions[node.name] = conditions
            case ast.ClassDef():
                if node.name in module.classes and not conditions:
                    module.twice[node.name] = node.lineno
                module.classes[node.name] = node
                module.conditions[node.name] = conditions
                module.twice |= {f"{node.name}::{name}": line for name, line in _double(node.body)}
            case ast.Import():
                for name in node.names:
                    module.imports[name.asname or name.name.split(".")[0]] = (name.name, "")
            case ast.ImportFrom():
                source = "." * node.level + (node.module or "")
                for name in node.names:
                    module.imports[name.asname or name.name] = (source, name.name)
            case ast.Assign() | ast.AnnAssign():
                _assigned(module, node)
            case ast.Delete():
                for target in node.targets:
                    _forget(module, ast.unparse(target))
            case ast.If():
                if not is_false(node.test):
                    _read(module, node.body, (*conditions, ast.unparse(node.test)))
                _read(module, node.orelse, (*conditions, f"not ({ast.unparse(node.test)})"))
            case ast.Try():
                _read(module, [*node.body, *node.orelse, *node.finalbody], conditions)
            case ast.With():
                _read(module, node.body, conditions)


def _assigned(module: Module, node: ast.Assign | ast.AnnAssign) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name):
            _forget(module, target.id)
        if isinstance(target, ast.Name | ast.Attribute) and node.value is not None:
            module.constants[ast.unparse(target)] = node.value


def _forget(module: Module, name: str) -> None:
    module.functions.pop(name, None)
    module.classes.pop(name, None)


def _double(body: Sequence[ast.stmt]) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            if node.name in seen:
                yield node.name, node.lineno
            seen.add(node.name)


def is_false(node: ast.expr) -> bool:
    """Whether a condition is a constant that never holds."""
    return isinstance(node, ast.Constant) and not node.value


def _is_false(node: ast.expr | None) -> bool:
    return node is not None and is_false(node)


def _pytestmarks(constants: Mapping[str, ast.expr]) -> tuple[ast.expr, ...]:
    marks = constants.get("pytestmark")
    if marks is None:
        return ()
    return tuple(marks.elts) if isinstance(marks, ast.List | ast.Tuple) else (marks,)


def _tests(module: Module) -> Iterator[Test]:
    for name, node in module.functions.items():
        if name.startswith("test") and not _untested(module, name) and not is_fixture(node):
            marks = (*node.decorator_list, *module.marks)
            yield Test(name, node, None, marks, module.conditions[name])
    for name, owner in module.classes.items():
        yield from _of_class(module, name, owner, module.marks, module.conditions[name])


def _untested(module: Module, name: str) -> bool:
    return _is_false(module.constants.get(f"{name}.__test__"))


def is_fixture(node: Function) -> bool:
    return any("fixture" in ast.unparse(one) for one in node.decorator_list)


def _of_class(
    module: Module, name: str, owner: ast.ClassDef, marks: tuple[ast.expr, ...], conditions: tuple[str, ...]
) -> Iterator[Test]:
    line = list(lineage(module, owner))
    if not (owner.name.startswith("Test") or is_unittest(module, owner)):
        return
    methods, attributes = members(module, owner)
    if ("__init__" in methods or "__new__" in methods) and not is_unittest(module, owner):
        return
    if _is_false(attributes.get("__test__")):
        return
    around = (*(mark for one in line for mark in one.decorator_list), *_pytestmarks(attributes), *marks)
    for method, node in methods.items():
        if method.startswith("test"):
            yield Test(f"{name}::{method}", node, owner, (*node.decorator_list, *around), conditions)
    for inner in owner.body:
        if isinstance(inner, ast.ClassDef):
            yield from _of_class(module, f"{name}::{inner.name}", inner, around, conditions)


def lineage(module: Module, owner: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """The class and those of its bases that stand in the same file, nearest first."""
    seen: set[str] = set()
    waiting = [owner]
    while waiting:
        node = waiting.pop(0)
        yield node
        for base in node.bases:
            known = module.classes.get(base.id) if isinstance(base, ast.Name) else None
            if known is not None and known.name not in seen and known is not owner:
                seen.add(known.name)
                waiting.append(known)


def members(module: Module, owner: ast.ClassDef) -> tuple[dict[str, Function], dict[str, ast.expr]]:
    """Methods and plain attributes of a class, those of its bases in this file included."""
    methods: dict[str, Function] = {}
    attributes: dict[str, ast.expr] = {}
    for one in reversed(list(lineage(module, owner))):
        for node in one.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                methods[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        attributes[target.id] = node.value
                        methods.pop(target.id, None)
    return methods, attributes


def is_unittest(module: Module, owner: ast.ClassDef) -> bool:
    """Whether the class is one of unittest's, by its bases' names."""
    names = [ast.unparse(base) for one in lineage(module, owner) for base in one.bases]
    return any(name.endswith("TestCase") for name in names)
