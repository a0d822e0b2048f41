"""Tests that a change adds: they have to be able to fail, to run, and to test the product itself."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from ralph.domain import Finding
from ralph.verify.guards.tampering import found
from ralph.verify.guards.tampering.python import mocks, skips
from ralph.verify.guards.tampering.python.claim import RUNS
from ralph.verify.guards.tampering.python.pairing import Key, Suite


def findings(old: Suite, new: Suite, changed: Collection[str], tracked: Collection[str]) -> Iterator[Finding]:
    leaves = {test.leaf for test in old.tests.values()}
    for key, test in new.tests.items():
        if key not in old.tests and test.leaf not in leaves:
            yield from _one(key, new, changed, tracked)
    for path, module in new.modules.items():
        known = old.modules[path].twice if path in old.modules else {}
        for name, line in module.twice.items():
            if name not in known:
                yield Finding(found.DELETE, path, f"{name} is defined twice: the first one no longer runs", line)


def _one(key: Key, new: Suite, changed: Collection[str], tracked: Collection[str]) -> Iterator[Finding]:
    path, name = key
    test, claims = new.tests[key], new.claims(key)
    line = test.node.lineno
    real = [claim for claim in claims if claim.kind != RUNS and not claim.hollow]
    hollow = [claim for claim in claims if claim.kind != RUNS and claim.hollow]
    for skip in skips.of(test, new.worlds[path]):
        if not skip.conditional:
            yield Finding(found.SKIP, path, f"the new test {name} is kept from running: {skip.text}", skip.line or line)
    if hollow and not real:
        one = hollow[0]
        yield Finding(found.WEAKEN, path, f"the new test {name} can't fail, {one.hollow}: {one.text}", one.line)
    elif not claims and not _does_something(test.node):
        yield Finding(found.WEAKEN, path, f"the new test {name} does nothing", line)
    for patch in mocks.replaced(test, claims, changed, new.modules[path], tracked):
        yield Finding(found.WEAKEN, path, f"the new test {name} replaces what it tests: {patch.name}", patch.line)


def _does_something(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Call | ast.Await) for one in ast.walk(node))
