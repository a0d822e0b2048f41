"""What a person's edit of tasks.json means against what the daemon wrote there last: pure, one row at a time.

``status``, ``attempts`` and ``result`` are the daemon's view. Of a person's edits of them two mean something:
`pending` on a finished task tries it again, `cancelled` cancels it. A wish stays in the file, and is told at every
merge, until the daemon's view has followed it, so a crash in between loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ralph.domain import Status, Task, TaskResult

FINISHED = frozenset({Status.COMPLETED, Status.FAILED, Status.NEEDS_HUMAN, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class View:
    """Where a task stands: the fields of a row that belong to the daemon."""

    status: Status = Status.PENDING
    attempts: int = 0
    result: TaskResult | None = None


class Wish(StrEnum):
    """What a row asks of the daemon."""

    NONE = "none"
    RETRY = "retry"
    CANCEL = "cancel"
    ADOPT = "adopt"
    """A row the ledger knows nothing of already says how it ended."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one row."""

    shown: View
    """For tasks.json and for whoever picks tasks."""
    base: View
    """What the next merge compares with."""
    wish: Wish = Wish.NONE
    reverted: tuple[str, ...] = ()
    """Fields whose edit was undone."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Decisions about all rows, and what became of the list."""

    rows: dict[str, Decision]
    added: tuple[str, ...] = ()
    removed: tuple[Task, ...] = ()
    cancelled_rows: tuple[str, ...] = ()
    """Ids of deleted rows that the daemon still has to cancel."""


def view_of(task: Task) -> View:
    return View(task.status, task.attempts, task.result)


def merge(
    file: Sequence[Task],
    bases: Sequence[Mapping[str, Task]],
    view: Mapping[str, View],
    unsaid: Collection[str] = (),
) -> Merge:
    """Compare the rows of the file with what was last written (``bases``, oldest first) and with the daemon's view.

    More than one base means that a write was cut off in between: the file may stand at either.
    ``unsaid`` are ids of rows that do not spell out a status.
    """
    rows = {}
    for task in file:
        stood = [view_of(base[task.id]) for base in bases if task.id in base]
        rows[task.id] = decide(view_of(task), stood, view.get(task.id), task.id not in unsaid)
    last = bases[-1] if bases else {}
    gone = dict.fromkeys([*last, *view])
    for task_id in rows:
        gone.pop(task_id, None)
    return Merge(
        rows,
        added=tuple(task.id for task in file if task.id not in last),
        removed=tuple(last[task_id] for task_id in gone if task_id in last),
        cancelled_rows=tuple(task_id for task_id in gone if _must_cancel(view.get(task_id))),
    )


def _must_cancel(now: View | None) -> bool:
    return now is not None and now.status not in (Status.COMPLETED, Status.CANCELLED)


def decide(seen: View, bases: Sequence[View], now: View | None, said: bool = True) -> Decision:
    """The meaning of one row that says ``seen`` where the daemon wrote one of ``bases`` and knows ``now``.

    ``said`` is False where the row has no status at all.
    """
    if now is None:
        if not bases:
            return _first_sight(seen)
        now = bases[-1]
        decision = _against(seen, bases, now, said)
        adopt = decision.wish is Wish.NONE and now.status in FINISHED
        return replace(decision, wish=_first_wish(now.status)) if adopt else decision
    if not bases:
        return _unknown_row(seen, now, said)
    return _against(seen, bases, now, said)


def _first_sight(seen: View) -> Decision:
    if seen.status is Status.IN_PROGRESS:
        shown = replace(seen, status=Status.PENDING)
        return Decision(shown, shown, reverted=("status",))
    return Decision(seen, seen, _first_wish(seen.status) if seen.status in FINISHED else Wish.NONE)


def _first_wish(status: Status) -> Wish:
    return Wish.CANCEL if status is Status.CANCELLED else Wish.ADOPT


def _unknown_row(seen: View, now: View, said: bool) -> Decision:
    """The ledger knows the task but nobody knows what was written last: a row that came back, or a lost state file."""
    if seen.status is Status.PENDING and now.status is Status.CANCELLED:
        return Decision(replace(now, status=Status.PENDING), now, Wish.RETRY)
    if said and seen.status is Status.CANCELLED and now.status not in (Status.CANCELLED, Status.COMPLETED):
        return Decision(replace(now, status=Status.CANCELLED), now, Wish.CANCEL)
    return Decision(now, now)


def _against(seen: View, bases: Sequence[View], now: View, said: bool) -> Decision:
    base = bases[-1]
    wish, undone = _status_edit(seen, bases, now, said)
    if wish is Wish.RETRY:
        return Decision(replace(now, status=Status.PENDING), base, wish)
    if wish is Wish.CANCEL:
        return Decision(replace(now, status=Status.CANCELLED), base, wish)
    others = tuple(name for name in ("attempts", "result") if _edited(name, seen, bases, now))
    return Decision(now, now, reverted=("status", *others) if undone else others)


def _edited(name: str, seen: View, bases: Sequence[View], now: View) -> bool:
    value = getattr(seen, name)
    return value != getattr(now, name) and all(value != getattr(base, name) for base in bases)


def _status_edit(seen: View, bases: Sequence[View], now: View, said: bool) -> tuple[Wish, bool]:
    """What an edit of the status asks for, and whether it is undone."""
    if not _edited("status", seen, bases, now):
        return Wish.NONE, False
    base = bases[-1]
    if said and seen.status is Status.CANCELLED:
        finished_meanwhile = now.status is Status.COMPLETED and base.status is not Status.COMPLETED
        return (Wish.NONE, True) if finished_meanwhile else (Wish.CANCEL, False)
    if said and seen.status is Status.PENDING and base.status in FINISHED:
        if now.status not in FINISHED or _ran(base, now):
            return Wish.NONE, False  # fulfilled already
        if now.status is not Status.COMPLETED or not _is_stale(seen, bases, now):
            return Wish.RETRY, False
    return Wish.NONE, True


def _ran(base: View, now: View) -> bool:
    """Whether the task ran again since ``base`` was written: then a wish older than that is fulfilled."""
    before, after = (view.result.iteration if view.result else None for view in (base, now))
    return before != after


def _is_stale(seen: View, bases: Sequence[View], now: View) -> bool:
    """Whether the whole row looks like a buffer opened before the task ran; finished work is not redone for that."""
    return _edited("attempts", seen, bases, now) or _edited("result", seen, bases, now)
