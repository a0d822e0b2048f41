"""What is left when the shim can't be the proof: it was killed itself, or the system has no subreaper (macOS)."""

from __future__ import annotations

import os
import signal
import sys
import time

from ralph.host.alive import create_time, kill_tagged
from ralph.host.tree import children, family

_LINUX = sys.platform == "linux"
_LOOK = 0.25
_KILL_SECONDS, _TIGHT_SECONDS = 10.0, 0.5
SHIMS: set[int] = set()
"""Shims of this process that live."""


class Survivors:
    """Remembers a process tree by looking at it, and kills what it remembers.

    On Linux the shim's subreaper does this for certain and looking costs nothing here. Elsewhere a child that double
    forks, starts a session and clears its environment between two looks is not found: a limit of that system, said in
    docs/security.md.
    """

    def __init__(self, root: int, tag: str, *, looking: bool = not _LINUX) -> None:
        self._root = root
        self._tag = tag
        self._looking = looking
        self._due = 0.0
        self._seen: dict[int, float] = {}
        SHIMS.add(root)

    def look(self) -> None:
        """Remember who is in the tree now; at most four times a second."""
        now = time.monotonic()
        if not self._looking or now < self._due:
            return
        self._due = now + _LOOK
        for pid in family(self._root)[1:]:
            born = create_time(pid)
            if born is not None:
                self._seen[pid] = born

    def sweep(self, *, lost: bool = False) -> int:
        """Kill what is remembered or carries the tag, and, where the shim is ``lost``, what it left to us."""
        if lost:
            SHIMS.discard(self._root)
        if not (self._looking or lost):
            return 0
        count = 0
        for pid, born in self._seen.items():
            if create_time(pid) == born:
                _kill(pid)
                count += 1
        self._seen.clear()
        return count + kill_tagged(self._tag) + (_kill_adopted() if lost and _LINUX else 0)


def _kill_adopted() -> int:
    """Kill and collect children of ours that live in sessions of their own: the dead shim's commands came to us.

    Waits for them by pid, never for any child: that would steal the exit codes of our own subprocesses.
    """
    seen: set[int] = set()
    began = time.monotonic()
    while adopted := [pid for pid in children(os.getpid()) if pid not in SHIMS and _session(pid) != os.getsid(0)]:
        for pid in adopted:
            _kill(pid)
            _collect(pid)
        seen.update(adopted)
        waited = time.monotonic() - began
        if waited > _KILL_SECONDS:
            break
        if waited > _TIGHT_SECONDS:
            time.sleep(0.002)
    return len(seen)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return os.getsid(0)  # it has just ended


def _collect(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # collected already


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass  # it has just ended
