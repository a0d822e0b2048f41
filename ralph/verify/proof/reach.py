"""What in a Python test file reaches tests that are not written in it: patches, hooks, fixtures that nobody asks for.

Over-counting costs one more run of the original tests; missing one would let a patched test pass. Pure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_CALLS = frozenset({"setattr", "delattr", "exec", "eval", "__import__", "import_module", "register", "settrace"})
_NAMES = frozenset({"__code__", "__dict__", "__class__", "__wrapped__", "globals", "vars", "modules", "builtins"})
_HOOKS = ("pytest_", "setup", "teardown", "tearDown", "load_tests")


def reaching(data: bytes | None) -> frozenset[str] | None:
    """Such parts of a file in comparable form; None where it can't be read."""
    if data is None:
        return frozenset()
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    imported = {
        (one.asname or one.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for one in node.names
    }
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return frozenset(ast.dump(node) for node in [*_at_import(tree), *_anywhere(tree, imported | defined)])


def rebinds(old: bytes, new: bytes) -> bool:
    """Whether new code gives another meaning to a name that old code of the same file uses, or prepares its tests."""
    try:
        before, after = ast.parse(old), ast.parse(new)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    used, known = {one.id for one in ast.walk(before) if isinstance(one, ast.Name)}, set(_bound(before))
    if any(one not in known and one[0] in used for one in _bound(after)):
        return True
    classes = {
        node.name: {ast.dump(one) for one in node.body} for node in before.body if isinstance(node, ast.ClassDef)
    }
    grown = [node for node in after.body if isinstance(node, ast.ClassDef) and node.name in classes]
    return any(_prepares(one) for node in grown for one in node.body if ast.dump(one) not in classes[node.name])


def _bound(tree: ast.Module) -> list[tuple[str, str]]:
    """Names that a module binds, each with the kind of its binding."""
    found: list[tuple[str, str]] = []
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append((name, "def"))
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found += [((one.asname or one.name).partition(".")[0], "import") for one in names]
            case ast.Assign() | ast.AnnAssign():
                found += [(one.id, "=") for one in _targets(node) if isinstance(one, ast.Name)]
    return found


def _prepares(node: ast.stmt) -> bool:
    """Whether a new member of a class that was there concerns its other tests."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return not node.name.startswith("test")
    return not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Statements that do something when the file is loaded."""
    for node in tree.body:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.ClassDef():
                pass
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith(_HOOKS) or any("autouse" in ast.dump(mark) for mark in node.decorator_list):
                    yield node
            case ast.Assign() | ast.AnnAssign() if all(isinstance(one, ast.Name) for one in _targets(node)):
                pass
            case _:
                yield node


def _anywhere(tree: ast.Module, outer: set[str]) -> Iterator[ast.AST]:
    """Attributes and items of what was imported or defined here that are set, and whatever can set one unseen."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.Delete():
                if any(_root(one) in outer for one in _targets(node) if not isinstance(one, ast.Name)):
                    yield node
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _CALLS and _of_code(node):
                yield node
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in _NAMES:
                yield node
            case ast.Global():
                yield node
            case ast.Attribute(attr="node", value=ast.Name(id="request")):
                yield node


def _of_code(node: ast.Call) -> bool:
    """Whether it is no ``monkeypatch.setattr``, which is taken back when its test ends."""
    return not (isinstance(node.func, ast.Attribute) and "patch" in ast.unparse(node.func.value).lower())


def _targets(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return targets
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return [target]
    return []


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
