"""Makes expressions out of others without touching them: parts of a resolved expression are shared."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)


def made(node: Node, fields: Mapping[str, object]) -> Node:
    """A node of the same kind with other fields."""
    fresh = type(node).__new__(type(node))
    for name, value in fields.items():
        setattr(fresh, name, value)
    if from_support(node):
        setattr(fresh, _SUPPORT, True)
    return fresh


_SUPPORT = "from_support"
_LITERALS = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict)


def support(node: ast.expr) -> ast.expr:
    """Mark an expression as made by a fixture, a helper or ``setUp``. Literals stay as they are: they are values."""
    if isinstance(node, _LITERALS):
        return node
    fresh = made(node, dict(ast.iter_fields(node)))
    setattr(fresh, _SUPPORT, True)
    return fresh


def from_support(node: ast.AST) -> bool:
    return getattr(node, _SUPPORT, False) is True
