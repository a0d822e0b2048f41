"""Tests that stand inside a source file, as Rust has them: taken out of one version and put into the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node


def inner_tests(source: bytes | None, path: str) -> bytes | None:
    """The text of the test modules of a source file, empty where it has none; None where it can't hold or show any."""
    if source is None or not path.endswith(".rs"):
        return None
    found = _modules(source)
    return None if found is None else b"\n".join(source[start:end] for start, end in found)


def splice(source: bytes, tests: bytes) -> bytes | None:
    """``source`` with ``tests`` in place of its own test modules; None where it can't be read."""
    found = _modules(source)
    if found is None:
        return None
    for start, end in reversed(found):
        source = source[:start] + source[end:]
    return source.rstrip() + b"\n\n" + tests + b"\n"


def _modules(source: bytes) -> list[tuple[int, int]] | None:
    """Byte ranges of the items behind ``#[cfg(test)]``, with their attributes."""
    from ralph.verify.guards.tampering.trees.syntax import parse

    try:
        root = parse(".rs", source.decode())
    except UnicodeDecodeError:
        return None
    if root.has_error:
        return None
    found: list[tuple[int, int]] = []
    attributes: list[Node] = []
    for child in root.children:
        if child.type == "attribute_item":
            attributes.append(child)
        elif child.type not in ("line_comment", "block_comment"):
            if child.type == "mod_item" and any(_is_test(one) for one in attributes):
                found.append((attributes[0].start_byte, child.end_byte))
            attributes = []
    return found


def _is_test(attribute: Node) -> bool:
    return b"cfg(test)" in b"".join((attribute.text or b"").split())
