"""A real Desk for tests of agents: runs programs with subprocess in a work tree, keeps what it was told."""

from __future__ import annotations

import hashlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ralph.agents.base import Grant, Job, Word
from ralph.domain import Cause, Usage
from ralph.host.process import Completed


def job(root: Path, prompt: str = "Task: t\nAttempt: 1", **more: object) -> Job:
    """A job in ``root/tree`` with its run directory ``root/run``; both are made."""
    tree, run = root / "tree", root / "run"
    for path in (tree, run):
        path.mkdir(exist_ok=True)
    prompt_file = run / "prompt.md"
    prompt_file.write_text(prompt)
    values: dict[str, object] = {
        "prompt": prompt,
        "system": "You work on one task.",
        "prompt_file": prompt_file,
        "run_dir": run,
        "directory": str(tree),
        "env": {"PATH": os.environ["PATH"], "HOME": str(root), "LANG": "C.UTF-8", "RALPH_RUN": os.urandom(16).hex()},
        "secrets": {"ANTHROPIC_API_KEY": "sk-test-key"},
        "task_id": "t",
        "seconds": 20.0,
        "tokens": 0,
        **more,
    }
    return Job(**values)  # type: ignore[arg-type]


@dataclass
class LocalDesk:
    """Everything an agent may ask of a worker. ``answer`` decides on grants; ``say`` speaks to the agent."""

    directory: Path
    run_dir: Path
    answer: Callable[[int, float | None], Grant] = lambda tokens, dollars: Grant(True)
    asked: list[tuple[int, float | None]] = field(default_factory=list)
    settled: list[tuple[Usage, str]] = field(default_factory=list)
    waits: list[tuple[float, str]] = field(default_factory=list)
    opened: list[subprocess.Popen[bytes]] = field(default_factory=list)
    cause: Cause | None = None

    def __post_init__(self) -> None:
        self._words: list[Word] = []
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._running: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
        for process in self.opened:
            _end(process)

    def say(self, text: str, stop: bool = False, after: float = 0) -> None:
        """Send a word, at once or from a timer."""
        if after:
            timer = threading.Timer(after, self.say, (text, stop))
            timer.daemon = True
            timer.start()
            return
        self._words.append(Word(stop, text))
        if stop:
            self.cause = self.cause or Cause.STOPPED
            if self._running is not None:
                os.killpg(self._running.pid, signal.SIGKILL)
        os.write(self._write, b"x")

    def run(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str],
        stdin: bytes | None = None,
        on_line: Callable[[bytes], Cause | None] | None = None,
        log: str = "agent.log",
    ) -> Completed:
        begun, path = time.monotonic(), self.run_dir / log
        started = datetime.now(UTC).isoformat()
        try:
            process = self._start(argv, env, path.with_suffix(".err"))
        except OSError as error:
            code = 126 if isinstance(error, PermissionError) else 127
            path.write_bytes(b"")
            return Completed(tuple(argv), code, None, None, started, 0, path, 0, "", error=str(error))
        self._running = process
        feeder = threading.Thread(target=_feed, args=(process.stdin, stdin or b""))
        feeder.start()
        assert process.stdout is not None
        with path.open("wb") as file:
            for line in process.stdout:
                file.write(line)
                if on_line and not self.cause and (cause := on_line(line.rstrip(b"\n"))):
                    self.cause = cause
                    os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        feeder.join()
        self._running = None
        _end(process)
        return _completed(argv, code, self.cause, started, time.monotonic() - begun, path)

    def open(self, argv: list[str], *, env: Mapping[str, str]) -> LocalProcess:
        process = self._start(argv, env, self.run_dir / "tools.err")
        self.opened.append(process)
        return LocalProcess(argv, process, self.run_dir / "tools.log")

    def _start(self, argv: list[str], env: Mapping[str, str], errors: Path) -> subprocess.Popen[bytes]:
        with errors.open("ab") as file:
            return subprocess.Popen(
                argv,
                cwd=self.directory,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )

    def ask(self, tokens: int, dollars: float | None) -> Grant:
        self.asked.append((tokens, dollars))
        return Grant(False, "stopped", Cause.STOPPED) if self.cause else self.answer(tokens, dollars)

    def spent(self, usage: Usage, model: str) -> None:
        self.settled.append((usage, model))

    def poll(self) -> Word | None:
        if select.select([self._read], [], [], 0)[0]:
            os.read(self._read, 1)
        return self._words.pop(0) if self._words else None

    def fileno(self) -> int:
        return self._read

    def stop_cause(self) -> Cause | None:
        return self.cause

    def waiting(self, until: float, reason: str) -> None:
        self.waits.append((until, reason))


class LocalProcess:
    """A ToolProcess over subprocess."""

    def __init__(self, argv: list[str], process: subprocess.Popen[bytes], log: Path) -> None:
        assert process.stdin and process.stdout
        self.argv, self.process, self.log = argv, process, log
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
        self.started = datetime.now(UTC).isoformat()

    def cause(self) -> Cause | None:
        return None

    def close(self) -> Completed:
        code = _end(self.process)
        self.log.touch()
        return _completed(self.argv, code, None, self.started, 0, self.log)


def _feed(stdin: IO[bytes] | None, data: bytes) -> None:
    assert stdin is not None
    try:
        stdin.write(data)
        stdin.close()
    except OSError:
        return  # it ended without reading its input


def _end(process: subprocess.Popen[bytes]) -> int:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # nothing is left of it
    for stream in (process.stdin, process.stdout):
        try:
            if stream is not None:
                stream.close()
        except OSError:
            pass  # unread input of a dead process
    return process.wait()


def _completed(argv: list[str], code: int, cause: Cause | None, started: str, seconds: float, log: Path) -> Completed:
    data = log.read_bytes()
    return Completed(
        argv=tuple(argv),
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        cause=cause,
        started=started,
        seconds=seconds,
        log=log,
        log_bytes=len(data),
        log_sha256=hashlib.sha256(data).hexdigest(),
    )
