"""Try mutants: each is a tree of its own, laid aside, on which those tests run that run its line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from ralph.domain import Mutant, Run
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.execute import cache_of, fresh_tree
from ralph.engine.judge.measure import equipped_run, noted_fates
from ralph.host.files import delete_tree
from ralph.verify.gates import PlannedGate
from ralph.verify.strength.coverage import Changed
from ralph.verify.strength.equipment import Batch, Equipment, Planted
from ralph.verify.strength.mutate import Mutation, choose, mutated, mutations
from ralph.verify.strength.selection import Selection
from ralph.verify.strength.verdict import SHOWN_SURVIVORS, fate_of

_MOST_MUTANTS = 200
_SHOWN_UNTESTED = 20
CONFIRMED = SHOWN_SURVIVORS
"""Survivors of a run of many that are run once more, each as a tree of its own."""
_SHARE = 0.7
"""Part of the time box that runs of many may take."""
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

    First many of them in one run, then what survived there, and what it left, each as a tree of its own.
    """
    covered, untested = _found(seeds, courses)
    trial = _Trial(bench, tree, kept, seeds, courses, monotonic() + box)
    fates = trial.batches(covered)
    survivors = [one for one in covered if fates.get(one) == "survived"][:CONFIRMED]
    waiting = [*survivors, *(one for one in covered if one not in fates)]
    trial.one_by_one(waiting, fates)
    tried = trial.tried
    tried.mutants += [_mutant(one, fates[one], sorted(trial.asked(one))) for one in covered if one in fates]
    tried.mutants += [_mutant(one, "untested", ()) for one in untested]
    if left := sum(one not in fates for one in covered):
        tried.stopped = f"{left} more were not tried within {box:.0f} s"
    return tried


class _Trial:
    """One candidate whose faults are tried until a moment of the clock."""

    def __init__(
        self,
        bench: Bench,
        tree: str,
        kept: Mapping[str, Path],
        seeds: Mapping[str, Seed],
        courses: Sequence[Course],
        over: float,
    ) -> None:
        self.bench, self.tree, self.kept, self.seeds, self.courses, self.over = bench, tree, kept, seeds, courses, over
        self.tried = Tried()

    @property
    def left(self) -> float:
        return self.over - monotonic()

    def asked(self, mutation: Mutation) -> frozenset[str]:
        return frozenset[str]().union(*(course.tests(mutation) or () for course in self.courses))

    def batches(self, found: Sequence[Mutation]) -> dict[Mutation, str]:
        """A first look at the faults, gate by gate: what one of them notices is not tried by the next one."""
        fates: dict[Mutation, str] = {}
        for course in self.courses:
            runner = course.planned.runner
            waiting = [one for one in found if fates.get(one, "survived") == "survived"]
            waiting = [one for one in waiting if course.tests(one) is not None]
            if runner is not None and runner.name == "pytest" and len(waiting) > 1 and not self.bench.stopped:
                fates.update(self._batch(course, waiting))
        return fates

    def _batch(self, course: Course, waiting: Sequence[Mutation]) -> dict[Mutation, str]:
        planted: list[Planted] = []
        for number, one in enumerate(waiting):
            if changed := mutated(self.seeds[one.path].data, one):
                asked = _selection(course, course.tests(one) or frozenset())
                planted.append(Planted(number, one.path, changed, asked, f"{one.path}:{one.line}: {one.after}"))
        if not planted:
            return {}
        first = planted[0]
        control = Planted(-1, first.path, self.seeds[first.path].data, first.selection, "without a fault")
        each = 2 * course.seconds + _SLACK
        batch = Batch(planted, control, each, max(self.left, 0) * _SHARE)
        fresh_tree(self.bench, self.tree, self.kept)
        wanted = Equipment(first_failure=True, batch=batch, seconds=batch.box + 2 * (each + _SLACK))
        result = equipped_run(self.bench, course.planned, self.tree, self.kept, wanted, purpose="mutant")
        noted = noted_fates(self.bench, course.planned, self.tree, batch)
        fates = {waiting[number]: fate for number, fate in noted.items() if fate != "untested"}
        if result.execution:
            outcomes = {f"{one.path}:{one.line} {one.after}": fate for one, fate in fates.items()}
            self.tried.runs.append(Run(result.execution, None, outcomes))
        return fates

    def one_by_one(self, waiting: Sequence[Mutation], fates: dict[Mutation, str]) -> None:
        """Each as a tree of its own; the caches of the candidate move along, only the mutated file is compiled anew."""
        caches = Caches(self.bench, self.courses[0].planned, self.tree)
        try:
            for one in waiting:
                if self.bench.stopped or (self.left <= 0 and fates):
                    break
                self._try(one, caches, fates)
        finally:
            caches.give_back()

    def _try(self, one: Mutation, caches: Caches, fates: dict[Mutation, str]) -> None:
        bench, seed = self.bench, self.seeds[one.path]
        changed = mutated(seed.data, one)
        if changed is None:
            return
        planted = bench.workspace.compose(self.tree, {one.path: (seed.mode, bench.workspace.write_blob(changed))})
        caches.move_to(planted)
        limited = self.left if fates else _FIRST
        for course in self.courses:
            tests = course.tests(one)
            if tests is None:
                continue
            limit = 2 * course.seconds + _SLACK
            seconds = min(limit, max(limited, 0) + _SLACK)
            wanted = Equipment(selection=_selection(course, tests), first_failure=True, seconds=seconds)
            _lay(bench, planted, self.kept, one.path)
            result = equipped_run(bench, course.planned, planted, self.kept, wanted, purpose="mutant")
            if result.execution:
                self.tried.runs.append(Run(result.execution, result.counts, result.outcomes))
            fates[one] = fate_of(result, limited=seconds < limit)
            if fates[one] != "survived":
                break


def _found(seeds: Mapping[str, Seed], courses: Sequence[Course]) -> tuple[tuple[Mutation, ...], tuple[Mutation, ...]]:
    """Faults that a test could notice, in the order of trying, and some of those that none could."""
    every = [one for path, seed in seeds.items() for one in mutations(path, seed.data, seed.lines) or ()]
    covered = [one for one in every if any(course.tests(one) is not None for course in courses)]
    rest = [one for one in every if one not in covered]
    return choose(covered, _MOST_MUTANTS), choose(rest, _SHOWN_UNTESTED)


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
