"""One daemon for each repository, and how often it crashed lately."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ralph.errors import DaemonError
from ralph.host.files import write_atomic
from ralph.host.paths import Layout

CRASH_WINDOW = 600
"""Seconds in which crashes are counted together."""


@contextmanager
def lock_repository(where: Layout) -> Iterator[None]:
    """Hold the repository's lock. POSIX record locks, because flock survives in forked orphans.

    Raises DaemonError where another daemon holds it, also one with another state directory.
    """
    fd = os.open(where.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(fd, 100).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        hint = "`ralph status` shows it, `ralph stop` ends it"
        raise DaemonError(f"a daemon already runs for this repository (pid {holder})", hint) from None
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.ftruncate(fd, 0)
        os.close(fd)


def write_pid(where: Layout) -> None:
    """Leave the pid where people and scripts look for it."""
    write_atomic(where.root / "daemon.pid", f"{os.getpid()}\n".encode())


def crashes(where: Layout) -> int:
    """Starts in the last ten minutes that no stop followed."""
    return len(_starts(where))


def note_start(where: Layout) -> None:
    write_atomic(where.root / "starts.json", json.dumps([*_starts(where), time.time()]).encode())


def note_stop(where: Layout) -> None:
    """An orderly end: earlier crashes are forgotten."""
    (where.root / "starts.json").unlink(missing_ok=True)
    (where.root / "daemon.pid").unlink(missing_ok=True)


def _starts(where: Layout) -> list[float]:
    try:
        starts = json.loads((where.root / "starts.json").read_bytes())
    except (OSError, ValueError):
        return []
    return [start for start in starts if isinstance(start, (int, float)) and 0 <= time.time() - start < CRASH_WINDOW]
