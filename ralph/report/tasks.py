"""What each task of the night came to, folded from its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ralph.core.claim_words import on_base
from ralph.domain import Outcome, Status
from ralph.memory.ledger import Event
from ralph.report import read, spend, verdicts
from ralph.report.model import Failure, GateLine, TaskLine

_SETTLED = {Status.FAILED: "failed", Status.NEEDS_HUMAN: "needs_human", Status.CANCELLED: "cancelled"}


@dataclass(slots=True)
class History:
    """The rows of one task tonight, in order."""

    id: str
    events: list[Event] = field(default_factory=list)
    planned: Mapping[str, object] = field(default_factory=dict)
    """Its row in ``night_started``, where that names the night's tasks."""

    def rows(self, *kinds: str) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]

    def last(self, kind: str) -> Event | None:
        return next((event for event in reversed(self.events) if event.kind == kind), None)


def histories(events: Sequence[Event]) -> list[History]:
    """Per task, in the order in which they first show up; tasks that were only planned come last."""
    found: dict[str, History] = {}
    planned: dict[str, Mapping[str, object]] = {}
    for event in events:
        if event.kind == "night_started":
            planned.update({read.text(row, "id"): row for row in read.rows(event.data, "tasks")})
        elif event.task:
            found.setdefault(event.task, History(event.task)).events.append(event)
    for name, row in planned.items():
        found.setdefault(name, History(name)).planned = row
    return list(found.values())


def task_line(history: History, on_tree: Mapping[str, Sequence[GateLine]]) -> TaskLine:
    """``on_tree``: per tree hash the last verdict of each gate on it."""
    began, ended = history.rows("began"), history.rows("ended")
    outcomes = [read.word(Outcome, event.data.get("outcome"), Outcome.INFRASTRUCTURE) for event in ended]
    committed = history.last("committed")
    outcome = _outcome(history, committed)
    tree = read.text(committed.data, "tree") if committed else ""
    gates = tuple(on_tree.get(tree, ())) if committed else _last_gates(history)
    about = began[-1].data if began else history.planned
    return TaskLine(
        id=history.id,
        title=read.text(about, "title") or read.text(history.planned, "title"),
        outcome=outcome,
        reason=_reason(history),
        depends_on=read.strings(about, "depends_on") or read.strings(history.planned, "depends_on"),
        loops=_distinct(event.loop for event in began),
        agents=_distinct(read.text(event.data, "agent") for event in began),
        iterations=len(began),
        attempts=sum(outcome.consumes_attempt for outcome in outcomes),
        last_outcome=outcomes[-1].value if outcomes else "",
        commit=read.text(committed.data, "commit") if committed else None,
        tree=tree,
        branch=read.branch(committed.data) if committed else "",
        files=changed_paths(history.rows("committed")),
        grade=verdicts.weakest(gates) if committed else None,
        gates=gates,
        failure=None if outcome == "landed" else _failure(history),
        said=_said(history),
        seconds=round(sum(read.number(event.data, "seconds") for event in history.rows("agent_ended")), 3),
        spend=spend.total(history.rows(*spend.KINDS)),
    )


def changed_paths(commits: Sequence[Event]) -> tuple[str, ...]:
    return _distinct(read.text(change, "path") for event in commits for change in read.rows(event.data, "changes"))


def _outcome(history: History, committed: Event | None) -> str:
    """Git outranks the ledger's last word: a commit without a status after it has landed."""
    status = history.last("task")
    word = read.word(Status, status.data.get("status"), Status.PENDING) if status else None
    if committed and (status is None or status.seq < committed.seq or word is Status.COMPLETED):
        return "landed"
    if word in _SETTLED:
        return _SETTLED[word]
    return "unfinished" if history.rows("began") else "not_started"


def _reason(history: History) -> str:
    status = history.last("task")
    if status and read.text(status.data, "reason"):
        return read.text(status.data, "reason")
    last = history.last("blocked") or history.last("ended")
    return (read.text(last.data, "reason") or read.text(last.data, "summary")) if last else ""


def _last_gates(history: History) -> tuple[GateLine, ...]:
    gates = [event for event in history.rows("gate") if not on_base(event.data)]
    iteration = gates[-1].iteration if gates else ""
    latest = {
        read.text(event.data, "name"): verdicts.gate_line(event) for event in gates if event.iteration == iteration
    }
    return tuple(latest.values())


def _failure(history: History) -> Failure | None:
    """Of the last iteration in which a guard or a gate refused something, else what ended the last one."""
    for event in reversed(history.rows("ended")):
        failure = verdicts.first_failure(row for row in history.events if row.iteration == event.iteration)
        if failure:
            return failure
    for event in reversed(history.rows("agent_ended")):
        said = read.text(event.data, "error") or read.text(event.data, "cause")
        if said:
            return Failure("agent", said)
    ended = history.last("ended")
    return Failure("iteration", read.text(ended.data, "summary")) if ended else None


def _said(history: History) -> str:
    ended = history.last("agent_ended")
    return read.text(ended.data, "said")[:400] if ended else ""


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
