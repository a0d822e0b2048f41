"""Goes through a test's body and collects what it claims, statement by statement, as Python would run it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ralph.verify.guards.tampering.python import cases, hollow, tolerance, unittests, values
from ralph.verify.guards.tampering.python.claim import CALLS, RAISES, RUNS, TRUE, Claim, shortly
from ralph.verify.guards.tampering.python.module import Function, Module, is_fixture, members
from ralph.verify.guards.tampering.python.resolve import (
    Env,
    World,
    arguments,
    bound,
    call,
    resolve,
    returned,
    short,
)
from ralph.verify.guards.tampering.python.statements import (
    SKIPS,
    direct,
    fails,
    family,
    given_pairs,
    item,
    leaves,
    names_of,
    parts_of,
    raises_again,
)

_MOST_CLAIMS, _MOST_STEPS, _DEEPEST = 1_000, 10_000, 4
_ASSERTING = re.compile(r"_?(?:assert|check|expect|verify|validate|should|ensure)", re.IGNORECASE)
_BROAD = frozenset({"AssertionError", "Exception", "BaseException"})
SWALLOWED = "what it raises is swallowed"


@dataclass(slots=True)
class Walk:
    """The state of one pass over one test body."""

    world: World
    owner: ast.ClassDef | None
    claims: list[Claim] = field(default_factory=list)
    locals: dict[str, Function] = field(default_factory=dict)
    depth: int = 0
    swallowed: bool = False
    steps: int = 0
    """Statements gone through: loops in loops over literals end somewhere."""

    def block(self, body: Sequence[ast.stmt], env: Env, guards: tuple[str, ...]) -> bool:
        """Collect the claims of a block; True where the end of it is reached."""
        for at, node in enumerate(body):
            self.steps += 1
            if len(self.claims) > _MOST_CLAIMS or self.steps > _MOST_STEPS:
                return True
            if isinstance(node, ast.If) and (left := self._early(node, env, guards)):
                self.block(body[at + 1 :], env, (*guards, left))
                return True
            more, goes_on = self._statement(node, env, guards)
            guards = (*guards, *more)
            if not goes_on:
                return False
        return True

    def _early(self, node: ast.If, env: Env, guards: tuple[str, ...]) -> str:
        """The condition under which the rest of the block runs, where the ``if`` leaves it."""
        if node.orelse or not leaves(node.body):
            return ""
        if any(fails(one) for one in node.body):
            self._true(ast.UnaryOp(ast.Not(), node.test), node, env, guards)
            return ""
        test = resolve(node.test, env, self.world)
        self.block(node.body, dict(env), (*guards, f"if {ast.unparse(test)}"))
        return f"if {ast.unparse(hollow.negated(test))}"

    def _statement(self, node: ast.stmt, env: Env, guards: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Further guards for what follows, and whether anything follows."""
        match node:
            case ast.Assert():
                self._true(node.test, node, env, guards)
            case ast.Expr(value=value):
                return self._expression(value, node, env, guards)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, resolve(value, env, self.world), env)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._bind(target, resolve(value, env, self.world), env)
            case ast.AugAssign(target=target):
                self._opaque(target, env)
            case ast.With() | ast.AsyncWith():
                return (), self._with(node, env, guards)
            case ast.For() | ast.AsyncFor():
                self._for(node, env, guards)
            case ast.While():
                self._forget_assigned(node.body, env)
                self.block(node.body, dict(env), (*guards, f"while {ast.unparse(node.test)}"))
            case ast.If():
                self._if(node, env, guards)
            case ast.Try():
                return (), self._try(node, env, guards)
            case ast.Match(cases=arms):
                for arm in arms:
                    self.block(arm.body, dict(env), (*guards, f"case {ast.unparse(arm.pattern)}"))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._nested(node, env, guards)
            case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
                return (), False
        return (), True

    def _add(self, kind: str, meant: ast.expr, node: ast.AST, guards: tuple[str, ...], **more: object) -> None:
        plain, given = tolerance.taken(meant)
        why = str(more.pop("hollow", "")) or (SWALLOWED if self.swallowed else "")
        line = getattr(node, "lineno", 0)
        text = shortly(ast.unparse(node)) if isinstance(node, ast.stmt | ast.expr) else ""
        expected = more.pop("expected", frozenset())
        assert isinstance(expected, frozenset)
        given = tuple(sorted({**dict(given), **given_pairs(more.pop("tolerances", ()))}.items()))
        match = str(more.pop("match", ""))
        self.claims.append(Claim(kind, short(plain), text, line, guards, given, why, expected, match))

    def _true(self, test: ast.expr, node: ast.AST, env: Env, guards: tuple[str, ...], given: object = ()) -> None:
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for part in test.values:
                self._true(part, node, env, guards, given)
            return
        meant = hollow.positive(resolve(test, env, self.world))
        if isinstance(meant, ast.BoolOp) and isinstance(meant.op, ast.And):
            for part in meant.values:
                self._add(TRUE, hollow.positive(part), node, guards, tolerances=given)
            return
        soft = {name: bound(value) if isinstance(value, _DISPLAYS) else value for name, value in env.items()}
        why = hollow.why(test, hollow.positive(resolve(test, soft, self.world)))
        self._add(TRUE, meant, node, guards, hollow=why, tolerances=given)

    def _expression(
        self, value: ast.expr, node: ast.stmt, env: Env, guards: tuple[str, ...]
    ) -> tuple[tuple[str, ...], bool]:
        inner = value.value if isinstance(value, ast.Await) else value
        if not isinstance(inner, ast.Call):
            return (), True
        name = ast.unparse(inner.func).rsplit(".", 1)[-1]
        whole = ast.unparse(inner.func)
        if name in SKIPS and whole.split(".")[0] in ("self", "pytest", name) and name != "exit":
            return (), False
        if name == "fail" and whole in ("pytest.fail", "self.fail", "fail"):
            self._add(TRUE, ast.Constant(False), node, guards)
            return (), False
        if name == "assume" and inner.args:
            return (f"assume {ast.unparse(resolve(inner.args[0], env, self.world))}",), True
        self._called(inner, name, node, env, guards)
        return (), True

    def _called(self, site: ast.Call, name: str, node: ast.stmt, env: Env, guards: tuple[str, ...]) -> None:
        claimed = unittests.claimed(name, site)
        if claimed is not None:
            given = unittests.tolerances(name, site)
            self._true(claimed, node, env, guards, tolerance.measured(given))
        elif name in unittests.RAISING and len(site.args) > unittests.RAISING[name]:
            self._raises(site, name, [ast.Expr(direct(site, unittests.RAISING[name]))], node, env, guards)
        elif self._helped(site, env, guards):
            pass
        elif _ASSERTING.match(name):
            self._add(CALLS, resolve(site, env, self.world), node, guards)
        elif name not in ("print", "append", "extend") or name == "append":
            self._add(RUNS, resolve(site, env, self.world), node, guards)
        self._touched(site, env)

    def _helped(self, site: ast.Call, env: Env, guards: tuple[str, ...]) -> bool:
        """Go into a helper of the test code; False where there is none that claims anything."""
        found = self._helper(site, env)
        if found is None or self.depth >= _DEEPEST:
            return False
        module, node, skip = found
        inner = arguments(node, site, env, self.world, 0, skip)
        if inner is None:
            return False
        if node.name in self.locals:
            inner = env | inner
        walk = Walk(World(module, self.world.helpers), self.owner, [], dict(self.locals), self.depth + 1)
        walk.swallowed = self.swallowed
        walk.steps = self.steps
        walk.block(node.body, inner, guards)
        self.steps = walk.steps
        claims = [claim for claim in walk.claims if claim.kind != RUNS]
        self.claims += claims
        return bool(claims)

    def _helper(self, site: ast.Call, env: Env) -> tuple[Module, Function, int] | None:
        match site.func:
            case ast.Name(name) if name in self.locals:
                return self.world.module, self.locals[name], 0
            case ast.Name(name) if name not in env:
                found = self.world.helper(name)
                return (*found, 0) if found is not None and not is_fixture(found[1]) else None
            case ast.Attribute(value=ast.Name("self" | "cls"), attr=name) if self.owner is not None:
                methods, _ = members(self.world.module, self.owner)
                static = name in methods and "staticmethod" in map(ast.unparse, methods[name].decorator_list)
                return (self.world.module, methods[name], 0 if static else 1) if name in methods else None
        return None

    def _raises(
        self,
        site: ast.Call,
        name: str,
        body: Sequence[ast.stmt],
        node: ast.stmt,
        env: Env,
        guards: tuple[str, ...],
        hidden: str = "",
    ) -> None:
        words = {word.arg: word.value for word in site.keywords}
        kinds = site.args[0] if site.args else words.get("expected_exception", words.get("exception", ast.Constant(0)))
        match = words.get("match") or words.get("expected_regex")
        if match is None and name.endswith(("Regex", "Regexp")) and len(site.args) > 1:
            match = site.args[1]
        done = [part for one in body for part in parts_of(one, env, self.world)]
        meant = ast.Tuple([ast.Constant(family(name)), *done], ast.Load())
        says = ast.unparse(resolve(match, env, self.world)) if match is not None else ""
        self._add(RAISES, meant, node, guards, expected=names_of(kinds, env, self.world), match=says, hollow=hidden)

    def _with(self, node: ast.With | ast.AsyncWith, env: Env, guards: tuple[str, ...]) -> bool:
        before = self.swallowed
        raised = False
        for entered in node.items:
            site = entered.context_expr
            name = ast.unparse(site.func).rsplit(".", 1)[-1] if isinstance(site, ast.Call) else ""
            if isinstance(site, ast.Call) and name in unittests.RAISING:
                self._raises(site, name, node.body, node, env, guards)
                raised = family(name) == "raises"
            elif isinstance(site, ast.Call) and name == "suppress":
                kinds = {one for arg in site.args for one in names_of(arg, env, self.world)}
                self.swallowed = self.swallowed or bool(kinds & _BROAD)
                guards = (*guards, f"suppress {sorted(kinds)}")
            if entered.optional_vars is not None:
                self._bind(entered.optional_vars, bound(resolve(site, env, self.world), "§with"), env)
        start = len(self.claims)
        ended = self.block(node.body, env, guards)
        if raised:
            self.claims[start:] = [claim for claim in self.claims[start:] if claim.kind != RUNS]
        self.swallowed = before
        return ended or raised

    def _for(self, node: ast.For | ast.AsyncFor, env: Env, guards: tuple[str, ...]) -> None:
        through = resolve(node.iter, env, self.world)
        rows = cases.elements(through)
        changed = dict(env)
        if rows is None or len(rows) > cases.MOST:
            self._forget_assigned(node.body, changed)
            self._bind(node.target, bound(through, "§each"), changed)
            self.block(node.body, changed, guards)
        for row in rows or ():
            self._bind(node.target, row, changed)
            self.block(node.body, changed, guards)
        self._forget_assigned(node.body, env)
        self.block(node.orelse, env, guards)

    def _if(self, node: ast.If, env: Env, guards: tuple[str, ...]) -> None:
        test = resolve(node.test, env, self.world)
        if any(fails(one) for one in node.body) and not node.orelse:
            self._true(ast.UnaryOp(ast.Not(), node.test), node, env, guards)
            return
        literal = not any(isinstance(one, ast.Name | ast.Call) for one in ast.walk(node.test))
        known = values.truth(test) if literal else None
        if known is not False:
            more = () if known else (f"if {ast.unparse(test)}",)
            self.block(node.body, dict(env), (*guards, *more))
        if known is not True:
            more = () if known is False else (f"if {ast.unparse(hollow.negated(test))}",)
            self.block(node.orelse, dict(env), (*guards, *more))
        self._forget_assigned([*node.body, *node.orelse], env)

    def _try(self, node: ast.Try, env: Env, guards: tuple[str, ...]) -> bool:
        before = self.swallowed
        for handler in node.handlers:
            kinds = names_of(handler.type, env, self.world) if handler.type else frozenset(_BROAD)
            if kinds & _BROAD and not raises_again(handler.body):
                self.swallowed = True
        if any(isinstance(one, ast.Return) for one in node.finalbody):
            self.swallowed = True
        if self._expected_by_hand(node, env, guards):
            self.swallowed = before
            return True
        self.block(node.body, env, guards)
        self.swallowed = before
        for handler in node.handlers:
            self.block(
                handler.body, dict(env), (*guards, f"except {ast.unparse(handler.type) if handler.type else ''}")
            )
        self.block(node.orelse, env, guards)
        self.block(node.finalbody, env, guards)
        return True

    def _expected_by_hand(self, node: ast.Try, env: Env, guards: tuple[str, ...]) -> bool:
        """``try: f(); fail() except E: pass`` claims what ``raises(E)`` does."""
        tail = node.orelse or node.body[-1:]
        if len(node.handlers) != 1 or not tail or not fails(tail[-1]):
            return False
        body = node.body if node.orelse else node.body[:-1]
        kinds = node.handlers[0].type
        site = ast.Call(ast.Name("raises", ast.Load()), [kinds] if kinds else [], [])
        hidden = SWALLOWED if not node.orelse and self.swallowed else ""
        self.swallowed = False
        self._raises(site, "raises", body, node, env, guards, hidden)
        self.block(node.handlers[0].body, dict(env), guards)
        return True

    def _nested(self, node: Function, env: Env, guards: tuple[str, ...]) -> None:
        """A function inside the test: its claims count where it is called, or where it runs by being handed on."""
        self.locals[node.name] = node
        for name in [inner for one in ast.walk(node) if isinstance(one, ast.Nonlocal) for inner in one.names]:
            env[name] = bound(env.get(name, ast.Constant(None)))
        value = returned(node)
        if value is not None and not node.decorator_list:
            params = [arg.arg for arg in node.args.args]
            inner = env | {name: ast.Name(f"§{at}", ast.Load()) for at, name in enumerate(params)}
            env[node.name] = call("§lambda", ast.Constant(len(params)), resolve(value, inner, self.world))
        elif node.decorator_list:
            self.block(node.body, env | {arg.arg: ast.Name(arg.arg, ast.Load()) for arg in node.args.args}, guards)

    def _bind(self, target: ast.expr, value: ast.expr, env: Env) -> None:
        match target:
            case ast.Name(name):
                env[name] = short(value)
            case ast.Attribute(value=ast.Name("self" | "cls"), attr=name):
                env[f"self.{name}"] = short(value)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                known = value.elts if isinstance(value, ast.Tuple | ast.List) else []
                for at, one in enumerate(targets):
                    part = known[at] if len(known) == len(targets) else item(value, at)
                    self._bind(one, part, env)
            case ast.Starred(value=inner):
                self._bind(inner, bound(value, "§rest"), env)
            case ast.Attribute() | ast.Subscript():
                self._opaque(target.value, env)

    def _opaque(self, target: ast.expr, env: Env) -> None:
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name) and target.id in env:
            value = env[target.id]
            if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "§var"):
                env[target.id] = bound(value)

    def _touched(self, site: ast.Call, env: Env) -> None:
        """A statement that calls a method of a local, or hands a list on, may have changed it."""
        if isinstance(site.func, ast.Attribute):
            self._opaque(site.func.value, env)
        for arg in (*site.args, *(word.value for word in site.keywords)):
            if isinstance(arg, ast.Name) and isinstance(env.get(arg.id), _DISPLAYS):
                self._opaque(arg, env)

    def _forget_assigned(self, body: Sequence[ast.stmt], env: Env) -> None:
        for one in body:
            for node in ast.walk(one):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in env:
                    self._opaque(ast.Name(node.id, ast.Load()), env)


_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
