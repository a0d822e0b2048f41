"""Tests that replace what they are to test."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ralph.verify.guards.tampering.python.claim import CALLS, RAISES, TRUE, Claim
from ralph.verify.guards.tampering.python.differ import called
from ralph.verify.guards.tampering.python.module import Function, Module, Test, is_fixture


@dataclass(frozen=True, slots=True)
class Patch:
    """One name of some module that a test replaces."""

    name: str
    line: int
    owner: str = ""
    """What holds it, as written: a module, a class, a local."""
    dotted: bool = False
    """Whether the whole target is a text."""


def of(nodes: Collection[ast.AST]) -> list[Patch]:
    """The names that ``patch``, ``patch.object`` or ``setattr`` replaces below some nodes."""
    return [patch for node in nodes for one in ast.walk(node) if (patch := _patch(one))]


def _patch(node: ast.AST) -> Patch | None:
    if isinstance(node, ast.Call):
        func = ast.unparse(node.func)
        target = _target(func, node)
        if target:
            owner, _, name = target.rpartition(".")
            return Patch(name, node.lineno, owner, isinstance(node.args[0], ast.Constant))
    return None


def _target(func: str, node: ast.Call) -> str:
    last = func.rsplit(".", 1)[-1]
    texts = [arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else "" for arg in node.args]
    if (last == "setattr" or func.endswith("patch.object")) and len(texts) > 1 and texts[1]:
        return f"{ast.unparse(node.args[0])}.{texts[1]}"
    if last in ("patch", "setattr") and texts and texts[0]:
        return texts[0]
    return ""


def imported(module: Module, tracked: Collection[str]) -> set[str]:
    """Names that a test file takes from modules of the project itself, attributes of its modules included."""
    if module.taken is None:
        module.taken = _imported(module, tracked)
    return module.taken


def _imported(module: Module, tracked: Collection[str]) -> set[str]:
    modules = {local for local, (source, name) in module.imports.items() if _is_product(source, name, tracked)}
    names = {module.imports[local][1] for local in modules} - {""}
    for one in ast.walk(module.tree):
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id in modules:
            names.add(one.attr)
    return names


def _is_product(source: str, name: str, tracked: Collection[str]) -> bool:
    first = (source.lstrip(".") or name).split(".")[0]
    tops = (f"{first}.py", f"src/{first}.py", f"{first}/__init__.py", f"src/{first}/__init__.py", f"lib/{first}.py")
    if source.startswith("."):
        return "test" not in source and "conftest" not in source
    return any(top in tracked for top in tops) or any(
        path.startswith((f"{first}/", f"src/{first}/")) for path in tracked
    )


def _foreign(patch: Patch, module: Module, tracked: Collection[str]) -> bool:
    """Whether what holds the name is imported, and not from the project."""
    root = patch.owner.split(".")[0]
    if patch.dotted:
        return not _is_product(root, root, tracked)
    known = module.imports.get(root)
    return known is not None and not _is_product(*known, tracked)


def nodes(test: Test) -> list[ast.AST]:
    return [test.node, *test.marks]


def replaced(
    test: Test, claims: Collection[Claim], changed: Collection[str], module: Module, tracked: Collection[str]
) -> Iterator[Patch]:
    """Patches of what the test calls in its own assertions, or of all that this change touches and the test reaches.

    ``changed``: functions and classes that the change alters.
    """
    patches = [patch for patch in of(nodes(test)) if not _foreign(patch, module, tracked)]
    if not patches:
        return
    product = imported(module, tracked)
    asked = {name for claim in claims if claim.kind in (TRUE, CALLS, RAISES) for name in _asked(claim.what)}
    names = {patch.name for patch in patches}
    used = _used(test.node) - names
    for patch in patches:
        if (patch.name in asked and patch.name in {*changed, *product}) or (
            patch.name in changed and not used & set(changed)
        ):
            yield patch


def _asked(node: ast.expr) -> Iterator[str]:
    """The functions whose results an assertion is about, outermost first, but not those that only prepare arguments."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            name = called(one)
            if not name.startswith(("§", "assert")):
                yield name


def _used(node: Function) -> set[str]:
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return found | {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}


def autouse(module: Module) -> dict[str, Function]:
    """Fixtures that act on every test without being asked for."""
    return {
        name: node
        for name, node in module.functions.items()
        if is_fixture(node) and any("autouse=True" in ast.unparse(one) for one in node.decorator_list)
    }
