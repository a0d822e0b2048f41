"""The step ``strength``: which changed lines the tests run, and which faults planted there they notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ralph.domain import Change, GateResult, Mutant, Run, Strength
from ralph.engine.judge import gates
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.case import Assessment
from ralph.engine.judge.measure import measure, test_map
from ralph.engine.judge.mutants import Course, Seed, try_mutants
from ralph.verify.gates import PlannedGate
from ralph.verify.guards.scope import is_test
from ralph.verify.strength import equipment, verdict
from ralph.verify.strength.coverage import Coverage, FileCoverage, of_statements
from ralph.verify.strength.equipment import Equipment
from ralph.verify.strength.lines import Statement, changed_lines, executable
from ralph.verify.strength.selection import select

_SOURCE_BYTES = 2_000_000
_LONGEST_BOX = 60.0
_UNJUDGED = ("conftest.py", "setup.py", "noxfile.py")
"""Python that belongs to the project's machinery: tests import it for other reasons than to test it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A changed source file."""

    change: Change
    new: bytes
    lines: frozenset[int]
    statements: tuple[Statement, ...]
    functions: frozenset[str]
    """Functions that the change touches, in the new file or the old."""


@dataclass
class Story:
    """What the step has found so far."""

    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    mutants: list[Mutant] = field(default_factory=list)
    stopped: str = ""


def strength(bench: Bench, found: Assessment) -> tuple[GateResult, ...]:
    """Measure a green change; unless ``[verify] strength`` is "retry", the result never keeps it out."""
    mode, case = bench.config.verify.strength, found.case
    known = next((result for result in case.known if result.kind == verdict.NAME), None)
    if mode == "off" or known is not None:
        return (known,) if known else ()
    story = Story()
    subjects = _subjects(bench, case.changes, story)
    if not subjects:
        return ()
    try:
        courses = [_course(bench, found, planned, subjects, story) for planned in _planned(bench, found)]
        useful = [course for course in courses if course]
        if useful:
            _try_mutants(bench, found, subjects, useful, story)
    finally:
        if not bench.place.boxed:
            gates.lay(bench, case.tree, found.kept)
    if not useful:
        why = "; ".join(story.problems) or "no gate runs Python tests in a way that can be measured"
        return (verdict.not_run(why, story.runs),)
    result = verdict.rule(_measured(subjects, useful, story), mode, story.runs, story.notes, _spent(bench))
    return (result,)


def _subjects(bench: Bench, changes: Sequence[Change], story: Story) -> list[Subject]:
    """The changed Python files that are no tests and have a changed line at which something is executed."""
    found: list[Subject] = []
    for change in changes:
        path = PurePosixPath(change.path)
        fits = change.status in "AM" and change.new_mode.startswith("100") and path.suffix == ".py"
        if not fits or path.name in _UNJUDGED or is_test(change.path, bench.config) or not equipment.literal(str(path)):
            continue
        new = bench.workspace.blob(change.new_blob, _SOURCE_BYTES)
        old = bench.workspace.blob(change.old_blob, _SOURCE_BYTES) if change.status == "M" else None
        lines = changed_lines(old, new)
        statements = executable(new, lines)
        if statements is None:
            story.notes.append(f"{change.path} can't be parsed")
        elif statements:
            before = executable(old, changed_lines(new, old)) if old is not None else ()
            functions = frozenset(one.function for one in (*statements, *(before or ())))
            found.append(Subject(change, new, lines, statements, functions))
    return found


def _planned(bench: Bench, found: Assessment) -> list[PlannedGate]:
    """The test gates that were green; the task's own checks only where there are no others: they are parts of them."""
    green = {gate.name for gate in found.gates if gate.execution and not gate.blocks}
    planned = [
        one
        for one in gates.plan(bench, found.case.task, found.case.tree, found.case.paths)
        if equipment.measurable(one) and one.name in green
    ]
    own = {gate.name for gate in bench.config.gates}
    return [one for one in planned if one.name in own] or planned


def _course(
    bench: Bench, found: Assessment, planned: PlannedGate, subjects: Sequence[Subject], story: Story
) -> Course | None:
    """Run the tests that concern the change with coverage; None where that shows nothing."""
    aside, case = bench.aside(verdict.NAME), found.case
    chosen = None
    if planned.runner and planned.runner.name == "pytest":
        known, ran = test_map(aside, planned, case.head_tree, case.base_kept)
        story.runs += ran
        touched = [path for path in case.paths if is_test(path, bench.config) and path.endswith(".py")]
        chosen = select(known, {one.change.path: one.functions for one in subjects}, touched)
    include = [equipment.literal(one.change.path) for one in subjects]
    wanted = Equipment(include, selection=chosen, seconds=planned.gate.timeout)
    measured = measure(aside, planned, case.tree, found.kept, wanted)
    story.runs += measured.runs
    if measured.coverage is None:
        story.problems.append(f"{planned.name}: {measured.problem}")
        return None
    if chosen:
        story.notes.append(f"{len(measured.result.outcomes)} tests of {planned.name} concern it")
    failing = frozenset(name for name, outcome in measured.result.outcomes.items() if outcome == "failed")
    covered = {one.change.path: of_statements(one.statements, _file(measured.coverage, one)) for one in subjects}
    ran_for = measured.result.execution.seconds if measured.result.execution else planned.gate.timeout
    return Course(planned, ran_for, covered, failing, chosen)


def _file(coverage: Coverage, subject: Subject) -> FileCoverage | None:
    return coverage.files.get(subject.change.path)


def _try_mutants(
    bench: Bench, found: Assessment, subjects: Sequence[Subject], courses: Sequence[Course], story: Story
) -> None:
    sources = {one.change.path: Seed(one.new, one.change.new_mode, one.lines) for one in subjects}
    names = {course.planned.name for course in courses}
    took = sum(gate.execution.seconds for gate in found.gates if gate.execution and gate.name in names)
    box = bench.config.verify.mutation_seconds or min(_LONGEST_BOX, took / 2)
    tried = try_mutants(bench.aside(verdict.NAME), found.case.tree, found.kept, sources, courses, box)
    story.mutants, story.stopped = tried.mutants, tried.stopped
    story.runs += tried.runs


def _measured(subjects: Sequence[Subject], courses: Sequence[Course], story: Story) -> Strength:
    """Statements count once; one ran where any of the gates ran it."""
    every = {(one.change.path, statement.first) for one in subjects for statement in one.statements}
    ran = {(path, line) for course in courses for path, changed in course.covered.items() for line in changed.covered}
    missed = sorted(every - ran)
    uncovered = tuple(f"{path}:{line}" for path, line in missed)
    return Strength(len(every), len(every) - len(missed), uncovered, tuple(story.mutants), story.stopped)


def _spent(bench: Bench) -> bool:
    """Whether the attempt before was refused for what no test noticed: once is enough."""
    feedback = bench.place.spec.feedback
    return feedback is not None and any(gate.name == verdict.NAME and gate.blocks for gate in feedback.gates)
