"""Compares the Python tests of both sides of a change and says what they claim less."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ralph.domain import Finding
from ralph.verify.guards.diff import UNJUDGED
from ralph.verify.guards.tampering import files, found
from ralph.verify.guards.tampering.files import File
from ralph.verify.guards.tampering.python import (
    added,
    compare,
    mocks,
    names,
    pairing,
    patches,
    settings,
    skips,
    support,
)
from ralph.verify.guards.tampering.python.claim import RUNS, Claim
from ralph.verify.guards.tampering.python.compare import Weaker
from ralph.verify.guards.tampering.python.differ import Context
from ralph.verify.guards.tampering.python.module import Module, parse
from ralph.verify.guards.tampering.python.pairing import Key, Suite

_MOST = 4
_Side = dict[str, Module]


@dataclass(slots=True)
class Both:
    """Both sides of a change, parsed."""

    old: Suite
    new: Suite
    context: Context
    changed: set[str]
    """Functions and classes of the product that the change alters."""
    tracked: Collection[str]
    elsewhere: compare.Pool
    """What the tests of the changed files say only now, where a claim may have moved to."""


def findings(changed: Sequence[File], tracked: Collection[str]) -> list[Finding]:
    """What the Python files of a change do to its tests."""
    python = [file for file in changed if file.suffix in files.PYTHON]
    tests = [file for file in python if file.test]
    seen: list[Finding] = []
    old, new = _parsed(tests, False, seen), _parsed(tests, True, seen)
    wanted = [file for file in python if tests or patches.suspicious(file.new or "")]
    before, after = _trees(wanted, False), _trees(wanted, True)
    for file in wanted:
        if file.path in after and patches.suspicious(file.new or ""):
            runs = files.collected(file.name) or file.name == "conftest.py"
            holds = patches.added(before.get(file.path), after[file.path], file.test, runs)
            seen += [Finding(one.rule, file.path, one.message, one.line) for one in holds]
    if not tests:
        return seen
    both = _both(old, new, before, after, {file.path for file in python if not file.test}, tracked)
    seen += _compared(both)
    seen += added.findings(both.old, both.new, both.changed, tracked)
    seen += support.findings(both.old, both.new, both.context)
    return seen


def _both(
    old: _Side,
    new: _Side,
    before: Mapping[str, ast.Module],
    after: Mapping[str, ast.Module],
    product: Collection[str],
    tracked: Collection[str],
) -> Both:
    collected = {path: files.collected(path.rsplit("/", 1)[-1]) or path in old for path in new}
    was, now = pairing.suite(old, {}), pairing.suite(new, collected)
    all_old, all_new = names.gathered(before.values()), names.gathered(after.values())
    ours = [names.gathered(tree for path, tree in side.items() if path in product) for side in (before, after)]
    fresh = [claim for key in now.tests if not _skipped(now, key) for claim in _only_now(key, was, now)]
    altered = names.altered(*ours)
    moved = names.context(all_old, all_new)
    context = replace(
        moved,
        gone=moved.gone | names.modules(before.keys() - after.keys()),
        came=moved.came | names.modules(after.keys() - before.keys()),
        product=frozenset(altered),
    )
    return Both(was, now, context, altered, tracked, compare.Pool(fresh))


def _only_now(key: Key, was: Suite, now: Suite) -> list[Claim]:
    before = {claim.key for claim in was.claims(key)} if key in was.tests else set()
    return [claim for claim in now.claims(key) if claim.key not in before]


def _skipped(suite: Suite, key: Key) -> bool:
    return any(not skip.conditional for skip in skips.of(suite.tests[key], suite.worlds[key[0]]))


def _parsed(tests: Sequence[File], new: bool, seen: list[Finding]) -> _Side:
    modules: _Side = {}
    for file in tests:
        text = file.new if new else file.old
        if text is None:
            continue
        try:
            modules[file.path] = parse(file.path, text)
        except (SyntaxError, ValueError, RecursionError) as error:
            if new:
                seen.append(Finding(UNJUDGED, file.path, f"this test file can't be parsed: {error}"))
    return modules


def _trees(python: Sequence[File], new: bool) -> dict[str, ast.Module]:
    trees: dict[str, ast.Module] = {}
    for file in python:
        text = file.new if new else file.old
        try:
            if text is not None:
                trees[file.path] = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue  # a gate says so; a test file is reported as unjudged
    return trees


def _compared(both: Both) -> Iterator[Finding]:
    for key, heir in pairing.pairs(both.old, both.new):
        if heir is None:
            yield from _deleted(both, key)
        else:
            yield from _changed(both, key, heir)
    for path, module in both.new.modules.items():
        if path.rsplit("/", 1)[-1] != "conftest.py":
            known = {one.name for one in skips.of_module(both.old.modules[path])} if path in both.old.modules else set()
            for skip in skips.of_module(module):
                if skip.name not in known:
                    yield Finding(found.SKIP, path, f"the whole file is kept from running: {skip.text}", skip.line)


def _deleted(both: Both, key: Key) -> Iterator[Finding]:
    path, name = key
    claims = both.old.claims(key)
    real = [claim for claim in claims if claim.kind != RUNS and not claim.hollow]
    if real and all(compare.holds(claim, both.elsewhere, both.context) for claim in real):
        return
    if not real and (not pairing.does_anything(claims) or _runs_elsewhere(both, claims)):
        return
    module = both.new.modules.get(path)
    leaf = both.old.tests[key].leaf
    why = f"test {name} was deleted"
    if module is not None and (leaf in module.functions or _still_there(module, name)):
        why = f"test {name} is no longer collected"
    yield Finding(found.DELETE, path, why)


def _still_there(module: Module, name: str) -> bool:
    leaf = name.rsplit("::", 1)[-1]
    return any(isinstance(one, ast.FunctionDef) and one.name == leaf for one in ast.walk(module.tree))


def _runs_elsewhere(both: Both, claims: Sequence[Claim]) -> bool:
    runs = {claim.key for claim in claims if claim.kind == RUNS}
    return bool(runs) and runs <= both.elsewhere.by_key.keys()


def _changed(both: Both, key: Key, heir: Key) -> Iterator[Finding]:
    path, name = heir
    test, was = both.new.tests[heir], both.old.tests[key]
    before = {skip.name for skip in skips.of(was, both.old.worlds[key[0]])}
    for skip in skips.of(test, both.new.worlds[path]):
        if skip.name not in before:
            yield Finding(found.SKIP, path, f"test {name} is kept from running: {skip.text}", skip.line)
    for line, message in (*settings.weaker(was, test), *settings.wrapped(was, test, both.new.worlds[path])):
        yield Finding(found.WEAKEN, path, f"test {name}: {message}", line)
    expand = both.old.expands(key) and both.new.expands(heir)
    old, new = both.old.claims(key, expand), both.new.claims(heir, expand)
    if pairing.does_anything(old) and not new and not _all_elsewhere(both, old):
        yield Finding(found.DELETE, path, f"test {name} was emptied", test.node.lineno)
        return
    context = replace(both.context, fixtures=_unbound(both, heir))
    yield from _few(path, name, test.node.lineno, compare.weaker(old, new, context, both.elsewhere))
    if key != heir or ast.dump(was.node) != ast.dump(test.node):
        yield from _newly_mocked(both, key, heir, new)


def _all_elsewhere(both: Both, claims: Sequence[Claim]) -> bool:
    real = [claim for claim in claims if claim.kind != RUNS and not claim.hollow]
    return bool(real) and all(compare.holds(claim, both.elsewhere, both.context) for claim in real)


def _few(path: str, name: str, line: int, weaker: Sequence[Weaker]) -> Iterator[Finding]:
    for one in weaker[:_MOST]:
        yield Finding(found.WEAKEN, path, f"test {name}: {one.message}", one.line or line)
    if len(weaker) > _MOST:
        yield Finding(found.WEAKEN, path, f"test {name}: and {len(weaker) - _MOST} more assertions", line)


def _unbound(both: Both, key: Key) -> frozenset[str]:
    """Parameters of a test that no fixture of the change gives a value."""
    test, world = both.new.tests[key], both.new.worlds[key[0]]
    given = [arg.arg for arg in (*test.node.args.args, *test.node.args.kwonlyargs)]
    return frozenset(name for name in given if name != "self" and world.fixture(name) is None)


def _newly_mocked(both: Both, key: Key, heir: Key, claims: Sequence[Claim]) -> Iterator[Finding]:
    path, name = heir
    before = mocks.of(mocks.nodes(both.old.tests[key]))
    known = {one.name for one in before}
    now = mocks.of(mocks.nodes(both.new.tests[heir]))
    for patch in mocks.replaced(both.new.tests[heir], claims, both.changed, both.new.modules[path], both.tracked):
        if patch.name not in known:
            yield Finding(found.WEAKEN, path, f"test {name} replaces what it tests: {patch.name}", patch.line)
    if len(now) > len(before):
        for patch in now:
            if patch.name in both.changed and patch.name not in known:
                yield Finding(found.WEAKEN, path, f"test {name} now replaces {patch.name} of the product", patch.line)
