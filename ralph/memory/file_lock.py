"""A lock file that processes, and threads of one process, take in turn; the system frees it when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ralph.errors import TasksError

_GUARD = threading.Lock()
_THREADS: dict[str, threading.Lock] = {}
"""POSIX locks are the process's own: they neither keep threads apart nor survive another close of the same file."""


@contextmanager
def held(path: Path, seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock file ``path``, made if missing in a directory that must exist.

    Raises TasksError where it can't be had within ``seconds``, OSError where it can't be opened.
    """
    with _GUARD:
        own = _THREADS.setdefault(os.path.realpath(path), threading.Lock())
    deadline = time.monotonic() + seconds
    if not own.acquire(timeout=seconds):
        raise _busy(path)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _take(fd, path, deadline)
            yield
        finally:
            os.close(fd)
    finally:
        own.release()


def _take(fd: int, path: Path, deadline: float) -> None:
    pause = 0.0005
    while True:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
        if time.monotonic() >= deadline:
            raise _busy(path)
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def _busy(path: Path) -> TasksError:
    return TasksError(f"another ralph command holds {path}", "wait for it, or end it, and try again")
