"""Judge a recorded execution again from its stored log, report and exit code, under the night's configuration."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ralph.config import Config, Gate
from ralph.domain import Execution, GateResult, Grade, Run, Task, Verdict
from ralph.engine.audit.book import Book, Told
from ralph.engine.audit.findings import Findings
from ralph.engine.audit.settled import settled
from ralph.engine.audit.stored import Files
from ralph.engine.judge.execute import said
from ralph.host.process import Completed
from ralph.verify import gates as rules
from ralph.verify import runners
from ralph.verify.compare import BaseResult
from ralph.verify.excerpt import read_log
from ralph.verify.flaky import steady
from ralph.verify.gates import PlannedGate

_DECLARES = frozenset({"delete-test", "skip-test"})
_EXECUTED = frozenset({"tests", "types", "lint", "security", "other"})
"""Kinds whose verdict is that of one command; the others are drawn from several."""


def check(told: Told, book: Book, config: Config, files: Files, scripts: Mapping[str, str], found: Findings) -> None:
    """Judge a verdict and every run behind it again and compare with what was recorded."""
    result = told.result
    for run in result.runs:
        _check_run(told, run, config, files, scripts, found)
    if result.kind not in _EXECUTED or result.execution is None:
        return
    planned = planned_of(config, told, book, scripts)
    if planned is None:
        found.wrong("verdict", told.name, "the night's configuration and the task have no such gate")
        return
    if said(planned) != result.execution.argv:
        what = shlex.join(result.execution.argv)
        found.wrong("verdict", told.name, f"`{what}` was run, but the gate's command is `{planned.gate.command}`")
        return
    base = _base(told, book)
    if result.comparison and (base is None or base.outcomes is None):
        found.wrong("verdict", told.name, f"its run on the base {result.comparison.base_tree[:12]} is not on record")
        return
    again = judged(result.execution, planned, files, base)
    if again is not None:
        found.checked["verdicts"] += 1
        _compare(told, again, found)


def planned_of(config: Config, told: Told, book: Book, scripts: Mapping[str, str]) -> PlannedGate | None:
    """The gate or the task's check behind a verdict, as the night's configuration has it."""
    began = book.began.get(told.event.iteration)
    rows = [began] if began else list(book.began.values())  # the train runs the checks of several tasks
    argv = told.result.execution.argv if told.result.execution else ()
    for checks in [tuple(row.data.get("checks", ())) for row in rows] or [()]:
        task = Task("task", "", checks=checks)
        own = [gate for gate in rules.plan(config, task, [], scripts) if gate.name == told.result.name]
        if own and (began or said(own[0]) == argv):
            return own[0]
    return None


def replaced(planned: PlannedGate, ran: Execution, scripts: Mapping[str, str]) -> PlannedGate:
    """The gate with the command that was really run: a selection of its tests, say."""
    shell = ran.argv[:2] == ("/bin/sh", "-c") and len(ran.argv) == 3
    command = ran.argv[2] if shell else shlex.join(ran.argv)
    gate = planned.gate.model_copy(update={"command": command, "shell": shell})
    return replace(planned, gate=gate, recognised=runners.recognise(command, shell, scripts), settled=None)


def judged(ran: Execution, planned: PlannedGate, files: Files, base: BaseResult | None) -> GateResult | None:
    """The verdict from the stored bytes alone; None where they are not all there as they were."""
    state = files.of(ran)
    if not state.whole or state.folder is None:
        return None
    log = state.folder / ran.log
    return rules.judge(
        planned,
        _completed(ran, log),
        state.folder / ran.report if ran.report else None,
        ran.tree,
        base,
        read_log(log),
        ("a tracked file",) if ran.dirty else (),
        root=_root(ran, planned),
        directory=ran.directory,
        sandbox=ran.sandbox,
        canary=ran.canary,
    )


def _completed(ran: Execution, log: Path) -> Completed:
    return Completed(
        argv=ran.argv,
        exit_code=ran.exit_code,
        signal=ran.signal,
        cause=ran.cause,
        started=ran.started,
        seconds=ran.seconds,
        log=log,
        log_bytes=log.stat().st_size,
        log_sha256=ran.log_sha256,
    )


def _root(ran: Execution, planned: PlannedGate) -> str:
    """The tree's path as the command saw it: its directory without the gate's own `cwd`."""
    inner = PurePosixPath(planned.gate.cwd).parts
    path = PurePosixPath(ran.directory)
    own = bool(inner) and path.parts[-len(inner) :] == inner
    return str(PurePosixPath(*path.parts[: -len(inner)])) if own else str(path)


def _base(told: Told, book: Book) -> BaseResult | None:
    """What was known of the base when the verdict was reached."""
    began = book.began.get(told.event.iteration)
    declared = _DECLARES & frozenset(began.data.get("allow", ()) if began else ())
    red, advisory = _red(told, book)
    if told.result.comparison is None:
        alone = began is None or told.tree == began.data.get("head_tree")
        if alone or (told.result.execution and told.result.execution.purpose != "head"):
            return None
        return BaseResult(frozenset(red), advisory, declared=declared) if red or advisory else None
    tree = told.result.comparison.base_tree
    there = book.on_base(told, tree)
    if there is None:
        return None
    outcomes = steady(there)
    failed = frozenset(name for name, outcome in outcomes.items() if outcome == "failed")
    return BaseResult(failed, advisory, outcomes, tree, declared)


def _red(told: Told, book: Book) -> tuple[list[str], bool]:
    """Ids that were red on the night's base, and whether the gate was red there without naming any."""
    event = book.preflight(told.event.seq)
    if event is None:
        return [], False
    results = (one for one in event.data.get("gates", ()) if one["name"] == told.result.name)
    there = next((one for one in results if one["verdict"] == Verdict.FAILED), None)
    if there is None:
        return [], False
    ids = sorted(name for name, outcome in there["outcomes"].items() if outcome == "failed")
    return ids, not ids


