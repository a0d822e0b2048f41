"""Expressions of a test with their names resolved, so that renaming a local or inlining it changes nothing."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ralph.verify.guards.tampering.python.module import Function, Module, is_fixture
from ralph.verify.guards.tampering.python.nodes import made, support

Env = dict[str, ast.expr]
"""Local name (or ``self.name``) to the resolved expression that it is bound to."""

_DEEPEST, _LONGEST = 4, 3_000


@dataclass(slots=True)
class World:
    """What a test can reach: its module, and the helpers and fixtures in other test files of the change."""

    module: Module
    helpers: Mapping[str, tuple[Module, Function]] = field(default_factory=dict)

    def helper(self, name: str) -> tuple[Module, Function] | None:
        """A function of the test code, by the name under which this module knows it."""
        own = self.module.functions.get(name)
        if own is not None:
            return self.module, own
        imported = self.module.imports.get(name)
        return self.helpers.get(imported[1]) if imported else None

    def fixture(self, name: str) -> tuple[Module, Function] | None:
        own = self.module.functions.get(name)
        if own is not None and is_fixture(own):
            return self.module, own
        found = self.helpers.get(name)
        return found if found is not None and is_fixture(found[1]) else None


def call(name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def bound(value: ast.expr, mark: str = "§var") -> ast.expr:
    """A name's stand-in where its value may have changed since it was bound."""
    return call(mark, short(value))


def short(value: ast.expr) -> ast.expr:
    text = ast.dump(value)
    if len(text) <= _LONGEST:
        return value
    return ast.Name("§" + hashlib.sha256(text.encode()).hexdigest()[:16], ast.Load())


def resolve(node: ast.expr, env: Env, world: World, depth: int = 0) -> ast.expr:
    """The expression with locals, constants of the module, imports and one-line helpers put in."""
    match node:
        case ast.Name():
            return _name(node, env, world, depth)
        case ast.Attribute():
            return _attribute(node, env, world, depth)
        case ast.Call():
            return _call(node, env, world, depth)
        case ast.Lambda():
            return _lambda(node, env, world, depth)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            env = _comprehended(node.generators, env)
        case ast.Constant():
            return ast.Constant(node.value)
        case ast.Dict() if all(key is not None for key in node.keys):
            pairs = [(_part(key, env, world, depth), resolve(value, env, world, depth)) for key, value in _items(node)]
            pairs.sort(key=lambda pair: ast.dump(pair[0]))
            return ast.Dict([key for key, _ in pairs], [value for _, value in pairs])
    return _rebuilt(node, env, world, depth)


