"""A command while it runs: its files, its watchdog, and the ladder of signals that ends it."""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from ralph.domain import Cause
from ralph.host import tree
from ralph.host.command import Completed, Request
from ralph.host.tail import Tail
from ralph.host.watchdog import Watchdog

AT_ONCE = frozenset({Cause.MEMORY, Cause.OUTPUT, Cause.DISK, Cause.LIFELINE})
"""Causes that do not allow asking: the machine is in danger, or nobody is left to wait for."""
_GIVE_UP = 12.0
"""Seconds after SIGKILL until a command is called unkillable; more than the shim's own sweep takes."""
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Running:
    """One started command. ``send`` passes a signal to its tree."""

    def __init__(self, request: Request, send: Callable[[int], None], on_line: Callable[[bytes], None] | None) -> None:
        self.request = request
        self.ended = False
        self.cause: Cause | None = None
        self.pid = 0
        self._send = send
        self._code: int | None = None
        self._signal: int | None = None
        self._error = ""
        self._steps: list[tuple[float, int]] = []
        self._started = datetime.now(UTC)
        self._begun = self._end = monotonic()
        self._log = os.open(request.log, _WRITE, 0o600)
        self._read = os.open(request.log, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._errors = os.open(request.errors, _WRITE, 0o600) if request.errors else self._log
        self._tail = Tail(self._read, on_line) if on_line else None
        self._behind = False
        self._watchdog = Watchdog(request, self._begun)

    def streams(self) -> tuple[int, int, int]:
        """Descriptors for the child's standard streams; the caller closes the first."""
        return _stdin(self.request.stdin), self._log, self._errors

    def handed_over(self) -> None:
        """Close what only the child needs."""
        for fd in {self._log, self._errors}:
            os.close(fd)

    def touch(self) -> None:
        self._watchdog.touch(monotonic())

    def wait(self, now: float) -> float | None:
        """Seconds until ``look`` has something to do; None where only the end of the command matters."""
        waits = [0.0 if self._behind else 0.05] if self._tail else []
        if self._steps:
            waits.append(max(0.0, self._steps[0][0] - now))
        if self.cause is None or self.cause not in AT_ONCE:
            due = self._watchdog.wait(now)
            if due is not None:
                waits.append(due if self.cause is None else max(due, 0.05))
        return min(waits, default=None)

    def look(self, now: float) -> None:
        """Feed the lines that have come, judge the limits, climb the ladder."""
        if self._tail:
            self._behind = not self._tail.read()
        cause = self._watchdog.look(now, self.output(), lambda: tree.family(self.pid) if self.pid else [])
        if cause is not None:
            self.stop(cause, now)
        while self._steps and self._steps[0][0] <= now:
            number = self._steps.pop(0)[1]
            if number:
                self._send(number)
            else:
                self.lost(Cause.UNKILLABLE, f"process {self.pid} did not end after SIGKILL")

    def stop(self, cause: Cause, now: float) -> None:
        """Begin to end it: SIGINT, SIGTERM and SIGKILL within ``grace`` seconds, or SIGKILL at once."""
        hard = cause in AT_ONCE or self.request.grace <= 0
        if self.cause is not None and (not hard or self._steps[:1] == [] or self._steps[0][1] in (0, signal.SIGKILL)):
            return  # already on the way
        self.cause = self.cause or cause
        grace = 0 if hard else self.request.grace
        polite = [] if hard else [(now, signal.SIGINT), (now + grace / 2, signal.SIGTERM)]
        self._steps = [*polite, (now + grace, signal.SIGKILL), (now + grace + _GIVE_UP, 0)]

    def kill(self, now: float) -> None:
        """End it at once, without a cause: nobody needs it any more."""
        if not self._steps or self._steps[0][1]:
            self._steps = [(now, signal.SIGKILL), (now + _GIVE_UP, 0)]

    def exited(self, code: int | None, number: int | None, error: str) -> None:
        """Take the end of the direct child: this is what ends a command, never the end of a pipe."""
        self._code, self._signal, self._error = code, number, error
        self._end = monotonic()
        self.ended = True

    def lost(self, cause: Cause, error: str) -> None:
        """Take that its end can't be known."""
        self.cause = cause
        self.exited(None, None, error)

    def output(self) -> int:
        """Bytes written so far."""
        size = os.fstat(self._read).st_size
        if self.request.errors:
            size += self.request.errors.stat().st_size
        return size

    def complete(self, swept: int, unkillable: list[int]) -> Completed:
        """Close its files and say how it went; call after the sweep, when nobody can write the log any more."""
        if self.cause is Cause.OUTPUT and self.request.output_bytes:
            os.truncate(self.request.log, min(os.fstat(self._read).st_size, self.request.output_bytes))
        if self._tail:
            self._tail.finish()
        with open(self._read, "rb", buffering=0) as file:
            size = os.fstat(self._read).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        done = Completed(
            argv=self.request.argv,
            exit_code=self._code,
            signal=self._signal,
            cause=self.cause,
            started=self._started.isoformat(timespec="milliseconds"),
            seconds=self._end - self._begun,
            log=self.request.log,
            log_bytes=size,
            log_sha256=digest,
            peak_pss=self._watchdog.peak,
            swept=swept,
            error=self._error,
        )
        if unkillable:
            return replace(done, cause=Cause.UNKILLABLE, error=f"processes that do not die: {unkillable}")
        return done


def _stdin(data: bytes | None) -> int:
    """A descriptor to read ``data`` from: a file, as a pipe could block us when nobody reads it."""
    if data is None:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        fd = os.dup(file.fileno())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
