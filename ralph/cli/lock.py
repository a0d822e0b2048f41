"""Keep the daemon out while a command changes what it works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ralph.errors import DaemonError, TasksError
from ralph.host.paths import Layout


@contextmanager
def without_daemon(layout: Layout, command: str) -> Iterator[None]:
    """Hold the repository's lock: no daemon runs, and none starts meanwhile.

    Raises DaemonError where one is running; ``command`` is what the person should try again.
    """
    from ralph.memory.file_lock import held

    lock = held(layout.lock, seconds=0)
    try:
        lock.__enter__()
    except TasksError:
        raise DaemonError("the daemon of this repository is running", f"run `ralph stop`, then `{command}`") from None
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
