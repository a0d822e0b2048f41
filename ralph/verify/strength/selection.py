"""Which tests to run for a change: those it touched, and those that ran the changed functions before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from ralph.verify.strength.coverage import Coverage
from ralph.verify.strength.lines import executable


class TestMap(BaseModel):
    """Which tests run which function, as one run of all tests on an accepted tree showed."""

    model_config = ConfigDict(frozen=True)
    __test__ = False

    tree: str
    tests: list[str]
    functions: dict[str, dict[str, list[int]]]
    """Per path and dotted name of a function the places of its tests in ``tests``; "" holds all tests of the file."""

    def of(self, path: str, functions: Collection[str]) -> frozenset[str]:
        """Tests that ran one of the functions.

        A change outside of functions that tests run (a constant, a class's body) concerns all tests of the file; a
        function that did not stand there concerns none of them.
        """
        known = self.functions.get(path, {})
        found: set[int] = set()
        for name in functions:
            concerned = known.get(name, []) if name else known.get("", [])
            found.update(concerned or (known.get("", []) if name in known else []))
        return frozenset(self.tests[at] for at in found)


def load(data: bytes) -> TestMap | None:
    """The map that was stored; None where it is none."""
    try:
        return TestMap.model_validate_json(data)
    except ValidationError:
        return None


def map_of(tree: str, coverage: Coverage, sources: Mapping[str, bytes]) -> TestMap:
    """The map that a run with one context for each test gives; files that can't be parsed are known as wholes."""
    places: dict[str, int] = {}
    functions: dict[str, dict[str, list[int]]] = {}
    for path, file in coverage.files.items():
        by_function: dict[str, set[str]] = defaultdict(set)
        for statement in executable(sources.get(path, b""), range(1, 1 + max(file.executed, default=0))) or ():
            by_function[statement.function].update(*(file.tests.get(line, ()) for line in statement.lines))
        by_function[""].update(*file.tests.values())
        functions[path] = {
            name: sorted(places.setdefault(test, len(places)) for test in sorted(tests))
            for name, tests in sorted(by_function.items())
        }
    return TestMap(tree=tree, tests=list(places), functions=functions)


@dataclass(frozen=True, slots=True)
class Selection:
    """Tests to run: ids, and test files of which all are run."""

    tests: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()

    def as_data(self, root: str) -> dict[str, object]:
        """What the plugin inside the run reads; ``root`` is the tree's path there."""
        return {"root": root, "whole": sorted(self.whole), "tests": sorted(self.tests)}


def select(known: TestMap | None, changed: Mapping[str, Collection[str]], touched: Iterable[str]) -> Selection | None:
    """The tests for a change: ``changed`` are functions per path, ``touched`` test files; None: all of them."""
    if known is None:
        return None
    ran = (known.of(path, functions) for path, functions in changed.items())
    found = Selection(frozenset[str]().union(*ran), frozenset(touched))
    return found if found.tests or found.whole else None
