"""The tests that concern a change go first: where they are red, its author hears of it without waiting for the rest."""

from __future__ import annotations

from dataclasses import replace

from ralph.domain import Change, GateResult, Verdict
from ralph.engine.judge.base import Base
from ralph.engine.judge.bench import Bench, Kept
from ralph.engine.judge.case import Case
from ralph.engine.judge.execute import run
from ralph.engine.judge.gates import BLOB_LIMIT, First
from ralph.engine.judge.measure import known_map
from ralph.verify.compare import BaseResult, compare
from ralph.verify.gates import PlannedGate
from ralph.verify.guards import is_test
from ralph.verify.select import select
from ralph.verify.strength.lines import changed_lines, executable

LONG = 5.0
"""Seconds of a test run below which a second start would cost more than it spares."""
SHARE = 0.5
"""Share of all tests from which on they may as well all be run."""


def first(bench: Bench, case: Case, base: Base, kept: Kept) -> First:
    """What runs before a gate: its red verdict on the tests that concern the change, or None to run all of them."""

    def early(planned: PlannedGate) -> GateResult | None:
        known = base.known.get(planned.name)
        if planned.kind != "tests" or known is None or known.execution is None or known.execution.seconds < LONG:
            return None
        concerned = _concerned(bench, case, base, planned)
        if not concerned or len(concerned) > SHARE * len(known.outcomes):
            return None
        narrow = select(planned, sorted(concerned))
        if narrow is None:
            return None
        (result,) = run(replace(bench, base=lambda _: None), [narrow], case.tree, kept, purpose="first")
        return _red(result, known, base.tree)

    return early


def _concerned(bench: Bench, case: Case, base: Base, planned: PlannedGate) -> set[str]:
    """Changed test files, and the tests that ran the changed functions on the base."""
    found = {one.path for one in case.changes if one.status != "D" and is_test(one.path, bench.config)}
    found = {path for path in found if path.endswith(".py") and not path.endswith("conftest.py")}
    known = known_map(bench, planned, base.tree, base.kept)
    for change in case.changes if known else ():
        if change.status == "M" and change.path.endswith(".py") and change.path not in found:
            found |= known.of(change.path, _functions(bench, change)) if known else set()
    return found


def _functions(bench: Bench, change: Change) -> set[str]:
    old, new = (bench.workspace.blob(blob, BLOB_LIMIT) for blob in (change.old_blob, change.new_blob))
    return {statement.function for statement in executable(new, changed_lines(old, new)) or ()}


def _red(result: GateResult, known: GateResult, tree: str) -> GateResult | None:
    """The verdict, where a test fails that does not fail on the base."""
    there = {name: outcome for name, outcome in known.outcomes.items() if name in result.outcomes}
    found = compare(BaseResult(outcomes=there, tree=tree), result.outcomes, died=False)
    if result.verdict is not Verdict.FAILED or not found or not (found.newly_failing or found.absent_to_red):
        return None
    reason = f"{result.reason} (of those that concern the change; the others were not run)"
    return replace(result, reason=reason, comparison=found)
