"""tasks.json on disk: read, merged with the daemon's view, edited; no edit is lost, no bad file is overwritten."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ralph.core.pick import blocked_by
from ralph.domain import Status, Task
from ralph.errors import RalphError, TasksError
from ralph.host.files import own_directory, read_regular, write_atomic
from ralph.memory.file_lock import held
from ralph.memory.file_swap import replace_if
from ralph.memory.task_merge import Decision, View, Wish, merge, view_of
from ralph.memory.task_parse import MAX_BYTES, TaskSet, parse
from ralph.memory.task_rows import showing, with_view, without_status
from ralph.memory.task_text import Document, respell

__all__ = ["Synced", "TaskFile", "TaskSet", "View", "blocked"]

_ROUNDS = 20
_COARSE = 2_000_000_000
"""Nanoseconds in which two saves may leave the same time stamp on some file systems."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync found. ``retried``, ``cancelled`` and ``adopted`` come again until the daemon's view follows them."""

    tasks: tuple[Task, ...]
    """The tasks in force, with the person's wishes in their status."""
    retried: tuple[str, ...] = ()
    """A person set these finished tasks to pending."""
    cancelled: tuple[str, ...] = ()
    """A person cancelled these or deleted their rows."""
    adopted: tuple[str, ...] = ()
    """Rows the daemon knew nothing of that already say how they ended."""
    reverted: tuple[tuple[str, str], ...] = ()
    """(id, field) of edits that were undone."""
    added: tuple[str, ...] = ()
    removed: tuple[Task, ...] = ()
    """Rows that were deleted, as they stood."""
    problem: str | None = None
    """Why the file could not be read or written, in one line; the last good tasks stay in force."""
    warnings: tuple[str, ...] = ()
    written: bool = False


class _Known(NamedTuple):
    """What the last sync ended with, so that the next one can tell that nothing happened."""

    stamp: tuple[int, ...]
    trusted: bool
    """The stamp was old enough when it was taken that any later save must change it."""
    digest: str
    view: dict[str, View]
    synced: Synced


