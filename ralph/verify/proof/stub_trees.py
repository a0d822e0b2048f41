"""``stubs`` for JavaScript, TypeScript, Go, Rust and Java: a failure in front of the body of each added function.

The body stays, so that imports and variables are still used and it compiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.files import TREES

if TYPE_CHECKING:
    from tree_sitter import Node

_FAIL = {
    "go": '\npanic("not implemented")\n',
    "rust": "\nif true { unimplemented!() }\n",
    "java": "\nif (true) throw new UnsupportedOperationException();\n",
}
_FAIL_SCRIPT = 'throw new Error("not implemented");'
_FUNCTIONS = frozenset(
    {"function_declaration", "generator_function_declaration", "method_definition", "method_declaration"}
    | {"function_item", "arrow_function", "function_expression", "function"}
)
_VALUES = frozenset({"number", "string", "array", "object", "true", "false", "null", "template_string", "regex"})


def stub(old: bytes | None, new: bytes, path: str) -> bytes | None:
    """``new`` with every function that ``old`` has not made to fail; None where there is none or it can't be read."""
    from ralph.verify.guards.tampering.trees.syntax import parse

    suffix = PurePosixPath(path).suffix
    try:
        before = {name for name, _ in _functions(parse(suffix, (old or b"").decode()))}
        after = parse(suffix, new.decode())
    except UnicodeDecodeError:
        return None
    if after.has_error:
        return None
    grammar = TREES[suffix]
    edits = [edit for name, node in _functions(after) if name not in before for edit in _edits(node, grammar)]
    known = {name for name, _ in _constants(parse(suffix, (old or b"").decode()))}
    edits += [(v.start_byte, v.end_byte, "Symbol()") for name, v in _constants(after) if name not in known]
    for at, end, text in sorted(edits, reverse=True):
        new = new[:at] + text.encode() + new[end:]
    return new if edits else None


def names(data: bytes, path: str) -> frozenset[str]:
    """Plain names of the functions in a source file."""
    from ralph.verify.guards.tampering.trees.syntax import parse

    tree = parse(PurePosixPath(path).suffix, data.decode("utf-8", "replace"))
    return frozenset(name.rpartition(".")[2] for name, _ in _functions(tree))


def _functions(node: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Qualified name and node of each named function; what is inside a function belongs to it."""
    for child in node.children:
        name = _name(child)
        if child.type in _FUNCTIONS and name:
            yield prefix + name, child
        elif child.type == "variable_declarator" and (value := child.child_by_field_name("value")) is not None:
            if value.type in _FUNCTIONS and name:
                yield prefix + name, value
            else:
                yield from _functions(value, prefix)
        else:
            yield from _functions(child, f"{prefix}{name}." if name and child.child_by_field_name("body") else prefix)


def _name(node: Node) -> str:
    found = node.child_by_field_name("name") or node.child_by_field_name("type")
    receiver = node.child_by_field_name("receiver")
    text = _text(found)
    return f"{_text(receiver).strip('()').split(' ')[-1].lstrip('*')}.{text}" if receiver is not None else text


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def _edits(node: Node, grammar: str) -> list[tuple[int, int, str]]:
    body = node.child_by_field_name("body")
    if body is None:
        return []
    if body.type in ("statement_block", "block", "constructor_body"):
        fail = _FAIL.get(grammar, _FAIL_SCRIPT)
        return [(body.start_byte + 1, body.start_byte + 1, fail)]
    return [(body.start_byte, body.end_byte, f"{{ {_FAIL_SCRIPT} }}")]


def _constants(root: Node) -> Iterator[tuple[str, Node]]:
    """Module-level constants of JavaScript and TypeScript with a plain value."""
    for child in root.children:
        inner = child.child_by_field_name("declaration") if child.type == "export_statement" else child
        if inner is None or inner.type not in ("lexical_declaration", "variable_declaration"):
            continue
        for one in inner.children:
            value = one.child_by_field_name("value") if one.type == "variable_declarator" else None
            if value is not None and value.type in _VALUES and (name := _name(one)):
                yield name, value
