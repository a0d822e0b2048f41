"""Syntax trees of five languages, and their parts as text in which formatting, quotes and types make no difference."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.files import TREES

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

Env = dict[str, str]
"""Local names to the text that they stand for."""

_COMMENTS = frozenset({"comment", "line_comment", "block_comment", "hash_bang_line"})
_DROPPED = _COMMENTS | {"type_annotation", "type_arguments", "type_parameters", ";"}
_UNWRAPPED = frozenset({"as_expression", "satisfies_expression", "non_null_expression", "parenthesized_expression"})
_NAMES = frozenset({"identifier", "shorthand_property_identifier"})
_CLOSING = frozenset({")", "]", "}"})
_LONGEST = 600


@lru_cache(maxsize=8)
def _parser(grammar: str) -> Parser:
    from tree_sitter import Language, Parser

    match grammar:
        case "javascript":
            import tree_sitter_javascript as javascript

            return Parser(Language(javascript.language()))
        case "typescript" | "tsx":
            import tree_sitter_typescript as typescript

            made = typescript.language_tsx() if grammar == "tsx" else typescript.language_typescript()
            return Parser(Language(made))
        case "go":
            import tree_sitter_go as go

            return Parser(Language(go.language()))
        case "rust":
            import tree_sitter_rust as rust

            return Parser(Language(rust.language()))
    import tree_sitter_java as java

    return Parser(Language(java.language()))


def parse(suffix: str, text: str) -> Node:
    """The root of the tree; ``has_error`` says where the text is not of that language."""
    return _parser(TREES[suffix]).parse(text.encode()).root_node


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(one.children)


def text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def line(node: Node) -> int:
    return node.start_point.row + 1


def is_comment(node: Node) -> bool:
    return node.type in _COMMENTS


def plain(node: Node | None, env: Mapping[str, str] | None = None) -> str:
    """The text of a node in one form: one space between tokens, one kind of quotes, no types, locals put in."""
    return " ".join(_tokens(node, env or {})) if node is not None else ""


def _tokens(node: Node, env: Mapping[str, str]) -> Iterator[str]:
    if node.type in _DROPPED:
        return
    if node.type in _UNWRAPPED and node.named_children:
        yield from _tokens(node.named_children[0], env)
    elif node.type in ("string", "template_string") and not any(
        one.type == "template_substitution" for one in node.children
    ):
        yield '"' + text(node)[1:-1].replace('\\"', '"').replace("\\'", "'") + '"'
    elif node.type in _NAMES and text(node) in env:
        yield env[text(node)]
    elif not node.children:
        yield text(node)
    else:
        parts = [one for one in node.children if one.type not in _DROPPED]
        for at, one in enumerate(parts):
            last = at + 1 < len(parts) and parts[at + 1].type in _CLOSING
            if not (one.type == "," and last):
                yield from _tokens(one, env)


def short(words: str) -> str:
    """A text to put in for a name: long ones by their hash."""
    return words if len(words) <= _LONGEST else "§" + hashlib.sha256(words.encode()).hexdigest()[:16]


def field(node: Node, name: str) -> Node | None:
    return node.child_by_field_name(name)


def arguments(node: Node) -> list[Node]:
    """Arguments of a call."""
    found = field(node, "arguments")
    return [one for one in found.named_children if not is_comment(one)] if found is not None else []
