"""Tests of Go: the testing package with plain conditions, testify, and examples with their output."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.trees import syntax
from ralph.verify.guards.tampering.trees.model import EQUAL, Pass, TreeTest
from ralph.verify.guards.tampering.trees.reader import Reader, is_literal, split
from ralph.verify.guards.tampering.trees.syntax import field, line, text

if TYPE_CHECKING:
    from tree_sitter import Node

_TEST = re.compile(r"(?:Test|Fuzz|Example|Benchmark)(?![a-z])")
_FAIL = re.compile(r"\w+\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)$|panic$|log\.Fatalf?$")
_TESTIFY = re.compile(r"(?:assert|require|is|suite|s|should|must)\.(?P<name>[A-Z]\w*)$")
_EXPECTED_FIRST = frozenset({"Equal", "EqualValues", "Exactly", "NotEqual", "JSONEq", "Same", "InDelta", "InEpsilon"})


class Go(Reader):
    declarations = frozenset({"short_var_declaration", "var_spec", "assignment_statement"})
    calls = frozenset({"call_expression"})

    def tests(self) -> list[TreeTest]:
        found = []
        build = [text(one) for one in self.root.children if one.type == "comment" and "go:build" in text(one)]
        for node in self.root.children:
            name = text(field(node, "name"))
            if node.type in ("function_declaration", "method_declaration") and _TEST.match(name):
                test = TreeTest(name, line(node), [], list(build))
                self.body(field(node, "body"), Pass(test))
                found.append(test)
                if name.startswith("Example"):
                    self._output(node, test)
        return found

    def _output(self, node: Node, test: TreeTest) -> None:
        said = [text(one).lstrip("/ ") for one in syntax.walk(node) if one.type == "comment"]
        starts = [at for at, one in enumerate(said) if re.match(r"(?:unordered )?output:", one, re.IGNORECASE)]
        if starts:
            Pass(test).say(node, "output", "", "\n".join(said[starts[0] :]))

    def declare(self, node: Node, now: Pass) -> None:
        left, right = field(node, "left") or field(node, "name"), field(node, "right") or field(node, "value")
        if right is None or left is None:
            return
        self.visit(right, now)
        names = left.named_children if left.type == "expression_list" else [left]
        values = right.named_children if right.type == "expression_list" else [right]
        for at, name in enumerate(names):
            if name.type == "identifier" and text(name) != "_":
                whole = now.plain(values[at if len(values) == len(names) else 0])
                now.env[text(name)] = syntax.short(whole if len(values) == len(names) else f"{whole} #{at}")

    def visit(self, node: Node, now: Pass) -> None:
        if node.type == "for_statement":
            self._loop(node, now)
            return
        super().visit(node, now)

    def _loop(self, node: Node, now: Pass) -> None:
        clause = next((one for one in node.children if one.type == "range_clause"), None)
        inner = now.under("")
        if clause is not None:
            through = field(clause, "right")
            literal = _literal(through, self.root)
            if literal is not None:
                self.rows(literal, now)
            names = field(clause, "left")
            for at, name in enumerate(names.named_children if names is not None else ()):
                inner.env[text(name)] = f"each#{at}"
        body = field(node, "body")
        if body is not None:
            self.visit(body, inner)

    def assertion(self, node: Node, now: Pass) -> bool:
        name = text(field(node, "function"))
        if _FAIL.match(name):
            now.say(node, "fails", "")
            return True
        matched = _TESTIFY.match(name)
        if matched is None:
            return False
        args = [now.plain(one) for one in syntax.arguments(node)]
        if name.split(".")[0] in ("assert", "require") and args:
            args = args[1:]
        relation = matched["name"].removesuffix("f")
        first, second = split(args)
        if relation in _EXPECTED_FIRST:
            first, second = second, first
        constant = is_literal(first) and (is_literal(second) or relation in ("True", "NotNil", "NotEmpty"))
        kind = EQUAL if relation == "Equal" else relation
        tolerance = args[2] if relation in ("InDelta", "InEpsilon") and len(args) > 2 else ""
        single = relation in ("True", "False", "Nil", "NotNil", "NoError", "Error", "Empty", "NotEmpty", "Zero")
        now.say(node, kind, first, "" if single else second, "it asserts a constant" if constant else "", tolerance)
        return True

    def fails(self, node: Node) -> bool:
        return any(
            one.type == "call_expression" and _FAIL.match(text(field(one, "function"))) for one in syntax.walk(node)
        )

    def skip(self, node: Node) -> str:
        name = text(field(node, "function")) if node.type == "call_expression" else ""
        return name.split(".")[-1] if re.match(r"\w+\.Skip(?:f|Now)?$", name) else ""


def _literal(node: Node | None, root: Node) -> Node | None:
    """The body of the composite literal that is gone through, also where it has a name."""
    if node is None:
        return None
    if node.type == "composite_literal":
        return field(node, "body")
    if node.type != "identifier":
        return None
    for one in syntax.walk(root):
        if one.type in ("short_var_declaration", "var_spec"):
            left, right = field(one, "left") or field(one, "name"), field(one, "right") or field(one, "value")
            if text(left) == text(node) and right is not None and right.named_children:
                value = right.named_children[0]
                return field(value, "body") if value.type == "composite_literal" else None
    return None
