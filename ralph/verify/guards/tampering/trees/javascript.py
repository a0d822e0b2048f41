"""Tests of JavaScript and TypeScript: Jest, Vitest, Mocha, node:test, with expect, chai or node:assert."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.trees import syntax
from ralph.verify.guards.tampering.trees.model import EQUAL, Pass, TreeTest
from ralph.verify.guards.tampering.trees.reader import Reader, comparison, is_literal, split
from ralph.verify.guards.tampering.trees.syntax import field, line, plain, text

if TYPE_CHECKING:
    from tree_sitter import Node

_TESTS = frozenset({"test", "it", "specify", "xit", "xtest", "fit", "ftest"})
_GROUPS = frozenset({"describe", "suite", "context", "xdescribe", "fdescribe"})
_STOPS = frozenset({"skip", "todo", "fails", "failing", "only", "skipIf", "runIf", "fixme"})
_ASSERT = re.compile(r"(?:assert|t|chai\.assert|assert\.strict|tap)(?:\.\w+)?$")
_AVA = frozenset(
    {"is", "deepEqual", "true", "false", "not", "throws", "truthy", "falsy", "like", "equal", "equals", "same"}
)
_EXACT = {"toBe": EQUAL, "toEqual": "like", "toStrictEqual": EQUAL, "strictEqual": EQUAL, "deepStrictEqual": EQUAL}
_EXACT |= {
    "equal": "loosely",
    "deepEqual": "like",
    "is": EQUAL,
    "to.equal": EQUAL,
    "to.eql": "like",
    "to.deep.equal": EQUAL,
}


class JavaScript(Reader):
    declarations = frozenset({"variable_declarator"})
    calls = frozenset({"call_expression", "member_expression"})
    functions = frozenset({"arrow_function", "function_expression", "function_declaration"})

    def tests(self) -> list[TreeTest]:
        found: list[TreeTest] = []
        self._block(self.root, "", [], {}, found)
        return found

    def _block(self, node: Node, prefix: str, skips: list[str], env: dict[str, str], found: list[TreeTest]) -> None:
        for one in node.children:
            call = one.named_children[0] if one.type == "expression_statement" and one.named_children else one
            if call.type == "call_expression" and (name := self._name(call)):
                self._suite(call, name, prefix, skips, env, found)
            elif one.type in ("lexical_declaration", "variable_declaration"):
                now = Pass(TreeTest("", 0), env)
                for inner in one.named_children:
                    if (
                        inner.type == "variable_declarator"
                        and (field(inner, "value") or inner).type not in self.functions
                    ):
                        self.declare(inner, now)
            elif one.type in ("if_statement", "statement_block", "export_statement"):
                condition = field(one, "condition")
                more = [f"if {plain(condition)}"] if condition is not None else []
                for block in (
                    (field(one, "consequence"), field(one, "alternative")) if condition is not None else (one,)
                ):
                    if block is not None and plain(condition) != "false":
                        self._block(block, prefix, skips + more, dict(env), found)

    def _name(self, call: Node) -> str:
        """Dotted name of the function under which a test or a group stands; empty for other calls."""
        callee = field(call, "function")
        if callee is not None and callee.type == "call_expression":
            callee = field(callee, "function")
        words = text(callee)
        first = words.split(".")[0].split("`")[0].strip()
        return words if first in _TESTS | _GROUPS or words == "Deno.test" else ""

    def _suite(
        self, call: Node, name: str, prefix: str, skips: list[str], env: dict[str, str], found: list[TreeTest]
    ) -> None:
        parts = re.split(r"[.`(]", name)
        args = syntax.arguments(call)
        title = plain(args[0], env) if args else ""
        body = next((one for one in args if one.type in self.functions), None)
        stops = [*skips, *(part for part in parts[1:] if part in _STOPS), *_options(args)]
        stops += ["skip"] if parts[0] in ("xit", "xtest", "xdescribe") else []
        stops += ["only"] if parts[0] in ("fit", "ftest", "fdescribe") else []
        inner = field(body, "body") if body is not None else None
        if parts[0] in _GROUPS:
            if inner is not None:
                self._block(inner, f"{prefix}{title} > ", stops, dict(env), found)
            return
        test = TreeTest(prefix + title, line(call), [], stops)
        now = Pass(test, dict(env))
        if "each" in parts:
            self._each(call, now)
        if inner is not None:
            self.body(inner, now) if inner.type == "statement_block" else self.visit(inner, now)
        elif "todo" not in parts and body is None:
            test.skips.append("no body")
        found.append(test)

    def _each(self, call: Node, now: Pass) -> None:
        outer = field(call, "function")
        table = syntax.arguments(outer)[0] if outer is not None and syntax.arguments(outer) else None
        if table is not None and table.type == "identifier":
            now.say(table, "case", now.env.get(text(table), text(table)))
        else:
            self.rows(table, now)

    def assertion(self, node: Node, now: Pass) -> bool:
        if node.type == "member_expression":
            return self._property(node, now)
        subject, chain = _expectation(node)
        if subject is not None and chain:
            self._expect(node, subject, chain, now)
            return True
        name = text(field(node, "function"))
        args = syntax.arguments(node)
        if _ASSERT.match(name) and args and self._is_assert(name):
            self._assert(node, name.rsplit(".", 1)[-1], args, now)
            return True
        if name in ("expect.assertions", "expect.hasAssertions"):
            now.say(node, name, ", ".join(map(now.plain, args)))
            return True
        return False

    def _is_assert(self, name: str) -> bool:
        return not name.startswith("t.") or name[2:] in _AVA or name.startswith("t.assert")

    def _property(self, node: Node, now: Pass) -> bool:
        """chai's ``expect(x).to.be.true``."""
        if node.parent is not None and node.parent.type != "expression_statement":
            return False
        subject, chain = _expectation(node)
        if subject is None or not chain:
            return False
        now.say(node, chain, now.plain(subject), "", _hollow(now.plain(subject)))
        return True

    def _expect(self, node: Node, subject: Node, chain: str, now: Pass) -> None:
        args = [now.plain(one) for one in syntax.arguments(node)]
        meant, (first, second) = now.plain(subject), split(args)
        why = _hollow(meant)
        if chain.split(".")[0] in ("resolves", "rejects") and not _awaited(node):
            why = why or "nobody waits for it"
        if chain.endswith("toBeCloseTo"):
            now.say(node, chain, meant, first, why, second or "2")
            return
        relation = chain
        if chain in ("toBe", "toStrictEqual", "toEqual") and is_literal(first) and first[:1] not in "[{":
            relation = EQUAL
        elif chain in _EXACT:
            relation = _EXACT[chain] if chain != "toBe" else "same"
        now.say(node, relation, meant, ", ".join(args), why)

    def _assert(self, node: Node, name: str, args: list[Node], now: Pass) -> None:
        texts = [now.plain(one) for one in args]
        if name in ("assert", "ok", "true", "truthy", "isTrue"):
            relation, left, right = comparison(args[0], now.env)
            if relation in ("===", "=="):
                now.say(node, EQUAL if relation == "===" else "loosely", left, right)
            else:
                now.say(node, "truthy", texts[0], "", _hollow(texts[0]))
            return
        first, second = split(texts)
        why = "it asserts a constant" if is_literal(first) and is_literal(second) else ""
        now.say(node, _EXACT.get(name, name), first, second, why)

    def fails(self, node: Node) -> bool:
        return any(
            one.type == "throw_statement"
            or (
                one.type == "call_expression"
                and text(field(one, "function"))
                in ("fail", "assert.fail", "expect.fail", "done.fail", "t.fail", "expect.unreachable")
            )
            for one in syntax.walk(node)
        )

    def handled(self, handler: Node) -> bool:
        return super().handled(handler) or any(_expectation(one)[0] is not None for one in syntax.walk(handler))

    def skip(self, node: Node) -> str:
        name = text(field(node, "function")) if node.type == "call_expression" else ""
        return (
            "skip" if name in ("t.skip", "this.skip", "ctx.skip", "context.skip", "test.skip", "t.todo", "skip") else ""
        )


