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
    return fresh
