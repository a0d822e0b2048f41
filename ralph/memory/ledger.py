"""The append-only, hash-chained journal of everything that happened; SQLite, readable with SQL.

Each row's hash covers the row and the hash of the row before it, so an edited, dropped or
reordered row is found by ``verify``. Only the daemon writes.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ralph.errors import LedgerError
from ralph.memory.ledger_schema import DROP_VIEWS, SCHEMA, VERSION, VIEWS

_COLUMNS = "seq, at, night, loop, task, iteration, kind, data"


@dataclass(frozen=True, slots=True)
class Event:
    """One row. ``at`` is ISO 8601 in UTC; order is by ``seq``, never by time."""

    seq: int
    at: str
    night: str
    loop: str
    task: str
    iteration: str
    kind: str
    data: dict[str, Any]


class Ledger:
    """The journal at ``path``; created with mode 0600 where it does not exist.

    Raises LedgerError for a damaged file or one written by a newer version.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        try:
            self._db = _connect(path, read_only)
            self._prepare(read_only)
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"{path}: {error}", "move the file aside and start again; nothing else is lost") from None

    @classmethod
    def read_only(cls, path: Path) -> Ledger:
        """Open for reading; works beside a writing daemon. Raises LedgerError where there is none yet."""
        if not path.exists():
            raise LedgerError("no night has run here yet", "run `ralph start`, or `ralph demo` to see one")
        return cls(path, read_only=True)

    def _prepare(self, read_only: bool) -> None:
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > VERSION:
            raise LedgerError(f"{self.path} was written by a newer ralph (format {version})", "upgrade ralph")
        if version < VERSION and not read_only:
            self._db.executescript(f"begin; {SCHEMA} {DROP_VIEWS} {VIEWS} pragma user_version = {VERSION}; commit;")
        row = self._db.execute("select hash from events order by seq desc limit 1").fetchone()
        self._last_hash: str = row[0] if row else ""

    def append(
        self,
        kind: str,
        data: Mapping[str, Any],
        *,
        night: str = "",
        loop: str = "",
        task: str = "",
        iteration: str = "",
    ) -> int:
        """Write one event durably and return its sequence number."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        body = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
        values = (at, night, loop, task, iteration, kind, body)
        digest = chained(self._last_hash, values)
        cursor = self._db.execute(
            "insert into events (at, night, loop, task, iteration, kind, data, hash) values (?,?,?,?,?,?,?,?)",
            (*values, digest),
        )
        self._last_hash = digest
        return int(cursor.lastrowid or 0)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the events appended inside one atomic write; inside another one it belongs to that."""
        if self._db.in_transaction:
            yield
            return
        before = self._last_hash
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            with suppress(sqlite3.OperationalError):  # SQLite has rolled back by itself where the disk is full
                self._db.execute("rollback")
            self._last_hash = before
            raise

    def events(
        self,
        *,
        night: str | None = None,
        kinds: Sequence[str] | None = None,
        iteration: str | None = None,
        after: int = 0,
    ) -> Iterator[Event]:
        """Events in order, filtered."""
        where, values = ["seq > ?"], [after]
        filters: list[Any] = []
        for column, wanted in (("night", night), ("iteration", iteration)):
            if wanted is not None:
                where.append(f"{column} = ?")
                filters.append(wanted)
        if kinds is not None:
            where.append(f"kind in ({','.join('?' * len(kinds))})")
            filters.extend(kinds)
        sql = f"select {_COLUMNS} from events where {' and '.join(where)} order by seq"
        for row in self._db.execute(sql, [*values, *filters]):
            seq, at, own_night, loop, task, own_iteration, kind, data = row
            yield Event(seq, at, own_night, loop, task, own_iteration, kind, json.loads(data))

    def links(self, night: str) -> Iterator[tuple[Any, ...]]:
        """A night's rows as stored: seq, the values that are hashed, the hash of the row before, the own hash."""
        yield from self._db.execute(
            f"select {_COLUMNS}, coalesce((select b.hash from events b where b.seq = e.seq - 1), ''), hash"
            " from events e where night = ? order by seq",
            (night,),
        )

    def hash_of(self, seq: int) -> str:
        """The hash of one row, which stands for it and everything before it; empty where there is none."""
        row = self._db.execute("select hash from events where seq = ?", (seq,)).fetchone()
        return str(row[0]) if row else ""

    def last_night(self) -> str | None:
        """Id of the newest night, or None."""
        row = self._db.execute(
            "select night from events where kind = 'night_started' order by seq desc limit 1"
        ).fetchone()
        return row[0] if row else None

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of a SELECT of our own."""
        return self._db.execute(sql, values).fetchall()

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a user's SELECT. Raises LedgerError with SQLite's message."""
        try:
            cursor = self._db.execute(sql)
            rows = cursor.fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"query: {error}", "see the views with `ralph query --schema`") from None
        return [column[0] for column in cursor.description or ()], rows

    def verify(self) -> int:
        """Check the whole chain and return the number of events. Raises LedgerError naming the first bad row."""
        last, count = "", 0
        sql = "select seq, at, night, loop, task, iteration, kind, data, hash from events order by seq"
        for expected, (seq, *values, digest) in enumerate(self._db.execute(sql), start=1):
            if seq != expected or chained(last, tuple(values)) != digest:
                raise LedgerError(
                    f"{self.path}: event {expected} was changed or removed", "the record can't be trusted"
                )
            last, count = digest, count + 1
        return count

    def close(self) -> None:
        self._db.close()


def chained(last: str, values: Sequence[Any]) -> str:
    """SHA-256 over the hash before and the row's values, each with its length in front."""
    digest = hashlib.sha256(last.encode())
    for value in values:
        raw = str(value).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    if read_only:
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=10)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    return db
