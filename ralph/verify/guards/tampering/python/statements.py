"""What single statements mean to a test: do they end it, fail it, raise again, and what has to raise."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ralph.verify.guards.tampering.python.resolve import Env, World, resolve

SKIPS = frozenset({"skip", "skipTest", "xfail", "exit"})


def given_pairs(pairs: object) -> dict[str, float | str]:
    return dict(pairs) if isinstance(pairs, tuple | list) else {}


def item(value: ast.expr, at: int) -> ast.expr:
    return ast.Subscript(value, ast.Constant(at), ast.Load())


def direct(site: ast.Call, before: int) -> ast.expr:
    """``assertRaises(E, f, 1)`` as the call ``f(1)``."""
    words = [word for word in site.keywords if word.arg not in ("match", "expected_exception")]
    return ast.Call(site.args[before], site.args[before + 1 :], words)


def family(name: str) -> str:
    lowered = name.lower()
    return "warns" if "warn" in lowered or "deprec" in lowered else "logs" if "log" in lowered else "raises"


def names_of(node: ast.expr, env: Env, world: World) -> frozenset[str]:
    """Last names of the exception classes that an expression lists."""
    meant = resolve(node, env, world)
    parts = meant.elts if isinstance(meant, ast.Tuple) else [meant]
    return frozenset(ast.unparse(part).rsplit(".", 1)[-1] for part in parts)


def parts_of(node: ast.stmt, env: Env, world: World) -> Iterator[ast.expr]:
    match node:
        case ast.Expr(value=value) | ast.Assign(value=value) | ast.Return(value=ast.expr() as value):
            yield resolve(value, env, world)
        case ast.With() | ast.AsyncWith() | ast.For() | ast.AsyncFor():
            for one in node.body:
                yield from parts_of(one, env, world)
        case ast.Pass():
            pass
        case _:
            yield ast.Constant(ast.unparse(node))


def leaves(body: Sequence[ast.stmt]) -> bool:
    last = body[-1]
    if isinstance(last, ast.Return | ast.Raise):
        return True
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return ast.unparse(last.value.func).rsplit(".", 1)[-1] in SKIPS
    return False


def fails(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=func)):
            return ast.unparse(func) in ("pytest.fail", "self.fail", "fail")
        case ast.Raise(exc=ast.expr() as exc):
            return "AssertionError" in ast.unparse(exc)
        case ast.Assert(test=ast.Constant(value=held)):
            return not held
    return False


def raises_again(body: Sequence[ast.stmt]) -> bool:
    nodes = [node for one in body for node in ast.walk(one)]
    return any(
        isinstance(node, ast.Raise | ast.Assert) or (isinstance(node, ast.stmt) and fails(node)) for node in nodes
    )
