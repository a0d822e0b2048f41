"""A budget of commands that run at once, shared by processes: a lock file for each, freed when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.05
"""Seconds between looks for a free one."""


@contextmanager
def held(directory: Path, number: int, wanted: int, stopped: Callable[[], bool]) -> Iterator[int]:
    """Wait for a free core of ``number``, hold up to ``wanted`` of those that are free; gives how many.

    ``directory`` is made where it is missing. 0 where ``stopped`` says so before one is free. One thread of a process
    at a time: POSIX locks are the process's own.
    """
    directory.mkdir(parents=True, exist_ok=True)
    taken: list[int] = []
    try:
        pause = FIRST_PAUSE
        while not stopped():
            for core in range(number):
                if len(taken) < wanted and (fd := _take(directory / str(core))) is not None:
                    taken.append(fd)
            if taken:
                break
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        yield len(taken)
    finally:
        for fd in taken:
            os.close(fd)


def usable() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _take(path: Path) -> int | None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return None
    return fd
