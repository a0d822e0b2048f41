"""What the night knows of flaky tests: the list in force, the rates measured on its base, who is put on the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from ralph.domain import GateResult, IterationResult, IterationSpec, Run
from ralph.engine.loop_state import LoopState
from ralph.errors import GitError
from ralph.memory import quarantine as book
from ralph.verify.proof.touched import belongs

if TYPE_CHECKING:
    from ralph.engine.night import Night

Rates = dict[str, dict[str, tuple[int, int]]]
"""Per gate and test: how often it failed on the night's base, of how many runs; only tests that ever failed."""


def in_force(night: Night) -> dict[str, dict[str, str]]:
    """Per gate the tests that do not gate today, with the day since when."""
    return book.active(book.read(night.layout.quarantine), _today())


def rates(night: Night) -> Rates:
    """What idle time has shown of the night's base, in this night or another one with the same base."""
    tree, failed, runs = base_tree(night), defaultdict[tuple[str, str], int](int), defaultdict[str, int](int)
    for event in night.ledger.events(kinds=("flake_rate",)):
        if event.data["tree"] == tree:
            runs[event.data["gate"]] += 1
            for test in event.data["failed"]:
                failed[event.data["gate"], test] += 1
    found: Rates = defaultdict(dict)
    for (gate, test), times in failed.items():
        found[gate][test] = (times, runs[gate])
    return dict(found)


def consider(night: Night, loop: LoopState, spec: IterationSpec, result: IterationResult) -> None:
    """Quarantine what this iteration showed to be flaky on the night's base, unless its branch touched the test."""
    flaky = [gate for gate in result.gates if gate.flaky and gate.kind == "tests"]
    if not flaky or spec.head_tree != base_tree(night):
        return  # what the branch has committed tonight may be why
    touched = {change.path for change in result.changes}
    touched |= {path for state in night.board.tasks.values() if state.loop == loop.name for path in state.paths}
    for gate in flaky:
        if not gate.name.startswith(("check-", "task-check-")):  # all tasks' checks share these names
            _quarantine(night, gate.name, on_tree(gate, spec.head_tree), touched, spec.iteration)


def measured(night: Night, gate: str, runs: Iterable[Run], iteration: str) -> None:
    """Quarantine what passed and failed on the base while a loop was idle."""
    _quarantine(night, gate, [*runs], (), iteration)


def on_tree(gate: GateResult, tree: str) -> list[Run]:
    """The executions behind a verdict that ran on ``tree``, with the one that the comparison was made with."""
    runs = [run for run in gate.runs if run.execution.tree == tree]
    found = gate.comparison
    if found is None or not runs:
        return runs
    before = {**dict.fromkeys(found.newly_failing, "passed"), **dict.fromkeys(found.newly_passing, "failed")}
    before |= {id: "failed" for id in gate.flaky if id in found.still_failing}
    chance = {id: "failed" for id in gate.flaky if gate.outcomes.get(id) == "passed"}
    return [*runs, Run(runs[0].execution, outcomes={**chance, **before})]


def base_tree(night: Night) -> str:
    """Tree of the night's base."""
    space = next(iter(night.loops.values())).workspace if night.loops else None
    return space.tree_of(night.base) if space else ""


def _quarantine(night: Night, gate: str, runs: list[Run], touched: Collection[str], iteration: str) -> None:
    today = _today()
    new = [
        book.Entry(
            test=test,
            gate=gate,
            owner=_owner(night, test),
            iteration=iteration,
            failed=outcomes.count("failed"),
            runs=len(outcomes),
            logs=tuple(sorted({f"{run.execution.run}/{run.execution.log}" for run in runs if test in run.outcomes})),
            since=today,
            expires=book.until(today, night.config.verify.quarantine_days),
        )
        for test, outcomes in _outcomes(runs).items()
        if {"passed", "failed"} <= set(outcomes) and not any(belongs(test, path) for path in touched)
    ]
    for entry in book.add(night.layout.quarantine, new, today):
        night.record("quarantined", entry.model_dump(mode="json"), iteration=iteration)
        said = f"{entry.test} failed {entry.failed} of {entry.runs} times on the base: it does not gate until"
        night.tell("needs_human", f"a flaky test: {said} {entry.expires} (owner: {entry.owner})")


def _outcomes(runs: Iterable[Run]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for test, outcome in run.outcomes.items():
            found[test].append(outcome)
    return found


def _owner(night: Night, test: str) -> str:
    """The author of the last commit that touched the test's file; else the night's author."""
    path = next((path for path in night.tracked if belongs(test, path)), "")
    space = next(iter(night.loops.values())).workspace
    try:
        said = space.git.line("log", "-1", "--format=%an <%ae>", night.base, "--", path) if path else ""
    except GitError:
        said = ""
    return said or f"{night.author[0]} <{night.author[1]}>"


def _today() -> date:
    return datetime.now(UTC).date()
