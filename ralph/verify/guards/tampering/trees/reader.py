"""Goes through test bodies: locals, conditions, swallowed failures, helpers; a language says what asserts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.trees import syntax
from ralph.verify.guards.tampering.trees.model import CASE, Pass, TreeTest
from ralph.verify.guards.tampering.trees.syntax import field, plain, text

if TYPE_CHECKING:
    from tree_sitter import Node

Helpers = Mapping[str, "Node"]
_DEEPEST = 3


class Reader:
    """Reads the tests of one file. Languages override what differs."""

    declarations: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    throws: frozenset[str] = frozenset({"throw_statement"})

    def __init__(self, root: Node, helpers: Helpers) -> None:
        self.root = root
        self.helpers = helpers

    def tests(self) -> list[TreeTest]:
        raise NotImplementedError

    def assertion(self, node: Node, now: Pass) -> bool:
        """Record what a call claims; False where it claims nothing."""
        raise NotImplementedError

    def fails(self, node: Node) -> bool:
        """Whether a block makes the test fail by itself."""
        raise NotImplementedError

    def skip(self, node: Node) -> str:
        """What keeps the test from running, where the call does that."""
        raise NotImplementedError

    def stops(self, node: Node) -> bool:
        """Whether nothing after a call runs."""
        return bool(self.skip(node))

    def body(self, node: Node | None, now: Pass) -> None:
        for one in node.children if node is not None else ():
            if one.type in ("return_statement", "return_expression") and not one.named_children:
                return
            self.visit(one, now)
            if self._ends(one, now):
                return

    def _ends(self, node: Node, now: Pass) -> bool:
        """Whether nothing after a statement runs: a skip, or ``return`` below a condition, which becomes a guard."""
        if node.type == "expression_statement" and node.named_children:
            return self.stops(node.named_children[0])
        if node.type in ("if_statement", "expression_statement", "if_expression"):
            inner = node if node.type != "expression_statement" else node.named_children[0]
            block = field(inner, "consequence")
            if block is not None and field(inner, "alternative") is None and _leaves(block) and not self.fails(block):
                now.guards = (*now.guards, f"not {now.plain(field(inner, 'condition'))}")
        return False

    def visit(self, node: Node, now: Pass) -> None:
        kind = node.type
        if kind in ("if_statement", "if_expression"):
            self._condition(node, now)
        elif kind in ("try_statement", "try_with_resources_statement"):
            self._try(node, now)
        elif kind in self.declarations:
            self.declare(node, now)
        elif kind in self.calls:
            self._call(node, now)
        elif kind in ("block", "statement_block", "statement_list", "function_body"):
            self.body(node, now)
        else:
            for one in node.children:
                self.visit(one, now)

    def _call(self, node: Node, now: Pass) -> None:
        if why := self.skip(node):
            now.test.skips.append(f"{why} under a condition" if now.guards else why)
            return
        now.test.calls += 1
        if self.assertion(node, now) or self._helper(node, now):
            return
        for one in node.children:
            self.visit(one, now)

    def _helper(self, node: Node, now: Pass) -> bool:
        called = field(node, "function") or field(node, "name")
        helper = self.helpers.get(text(called))
        if helper is None or now.depth >= _DEEPEST:
            return False
        names = self.parameters(helper)
        given = [now.plain(one) for one in syntax.arguments(node)]
        inner = Pass(now.test, dict(zip(names, given, strict=False)), now.guards, now.swallowed, now.depth + 1)
        before = len(now.test.said)
        self.visit(field(helper, "body") or helper, inner)
        return len(now.test.said) > before

    def parameters(self, node: Node) -> list[str]:
        found = field(node, "parameters")
        names = []
        for one in found.named_children if found is not None else ():
            name = field(one, "name") or field(one, "pattern") or one
            names.append(text(name))
        return names

    def declare(self, node: Node, now: Pass) -> None:
        """Bind the name of a local to its text."""
        value = field(node, "value")
        if value is not None:
            self.visit(value, now)
            name = field(node, "name") or field(node, "pattern")
            if name is not None and name.type == "identifier":
                now.env[text(name)] = syntax.short(now.plain(value))

    def _condition(self, node: Node, now: Pass) -> None:
        start = field(node, "initializer")
        if start is not None:
            self.visit(start, now)
        condition, then = field(node, "condition"), field(node, "consequence")
        meant = now.plain(condition)
        if then is not None and field(node, "alternative") is None and self.fails(then):
            now.test.calls += 1
            self.failing(node, condition, now)
            return
        if condition is not None:
            self.visit(condition, now)
        if then is not None and meant != "false":
            self.visit(then, now.under(f"if {meant}" if meant != "true" else ""))
        other = field(node, "alternative")
        if other is not None and meant != "true":
            self.visit(other, now.under(f"else {meant}"))

    def failing(self, node: Node, condition: Node | None, now: Pass) -> None:
        """``if a != b { fail }`` claims that a equals b."""
        relation, left, right = comparison(condition, now.env)
        opposite = {"!=": "equal", "!==": "equal", "==": "differs", "===": "differs"}
        if relation in opposite:
            now.say(node, opposite[relation], left, right)
        else:
            now.say(node, "never", now.plain(condition))

    def _try(self, node: Node, now: Pass) -> None:
        inner = now.under("")
        for handler in node.children:
            if handler.type == "catch_clause":
                inner.swallowed = inner.swallowed or not self.handled(handler)
        self.visit_all(field(node, "body"), inner)
        for one in node.children:
            if one.type in ("catch_clause", "finally_clause"):
                self.visit_all(one, now.under("catch" if one.type == "catch_clause" else ""))

    def visit_all(self, node: Node | None, now: Pass) -> None:
        for one in node.children if node is not None else ():
            self.visit(one, now)

    def handled(self, handler: Node) -> bool:
        """Whether a catch clause still can fail the test, or catches something narrow."""
        return any(one.type in self.throws for one in syntax.walk(handler)) or self.fails(handler)

    def rows(self, node: Node | None, now: Pass) -> None:
        """Record the rows of a table of cases."""
        for one in node.named_children if node is not None else ():
            if not syntax.is_comment(one):
                parts = sorted(plain(part) for part in one.named_children if not syntax.is_comment(part))
                now.say(one, CASE, "\n".join(parts) if parts else plain(one))


def comparison(node: Node | None, env: Mapping[str, str]) -> tuple[str, str, str]:
    """(operator, left, right) of a comparison, the literal on the right; empty strings for anything else."""
    while node is not None and node.type == "parenthesized_expression" and node.named_children:
        node = node.named_children[0]
    if node is None or node.type != "binary_expression":
        return "", "", ""
    left, right, operator = field(node, "left"), field(node, "right"), text(field(node, "operator"))
    a, b = plain(left, env), plain(right, env)
    if operator in ("==", "===", "!=", "!==") and is_literal(a) and not is_literal(b):
        a, b = b, a
    return operator, a, b


def is_literal(words: str) -> bool:
    """Whether a text is a number, a string or one of the constants."""
    return bool(words) and (
        words[0] in "\"'`"
        or words.replace(".", "").replace("-", "").replace(" ", "").replace("_", "").isdigit()
        or words in ("true", "false", "null", "undefined", "nil", "NaN", "None")
        or (words[0] in "[{" and not any(letter.isalpha() for letter in _unquoted(words)))
    )


def _unquoted(words: str) -> str:
    parts = words.split('"')
    return "".join(parts[::2])


def _leaves(block: Node) -> bool:
    last = [one for one in block.named_children if not syntax.is_comment(one)][-1:]
    if last and last[0].type == "statement_list":
        last = last[0].named_children[-1:]
    return bool(last) and last[0].type in ("return_statement", "return_expression")


def split(words: Sequence[str]) -> tuple[str, str]:
    """First and second of some texts, empty where there are fewer."""
    return (words[0] if words else "", words[1] if len(words) > 1 else "")
