"""Decides when a running command has passed one of its limits. Asked now and then; measures only what is capped."""

from __future__ import annotations

from collections.abc import Callable
from time import time as epoch

from ralph.domain import Cause
from ralph.host import tree
from ralph.host.command import Request

_SLOW, _FAST = 0.25, 0.04
"""Seconds between two looks: usually, and where a limit is near."""


class Watchdog:
    """Limits of one command. ``now`` is monotonic seconds."""

    def __init__(self, request: Request, now: float) -> None:
        self._request = request
        self._started = now
        self._alive = now
        self._output = 0
        self._cpu = 0.0
        self._resident_peak = 0
        self._near = True
        self.peak = 0
        """Largest proportional set size seen, bytes."""

    def touch(self, now: float) -> None:
        """Note a sign of life that only the caller can see."""
        self._alive = max(self._alive, now)

    def wait(self, now: float) -> float | None:
        """Seconds until the next look is due; None where no limit needs one."""
        request = self._request
        waits = [max(0.0, self._started + request.seconds - now)] if request.seconds else []
        if request.memory_bytes or request.output_bytes:
            waits.append(_FAST if self._near else _SLOW)
        if request.stall_seconds:
            waits.append(min(_SLOW * 4, max(_FAST, request.stall_seconds / 10)))
        return min(waits, default=None)

    def look(self, now: float, output: int, family: Callable[[], list[int]]) -> Cause | None:
        """Return the limit that is passed. ``output`` is bytes written so far, ``family`` the pids of the tree."""
        request = self._request
        self._near = now - self._started < 0.2
        if request.output_bytes:
            if output > request.output_bytes:
                return Cause.OUTPUT
            self._near |= output > request.output_bytes / 4
        pids = family() if request.memory_bytes or request.stall_seconds else []
        if request.memory_bytes and self._too_large(pids):
            return Cause.MEMORY
        if request.seconds and now - self._started >= request.seconds:
            return Cause.TIMEOUT
        if request.stall_seconds and self._stalled(now, output, pids):
            return Cause.STALL
        return None

    def _too_large(self, pids: list[int]) -> bool:
        """Judge by proportional size; the cheap sum only says when that is worth measuring."""
        limit, resident = self._request.memory_bytes, tree.resident(pids)
        self._near |= resident > limit / 4
        if resident > limit or resident > self._resident_peak * 1.1:
            self._resident_peak = max(resident, self._resident_peak)
            size = tree.proportional(pids)
            self.peak = max(self.peak, size)
            return size > limit
        return False

    def _stalled(self, now: float, output: int, pids: list[int]) -> bool:
        """No output, no CPU time above 1 % of a core, and no change in the work tree for the whole of the time."""
        limit = self._request.stall_seconds
        cpu = tree.cpu_seconds(pids)
        if output != self._output or cpu < self._cpu or cpu - self._cpu > max(0.02, 0.01 * limit):
            self._output, self._cpu = output, cpu
            self.touch(now)
            return False
        if now - self._alive < limit:
            return False
        if self._request.watch:
            present = epoch()
            self.touch(now - (present - tree.last_change(self._request.watch, present)))
        return now - self._alive >= limit