def _expectation(node: Node) -> tuple[Node | None, str]:
    """The subject and the matchers of ``expect(x).not.toBe(y)``."""
    names: list[str] = []
    one: Node | None = field(node, "function") if node.type == "call_expression" else node
    while one is not None and one.type in ("member_expression", "call_expression"):
        if one.type == "call_expression":
            callee = field(one, "function")
            if text(callee) in ("expect", "expect.soft", "expect.poll", "should"):
                args = syntax.arguments(one)
                return (args[0] if args else None), ".".join(reversed(names))
            one = callee
        else:
            names.append(text(field(one, "property")))
            one = field(one, "object")
    return None, ""


def _awaited(node: Node) -> bool:
    one = node.parent
    while one is not None and one.type in (
        "call_expression",
        "member_expression",
        "arguments",
        "array",
        "parenthesized_expression",
    ):
        one = one.parent
    return one is not None and one.type in (
        "await_expression",
        "return_statement",
        "arrow_function",
        "variable_declarator",
    )


def _hollow(subject: str) -> str:
    return "it asserts a constant" if is_literal(subject) else ""


def _options(args: list[Node]) -> list[str]:
    """``{ skip: true }`` of node:test and Vitest."""
    found = []
    for one in args[1:]:
        for pair in one.named_children if one.type == "object" else ():
            key = text(field(pair, "key"))
            if key in ("skip", "todo", "fails", "only") and text(field(pair, "value")) != "false":
                found.append(key)
    return found
