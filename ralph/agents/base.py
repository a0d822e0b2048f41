"""The seam between the engine and whatever proposes changes: Agent, and the Desk that a worker gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ralph.domain import AgentResult, Cause, Usage
from ralph.host.process import Completed


@dataclass(frozen=True, slots=True)
class Job:
    """One run of an agent on one task."""

    prompt: str
    system: str
    """The stable prefix (rules of the house, tools): same over iterations, so it can be cached."""
    prompt_file: Path
    """``system`` and ``prompt`` together, as the agent sees its path. Inside a sandbox it lies in a directory of
    the daemon's files, and what the agent ``binds`` lies beside it in ``bin``; else it lies in ``run_dir``."""
    run_dir: Path
    """The iteration's run directory on the host: transcripts go here."""
    directory: str
    """The work tree's path as the agent sees it: its current directory."""
    env: Mapping[str, str]
    """Everything the agent process may see in its environment."""
    secrets: Mapping[str, str]
    """Values of the variables that the configuration allows to reach this agent's driver, e.g. ANTHROPIC_API_KEY."""
    task_id: str
    seconds: float
    """Wall time left; 0 = no cap."""
    tokens: int
    """Counted tokens left; 0 = no cap."""
    usage_file: Path | None = None
    """Where the file that RALPH_USAGE_FILE names lies on the host."""
    review: Path | None = None
    """The job is a review: nothing is to be written, and ``AgentResult.said`` is what is handed in. A program that
    is told of RALPH_REVIEW_FILE hands it in there; this is where that file lies on the host."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Answer to a request for budget."""

    ok: bool
    reason: str = ""
    cause: Cause | None = None
    """TOKENS, DOLLARS or STOPPED where the answer is no."""


@dataclass(frozen=True, slots=True)
class Word:
    """Something the daemon says while an agent works."""

    stop: bool
    """True: end now. False: a note for the agent, such as 'wrap up'."""
    text: str


class ToolProcess(Protocol):
    """A process inside the sandbox that is talked to over its standard streams."""

    stdin: IO[bytes]
    stdout: IO[bytes]

    def cause(self) -> Cause | None:
        """Look at its limits without blocking; one that is passed ends it."""

    def close(self) -> Completed:
        """End it, sweep its tree, say how it went."""


class Desk(Protocol):
    """What a worker offers an agent: running things inside the sandbox, asking for budget, hearing the daemon."""

    def run(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str],
        stdin: bytes | None = None,
        on_line: Callable[[bytes], Cause | None] | None = None,
        log: str = "agent.log",
    ) -> Completed:
        """Run one program inside the sandbox under all limits; ``on_line`` gets each line of its stdout as it comes;
        a cause it returns ends the program for that cause.

        A stop by the daemon or a limit ends it for certain; the reason is ``Completed.cause``.
        Its stderr goes to ``<log stem>.err`` in the run directory.
        """

    def open(self, argv: list[str], *, env: Mapping[str, str]) -> ToolProcess:
        """Start a program inside the sandbox and talk to it over pipes."""

    def ask(self, tokens: int, dollars: float | None) -> Grant:
        """Reserve budget before a model call; blocks until the daemon answers, no answer in time is a denial."""

    def spent(self, usage: Usage, model: str) -> None:
        """Settle one model call (priced); goes to the ledger at once."""

    def poll(self) -> Word | None:
        """The next word from the daemon, if there is one. Never blocks."""

    def fileno(self) -> int:
        """Readable when ``poll`` may have something (for asyncio's add_reader)."""

    def stop_cause(self) -> Cause | None:
        """Why the desk wants the agent to end now (limits of output, memory, time or a stop), else None."""

    def waiting(self, until: float, reason: str) -> None:
        """Say that the agent itself waits (a short retry-after), so that a stall is not suspected. Epoch seconds."""


class Agent(Protocol):
    """Proposes a change by editing the work tree. Built by ``agents.make`` from an ``[agents.*]`` table."""

    name: str

    def run(self, job: Job, desk: Desk) -> AgentResult:
        """Work on the job until done, out of budget, told to stop, or stuck waiting for the account."""
