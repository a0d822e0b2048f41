"""What a branch brings, read from the ledger: the data behind the title and body of its pull request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ralph.core.claim_words import declared, named, on_base, survivors, unproven, words
from ralph.domain import Task
from ralph.memory.ledger import Event


@dataclass(frozen=True, slots=True)
class Ran:
    """One verdict on the committed tree."""

    name: str
    kind: str
    verdict: str
    reason: str
    grade: str
    argv: tuple[str, ...]
    seconds: float
    counts: Mapping[str, int] | None
    advisory: bool
    network: bool
    said: str = ""
    """Of a proof, a strength or a review what it showed, in a phrase."""
    unproven: bool = False
    """A proof that found no test that shows the change."""
    survivors: tuple[str, ...] = ()
    """Of a strength the planted faults that no test noticed."""


@dataclass(frozen=True, slots=True)
class Landed:
    """One task on the branch, with its last commit."""

    id: str
    title: str
    acceptance: tuple[str, ...]
    commit: str
    tree: str
    files: tuple[str, ...]
    ran: tuple[Ran, ...]
    said: str
    """The agent's last words, as they are."""
    iterations: int
    declared: tuple[str, ...] = ()
    """What guards let through because the task declares it."""
    named: tuple[str, ...] = ()
    """What guards named without objecting."""


@dataclass(frozen=True, slots=True)
class Story:
    branch: str
    base: str
    base_commit: str
    nights: tuple[str, ...]
    sandbox: str
    landed: tuple[Landed, ...]
    after: tuple[str, ...]
    """Other branches that hold a dependency of a task here."""
    tokens: int
    dollars: float | None
    """Of the calls with a known price; None where there were none."""
    complete: bool
    """False where a part of the cost is unknown."""


def story(events: Iterable[Event], branch: str, base: str, tasks: Mapping[str, Task]) -> Story:
    """``events``: the rows of every night whose commits the branch holds; ``branch`` with or without refs/heads/."""
    rows = list(events)
    name = branch.removeprefix("refs/heads/")
    commits = [event for event in rows if event.kind == "committed" and event.task]
    mine = [event for event in commits if _branch(event) == name]
    ids = list(dict.fromkeys(event.task for event in mine))
    homes = {event.task: _branch(event) for event in commits}
    needed = [dep for task in ids if task in tasks for dep in tasks[task].depends_on]
    starts = [event for event in rows if event.kind == "night_started"]
    tokens, dollars, complete = _spent([event for event in rows if event.task in ids])
    return Story(
        branch=name,
        base=base,
        base_commit=str(starts[-1].data.get("base_commit", "")) if starts else "",
        nights=tuple(dict.fromkeys(event.night for event in mine)),
        sandbox=str(starts[-1].data.get("sandbox", "")) if starts else "",
        landed=tuple(_landed(task, rows, mine, tasks.get(task)) for task in ids),
        after=tuple(sorted({homes[dep] for dep in needed if homes.get(dep, name) != name})),
        tokens=tokens,
        dollars=dollars,
        complete=complete,
    )


def _branch(event: Event) -> str:
    return str(event.data.get("branch", "")).removeprefix("refs/heads/")


def _landed(id: str, rows: Sequence[Event], commits: Sequence[Event], task: Task | None) -> Landed:
    own = [event for event in rows if event.task == id]
    made = [event for event in commits if event.task == id]
    began = [event for event in own if event.kind == "began"]
    ended = [event for event in own if event.kind == "agent_ended"]
    tree = str(made[-1].data.get("tree", ""))
    gates = {
        str(event.data.get("name")): _ran(event.data)
        for event in rows
        if event.kind == "gate" and event.data.get("tree") == tree and not on_base(event.data)
    }
    guards = [event.data for event in own if event.kind == "guard" and event.data.get("tree") == tree]
    paths = [str(change.get("path", "")) for event in made for change in event.data.get("changes") or ()]
    return Landed(
        id=id,
        title=task.title if task else str(began[-1].data.get("title", "")) if began else "",
        acceptance=task.acceptance if task else (),
        commit=str(made[-1].data.get("commit", "")),
        tree=tree,
        files=tuple(dict.fromkeys(paths)),
        ran=tuple(gates.values()),
        said=str(ended[-1].data.get("said") or "") if ended else "",
        iterations=len(began),
        declared=tuple(dict.fromkeys(said for row in guards for said in declared(row))),
        named=tuple(dict.fromkeys(said for row in guards for said in named(row))),
    )


def _ran(data: Mapping[str, Any]) -> Ran:
    execution = data.get("execution") or {}
    grade = str(data.get("grade", "reported")) if execution or data.get("runs") else "reported"
    weak = data.get("kind") == "tests" and not data.get("counts")
    return Ran(
        name=str(data.get("name", "")),
        kind=str(data.get("kind", "")),
        verdict=str(data.get("verdict", "not_run")),
        reason=str(data.get("reason", "")),
        grade="observed" if weak and grade == "verified" else grade,
        argv=tuple(str(word) for word in execution.get("argv") or ()),
        seconds=float(execution.get("seconds") or 0),
        counts=data.get("counts") or None,
        advisory=bool(data.get("advisory")),
        network=bool(execution.get("network")),
        said=words(data),
        unproven=unproven(data),
        survivors=tuple(survivors(data)),
    )


def _spent(rows: Sequence[Event]) -> tuple[int, float | None, bool]:
    usages = [event.data.get("usage") or {} for event in rows if event.kind == "settled"]
    blind = any(event.kind in ("agent_ended", "review_ended") and event.data.get("metered") is False for event in rows)
    known = [float(usage["dollars"]) for usage in usages if usage.get("dollars") is not None]
    counted = ("input_tokens", "cache_write_tokens", "output_tokens")
    tokens = sum(int(usage.get(name) or 0) for usage in usages for name in counted)
    complete = not blind and len(known) == len(usages)
    return tokens, sum(known) if known or complete else None, complete
