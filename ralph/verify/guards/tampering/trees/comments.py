"""Comments, suppressing attributes and debug output of a file, by its syntax tree."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ralph.verify.guards.tampering.lines import Comment
from ralph.verify.guards.tampering.trees import syntax
from ralph.verify.guards.tampering.trees.syntax import field, line, text

_RUST = re.compile(r"#!?\[\s*(?:cfg_attr\([^)]*,\s*)?(?:allow|expect|coverage)\s*\(")
_LOGS = re.compile(r"console\.(?:log|debug|trace|dir|table)$|fmt\.Print(?:ln|f)?$|println$|spew\.Dump$")
_JAVA = re.compile(r"System\.(?:out|err)\.print")


def of(suffix: str, words: str) -> list[Comment]:
    """All comments with their lines."""
    return [(line(node), text(node)) for node in syntax.walk(syntax.parse(suffix, words)) if syntax.is_comment(node)]


def attributes(suffix: str, words: str) -> list[Comment]:
    """Suppressions that are code: Rust's ``allow`` and Java's ``@SuppressWarnings``."""
    if suffix not in (".rs", ".java"):
        return []
    found = []
    for node in syntax.walk(syntax.parse(suffix, words)):
        if (node.type in ("attribute_item", "inner_attribute_item") and _RUST.match(text(node))) or (
            node.type in ("annotation", "marker_annotation") and text(field(node, "name")).endswith("SuppressWarnings")
        ):
            found.append((line(node), " ".join(text(node).split())))
    return found


def debugging(suffix: str, words: str, *, speaks: bool) -> Iterator[Comment]:
    """Debugger statements, and output to the console where the file does not ``speak`` to a person."""
    for node in syntax.walk(syntax.parse(suffix, words)):
        match node.type:
            case "debugger_statement":
                yield line(node), "debugger"
            case "macro_invocation":
                name = text(field(node, "macro"))
                if name == "dbg" or (name in ("println", "eprintln", "print") and not speaks):
                    yield line(node), f"{name}!"
            case "call_expression" if not speaks and _LOGS.match(text(field(node, "function"))):
                yield line(node), text(field(node, "function"))
            case "method_invocation" if not speaks and _JAVA.match(text(node)):
                yield line(node), "System.out"
