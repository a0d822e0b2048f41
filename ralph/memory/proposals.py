"""Tasks that reviewers proposed, read from the ledger: only a person makes one of them a task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ralph.memory.ledger import Event


@dataclass(frozen=True, slots=True)
class Proposal:
    """A task somebody might add. Every text is the reviewer's."""

    task: str
    """The task whose change was reviewed."""
    agent: str
    title: str
    description: str = ""
    files: tuple[str, ...] = ()
    night: str = ""


def proposals(events: Iterable[Event]) -> tuple[Proposal, ...]:
    """What is proposed in ``gate`` rows, the last wording of each title; other rows are passed over."""
    found: dict[tuple[str, str], Proposal] = {}
    for event in events:
        review = (event.data.get("review") or {}) if event.kind == "gate" else {}
        for row in review.get("follow_ups") or ():
            one = _proposal(event, review.get("agent"), row)
            if one.title:
                found[one.task, one.title.lower()] = one
    return tuple(found.values())


def _proposal(event: Event, agent: Any, row: dict[str, Any]) -> Proposal:
    files = tuple(str(path) for path in row.get("files") or ())
    title, description = str(row.get("title") or ""), str(row.get("description") or "")
    return Proposal(event.task, str(agent or ""), title, description, files, event.night)
