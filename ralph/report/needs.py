"""What only a person can do next, each with the command that does it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from ralph.domain import Outcome, Verdict
from ralph.memory.ledger import Event
from ralph.report import read
from ralph.report.model import DeliveryLine, Need, TaskLine, TrainLine
from ralph.report.train import left_words


def needs(
    events: Sequence[Event],
    tasks: Sequence[TaskLine],
    deliveries: Sequence[DeliveryLine],
    train: TrainLine | None = None,
) -> tuple[Need, ...]:
    """What landed against a reviewer's word first, then accounts and pauses (nothing runs), branches, tasks."""
    return (
        *_objections(tasks),
        *_halted(events),
        *_paused(events),
        *_branches(events, deliveries),
        *_train(train),
        *_flaky(events),
        *_tasks(tasks),
    )


def _objections(tasks: Sequence[TaskLine]) -> list[Need]:
    return [
        Need(f"Reviewer refused {task.id}", gate.reason, f"ralph evidence {shlex.quote(task.id)}", "objection", task.id)
        for task in tasks
        for gate in task.gates
        if task.outcome == "landed" and gate.kind == "review" and gate.verdict is Verdict.FAILED
    ]


def _halted(events: Sequence[Event]) -> list[Need]:
    return [
        Need(f"Account {account} is stopped", reason, "ralph doctor", "halted", account)
        for account, reason in _open(events, "halted", "account").items()
    ]


def _paused(events: Sequence[Event]) -> list[Need]:
    over = any(event.kind == "night_ended" for event in events)
    command = "ralph start --now" if over else "ralph resume"
    return [
        Need(f"Paused: {scope}", reason, command, "paused", scope)
        for scope, reason in _open(events, "paused", "scope").items()
    ]


def _open(events: Sequence[Event], kind: str, key: str) -> dict[str, str]:
    """Reasons of what was stopped and never resumed; ``resumed`` names an account or a scope."""
    found: dict[str, str] = {}
    for event in events:
        if event.kind == kind:
            found[read.text(event.data, key)] = read.text(event.data, "reason")
        elif event.kind == "resumed":
            found.pop(read.text(event.data, "account") or read.text(event.data, "scope"), None)
    return found


def _flaky(events: Sequence[Event]) -> list[Need]:
    """Tests that were put in quarantine tonight."""
    return [
        Need(
            f"Flaky test {read.text(event.data, 'test')}",
            f"failed {read.integer(event.data, 'failed')} of {read.integer(event.data, 'runs')} times on the base; does"
            f" not gate until {read.text(event.data, 'expires')}; owner: {read.text(event.data, 'owner')}",
            "ralph evidence --flaky",
            "flaky",
            read.text(event.data, "test"),
        )
        for event in events
        if event.kind == "quarantined"
    ]


def _branches(events: Sequence[Event], deliveries: Sequence[DeliveryLine]) -> list[Need]:
    found = [
        Need(
            f"Branch {event.loop} moved under ralph",
            read.text(event.data, "summary"),
            f"ralph evidence {shlex.quote(event.iteration)}",
            "quarantined",
            event.loop,
        )
        for event in events
        if event.kind == "ended" and event.data.get("outcome") == Outcome.QUARANTINED
    ]
    for delivery in deliveries:
        branch = delivery.branch
        if delivery.how == "parked":
            command = f"git switch {shlex.quote(branch)} && git merge {shlex.quote(delivery.commit[:12])}"
            found.append(Need(f"{branch} does not hold tonight's commits", delivery.detail, command, "parked", branch))
        if delivery.failed:
            found.append(Need(f"{branch} was not delivered", delivery.failed, "ralph logs", "delivery_failed", branch))
    return found


def _train(train: TrainLine | None) -> list[Need]:
    """Branches that were tried and do not land; the next step is in one of them, so none is named."""
    left, base = (train.left, train.base) if train else ((), "")
    return [
        Need(f"{one.branch} does not land", left_words(replace(one, branch="it"), base), "", "train", one.branch)
        for one in left
        if one.why in ("red", "conflict")
    ]


def _tasks(tasks: Sequence[TaskLine]) -> list[Need]:
    return [
        Need(
            f"{task.id} {task.title}",
            task.reason,
            f"ralph tasks retry {shlex.quote(task.id)}",
            "needs_human",
            task.id,
        )
        for task in tasks
        if task.outcome == "needs_human"
    ]
