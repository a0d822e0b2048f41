"""Tests of Java: JUnit 3 to 5 and TestNG, with their assertions, AssertJ, Hamcrest or Mockito."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.trees import syntax
from ralph.verify.guards.tampering.trees.model import EQUAL, Pass, TreeTest
from ralph.verify.guards.tampering.trees.reader import Reader, comparison, is_literal, split
from ralph.verify.guards.tampering.trees.syntax import field, line, plain, text

if TYPE_CHECKING:
    from tree_sitter import Node

_TEST = frozenset({"Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate", "Property", "Theory"})
_OFF = frozenset({"Disabled", "Ignore"})
_TABLES = frozenset({"ValueSource", "CsvSource", "EnumSource", "MethodSource", "CsvFileSource"})
_ASSUME = re.compile(r"assume\w*|assumingThat")
_FIRST_EXPECTED = frozenset({"assertEquals", "assertNotEquals", "assertSame", "assertNotSame", "assertArrayEquals"}) | {
    "assertIterableEquals",
    "assertLinesMatch",
}
_RELATIONS = {"assertEquals": EQUAL, "isEqualTo": EQUAL, "assertTrue": "truthy", "isTrue": "truthy"}


class Java(Reader):
    declarations = frozenset({"variable_declarator"})
    calls = frozenset({"method_invocation"})

    def tests(self) -> list[TreeTest]:
        found: list[TreeTest] = []
        self._classes(self.root, "", [], found)
        return found

    def _classes(self, node: Node, prefix: str, around: list[str], found: list[TreeTest]) -> None:
        for one in node.named_children:
            if one.type in ("class_declaration", "record_declaration"):
                name = f"{prefix}{text(field(one, 'name'))}."
                off = [*around, *(each for each, _ in _annotations(one) if _stops(each))]
                old_style = "TestCase" in text(field(one, "superclass"))
                body = field(one, "body")
                for inner in body.named_children if body is not None else ():
                    if inner.type == "method_declaration":
                        self._method(inner, name, off, old_style, found)
                if body is not None:
                    self._classes(body, name, off, found)

    def _method(self, node: Node, prefix: str, around: list[str], old_style: bool, found: list[TreeTest]) -> None:
        name = text(field(node, "name"))
        marks = _annotations(node)
        if not any(each in _TEST for each, _ in marks) and not (old_style and name.startswith("test")):
            return
        test = TreeTest(prefix + name, line(node), [], [*around, *(each for each, _ in marks if _stops(each))])
        now = Pass(test)
        for each, mark in marks:
            words = plain(mark)
            if each == "Test" and "enabled = false" in words:
                test.skips.append("enabled = false")
            if each == "Test" and (expected := re.search(r"expected(?:Exceptions)? = (\S+)", words)):
                now.say(mark, "throws", "", expected[1])
            if each in _TABLES:
                self._table(mark, now)
        self.body(field(node, "body"), now)
        found.append(test)

    def _table(self, mark: Node, now: Pass) -> None:
        lists = [one for one in syntax.walk(mark) if one.type == "element_value_array_initializer"]
        if lists:
            self.rows(lists[0], now)
        else:
            now.say(mark, "case", plain(mark))

    def assertion(self, node: Node, now: Pass) -> bool:
        name = text(field(node, "name"))
        subject, chain, expected = _fluent(node, now)
        if subject is not None:
            relation = _RELATIONS.get(chain, chain)
            if chain:
                now.say(node, relation, subject, expected, "it asserts a constant" if is_literal(subject) else "")
            return True
        args = [now.plain(one) for one in syntax.arguments(node)]
        if name == "fail":
            now.say(node, "fails", "")
        elif re.match(r"assert[A-Z]", name):
            self._assert(node, name, args, now)
        elif name in ("verify", "verifyNoInteractions", "verifyNoMoreInteractions"):
            now.say(node, name, ", ".join(args))
        else:
            return False
        return True

    def _assert(self, node: Node, name: str, args: list[str], now: Pass) -> None:
        first, second = split(args)
        if name in ("assertTrue", "assertFalse"):
            operator, left, right = comparison(syntax.arguments(node)[0], now.env) if args else ("", "", "")
            if operator == "==" and name == "assertTrue":
                now.say(node, EQUAL, left, right)
            else:
                now.say(
                    node, _RELATIONS.get(name, name), first, "", "it asserts a constant" if is_literal(first) else ""
                )
            return
        if name in _FIRST_EXPECTED or name.startswith("assertThrows"):
            first, second = second, first
        why = "it asserts a constant" if is_literal(first) and (is_literal(second) or not second) else ""
        delta = (
            args[2] if len(args) > 2 and name == "assertEquals" and is_literal(args[2]) and args[2][0] != '"' else ""
        )
        now.say(node, _RELATIONS.get(name, name), first, second, why, delta)

    def fails(self, node: Node) -> bool:
        return any(
            (one.type == "method_invocation" and text(field(one, "name")) == "fail")
            or (one.type == "throw_statement" and "AssertionError" in text(one))
            for one in syntax.walk(node)
        )

    def handled(self, handler: Node) -> bool:
        kinds = {text(one) for one in syntax.walk(handler) if one.type == "type_identifier"}
        narrow = not kinds & {"Throwable", "AssertionError", "Error", "Exception"}
        asserts = any(
            one.type == "method_invocation" and text(field(one, "name")).startswith("assert")
            for one in syntax.walk(handler)
        )
        return narrow or asserts or super().handled(handler)

    def stops(self, _node: Node) -> bool:
        """An assumption may hold."""
        return False

    def skip(self, node: Node) -> str:
        name = text(field(node, "name")) if node.type == "method_invocation" else ""
        return name if _ASSUME.fullmatch(name) else ""


def _annotations(node: Node) -> list[tuple[str, Node]]:
    modifiers = next((one for one in node.children if one.type == "modifiers"), None)
    marks = modifiers.named_children if modifiers is not None else []
    return [(text(field(one, "name")).rsplit(".", 1)[-1], one) for one in marks if "annotation" in one.type]


def _stops(name: str) -> bool:
    return name in _OFF or re.match(r"(?:Disabled|Enabled)(?:If|On|For)", name) is not None


def _fluent(node: Node, now: Pass) -> tuple[str | None, str, str]:
    """Subject, chain and expectations of ``assertThat(x).isEqualTo(y)`` or ``assertThat(x, matcher)``."""
    names: list[str] = []
    expected: list[str] = []
    one: Node | None = node
    while one is not None and one.type == "method_invocation":
        name = text(field(one, "name"))
        args = [now.plain(arg) for arg in syntax.arguments(one)]
        if name in ("assertThat", "assertThatThrownBy", "assertThatCode", "expectThat"):
            rest = args[1:] if name == "assertThat" and not names else []
            chain = ".".join(reversed(names)) or ("matches" if rest else "")
            return (args[0] if args else ""), chain, ", ".join([*reversed(expected), *rest])
        names.append(name)
        expected.append(", ".join(args))
        one = field(one, "object")
    return None, "", ""
