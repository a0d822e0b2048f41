"""Fold a night's ledger rows into one NightReport: the same rows always give the same value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ralph.core.claim_words import on_base
from ralph.memory.ledger import Event, Ledger
from ralph.memory.proposals import proposals
from ralph.report import order, read, spend, verdicts
from ralph.report.doubts import doubts
from ralph.report.model import (
    BranchLine,
    DeliveryLine,
    GateLine,
    LimitLine,
    NightReport,
    PullRequestLine,
    TaskLine,
    Totals,
    WaitLine,
)
from ralph.report.needs import needs
from ralph.report.sums import gate_strength, last_sums
from ralph.report.tasks import changed_paths, histories, task_line
from ralph.report.touched import leftovers, touched, unnoticed
from ralph.report.train import last_forecast, last_train


def collect(ledger: Ledger, night: str) -> NightReport:
    """The report of one night from the ledger; works while the night runs."""
    return from_events(ledger.events(night=night))


def from_events(source: Iterable[Event]) -> NightReport:
    """``source``: all rows of one night, in order. ``reported`` rows change nothing: writing a report is no news."""
    events = [event for event in source if event.kind != "reported"]
    start = next((event for event in events if event.kind == "night_started"), None)
    last = next((event for event in reversed(events) if event.kind in ("night_ended", "began")), None)
    end = last if last and last.kind == "night_ended" else None
    opened = next((event.data for event in reversed(events) if event.kind == "night_started"), {})
    on_tree = _gates_by_tree(events)
    tasks = tuple(task_line(history, on_tree) for history in histories(events))
    totals = _totals(events, tasks)
    deliveries, pull_requests, train = _deliveries(events), _pull_requests(events), last_train(events)
    since = start.at if start else events[0].at if events else ""
    until = end.at if end else events[-1].at if events else ""
    sandbox = read.text(opened, "sandbox")
    unproven = doubts(events, tasks, totals.spend, sandbox)
    return NightReport(
        night=next((event.night for event in events if event.night), ""),
        started=since,
        ended=end.at if end else None,
        seconds=read.seconds_between(since, until),
        reason=read.text(end.data, "reason") if end else "",
        exit_code=read.integer(end.data, "exit_code") if end else None,
        base=read.text(opened, "base"),
        base_commit=read.text(opened, "base_commit"),
        sandbox=sandbox,
        config_sha256=read.text(opened, "config_sha256"),
        ralph_version=read.text(opened, "version") or read.text(opened, "cli"),
        agents={name: str(kind) for name, kind in read.table(opened, "agents").items()},
        headline="it did not start" if refused(events, end) else headline(totals),
        needs=needs(events, tasks, deliveries, train),
        review=_review(events, tasks, pull_requests, train.land if train else ()),
        tasks=tasks,
        limits=_limits(events),
        waits=_waits(events),
        warnings=_warnings(events, {doubt.code for doubt in unproven}),
        pull_requests=tuple(pull_requests.values()),
        deliveries=deliveries,
        not_verified=unproven,
        totals=totals,
        by_model=spend.by_model(event for event in events if event.kind in spend.KINDS),
        proposals=proposals(events),
        train=train,
        forecast=last_forecast(events),
        sums=last_sums(events),
        gate_strength=gate_strength(events),
        touched=touched(events, tasks),
        unnoticed=unnoticed(events, tasks),
        leftovers=leftovers(events, tasks),
    )


_WORDS = {
    "failed": "failed",
    "needs_human": "need you",
    "unfinished": "unfinished",
    "not_started": "not started",
    "cancelled": "cancelled",
}


def refused(events: Sequence[Event], end: Event | None) -> bool:
    """Whether the night ended with a red base before anything began."""
    began = any(event.kind == "began" for event in events)
    return end is not None and not began and read.text(end.data, "reason").startswith("the base is red")


def headline(totals: Totals) -> str:
    """One line that says how the night went; a night in which everything failed says nothing else."""
    outcomes, tasks = totals.outcomes, totals.tasks
    if not tasks:
        return "no task was ready"
    landed = outcomes.get("landed", 0)
    if landed == tasks:
        return "the only task landed" if tasks == 1 else f"all {tasks} tasks landed"
    if outcomes.get("failed", 0) == tasks:
        return "nothing landed: the only task failed" if tasks == 1 else f"nothing landed: all {tasks} tasks failed"
    needs = {"needs_human": "needs you" if outcomes.get("needs_human") == 1 else "need you"}
    rest = ", ".join(f"{outcomes[word]} {said}" for word, said in (_WORDS | needs).items() if outcomes.get(word))
    return f"{landed} of {tasks} tasks landed, {rest}" if landed else f"nothing landed: {rest}"


def _gates_by_tree(events: Iterable[Event]) -> dict[str, list[GateLine]]:
    """Per tree the last verdict of each gate: a verdict on the same tree may come from another iteration."""
    found: dict[str, dict[str, GateLine]] = {}
    for event in events:
        if event.kind == "gate" and not on_base(event.data):
            gate = verdicts.gate_line(event)
            found.setdefault(gate.tree, {})[gate.name] = gate
    return {tree: list(gates.values()) for tree, gates in found.items()}


def _totals(events: Sequence[Event], tasks: Sequence[TaskLine]) -> Totals:
    commits = [event for event in events if event.kind == "committed"]
    return Totals(
        tasks=len(tasks),
        outcomes=dict(sorted(Counter(task.outcome for task in tasks).items())),
        iterations=sum(event.kind == "began" for event in events),
        iteration_outcomes=dict(
            sorted(Counter(read.text(e.data, "outcome") for e in events if e.kind == "ended").items())
        ),
        commits=len(commits),
        files=len(changed_paths(commits)),
        agent_seconds=round(sum(read.number(e.data, "seconds") for e in events if e.kind == "agent_ended"), 3),
        spend=spend.total(event for event in events if event.kind in spend.KINDS),
    )


def _review(
    events: Sequence[Event],
    tasks: Sequence[TaskLine],
    pull_requests: Mapping[str, PullRequestLine],
    land: Sequence[str],
) -> tuple[BranchLine, ...]:
    """In the order in which branches ``land``, as far as that is known."""
    branches: dict[str, order.Branch] = {}
    landed = {task.id for task in tasks if task.outcome == "landed"}
    for event in events:
        if event.kind != "committed":
            continue
        name = read.branch(event.data)
        branch = branches.setdefault(name, order.Branch(name, event.seq))
        branch.commits.append(read.text(event.data, "commit"))
        branch.parents.update(read.strings(event.data, "parents"))
        branch.files.update(read.text(change, "path") for change in read.rows(event.data, "changes"))
        if event.task in landed and event.task not in branch.tasks:
            branch.tasks.append(event.task)
    order.stack(branches, {task.id: task.depends_on for task in tasks})
    ordered = order.review_order(branches)
    ordered.sort(key=lambda branch: land.index(branch.name) if branch.name in land else len(land))
    return tuple(
        BranchLine(
            position=position,
            branch=branch.name,
            tasks=tuple(branch.tasks),
            commits=len(branch.commits),
            files=len(branch.files),
            head=branch.commits[-1],
            after=tuple(sorted(branch.after)),
            together=tuple(sorted(branch.together)),
            pull_request=pull_requests.get(branch.name),
        )
        for position, branch in enumerate(ordered, start=1)
    )


def _pull_requests(events: Iterable[Event]) -> dict[str, PullRequestLine]:
    """The last word on each branch."""
    return {
        read.branch(event.data): PullRequestLine(
            branch=read.branch(event.data),
            number=read.integer(event.data, "number"),
            url=read.text(event.data, "url"),
            state=read.text(event.data, "state"),
            draft=bool(event.data.get("draft")),
        )
        for event in events
        if event.kind == "pull_request"
    }


def _deliveries(events: Iterable[Event]) -> tuple[DeliveryLine, ...]:
    """The last word on each branch; a push says nothing about the user's own repository."""
    found: dict[str, DeliveryLine] = {}
    for event in events:
        if event.kind not in ("delivered", "delivery_failed"):
            continue
        branch = read.branch(event.data)
        before = found.get(branch, DeliveryLine(branch, ""))
        how, commit = read.text(event.data, "how"), read.text(event.data, "commit")
        if event.kind == "delivery_failed":
            found[branch] = replace(before, failed=read.text(event.data, "reason"))
        elif how == "pushed":
            found[branch] = replace(before, how=before.how or how, pushed=read.text(event.data, "detail"), failed="")
        else:
            found[branch] = replace(before, how=how, commit=commit, detail=read.text(event.data, "detail"), failed="")
    return tuple(found.values())


