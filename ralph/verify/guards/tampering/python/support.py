"""What stands round the tests of a file: helpers that assert, fixtures, and where the tested names come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ralph.domain import Finding
from ralph.verify.guards.tampering import found
from ralph.verify.guards.tampering.python import compare, gather, hollow, mocks
from ralph.verify.guards.tampering.python.claim import RUNS
from ralph.verify.guards.tampering.python.differ import Context
from ralph.verify.guards.tampering.python.module import Function, Module, Test, is_fixture
from ralph.verify.guards.tampering.python.pairing import Suite
from ralph.verify.guards.tampering.python.resolve import returned

_STAND_IN = frozenset({"tests", "test", "conftest", "fakes", "fake", "stubs", "stub", "mocks", "testing", "doubles"})


def findings(old: Suite, new: Suite, context: Context) -> Iterator[Finding]:
    for path, module in new.modules.items():
        was = old.modules.get(path)
        yield from _autouse(was, module, context)
        if was is not None:
            yield from _helpers(old, new, path, context)
            yield from _fixtures(was, module)
            yield from _origins(was, module)


def _helpers(old: Suite, new: Suite, path: str, context: Context) -> Iterator[Finding]:
    """Functions that tests call to assert, compared as tests are."""
    was, now = old.modules[path], new.modules[path]
    for name, node in was.functions.items():
        other = now.functions.get(name)
        if other is None or name in was.tests or is_fixture(node) or ast.dump(other) == ast.dump(node):
            continue
        before = gather.claims(Test(name, node, None, ()), old.worlds[path])
        after = gather.claims(Test(name, other, None, ()), new.worlds[path])
        if any(claim.kind != RUNS for claim in before):
            for one in compare.weaker(before, after, context)[:3]:
                yield Finding(found.WEAKEN, path, f"helper {name}: {one.message}", one.line or other.lineno)
        elif (less := _always(node, other)) is not None:
            yield Finding(found.WEAKEN, path, f"helper {name} is always {less}", other.lineno)


def _always(old: Function, new: Function) -> bool | None:
    value, before = returned(new), returned(old)
    if value is None or (before is not None and hollow.is_literal(before)):
        return None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, bool) else None


def _fixtures(was: Module, now: Module) -> Iterator[Finding]:
    """Literals that a fixture hands to tests, which may stand in files that the change leaves alone."""
    for name, node in was.functions.items():
        other = now.functions.get(name)
        if other is None or not is_fixture(node):
            continue
        before, after = returned(node), returned(other)
        if before is None or after is None or not hollow.is_literal(before) or ast.dump(before) == ast.dump(after):
            continue
        if not _grown(before, after):
            yield Finding(found.WEAKEN, now.path, f"fixture {name} hands out another value", other.lineno)


def _grown(before: ast.expr, after: ast.expr) -> bool:
    if isinstance(before, ast.Dict) and isinstance(after, ast.Dict):
        return set(map(ast.dump, before.values)) <= set(map(ast.dump, after.values))
    return False


def _autouse(was: Module | None, now: Module, context: Context) -> Iterator[Finding]:
    """A fixture that now acts on every test and replaces something of the product."""
    known = mocks.autouse(was) if was is not None else {}
    for name, node in mocks.autouse(now).items():
        before = {one.name for one in mocks.of([known[name]])} if name in known else set()
        for patch in mocks.of([node]):
            if patch.name not in before and patch.name in context.product:
                message = f"fixture {name} replaces {patch.name} of the product in every test"
                yield Finding(found.WEAKEN, now.path, message, patch.line)


def _origins(was: Module, now: Module) -> Iterator[Finding]:
    """Names that came from the product and now come from the test code."""
    for local, (source, name) in was.imports.items():
        if not name or _stands_in(source) or local not in _loaded(now):
            continue
        moved = now.imports.get(local)
        if moved is not None and moved[0] != source and _stands_in(moved[0]):
            yield Finding(found.WEAKEN, now.path, f"{local} came from {source} and now comes from {moved[0]}")
        elif moved is None and local in {*now.classes, *now.functions, *now.constants}:
            yield Finding(found.WEAKEN, now.path, f"{local} came from {source} and is now defined in the test file")


def _stands_in(source: str) -> bool:
    return bool(_STAND_IN & set(source.split(".")))


def _loaded(module: Module) -> set[str]:
    nodes = ast.walk(module.tree)
    return {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
