"""Run commands under the shim so that nothing survives them: a Request goes in, a Completed comes out."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ralph.domain import Cause
from ralph.host.alive import (
    TAG,
    boot_id,
    create_time,
    kill_tagged,
    lock_workspace,
    own_memory,
    process_alive,
    set_worker_protection,
)
from ralph.host.command import Completed, Request, Wake
from ralph.host.running import Running
from ralph.host.shim import SUBREAPER, SWEEP_SECONDS, Link, prctl
from ralph.host.survivors import Survivors

if TYPE_CHECKING:
    from ralph.host.shim import Message

__all__ = [
    "TAG",
    "Completed",
    "Request",
    "Shim",
    "Tool",
    "Wake",
    "boot_id",
    "create_time",
    "kill_tagged",
    "lock_workspace",
    "own_memory",
    "process_alive",
    "set_worker_protection",
]

_SCRIPT = Path(__file__).with_name("shim.py")
OnLine = Callable[[bytes], None]


class Shim:
    """The worker's end of one shim. For one thread; every method that runs something returns with the tree swept."""

    def __init__(self, process: subprocess.Popen[bytes], link: Link, tag: str) -> None:
        self._process = process
        self._link = link
        self._commands: dict[int, Running] = {}
        self._count = 0
        self._clean = True
        self._lost = False
        self._swept: tuple[int, list[int]] | None = None
        self._survivors = Survivors(process.pid, tag)

    @classmethod
    def start(cls, lifeline_fd: int, tag: str) -> Shim:
        """Start a shim and return without waiting for it.

        ``lifeline_fd`` is the read end of a pipe whose write end only the daemon holds; -1 where there is no daemon.
        Call from the main thread only.
        """
        prctl(SUBREAPER, 1)  # should the shim itself be killed, its children come to us and can be found
        ours, theirs = socket.socketpair()
        fds = [theirs.fileno()] + ([lifeline_fd] if lifeline_fd >= 0 else [])
        argv = [sys.executable, "-I", "-S", "-E", os.fspath(_SCRIPT), *map(str, (fds[0], lifeline_fd, os.getpid()))]
        with theirs:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, pass_fds=fds, env={TAG: tag}, start_new_session=True
            )
        return cls(process, Link(ours.detach()), tag)

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, request: Request, *, on_line: OnLine | None = None, wakes: Sequence[Wake] = ()) -> Completed:
        """Run one command to its end. ``on_line`` gets each line of its log as it comes, at most 1 MB of a line."""
        return self._finish([self._start(request, on_line)], wakes)[0]

    def run_many(self, requests: Sequence[Request], *, wakes: Sequence[Wake] = ()) -> list[Completed]:
        """Run commands side by side; results are in the order of ``requests``."""
        return self._finish([self._start(request, None) for request in requests], wakes)

    def open(self, request: Request) -> Tool:
        """Start a program and talk to it over pipes; its stderr goes to ``request.log``, ``stdin`` is not used."""
        stdin, write = os.pipe()
        read, stdout = os.pipe()
        command = self._start(request, None, (stdin, stdout))
        return Tool(self, command, os.fdopen(write, "wb", buffering=0), os.fdopen(read, "rb"))

    def touch(self) -> None:
        """Note a sign of life that the watchdogs can't see (a model call under way): no stall is suspected."""
        for command in self._commands.values():
            command.touch()

    def sweep(self, grace: float = 0) -> int:
        """End everything that runs under this shim; return how many processes it found beside the commands."""
        return self._sweep(grace)[0]

    def close(self) -> None:
        """Sweep and end the shim."""
        self._link.close()
        try:
            self._process.wait(SWEEP_SECONDS + 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._survivors.sweep(lost=self._process.returncode != 0)

    def __enter__(self) -> Shim:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, request: Request, on_line: OnLine | None, pipes: tuple[int, int] | None = None) -> Running:
        self._count += 1
        name = self._count
        command = Running(request, lambda number: self._tell({"op": "signal", "id": name, "sig": int(number)}), on_line)
        stdin, stdout, stderr = command.streams()
        fds = (*pipes, stdout) if pipes else (stdin, stdout, stderr)
        self._commands[name] = command
        self._clean = False
        message: Message = {
            "op": "run",
            "id": name,
            "argv": list(request.argv),
            "cwd": request.directory,
            "env": dict(request.env),
            "oom": request.oom,
        }
        self._tell(message, fds)
        if self._lost:
            command.lost(Cause.LIFELINE, "the shim is gone")
        command.handed_over()
        for fd in {stdin, *(pipes or ())}:
            os.close(fd)
        return command

    def _finish(self, commands: list[Running], wakes: Sequence[Wake]) -> list[Completed]:
        wanted = list(wakes)
        try:
            while running := [command for command in commands if not command.ended]:
                self._turn(running, wanted)
        except BaseException:
            self._sweep(0)
            raise
        return self._complete(commands)

    def _turn(self, running: list[Running], wakes: list[Wake]) -> None:
        now = time.monotonic()
        waits = [wait for command in running if (wait := command.wait(now)) is not None]
        causes = self._pump(min(waits, default=None), wakes)
        self._survivors.look()
        now = time.monotonic()
        for command in running:
            for cause in causes:
                command.stop(cause, now)
            if not command.ended:
                command.look(now)

    def _complete(self, commands: list[Running]) -> list[Completed]:
        for name in [name for name, command in self._commands.items() if command.ended]:
            del self._commands[name]
        unkillable: list[int] = []
        swept = 0
        if not self._commands and not self._clean:
            swept, unkillable = self._sweep(0)
        return [command.complete(swept, unkillable) for command in commands]

    def _pump(self, timeout: float | None, wakes: list[Wake]) -> list[Cause]:
        """Wait for the shim, a wake or the timeout (seconds); return what the wakes asked for."""
        poll = select.poll()
        if not self._lost:
            poll.register(self._link.fileno(), select.POLLIN)
        for fd, _ in wakes:
            poll.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)}
        if not self._lost and self._link.fileno() in ready:
            self._receive()
        causes = []
        for wake in [wake for wake in wakes if wake[0] in ready]:
            cause = wake[1]()
            if cause is not None:
                causes.append(cause)
                wakes.remove(wake)
        return causes

    def _receive(self) -> None:
        try:
            messages = self._link.receive()
        except (EOFError, ConnectionError):
            self._die()
            return
        for message, _ in messages:
            command = self._commands.get(message.get("id", 0))
            match message["op"]:
                case "started" if command:
                    command.pid = message["pid"]
                case "exit" if command:
                    self._clean = message["clean"]
                    command.exited(message["code"], message["signal"], message["error"])
                case "swept":
                    self._swept = message["count"], message["unkillable"]
                    self._clean = not message["unkillable"]

    def _tell(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        if self._lost:
            return
        try:
            self._link.send(message, fds)
        except OSError:
            self._die()

    def _die(self) -> None:
        """The shim is gone (killed, out of memory): its children came to us or carry the tag."""
        self._lost = True
        self._process.kill()
        self._process.wait()
        self._survivors.sweep(lost=True)
        for command in self._commands.values():
            command.lost(Cause.LIFELINE, "the shim was killed")

    def _sweep(self, grace: float) -> tuple[int, list[int]]:
        self._swept = None
        self._tell({"op": "sweep", "grace": grace})
        deadline = time.monotonic() + grace + SWEEP_SECONDS + 2
        while self._swept is None and not self._lost and (left := deadline - time.monotonic()) > 0:
            self._pump(left, [])
        count, unkillable = self._swept if self._swept is not None else (0, [self.pid])
        return count + self._survivors.sweep(), [] if self._lost else unkillable


class Tool:
    """A process that is talked to over its standard streams; ask ``cause`` now and then for its limits."""

    def __init__(self, shim: Shim, command: Running, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self._shim = shim
        self._command = command
        self._completed: Completed | None = None

    def cause(self) -> Cause | None:
        """Look at its limits without blocking; the one that is passed ends it."""
        self._look(0)
        return self._command.cause

    def ended(self) -> bool:
        self._look(0)
        return self._command.ended

    def stop(self, cause: Cause) -> None:
        """Begin to end it; ``close`` waits for the end."""
        self._command.stop(cause, time.monotonic())
        self._look(0)

    def close(self) -> Completed:
        """Close its streams, give it ``grace`` seconds to end by itself, end it, sweep its tree, say how it went."""
        if self._completed is None:
            for stream in (self.stdin, self.stdout):
                try:
                    stream.close()
                except OSError:
                    pass  # it has ended without reading everything
            deadline = time.monotonic() + self._command.request.grace
            while not self._command.ended and time.monotonic() < deadline:
                self._look(max(0.0, deadline - time.monotonic()))
            self._command.kill(time.monotonic())
            self._completed = self._shim._finish([self._command], ())[0]
        return self._completed

    def _look(self, timeout: float) -> None:
        if not self._command.ended:
            wait = self._command.wait(time.monotonic())
            self._shim._pump(timeout if wait is None else min(wait, timeout), [])
        if not self._command.ended:
            self._command.look(time.monotonic())
