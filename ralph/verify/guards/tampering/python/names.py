"""What a change does to the names of a project: gone, added, moved, with other parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ralph.verify.guards.tampering.python.differ import Context
from ralph.verify.guards.tampering.python.module import Function


@dataclass(slots=True)
class Names:
    """Definitions of one side of the change, by name."""

    forms: dict[str, set[str]] = field(default_factory=dict)
    """Name to the parameter lists of the functions and classes so called."""
    bodies: dict[str, set[str]] = field(default_factory=dict)
    bases: set[tuple[str, str]] = field(default_factory=set)


def gathered(trees: Iterable[ast.Module]) -> Names:
    names = Names()
    for tree in trees:
        for node in _definitions(tree.body):
            if isinstance(node, Function):
                _add(names, node.name, _parameters(node), node)
            elif isinstance(node, ast.ClassDef):
                _add(names, node.name, _fields(node), node)
                names.bases |= {(node.name, ast.unparse(base).rsplit(".", 1)[-1]) for base in node.bases}
        for name in _assigned(tree):
            names.forms.setdefault(name, set()).add("")
    return names


def _definitions(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Functions and classes at any depth, without going through expressions."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            yield node
        for name in ("body", "orelse", "finalbody", "handlers"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                yield from _definitions(inner)


def _add(names: Names, name: str, form: str, node: Function | ast.ClassDef) -> None:
    names.forms.setdefault(name, set()).add(form)
    names.bodies.setdefault(name, set()).add(ast.dump(node))


def _assigned(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _parameters(node: Function) -> str:
    spec = node.args
    names = [arg.arg for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    return f"{names} {len(spec.defaults)} {spec.vararg is not None} {spec.kwarg is not None}"


def _fields(node: ast.ClassDef) -> str:
    """What a class is made with: its __init__, or the fields of a dataclass."""
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return _parameters(one)
    return str([ast.unparse(one.target) for one in node.body if isinstance(one, ast.AnnAssign)])


def context(old: Names, new: Names) -> Context:
    resigned = {name for name, forms in new.forms.items() if name in old.forms and old.forms[name] != forms}
    before, after = old.forms.keys(), new.forms.keys()
    return Context(
        gone=frozenset(before - after),
        came=frozenset(after - before),
        resigned=frozenset(resigned),
        subclasses=frozenset(new.bases - old.bases),
    )


def modules(paths: Iterable[str]) -> set[str]:
    """Names under which files are imported, those of their folders included."""
    return {part.removesuffix(".py") for path in paths for part in path.split("/")[-2:]} - {"__init__"}


def altered(old: Names, new: Names) -> set[str]:
    """Functions and classes that are new or have another body."""
    return {name for name, bodies in new.bodies.items() if bodies - old.bodies.get(name, set())}