def _compare(told: Told, again: GateResult, found: Findings) -> None:
    recorded = told.result
    again, unshown = settled(again, recorded)
    if unshown:
        found.wrong("verdict", told.name, unshown)
        return
    for what in ("verdict", "advisory", "counts", "outcomes", "comparison"):
        before, now = getattr(recorded, what), getattr(again, what)
        if before != now:
            said = f"{what} on record: {_brief(before)}; from the stored bytes: {_brief(now)}"
            found.wrong("verdict", told.name, said)
            return
    if _STRENGTH.index(recorded.grade) > _STRENGTH.index(again.grade):
        said = f"it is called {recorded.grade.value}, but its bytes are worth {again.grade.value}"
        found.wrong("verdict", told.name, said)


_STRENGTH = (Grade.NOT_RUN, Grade.REPORTED, Grade.STALE, Grade.OBSERVED, Grade.VERIFIED)


def _check_run(told: Told, run: Run, config: Config, files: Files, scripts: Mapping[str, str], found: Findings) -> None:
    """Read a further execution again: its outcomes are what the verdict was drawn from."""
    ran = run.execution
    if ran.purpose == "mutant" and run.counts is None:
        return  # what it noted is about faults, not about tests
    again = read_again(told, ran, config, files, scripts)
    if again is None:
        return
    found.checked["verdicts"] += 1
    if (again.outcomes, again.counts) != (run.outcomes, run.counts):
        where = f"{told.name} ({ran.purpose} {ran.attempt})"
        before, now = (run.counts, again.counts) if run.counts != again.counts else (run.outcomes, again.outcomes)
        found.wrong("verdict", where, f"results on record: {_brief(before)}; from the stored bytes: {_brief(now)}")


def read_again(
    told: Told, ran: Execution, config: Config, files: Files, scripts: Mapping[str, str]
) -> GateResult | None:
    """What one of the runs behind a verdict showed; None where its bytes are not all there as they were."""
    planned = replaced(PlannedGate(_nearest(config, told.result.name, ran), 0), ran, scripts)
    return judged(ran, planned, files, None) if ran.log else None


def _nearest(config: Config, name: str, ran: Execution) -> Gate:
    """The gate that an execution was made from: of the verdict's name, else the one whose words it shares most."""
    own = next((gate for gate in config.gates if gate.name == name), None)

    def shared(gate: Gate) -> int:
        pairs = zip(said(PlannedGate(gate, 0)), ran.argv, strict=False)
        return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))

    if own:
        return own
    best = max(config.gates, key=shared, default=None)
    return best if best and shared(best) else Gate(name="run", command="true", kind="tests")


def _brief(value: object) -> str:
    return repr(value)[:120] if not isinstance(value, str) else str(value)
