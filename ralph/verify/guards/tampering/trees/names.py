"""What a change does to the functions and classes of a product in these languages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.trees import syntax
from ralph.verify.guards.tampering.trees.compare import Names
from ralph.verify.guards.tampering.trees.syntax import field, plain, text

if TYPE_CHECKING:
    from tree_sitter import Node

_DEFINITIONS = frozenset(
    [
        "function_declaration",
        "method_definition",
        "method_declaration",
        "class_declaration",
        "function_item",
        "struct_item",
        "enum_item",
        "constructor_declaration",
        "variable_declarator",
        "const_item",
        "type_spec",
        "generator_function_declaration",
        "interface_declaration",
        "function_signature_item",
        "trait_item",
    ]
)


def of(old: Iterable[Node], new: Iterable[Node]) -> Names:
    before, after = _forms(old), _forms(new)
    resigned = {name for name, forms in after.items() if name in before and before[name] != forms}
    return Names(before.keys() - after.keys(), after.keys() - before.keys(), resigned)


def _forms(roots: Iterable[Node]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for root in roots:
        for node in syntax.walk(root):
            name = text(field(node, "name")) if node.type in _DEFINITIONS else ""
            if name:
                value = field(node, "value")
                parameters = field(node, "parameters") or (field(value, "parameters") if value is not None else None)
                found.setdefault(name, set()).add(plain(parameters))
    return found