def _items(node: ast.Dict) -> list[tuple[ast.expr, ast.expr]]:
    return [(key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None]


def _part(node: ast.expr, env: Env, world: World, depth: int) -> ast.expr:
    return resolve(node, env, world, depth)


def _rebuilt(node: ast.expr, env: Env, world: World, depth: int) -> ast.expr:
    fields = {name: _field(value, env, world, depth) for name, value in ast.iter_fields(node)}
    fresh = made(node, fields)
    if isinstance(fresh, ast.Call):
        fresh.keywords.sort(key=lambda keyword: keyword.arg or "")
        fresh.args = [one for arg in fresh.args for one in _spread(arg)]
        return _as_list(fresh)
    return fresh


def _spread(arg: ast.expr) -> list[ast.expr]:
    """What ``*(a, b)`` hands on."""
    match arg:
        case ast.Starred(value=ast.Tuple(elts=parts) | ast.List(elts=parts)):
            return parts
    return [arg]


def _as_list(node: ast.Call) -> ast.expr:
    """``list((a, b))`` as the list that it makes."""
    match node:
        case ast.Call(func=ast.Name("list"), args=[ast.Tuple(elts=parts) | ast.List(elts=parts)], keywords=[]):
            return ast.List(parts, ast.Load())
    return node


def _field(value: object, env: Env, world: World, depth: int) -> object:
    match value:
        case ast.expr():
            return resolve(value, env, world, depth)
        case ast.keyword():
            return ast.keyword(value.arg, resolve(value.value, env, world, depth))
        case ast.comprehension():
            fields = {name: _field(one, env, world, depth) for name, one in ast.iter_fields(value)}
            return made(value, fields)
        case list():
            return [_field(one, env, world, depth) for one in value]
    return value


def _name(node: ast.Name, env: Env, world: World, depth: int) -> ast.expr:
    if node.id in env:
        return env[node.id]
    imported = world.module.imports.get(node.id)
    if imported:
        return ast.Name(imported[1] or imported[0].rsplit(".", 1)[-1], ast.Load())
    constant = world.module.constants.get(node.id)
    if constant is not None and depth < _DEEPEST:
        return support(short(resolve(constant, {}, world, depth + 1)))
    return ast.Name(node.id, ast.Load())


def _attribute(node: ast.Attribute, env: Env, world: World, depth: int) -> ast.expr:
    owner = ast.unparse(node.value) if _is_dotted(node.value) else ""
    if owner in ("self", "cls"):
        return env.get(f"self.{node.attr}") or ast.Name(node.attr, ast.Load())
    if owner and owner not in env and _is_module(owner, world.module):
        return ast.Name(node.attr, ast.Load())
    if owner and f"{owner}.{node.attr}" in env:
        return env[f"{owner}.{node.attr}"]
    return ast.Attribute(resolve(node.value, env, world, depth), node.attr, ast.Load())


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_module(owner: str, module: Module) -> bool:
    first = module.imports.get(owner.split(".")[0])
    if first is None or first[1]:
        return False
    return "." not in owner or owner == first[0]


def _call(node: ast.Call, env: Env, world: World, depth: int) -> ast.expr:
    """A helper that is one ``return`` is put in; any other call keeps its form, keywords in order of their names."""
    if isinstance(node.func, ast.Name) and node.func.id not in env and depth < _DEEPEST:
        found = world.helper(node.func.id)
        value = returned(found[1]) if found is not None and not found[1].decorator_list else None
        if found is not None and value is not None:
            inner = arguments(found[1], node, env, world, depth)
            if inner is not None:
                return support(short(resolve(value, inner, World(found[0], world.helpers), depth + 1)))
    return _rebuilt(node, env, world, depth)


def returned(node: Function) -> ast.expr | None:
    """The expression of a function that does nothing but return (or yield) it."""
    body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    if len(body) != 1:
        return None
    match body[0]:
        case ast.Return(value=value) if value is not None:
            return value
        case ast.Expr(value=ast.Yield(value=value)) if value is not None:
            return value
    return None


def arguments(node: Function, site: ast.Call, env: Env, world: World, depth: int, skip: int = 0) -> Env | None:
    """What a call binds the parameters of a function to; None where that can't be told."""
    spec = node.args
    if any(isinstance(arg, ast.Starred) for arg in site.args) or any(word.arg is None for word in site.keywords):
        return None
    names = [arg.arg for arg in (*spec.posonlyargs, *spec.args)][skip:]
    if len(site.args) > len(names) and spec.vararg is None:
        return None
    inner: Env = {}
    for name, default in zip(reversed(names), reversed(spec.defaults), strict=False):
        inner[name] = resolve(default, {}, world, depth + 1)
    for arg, default_or_none in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if default_or_none is not None:
            inner[arg.arg] = resolve(default_or_none, {}, world, depth + 1)
    for name, value in zip(names, site.args, strict=False):
        inner[name] = resolve(value, env, world, depth)
    if spec.vararg is not None:
        rest = [resolve(value, env, world, depth) for value in site.args[len(names) :]]
        inner[spec.vararg.arg] = ast.Tuple(rest, ast.Load())
    for word in site.keywords:
        inner[word.arg or ""] = resolve(word.value, env, world, depth)
    if skip:
        inner |= {name: value for name, value in env.items() if name.startswith("self.")}
    return inner


def _lambda(node: ast.Lambda, env: Env, world: World, depth: int) -> ast.expr:
    names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    inner = env | {name: ast.Name(f"§{at}", ast.Load()) for at, name in enumerate(names)}
    return call("§lambda", ast.Constant(len(names)), resolve(node.body, inner, world, depth))


def _comprehended(generators: Sequence[ast.comprehension], env: Env) -> Env:
    names = [one.id for each in generators for one in ast.walk(each.target) if isinstance(one, ast.Name)]
    return env | {name: ast.Name(f"§{at}", ast.Load()) for at, name in enumerate(names)}