def _limits(events: Iterable[Event]) -> tuple[LimitLine, ...]:
    return tuple(
        LimitLine(
            scope=read.text(event.data, "scope"),
            cause=read.text(event.data, "cause"),
            cap=read.number(event.data, "cap"),
            used=read.number(event.data, "used"),
            task=event.task,
            loop=event.loop,
            text=read.text(event.data, "text"),
        )
        for event in events
        if event.kind == "limit"
    )


def _warnings(events: Iterable[Event], said: Collection[str]) -> tuple[str, ...]:
    """Each once, and not what a doubt says already."""
    rows = (event.data for event in events if event.kind == "warning")
    return tuple(dict.fromkeys(read.text(row, "text") for row in rows if read.text(row, "doubt") not in said))


def _waits(events: Iterable[Event]) -> tuple[WaitLine, ...]:
    waits: list[WaitLine] = []
    for event in events:
        account = read.text(event.data, "account") or read.text(event.data, "scope")
        if event.kind == "waiting":
            until = read.moment(event.data, "until")
            waits.append(WaitLine(account, read.text(event.data, "reason"), event.at, until, None))
        elif event.kind == "resumed" and account:
            waits = [_closed(wait, event.at) if wait.account == account else wait for wait in waits]
    return tuple(waits)


def _closed(wait: WaitLine, at: str) -> WaitLine:
    if wait.seconds is not None:
        return wait
    return replace(wait, seconds=read.seconds_between(wait.since, at))
