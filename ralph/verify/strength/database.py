"""Read coverage.py's data file, an SQLite database that the tested program could have written itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ralph.verify.strength.recorded import HIGHEST_LINE, CoverageError, Lines, Recorder

SCHEMA = 7
"""coverage.py's since 5.0; another one is not guessed at."""
_TABLES = ("coverage_schema", "file", "context", "line_bits", "arc")
_MOST_STEPS = 20_000
"""Calls of the progress handler, of 10,000 steps each: a few seconds."""


def read_database(data: bytes, into: Recorder) -> None:
    """Lines and contexts of a data file, executed ones only: it doesn't know the others. Raises CoverageError."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, HIGHEST_LINE)
        connection.deserialize(data)
        left = iter(range(_MOST_STEPS))
        connection.set_progress_handler(lambda: next(left, None) is None, 10_000)
        connection.execute("PRAGMA trusted_schema = OFF")
        _refuse_tricks(connection)
        _read(connection, into)
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise CoverageError(f"it is no database of coverage.py's: {error}") from None
    finally:
        connection.close()


def _refuse_tricks(connection: sqlite3.Connection) -> None:
    """Raise CoverageError unless what is read are plain tables of the known schema."""
    found = {
        name: (kind, str(sql)) for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master")
    }
    for name in _TABLES:
        kind, sql = found.get(name, ("", ""))
        if kind != "table" or not sql.upper().startswith("CREATE TABLE"):
            raise CoverageError(f"it has no table {name}")
    versions = connection.execute("SELECT version FROM coverage_schema").fetchmany(2)
    if versions != [(SCHEMA,)]:
        raise CoverageError("it is of a version of coverage.py that is not known")


def _read(connection: sqlite3.Connection, into: Recorder) -> None:
    tests = {number: name for number, name in connection.execute("SELECT id, context FROM context") if _text(name)}
    for number, path in connection.execute("SELECT id, path FROM file").fetchall():
        lines = into.file(path) if _text(path) else None
        if lines is not None:
            _read_file(connection, number, lines, tests, into)


def _read_file(
    connection: sqlite3.Connection, file: object, lines: Lines, tests: dict[object, str], into: Recorder
) -> None:
    bits = "SELECT context_id, numbits FROM line_bits WHERE file_id = ?"
    for context, numbits in connection.execute(bits, (file,)):
        if not isinstance(numbits, bytes):
            raise CoverageError("its lines are no bits")
        for number in _numbers(numbits):
            into.hit(lines, number, tests.get(context, ""))
    arcs = "SELECT context_id, fromno, tono FROM arc WHERE file_id = ?"
    for context, *ends in connection.execute(arcs, (file,)):
        for number in ends:
            if not isinstance(number, int):
                raise CoverageError("its branches are no numbers")
            if number > 0:  # the others are entries and exits
                into.hit(lines, number, tests.get(context, ""))


def _numbers(bits: bytes) -> Iterator[int]:
    """The numbers of the bits that are set, the lowest bit of the first byte being 0."""
    for at, byte in enumerate(bits):
        if byte:
            yield from (at * 8 + bit for bit in range(8) if byte >> bit & 1)


def _text(value: object) -> bool:
    return isinstance(value, str)
