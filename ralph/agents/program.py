"""What every agent that is a program shares: its argv, its last words, and why it ended."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ralph.agents.base import Job
from ralph.agents.review import ANSWER_BYTES
from ralph.core.inert import line
from ralph.host.process import Completed

SAID_BYTES = 4000
_LINE_BYTES = 2000
_TAIL_LINES = 60
_LAST_WORDS = 160
_INTERPRETER = re.compile(r"(?:python|pypy)[\d.]*|(?:ba|da|z|k)?sh|node|bun|deno|ruby|perl|php")
_SYSTEM = frozenset({"usr", "bin", "sbin", "opt", "nix", "snap", "etc", "dev", "proc", "Applications", "Library"})

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def boxed(job: Job) -> bool:
    """Whether the agent runs inside a sandbox."""
    return job.prompt_file.parent != job.run_dir


def said_bytes(job: Job) -> int:
    """How much of an agent's last words is kept."""
    return ANSWER_BYTES if job.review else SAID_BYTES


def own_files(command: Sequence[str], root: Path) -> list[Path]:
    """Files of a command line that the sandbox must show read-only: the program, and an interpreter's script.

    A first word with a slash is relative to ``root``, the directory of ralph.toml; a script counts where it is given
    by its full path (a relative one is the work tree's). What the system installed is seen inside anyway.
    """
    return list(_own(command, root).values())


def resolved(command: Sequence[str], root: Path, job: Job) -> list[str]:
    """The command line with the files of ``own_files`` under the paths at which the agent sees them."""
    words = list(command)
    for place, path in _own(command, root).items():
        words[place] = str(job.prompt_file.parent / "bin" / path.name) if boxed(job) else str(path)
    return words


def _own(command: Sequence[str], root: Path) -> dict[int, Path]:
    """Index of a word -> the file it names."""
    found: dict[int, Path] = {}
    if command and "/" in command[0]:
        found[0] = root / Path(command[0]).expanduser()
    if command and _INTERPRETER.fullmatch(Path(command[0]).name):
        script = next((place for place, word in enumerate(command[1:], 1) if not word.startswith("-")), 0)
        if script and command[script].startswith("/") and Path(command[script]).is_file():
            found[script] = Path(command[script])
    return {place: path for place, path in found.items() if path.parts[1] not in _SYSTEM}


def full_prompt(job: Job) -> str:
    return f"{job.system}\n\n{job.prompt}" if job.system else job.prompt


class Tail:
    """The last lines that came by, in bounded memory."""

    def __init__(self) -> None:
        self.lines: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self.seen = 0

    def add(self, line: bytes) -> None:
        if line.strip():
            self.seen += 1
            self.lines.append(line[:_LINE_BYTES])

    def text(self) -> str:
        return b"\n".join(line.rstrip(b"\r\n") for line in self.lines).decode("utf-8", "replace")


def error_output(job: Job, log: str = "agent.log") -> str:
    """The end of what the program wrote to stderr."""
    path = job.run_dir / f"{Path(log).stem}.err"
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - SAID_BYTES))
            return file.read(SAID_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""  # nothing was written


def failure(completed: Completed, said: str = "") -> str | None:
    """Why a program failed, in one line with the last it ``said``; None where it ended by itself with exit code 0."""
    if completed.error:
        return completed.error
    if completed.signal is not None:
        return f"killed by {_signal_name(completed.signal)}"
    if completed.exit_code is None:
        return "ended without an exit code"
    if not completed.exit_code:
        return None
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    return ": ".join(filter(None, (f"exit {completed.exit_code}", line(last, _LAST_WORDS))))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
