"""Try mutants: each is a tree of its own, laid aside, on which those tests run that run its line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from ralph.domain import Mutant, Run
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.gates import cache_of, fresh_tree
from ralph.engine.judge.measure import equipped_run
from ralph.host.files import delete_tree
from ralph.verify.gates import PlannedGate
from ralph.verify.strength.coverage import Changed
from ralph.verify.strength.equipment import Equipment
from ralph.verify.strength.mutate import Mutation, choose, mutated, mutations
from ralph.verify.strength.selection import Selection
from ralph.verify.strength.verdict import fate_of

_MOST_MUTANTS = 200
_SHOWN_UNTESTED = 20
_FIRST = 600.0
"""Seconds that the first mutant may take beyond the time box: one is always tried."""
_SLACK = 2.0
"""Seconds that a mutant gets besides twice what the measured run took."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A file in which faults are planted."""

    data: bytes
    mode: str
    lines: frozenset[int]


@dataclass(frozen=True, slots=True)
class Course:
    """A test gate with what it showed of the changed lines."""

    planned: PlannedGate
    seconds: float
    """Of the measured run."""
    covered: Mapping[str, Changed]
    """Per path."""
    failing: frozenset[str]
    """Tests that fail without any fault: they tell nothing."""
    selection: Selection | None
    """The tests that ran; None: all."""

    def tests(self, mutation: Mutation) -> frozenset[str] | None:
        """The tests that notice a fault if any does: those of its line; None where no test runs it.

        A line that only the import runs (a default value, a constant) is known to all tests of its file. Empty: the
        runner keeps no tests apart, all of them are asked.
        """
        seen = self.covered.get(mutation.path, Changed())
        every = frozenset[str]().union(*seen.tests.values())
        if mutation.line in seen.tests:
            return (seen.tests[mutation.line] or every) - self.failing
        return None if mutation.line in seen.missed or not every else every - self.failing


@dataclass
class Tried:
    mutants: list[Mutant] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    stopped: str = ""


def try_mutants(
    bench: Bench, tree: str, kept: Mapping[str, Path], seeds: Mapping[str, Seed], courses: Sequence[Course], box: float
) -> Tried:
    """Try faults until all are tried or ``box`` seconds are over; at least one. ``tree`` is laid again by the caller.

    The caches of the tree move along from mutant to mutant, so that only the mutated file is compiled anew.
    """
    tried, begun = Tried(), monotonic()
    covered, untested = _found(seeds, courses)
    tried.mutants += [_mutant(mutation, "untested", ()) for mutation in untested]
    caches = Caches(bench, courses[0].planned, tree)
    try:
        for number, mutation in enumerate(covered):
            left = box - (monotonic() - begun)
            if bench.stopped or (number and left <= 0):
                tried.stopped = f"{len(covered) - number} more were not tried within {box:.0f} s"
                break
            _try(
                bench,
                tree,
                kept,
                seeds[mutation.path],
                mutation,
                courses,
                caches,
                max(left, 0) if number else box + _FIRST,
                tried,
            )
    finally:
        caches.give_back()
    return tried


def _found(seeds: Mapping[str, Seed], courses: Sequence[Course]) -> tuple[tuple[Mutation, ...], tuple[Mutation, ...]]:
    """Faults that a test could notice, in the order of trying, and some of those that none could."""
    every = [one for path, seed in seeds.items() for one in mutations(path, seed.data, seed.lines) or ()]
    covered = [one for one in every if any(course.tests(one) is not None for course in courses)]
    rest = [one for one in every if one not in covered]
    return choose(covered, _MOST_MUTANTS), choose(rest, _SHOWN_UNTESTED)


def _try(
    bench: Bench,
    tree: str,
    kept: Mapping[str, Path],
    seed: Seed,
    mutation: Mutation,
    courses: Sequence[Course],
    caches: Caches,
    left: float,
    tried: Tried,
) -> None:
    changed = mutated(seed.data, mutation)
    if changed is None:
        return
    planted = bench.workspace.compose(tree, {mutation.path: (seed.mode, bench.workspace.write_blob(changed))})
    caches.move_to(planted)
    fate, asked = "untested", frozenset[str]()
    for course in courses:
        tests = course.tests(mutation)
        if tests is None:
            continue
        limit = 2 * course.seconds + _SLACK
        wanted = Equipment(selection=_selection(course, tests), first_failure=True, seconds=min(limit, left + _SLACK))
        _lay(bench, planted, kept, mutation.path)
        result = equipped_run(bench, course.planned, planted, kept, wanted, purpose="mutant")
        if result.execution:
            tried.runs.append(Run(result.execution, result.counts, result.outcomes))
        fate, asked = fate_of(result, limited=limit > left + _SLACK), asked | tests
        if fate != "survived":
            break
    tried.mutants.append(_mutant(mutation, fate, sorted(asked)))


def _selection(course: Course, tests: frozenset[str]) -> Selection | None:
    """The tests by id, where the runner takes ids; the fewest that are known to be asked, where it doesn't."""
    if course.planned.runner and course.planned.runner.name == "pytest" and tests:
        return Selection(tests)
    return course.selection


def _lay(bench: Bench, tree: str, kept: Mapping[str, Path], path: str) -> None:
    """Lay a mutant so that compiled code of another one is never taken for its: that goes by whole seconds and size."""
    fresh_tree(bench, tree, kept)
    moment = 1_000_000 + int(tree[:7], 16)
    os.utime(bench.place.tree / path, (moment, moment), follow_symlinks=False)


class Caches:
    """The caches of one tree, lent to one mutant after another."""

    def __init__(self, bench: Bench, planned: PlannedGate, tree: str) -> None:
        self.bench, self.planned = bench, planned
        self.home = self.now = cache_of(bench.place, planned.gate, tree)

    def move_to(self, tree: str) -> None:
        self._move(cache_of(self.bench.place, self.planned.gate, tree))

    def give_back(self) -> None:
        """Back to the tree, without what test runners remember of runs."""
        self._move(self.home)
        delete_tree(self.home / "pytest", self.bench.place.loop)

    def _move(self, place: Path) -> None:
        if place != self.now and self.now.is_dir():
            delete_tree(place, self.bench.place.loop)
            self.now.rename(place)
        self.now = place


def _mutant(mutation: Mutation, fate: str, tests: Sequence[str]) -> Mutant:
    return Mutant(mutation.path, mutation.line, mutation.before, mutation.after, fate, tuple(tests[:_MOST_NAMED]))


_MOST_NAMED = 20
"""Tests of a mutant that are named; its execution holds all of them."""
