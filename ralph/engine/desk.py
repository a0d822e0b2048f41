"""What the worker offers an agent: programs inside the sandbox under all limits, budget, and the daemon's words."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from ralph.agents.base import Grant, ToolProcess, Word
from ralph.core.secrets import Redactor
from ralph.domain import Cause, Usage
from ralph.engine.jails import Place
from ralph.engine.line import Line
from ralph.engine.messages import AgentWaits, Ask, Spent
from ralph.host.process import Completed, Request, Shim
from ralph.host.sandbox import Jail

GRANT_SECONDS = 610


@dataclass
class WorkerDesk:
    """The desk of one iteration; fulfils ``agents.base.Desk``."""

    place: Place
    line: Line
    shim: Shim
    jail: Jail
    redactor: Redactor
    deadline: float = 0
    """Monotonic moment at which the agent's time is up; 0 = never."""
    cause: Cause | None = None
    review: bool = False
    """What is asked for is the reviewer's."""

    def run(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str],
        stdin: bytes | None = None,
        on_line: Callable[[bytes], Cause | None] | None = None,
        log: str = "agent.log",
    ) -> Completed:
        said: list[Cause] = []
        heard, speak = os.pipe()

        def feed(line: bytes) -> None:
            if on_line and not said and (cause := on_line(line)):
                said.append(cause)
                os.write(speak, b"!")

        if stop := self.line.look():  # heard before the program stands: the line has nothing more to wake with
            said.append(stop)
            os.write(speak, b"!")
        try:
            done = self.shim.run(
                self._request(argv, env, stdin, log),
                on_line=feed if on_line else None,
                wakes=[(self.line.fileno(), self.line.look), (heard, lambda: said[0])],
            )
        finally:
            os.close(heard)
            os.close(speak)
        self.cause = self.cause or done.cause
        return done

    def _request(self, argv: list[str], env: Mapping[str, str], stdin: bytes | None, log: str) -> Request:
        limits = self.place.config.limits
        path = self.place.run / log
        return Request(
            argv=tuple(self.place.sandbox.wrap(argv, self.jail, str(self.place.directory))),
            directory="/",
            env=env,
            log=path,
            errors=path.with_suffix(".err"),
            stdin=stdin,
            seconds=self._seconds(),
            stall_seconds=limits.stall_minutes * 60,
            output_bytes=limits.output_mb * 1_000_000,
            memory_bytes=limits.memory_mb * 1_000_000,
            watch=self.place.tree,
        )

    def _seconds(self) -> float:
        return max(self.deadline - monotonic(), 0.001) if self.deadline else 0

    def open(self, argv: list[str], *, env: Mapping[str, str]) -> ToolProcess:
        return self.shim.open(self._request(argv, env, None, "tools.log"))

    def ask(self, tokens: int, dollars: float | None) -> Grant:
        self.line.asked += 1
        self.line.send(Ask(self.line.asked, tokens, dollars, self.review))
        answer = self.line.await_grant(self.line.asked, GRANT_SECONDS)
        if not answer.ok:
            self.cause = self.cause or answer.cause
        return Grant(answer.ok, answer.reason, answer.cause)

    def spent(self, usage: Usage, model: str) -> None:
        self.line.send(Spent(self.line.asked, model, usage, self.review))

    def poll(self) -> Word | None:
        self.shim.touch()  # a model call under way is a sign of life that the watchdogs can't see
        self.line.look()
        tell = self.line.next_note()
        return Word(tell.stop, tell.text) if tell else None

    def fileno(self) -> int:
        return self.line.fileno()

    def stop_cause(self) -> Cause | None:
        if self.line.look():
            return Cause.STOPPED
        if self.deadline and monotonic() >= self.deadline:
            return Cause.TIMEOUT
        return self.cause

    def waiting(self, until: float, reason: str) -> None:
        self.line.send(AgentWaits(until, reason))


def redact_file(path: Path, redactor: Redactor, cap: int = 10_000_000) -> None:
    """Rewrite a log without secrets and, past ``cap`` bytes, without its middle."""
    data = path.read_bytes()
    if len(data) > cap:
        half = cap // 2
        cut = len(data) - 2 * half
        data = data[:half] + b"\n[... %d bytes cut ...]\n" % cut + data[-half:]
        path.write_bytes(data)
    clean = redactor.bytes(data)
    if clean != data:
        path.write_bytes(clean)
