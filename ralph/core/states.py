"""Which changes of a task's status are possible, and who may make them."""

from __future__ import annotations

from ralph.domain import Status

_DAEMON: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.IN_PROGRESS, Status.CANCELLED, Status.NEEDS_HUMAN}),
    Status.IN_PROGRESS: frozenset(
        {Status.PENDING, Status.COMPLETED, Status.FAILED, Status.NEEDS_HUMAN, Status.CANCELLED}
    ),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.NEEDS_HUMAN: frozenset(),
    Status.CANCELLED: frozenset(),
}

_PERSON: dict[Status, frozenset[Status]] = {
    status: frozenset({Status.PENDING, Status.CANCELLED}) - {status} for status in Status
}


class ImpossibleMove(ValueError):
    """A status change that the table does not know: a fault in the program, never in a task."""


def move(now: Status, to: Status, by_person: bool = False) -> Status:
    """Return ``to`` if that change is possible. Raises ImpossibleMove."""
    if to not in (_PERSON if by_person else _DAEMON)[now]:
        raise ImpossibleMove(f"{now} -> {to}{' by a person' if by_person else ''}")
    return to


def is_open(status: Status) -> bool:
    """True while work on the task may still begin."""
    return status in (Status.PENDING, Status.IN_PROGRESS)
