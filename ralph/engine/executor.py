"""The seam to where iterations run: an Executor starts a worker and hands back the line to it.

Forked: a child of a warm fork server (milliseconds, a few MB). Spawned: a fresh interpreter
(slow, but works everywhere). Both speak the same messages over a socket pair.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

from pydantic import ValidationError

from ralph.engine.messages import MAX_LINE, Broken, Done, Down, Ready, Up, decode_up, encode_down

PRELOAD = "ralph.engine.preload"
READY_SECONDS = 120
"""Until a worker that was started has to have said so; a cold machine takes a few of them."""
_WRITE_HIGH = 4 * 1024 * 1024


@dataclass
class Link:
    """The daemon's end of the line to one worker. ``hear`` yields None once the worker is proven dead."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    lifeline: int
    pidfd: int
    handle: Any
    """Whatever has to be kept alive or reaped with the process."""
    tag: str
    """RALPH_RUN of everything that this worker starts."""
    ready: Ready | None = None

    def tell(self, message: Down) -> None:
        """Queue a message; a worker that does not read for 4 MB is cut off."""
        if self.writer.is_closing():
            return
        self.writer.write(encode_down(message))
        if self.writer.transport.get_write_buffer_size() > _WRITE_HIGH:
            self.kill()

    async def hear(self) -> Up | None:
        """The next message; a line that is too long or no message counts as a broken worker, which is killed."""
        try:
            line = await self.reader.readline()
        except (ValueError, ConnectionError) as error:
            self.kill()
            return Broken("the worker sent something that is no message", str(error)[:200])
        if not line.endswith(b"\n"):
            await self.gone()
            return None
        try:
            message = decode_up(line)
        except ValidationError as error:
            self.kill()
            return Broken("the worker sent something that is no message", str(error)[:500])
        return message

    async def greet(self, seconds: float = READY_SECONDS) -> Ready | None:
        """Wait for the worker's first word; None where it is another one, or none in time: such a worker is killed."""
        try:
            hello = await asyncio.wait_for(self.hear(), seconds)
        except TimeoutError:
            hello = None
        self.ready = hello if isinstance(hello, Ready) else None
        if self.ready is None:
            self.kill()
        return self.ready

    def kill(self) -> None:
        """SIGKILL the worker; its shim sees that and sweeps everything the worker had started."""
        try:
            os.kill(self.pid, 9) if self.pidfd < 0 else _pidfd_kill(self.pidfd)
        except ProcessLookupError:
            pass

    async def gone(self) -> None:
        """Wait until the process is proven dead: its pidfd is readable."""
        if self.pidfd < 0:
            while _exists(self.pid):
                await asyncio.sleep(0.01)
            return
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.add_reader(self.pidfd, _settle, done)
        try:
            await done
        finally:
            loop.remove_reader(self.pidfd)

    async def close(self) -> None:
        """Let the worker end (killed after two seconds), cut its lifeline and free the descriptors."""
        self.writer.close()
        try:
            await asyncio.wait_for(self.gone(), 2)
        except TimeoutError:
            self.kill()
            await self.gone()
        for descriptor in (self.lifeline, self.pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self.handle.join(1) if hasattr(self.handle, "join") else self.handle.wait(1)
        if hasattr(self.handle, "close"):
            with suppress(ValueError):  # dead, and the fork server has not said so yet
                self.handle.close()


class Executor(Protocol):
    name: str

    async def start(self, config: str = "") -> Link:
        """Start a worker that waits for ``go``; it reads the configuration at path ``config`` ahead of need."""

    async def close(self) -> None:
        """End every worker, and whatever the executor itself keeps running."""


class ForkedExecutor:
    """Workers forked from one warm, single-threaded fork server."""

    name = "forked"

    def __init__(self, further: Sequence[str] = ()) -> None:
        """``further`` names modules that the fork server imports besides the worker itself."""
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload([*further, PRELOAD])

    async def start(self, config: str = "") -> Link:
        from ralph.engine.worker import main

        tag = secrets.token_hex(16)
        with _Ends() as ends:
            process = self._context.Process(
                target=main, args=(_Handed(ends.theirs.fileno()), _Handed(ends.alive), tag, config)
            )
            process.start()
            return await ends.link(process.pid or 0, process, tag)

    async def close(self) -> None:
        """Kill the fork server, and by their parent-death signal its workers: it would wait for them to end."""
        from multiprocessing import forkserver

        server: Any = forkserver._forkserver
        if server._forkserver_pid:
            os.kill(server._forkserver_pid, signal.SIGKILL)
        await asyncio.to_thread(server._stop)


class SpawnedExecutor:
    """A fresh interpreter for each worker."""

    name = "spawned"

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    async def start(self, config: str = "") -> Link:
        tag = secrets.token_hex(16)
        with _Ends() as ends:
            fds = (ends.theirs.fileno(), ends.alive)
            argv = [sys.executable, "-m", "ralph.engine.worker", str(fds[0]), str(fds[1]), tag, config]
            process = subprocess.Popen(argv, pass_fds=fds, stdin=subprocess.DEVNULL)
            self._started = [started for started in self._started if started.poll() is None] + [process]
            return await ends.link(process.pid, process, tag)

    async def close(self) -> None:
        """Kill the workers that still run."""
        for process in self._started:
            process.kill()
            process.wait()


class _Ends:
    """Both ends of the line and of the lifeline; what no link has taken over by the end of the block is closed."""

    def __enter__(self) -> _Ends:
        self._open = ExitStack()
        self.ours, self.theirs = socket.socketpair()
        self._open.callback(self.ours.close)
        self._open.callback(self.theirs.close)
        self.alive, self.lifeline = os.pipe()
        self._open.callback(os.close, self.alive)
        self._kept = ExitStack()
        self._kept.callback(os.close, self.lifeline)
        return self

    async def link(self, pid: int, handle: Any, tag: str) -> Link:
        """The daemon's end, from now on the caller's to close."""
        pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
        if pidfd >= 0:
            self._kept.callback(os.close, pidfd)
        ours = self.ours.dup()  # the transport closes its own
        self._kept.callback(ours.close)
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
        self._kept.pop_all()
        return Link(pid, reader, writer, self.lifeline, pidfd, handle, tag)

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._kept.close()


class _Handed:
    """A file descriptor that travels to a forked child through multiprocessing's own hand-over."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __reduce__(self) -> tuple[Any, ...]:
        from multiprocessing.reduction import DupFd

        return _received, (DupFd(self.fd),)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _received(handed: Any) -> int:
    return int(handed.detach())


def _pidfd_kill(pidfd: int) -> None:
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


__all__ = ["Broken", "Done", "Executor", "ForkedExecutor", "Link", "SpawnedExecutor"]