class TaskFile:
    """The tasks.json at ``path``. ``good`` is the last one that was accepted, kept outside the repository."""

    def __init__(self, path: Path, good: Path, now: Callable[[], int] = time.time_ns) -> None:
        self.path = path
        self.good = good
        self._next = good.with_name(good.name + ".next")
        self._now = now
        self._known: _Known | None = None
        self._loaded: TaskSet | None = None
        self._bases: dict[Path, tuple[tuple[int, ...], TaskSet]] = {}

    def load(self) -> TaskSet:
        """The file as it stands. Raises TasksError with file, line and column."""
        try:
            data = read_regular(self.path, MAX_BYTES)
        except RalphError as error:
            if not os.path.lexists(self.path):
                raise TasksError(f"{self.path} does not exist", "run `ralph init`, or restore it") from None
            if error.message.endswith(f"larger than {MAX_BYTES} bytes"):
                message = f"{self.path} is larger than {MAX_BYTES // 1_000_000} MB"
                raise TasksError(message, "split the work into smaller lists") from None
            raise TasksError(error.message, "tasks.json must be a regular file that you can read") from None
        if self._loaded is None or self._loaded.digest != hashlib.sha256(data).hexdigest():
            self._loaded = parse(data, str(self.path))
        return self._loaded

    def last_good(self) -> TaskSet | None:
        """The tasks that were accepted last, or None before the first sync."""
        return self._base(self._next) or self._base(self.good)

    def sync(self, view: Mapping[str, View]) -> Synced:
        """Merge the file with the daemon's ``view`` by id: take the person's fields, write the daemon's.

        Record what it tells (retried, cancelled, adopted) and sync again before anything runs. A bad file is never
        overwritten. Raises TasksError where the file is bad and no good one was ever seen, or the state is gone.
        """
        now = {task_id: _writable(each) for task_id, each in view.items()}
        if (same := self._unchanged(now)) is not None:
            return same
        with self._locked():
            for _ in range(_ROUNDS):
                try:
                    current = self.load()
                except TasksError as error:
                    return self._in_force(now, error)
                done = self._settle(current, now)
                if done is not None:
                    return done
            return self._in_force(now, TasksError(f"{self.path} is saved again and again by another program"))

    def edit(self, change: Callable[[Document], None]) -> TaskSet:
        """Apply ``change`` to the document under the lock and write it if the result is a good tasks.json.

        ``change`` may be called more than once, each time with a fresh document. Raises TasksError, and what
        ``change`` raises; then nothing was changed.
        """
        import jiter

        own_directory(self.good.parent)
        with self._locked():
            for _ in range(_ROUNDS):
                current = self.load()
                document: Document = jiter.from_json(current.text.encode())
                change(document)
                edited = self._refusing(current, document)
                if edited.digest == current.digest:
                    return current
                if not self.good.exists():
                    write_atomic(self.good, current.data(current.text))
                if replace_if(self.path, edited.data(edited.text), current.digest, MAX_BYTES):
                    return edited
        raise TasksError(f"{self.path} is saved again and again by another program", "try again")

    def _refusing(self, current: TaskSet, document: Document) -> TaskSet:
        try:
            data = current.data(respell(current.text, current.raw, document))
        except ValueError as error:
            raise TasksError(f"the edit was refused: {error}", "use plain UTF-8 text") from None
        try:
            return parse(data, self.path.name)
        except TasksError as error:
            raise TasksError(f"the edit was refused, nothing was changed: {error.message}", error.hint) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with held(self.good.with_name("tasks.lock")):
                yield
        except FileNotFoundError as error:
            if self.good.parent.is_dir():
                raise
            raise TasksError(f"the state directory {self.good.parent} is gone", "stop ralph and look why") from error

    def _unchanged(self, view: dict[str, View]) -> Synced | None:
        known = self._known
        if known is None or known.view != view or known.stamp != _stamp(self.path):
            return None
        if not known.trusted:
            at = self._now()
            try:
                digest = hashlib.sha256(read_regular(self.path, MAX_BYTES)).hexdigest()
            except RalphError:
                return None
            if digest != known.digest:
                return None
            if known.stamp == _stamp(self.path):
                self._known = known._replace(trusted=_is_old(known.stamp, at))
        return known.synced

    def _settle(self, current: TaskSet, view: dict[str, View]) -> Synced | None:
        """Merge and write once; None where somebody saved in between."""
        bases = [base for base in (self._base(self.good), self._base(self._next)) if base is not None]
        by_id = [{task.id: task for task in base.tasks} for base in bases]
        merged = merge(current.tasks, by_id, view, without_status(current))
        rows = merged.rows
        shown = showing(current, tuple(with_view(task, rows[task.id].shown) for task in current.tasks))
        base = showing(shown, tuple(with_view(task, rows[task.id].base) for task in shown.tasks))
        synced = _told(shown, rows)
        synced = replace(
            synced,
            cancelled=(*synced.cancelled, *merged.cancelled_rows),
            added=merged.added if bases else (),
            removed=merged.removed,
            written=shown is not current,
        )
        try:
            if not self._store(current, shown, base):
                return None
        except OSError as error:
            self._known = None
            return replace(synced, problem=f"{self.path} can't be written: {error.strerror}", written=False)
        self._known = _Known(_stamp(self.path), False, shown.digest, view, _quiet(synced))
        self._loaded = shown
        return synced

    def _store(self, current: TaskSet, shown: TaskSet, base: TaskSet) -> bool:
        """Write the file and then make ``base`` the good one; False where somebody saved in between."""
        good = self._base(self.good)
        data = base.data(base.text)
        if shown is current:
            if good is None or good.digest != base.digest:
                write_atomic(self.good, data)
            self._next.unlink(missing_ok=True)
        else:
            write_atomic(self._next, data)
            if not replace_if(self.path, shown.data(shown.text), current.digest, MAX_BYTES):
                self._next.unlink()
                return False
            self._next.replace(self.good)
        self._bases[self.good] = (_stamp(self.good), base)
        return True

    def _base(self, path: Path) -> TaskSet | None:
        """A file of ours, parsed once as long as it stays the same; a missing or damaged one counts as none."""
        stamp = _stamp(path)
        if not stamp:
            return None
        kept = self._bases.get(path)
        if kept is None or kept[0] != stamp:
            try:
                self._bases[path] = kept = (stamp, parse(read_regular(path, MAX_BYTES), path.name))
            except RalphError:
                return None
        return kept[1]

    def _in_force(self, view: Mapping[str, View], error: TasksError) -> Synced:
        good = self.last_good()
        if good is None:
            raise error
        self._known = None
        tasks = tuple(with_view(task, view.get(task.id, view_of(task))) for task in good.tasks)
        hint = f" ({error.hint})" if error.hint else ""
        return Synced(tasks, problem=f"{error.message}{hint}; the last good tasks stay in force: {self.good}")


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is saved or replaced; empty for a missing file."""
    try:
        info = path.lstat()
    except OSError:
        return ()
    return info.st_dev, info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _is_old(stamp: tuple[int, ...], at: int) -> bool:
    return max(stamp[4:]) + _COARSE < at


def _writable(view: View) -> View:
    """The view as it reads after a round trip through UTF-8."""
    reason = view.result.reason if view.result else None
    if view.result is None or reason is None or reason.isascii():
        return view
    return replace(view, result=replace(view.result, reason=reason.encode(errors="replace").decode()))


def _told(shown: TaskSet, rows: Mapping[str, Decision]) -> Synced:
    def wishing(wish: Wish) -> tuple[str, ...]:
        return tuple(task_id for task_id, row in rows.items() if row.wish is wish)

    return Synced(
        shown.tasks,
        retried=wishing(Wish.RETRY),
        cancelled=wishing(Wish.CANCEL),
        adopted=wishing(Wish.ADOPT),
        reverted=tuple((task_id, name) for task_id, row in rows.items() for name in row.reverted),
        warnings=shown.warnings,
    )


def _quiet(synced: Synced) -> Synced:
    """The same without what is told only once."""
    return replace(synced, reverted=(), added=(), removed=(), written=False)


def blocked(tasks: Collection[Task]) -> dict[str, str]:
    """Per task that could otherwise run: why it can't, naming the dependencies that are not completed."""
    by_id = {task.id: task for task in tasks}
    reasons = {}
    for task in tasks:
        if task.status in (Status.PENDING, Status.IN_PROGRESS) and (missing := blocked_by(task, by_id)):
            reasons[task.id] = "needs " + ", ".join(
                f"{needed} ({by_id[needed].status if needed in by_id else 'deleted'})" for needed in missing
            )
    return reasons
