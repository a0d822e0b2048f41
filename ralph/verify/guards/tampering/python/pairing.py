"""Which test of the new tree an old test became: the same name, moved, renamed, split, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ralph.verify.guards.tampering.python import cases, gather
from ralph.verify.guards.tampering.python.claim import CASE, RUNS, Claim
from ralph.verify.guards.tampering.python.module import Module, Test
from ralph.verify.guards.tampering.python.resolve import World

Key = tuple[str, str]
"""Path and qualified name."""


@dataclass(slots=True)
class Suite:
    """All tests of one side of the change."""

    modules: dict[str, Module]
    worlds: dict[str, World] = field(default_factory=dict)
    tests: dict[Key, Test] = field(default_factory=dict)
    _claims: dict[tuple[Key, bool], list[Claim]] = field(default_factory=dict)

    def claims(self, key: Key, expand: bool = True) -> list[Claim]:
        known = self._claims.get((key, expand))
        if known is None:
            known = gather.claims(self.tests[key], self.worlds[key[0]], expand)
            if not expand:
                known = known + self._rows(key)
            self._claims[key, expand] = known
        return known

    def expands(self, key: Key) -> bool:
        """Whether the cases of a test are few enough to go through one by one."""
        return cases.combined(cases.of_test(self.tests[key], self.worlds[key[0]])) is not None

    def _rows(self, key: Key) -> list[Claim]:
        import ast

        tables = cases.of_test(self.tests[key], self.worlds[key[0]])
        return [Claim(CASE, ast.Constant(text), text, 0) for table in tables for _, text, _ in table]


def suite(modules: Mapping[str, Module], collected: Mapping[str, bool]) -> Suite:
    """``collected``: whether the runner looks for tests in the file."""
    helpers = {
        name: (module, node)
        for module in modules.values()
        for name, node in module.functions.items()
        if not name.startswith("test")
    }
    found = Suite(dict(modules))
    for path, module in modules.items():
        found.worlds[path] = World(module, helpers)
        if collected.get(path, True):
            found.tests |= {(path, name): test for name, test in module.tests.items()}
    return found


def pairs(old: Suite, new: Suite) -> Iterator[tuple[Key, Key | None]]:
    """Each old test with the new one that takes its place, None where there is none."""
    free = [key for key in new.tests if key not in old.tests]
    for key in old.tests:
        if key in new.tests:
            yield key, key
            continue
        heir = _heir(key, old, new, free)
        if heir is not None:
            free.remove(heir)
        yield key, heir


def _heir(key: Key, old: Suite, new: Suite, free: list[Key]) -> Key | None:
    """A test of the same name elsewhere, else the added test that says most of the same."""
    leaf = old.tests[key].leaf
    same = [one for one in free if new.tests[one].leaf == leaf]
    if len(same) == 1:
        return same[0]
    said = {claim.key for claim in old.claims(key) if not claim.hollow}
    scores = [(_shared(said, new.claims(one)), one) for one in (same or free)]
    best = max(scores, default=(0.0, ("", "")))
    return best[1] if best[0] >= 0.5 else None


def _shared(said: set[tuple[str, str]], claims: list[Claim]) -> float:
    here = {claim.key for claim in claims if not claim.hollow}
    return len(said & here) / len(said) if said else 0.0


def does_anything(claims: list[Claim]) -> bool:
    return any(claim.kind == RUNS or not claim.hollow for claim in claims)
