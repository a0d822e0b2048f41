"""The step ``strength``: which changed lines the tests run, and which faults planted there they notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ralph.domain import Change, GateResult, Mutant, Run, Strength
from ralph.engine.judge import execute, gates
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.case import Assessment
from ralph.engine.judge.configured import Told, lines_elsewhere, told
from ralph.engine.judge.measure import measure, shared, test_map
from ralph.engine.judge.mutants import Course, Seed, try_mutants
from ralph.errors import RalphError
from ralph.verify.gates import PlannedGate
from ralph.verify.guards.scope import is_test
from ralph.verify.strength import equipment, verdict
from ralph.verify.strength.coverage import Coverage, FileCoverage, of_statements
from ralph.verify.strength.equipment import Equipment
from ralph.verify.strength.lines import Statement, changed_lines, executable
from ralph.verify.strength.selection import select
from ralph.verify.strength.source import MAX_BYTES

_SOURCE_BYTES = MAX_BYTES + 1
"""What is cut there is too large to be parsed."""
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

    def add(self, others: Told) -> None:
        self.runs += others.runs
        self.notes += others.notes
        self.problems += others.problems
        self.mutants += others.mutants


def strength(bench: Bench, found: Assessment) -> tuple[GateResult, ...]:
    """Measure a green change; unless ``[verify] strength`` is "retry", the result never keeps it out."""
    case = found.case
    known = next((result for result in case.known if result.kind == verdict.NAME), None)
    if bench.config.verify.strength == "off" or known is not None:
        return (known,) if known else ()
    story = Story()
    subjects, elsewhere = _subjects(bench, case.changes, story), lines_elsewhere(bench, case.changes)
    courses: list[Course] = []
    others = Told()
    try:
        courses = _measure(bench, found, subjects, story) if subjects else []
        others = told(bench.aside(verdict.NAME), found.gates, case.tree, found.kept, elsewhere)
    except RalphError as error:  # a change that passed its gates is not lost because it can't be measured
        story.problems.append(error.message)
    finally:
        if not bench.place.boxed:
            execute.lay(bench, case.tree, found.kept)
    story.add(others)
    shown = _shown(subjects if courses else [], courses, others, story)
    if story.problems:
        return (verdict.not_run("; ".join(story.problems), story.runs, shown),)
    if not courses and not others.covered and not others.runs:
        return ()  # nothing that is measured was changed
    return (_ruled(bench, case.tree, shown, story),)


def _measure(bench: Bench, found: Assessment, subjects: Sequence[Subject], story: Story) -> list[Course]:
    told = [_course(bench, found, one, subjects, story) for one in _planned(bench, found)]
    courses, silent = [one for one in told if isinstance(one, Course)], [one for one in told if isinstance(one, str)]
    if courses:
        _try_mutants(bench, found, subjects, courses, story)
        story.notes += silent
    else:
        story.problems += silent or ["no gate runs Python tests in a way that can be measured"]
    return courses


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
            story.problems.append(f"{change.path} can't be parsed")
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
) -> Course | str:
    """Run the tests that concern the change with coverage; a text says why that showed nothing."""
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
        return f"{planned.name}: {measured.problem}"
    if chosen:
        count = len(measured.result.outcomes)
        story.notes.append(f"{count} test{'s' * (count != 1)} of the gate {planned.name} concerned")
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


def _shown(subjects: Sequence[Subject], courses: Sequence[Course], others: Told, story: Story) -> Strength:
    """Statements count once; one ran where any of the gates ran it. Other languages count lines."""
    every = {(one.change.path, statement.first) for one in subjects for statement in one.statements}
    ran = {(path, line) for course in courses for path, changed in course.covered.items() for line in changed.covered}
    missed = every - ran
    missed |= {(path, line) for path, changed in others.covered.items() for line in changed.uncovered}
    count = len(every) + sum(len(one.covered) + len(one.uncovered) for one in others.covered.values())
    uncovered = tuple(f"{path}:{line}" for path, line in sorted(missed))
    return Strength(count, count - len(missed), uncovered, tuple(story.mutants), story.stopped)


def _ruled(bench: Bench, tree: str, shown: Strength, story: Story) -> GateResult:
    """With ``strength = "retry"`` the first tree of a task in which a fault goes unnoticed is refused, no other.

    Where the gates were found weak before the night, a change counts as if that were set.
    """
    spec = bench.place.spec
    weak = {mutant.path for mutant in shown.mutants} & set(spec.weak_files)
    mode = "retry" if weak else bench.config.verify.strength
    mark = shared(bench) / f"refused-{spec.night}-{spec.task.id}"
    spent = mark.exists() and mark.read_text() != tree
    result = verdict.rule(shown, mode, story.runs, story.notes, spent)
    if result.blocks:
        mark.write_text(tree)
    return replace(result, reason=bench.redactor.text(result.reason), excerpt=bench.redactor.text(result.excerpt))
