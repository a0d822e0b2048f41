"""What was not verified tonight, said before anybody has to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ralph.domain import Grade, Verdict
from ralph.memory.ledger import Event
from ralph.report import read
from ralph.report.model import Doubt, GateLine, Spend, TaskLine


def doubts(events: Sequence[Event], tasks: Sequence[TaskLine], total: Spend, sandbox: str) -> tuple[Doubt, ...]:
    landed = [task for task in tasks if task.outcome == "landed"]
    return (*_ground(events, sandbox, bool(tasks)), *_gates(landed), *_not_run(tasks), *_money(events, total))


def _ground(events: Sequence[Event], sandbox: str, ran: bool) -> Iterable[Doubt]:
    if sandbox in ("none", ""):
        yield Doubt("no_sandbox", "No sandbox: agents and gates ran with your own rights.")
    preflights = [event.data for event in events if event.kind == "preflight"][-1:]
    if not preflights and ran:
        yield Doubt("no_preflight", "The gates were not tried on the base before the night.")
    for data in preflights:
        liveness = read.table(data, "liveness")
        if liveness and liveness.get("verdict") != Verdict.PASSED:
            reason = read.text(liveness, "reason") or "no gate turned red on a planted fault"
            yield Doubt("gates_blind", f"The gates may not look at tonight's files: {reason}")
        for gate in read.rows(data, "gates"):
            if gate.get("verdict") != Verdict.PASSED:
                name, verdict = read.text(gate, "name"), read.text(gate, "verdict").replace("_", " ")
                red = [read.text(failure, "id") for failure in read.rows(gate, "failures")][:5]
                said = f"{verdict}, {read.text(gate, 'reason')}" + (f" ({', '.join(red)})" if red else "")
                yield Doubt("red_base", f"Gate {name} did not pass on the base: {said}")
        vacuous = [row for row in read.rows(data, "checks") if row.get("verdict") == Verdict.PASSED]
        if vacuous:
            names = _names(read.text(row, "task") for row in vacuous)
            yield Doubt("vacuous_checks", "Checks already green before any work: they prove nothing.", names)


def _gates(landed: Sequence[TaskLine]) -> Iterable[Doubt]:
    rules: list[tuple[str, str, Callable[[TaskLine, GateLine], bool]]] = [
        ("advisory", "Landed although a gate was red, which was only advisory.", _advisory_red),
        ("objected", "Landed although the reviewer still objects.", _objected),
        ("exit_code_only", "Tests judged by exit code alone, without results for each test.", _by_exit_code),
        ("other_tree", "A gate ran on another tree than the committed one.", lambda task, gate: gate.tree != task.tree),
        (
            "no_canary",
            "No failing test was planted in these runs: nothing shows that they would report one.",
            _unplanted,
        ),
        ("unproven", "No test shows what these changed.", lambda _, gate: gate.unproven),
        ("reported", "A gate's verdict is only reported, no execution is on record.", _only_reported),
        ("network", "Gates shared the machine's network.", lambda _, gate: gate.network),
    ]
    nothing = tuple(task.id for task in landed if task.grade is None)
    if nothing:
        yield Doubt("no_gate", "Landed without any gate that ran: read these line by line.", nothing)
    for code, text, holds in rules:
        names = tuple(task.id for task in landed if any(holds(task, gate) for gate in task.gates))
        if names:
            yield Doubt(code, text, names)
    kinds = {gate.kind for task in landed for gate in task.gates}
    if landed and "proof" not in kinds:
        yield Doubt("no_proof", "Nobody checked that new tests fail without the change.")
    if landed and "review" not in kinds:
        yield Doubt("no_review", "Nobody has reviewed these changes yet.")


def _advisory_red(_: TaskLine, gate: GateLine) -> bool:
    return gate.advisory and gate.verdict.blocks and gate.kind != "review"


def _by_exit_code(_: TaskLine, gate: GateLine) -> bool:
    return gate.kind == "tests" and gate.verdict is Verdict.PASSED and gate.counts is None


def _unplanted(_: TaskLine, gate: GateLine) -> bool:
    return gate.kind == "tests" and gate.verdict is Verdict.PASSED and gate.canary == ""


def _only_reported(_: TaskLine, gate: GateLine) -> bool:
    return gate.verdict is Verdict.PASSED and gate.grade is Grade.REPORTED and gate.kind != "review"


def _objected(_: TaskLine, gate: GateLine) -> bool:
    return gate.kind == "review" and gate.verdict is Verdict.FAILED


def _not_run(tasks: Sequence[TaskLine]) -> Iterable[Doubt]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for task in tasks:
        for gate in task.gates:
            if gate.verdict is Verdict.NOT_RUN:
                groups.setdefault((gate.kind, gate.name, gate.reason), []).append(task.id)
    for (kind, name, reason), ids in groups.items():
        if kind == "review":
            yield Doubt("not_reviewed", reason[:1].upper() + reason[1:], tuple(ids))
        else:
            yield Doubt("not_run", f"Gate {name} did not run: {reason}", tuple(ids))


def _money(events: Sequence[Event], total: Spend) -> Iterable[Doubt]:
    names = {
        agent for event in events if event.kind == "night_started" for agent in read.strings(event.data, "unmetered")
    }
    if total.unmetered_iterations:
        who = f" ({', '.join(sorted(names))})" if names else ""
        yield Doubt("not_metered", f"{total.unmetered_iterations} iterations spent tokens nobody could count{who}.")
    if total.unpriced_calls:
        yield Doubt("unpriced", f"{total.unpriced_calls} model calls have no known price.")
    if total.estimated:
        yield Doubt("estimated", "Some token figures were counted from bytes, not told by the provider.")
    if total.unsettled_tokens:
        yield Doubt("unsettled", f"{total.unsettled_tokens} tokens were reserved by calls whose end nobody saw.")


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
