"""Tests of Rust: functions with a test attribute, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.trees import syntax
from ralph.verify.guards.tampering.trees.model import EQUAL, Pass, TreeTest
from ralph.verify.guards.tampering.trees.reader import Reader, is_literal, split
from ralph.verify.guards.tampering.trees.syntax import field, line, plain, text

if TYPE_CHECKING:
    from tree_sitter import Node

_TEST = re.compile(r"(?:\w+::)*(?:test|rstest|test_case|quickcheck|proptest|wasm_bindgen_test)\b")
_CASES = re.compile(r"(?:case|test_case)\b")


class Rust(Reader):
    declarations = frozenset({"let_declaration"})
    calls = frozenset({"macro_invocation", "call_expression"})

    def tests(self) -> list[TreeTest]:
        found: list[TreeTest] = []
        self._items(self.root, "", [], found)
        return found

    def _items(self, node: Node, prefix: str, around: list[str], found: list[TreeTest]) -> None:
        attributes: list[Node] = []
        for one in node.children:
            if one.type == "attribute_item":
                attributes.append(one)
                continue
            if one.type == "mod_item":
                more = [*around, *_conditions(attributes)]
                body = field(one, "body")
                if body is not None:
                    self._items(body, f"{prefix}{text(field(one, 'name'))}::", more, found)
            elif one.type == "function_item" and any(_TEST.match(_said(each)) for each in attributes):
                found.append(self._test(one, prefix, around, attributes))
            if not syntax.is_comment(one):
                attributes = []

    def _test(self, node: Node, prefix: str, around: list[str], attributes: Sequence[Node]) -> TreeTest:
        test = TreeTest(prefix + text(field(node, "name")), line(node), [], [*around, *_conditions(attributes)])
        now = Pass(test)
        for one in attributes:
            words = _said(one)
            if words.startswith("ignore"):
                test.skips.append("ignore")
            elif words.startswith("should_panic"):
                now.say(one, "should_panic", "", plain(one).partition("(")[2])
            elif _CASES.match(words) and "(" in words:
                now.say(one, "case", plain(one).partition("(")[2])
        now.swallowed = any(said.relation == "should_panic" for said in test.said)
        self.body(field(node, "body"), now)
        return test

    def declare(self, node: Node, now: Pass) -> None:
        if any(one.type == "mutable_specifier" for one in node.children):
            value = field(node, "value")
            if value is not None:
                self.visit(value, now)
            return
        super().declare(node, now)

    def assertion(self, node: Node, now: Pass) -> bool:
        if node.type != "macro_invocation":
            return False
        name = text(field(node, "macro")).rsplit("::", 1)[-1].removeprefix("debug_")
        tree = next((one for one in node.children if one.type == "token_tree"), None)
        parts = _parts(tree, now)
        first, second = split(parts)
        if name in ("panic", "unreachable", "todo", "unimplemented"):
            now.say(node, "fails", "")
        elif name in ("assert_eq", "assert_ne"):
            if is_literal(first) and not is_literal(second):
                first, second = second, first
            why = "it asserts a constant" if is_literal(first) and is_literal(second) else ""
            now.say(node, EQUAL if name == "assert_eq" else "differs", first, second, why)
        elif name == "assert":
            self._assert(node, first, now)
        elif name.startswith(("assert", "prop_assert")):
            now.say(node, name, first, second)
        else:
            return False
        return True

    def _assert(self, node: Node, meant: str, now: Pass) -> None:
        """``assert!(a == b)`` says what ``assert_eq!(a, b)`` does; each operand of ``&&`` is a claim."""
        if " && " in meant and " || " not in meant and meant.count("(") == meant.count(")"):
            for part in meant.split(" && "):
                self._assert(node, part, now)
            return
        for operator, relation in ((" == ", EQUAL), (" != ", "differs")):
            left, found, right = meant.partition(operator)
            if found and not any(mark in meant for mark in (" || ", " && ")):
                now.say(
                    node,
                    relation,
                    left,
                    right,
                    "it asserts a constant" if is_literal(left) and is_literal(right) else "",
                )
                return
        always = is_literal(meant) or meant.endswith("|| true") or meant.startswith("true ||")
        now.say(node, "truthy", meant, "", "it asserts a constant" if always else "")

    def fails(self, node: Node) -> bool:
        return any(
            one.type == "macro_invocation" and text(field(one, "macro")) in ("panic", "unreachable")
            for one in syntax.walk(node)
        )

    def skip(self, _node: Node) -> str:
        return ""


def _said(attribute: Node) -> str:
    inner = next((one for one in attribute.named_children if one.type == "attribute"), None)
    return text(inner)


def _conditions(attributes: Sequence[Node]) -> list[str]:
    words = [" ".join(_said(one).split()) for one in attributes]
    return [one for one in words if one.startswith(("cfg(", "cfg_attr")) and one not in ("cfg(test)",)]


def _parts(tree: Node | None, now: Pass) -> list[str]:
    """Arguments of a macro: its tokens, parted at the commas of the first level."""
    parts: list[list[str]] = [[]]
    for one in tree.children[1:-1] if tree is not None else ():
        if text(one) == ",":
            parts.append([])
        elif not syntax.is_comment(one):
            parts[-1].append(now.plain(one))
    joined = [" ".join(part) for part in parts if part]
    return [re.sub(r"= =", "==", re.sub(r"! =", "!=", re.sub(r"& &", "&&", one))) for one in joined]
