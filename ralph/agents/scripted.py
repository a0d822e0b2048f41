"""A deterministic agent that does what a script says, for tests, demos and dry nights. No model, no account.

The script is JSON: per task id a list of attempts, the last one repeats; ``default`` is for every other task::

    {"tasks": {"greet": [ATTEMPT, ATTEMPT]}, "reviews": {"greet": [ATTEMPT]}, "default": [ATTEMPT]}

``reviews`` is what it does as the reviewer of a task's attempts; what it ``said`` is the review.

An attempt with nothing in it changes nothing. What it does happens inside the sandbox, in the order of the fields of
``Attempt``: files are written, files deleted, commands run; the first command that fails does not end it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from ralph import config
from ralph.agents import pricing
from ralph.agents.base import Desk, Job
from ralph.agents.program import Clock, said_bytes, utc_now
from ralph.core import marks
from ralph.domain import AgentResult, Cause, Usage, Wait
from ralph.errors import ConfigError
from ralph.host.files import read_regular

MAX_SCRIPT = 10_000_000
PLAYER = """\
import json, os, subprocess, sys
part = json.load(sys.stdin)
for path, text in part["write"].items():
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
for path in part["delete"]:
    os.remove(path)
sys.stdout.flush()
for command in part["run"]:
    subprocess.run(command, shell=True)
for name in ("reflection", "handoff"):
    place = os.environ.get(f"RALPH_{name.upper()}_FILE")
    if part[name] and place:
        with open(place, "w", encoding="utf-8") as file:
            file.write(part[name])
print(part["said"])
sys.exit(part["exit_code"])
"""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Tokens(_Part):
    """What one pretended model call used."""

    input_tokens: NonNegativeInt = 0
    cache_write_tokens: NonNegativeInt = 0
    cache_read_tokens: NonNegativeInt = 0
    output_tokens: NonNegativeInt = 0


class Pause(_Part):
    """A limit of the account that the agent pretends to have met."""

    seconds: float = 60
    reason: str = "scripted limit"
    halt: bool = False


class Attempt(_Part):
    """One run of the agent."""

    usage: list[Tokens] = []
    """Model calls; each asks for a grant, and the first that is denied ends the attempt."""
    model: str = ""
    """Model that prices the usage; empty: the agent's ``model``, and without one it costs nothing."""
    write: dict[str, str] = {}
    """Path in the work tree and content."""
    delete: list[str] = []
    run: list[str] = []
    """Shell commands."""
    reflection: str = ""
    handoff: str = ""
    said: str = ""
    exit_code: int = 0
    error: str | None = None
    """An error of the agent's own."""
    wait: Pause | None = None


class Script(_Part):
    """The whole file."""

    tasks: dict[str, list[Attempt]] = {}
    reviews: dict[str, list[Attempt]] = {}
    default: list[Attempt] = []

    @classmethod
    def load(cls, path: Path) -> Script:
        """Read a script. Raises ConfigError with the place of a mistake."""
        try:
            return cls.model_validate_json(read_regular(path, MAX_SCRIPT))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            hint = "the format stands at the top of ralph/agents/scripted.py"
            raise ConfigError(f"{path}: {place}: {first['msg']}", hint) from None

    def attempt(self, task: str, number: int, review: bool = False) -> Attempt:
        """What to do in the ``number``-th attempt (from 1) on a task, or as its reviewer."""
        attempts = (self.reviews if review else self.tasks).get(task, self.default)
        return attempts[min(number, len(attempts)) - 1] if attempts else Attempt()


class ScriptedAgent:
    """Agent of kind "scripted". ``root`` is the directory of ralph.toml, which the script's path is relative to."""

    def __init__(
        self,
        name: str,
        settings: config.Agent,
        root: Path,
        prices: Mapping[str, config.Price],
        *,
        clock: Clock = utc_now,
    ) -> None:
        self.name = name
        self._settings = settings
        self._path = root / Path(settings.script).expanduser()
        self._prices = prices
        self._clock = clock

    def run(self, job: Job, desk: Desk) -> AgentResult:
        """Play the attempt that the prompt is about. Raises ConfigError for a script that can't be read."""
        attempt = Script.load(self._path).attempt(job.task_id, marks.attempt_of(job.prompt), job.review is not None)
        result = AgentResult()
        for number, tokens in enumerate(attempt.usage or [Tokens()]):
            usage = self._usage(attempt, tokens)
            if attempt.usage and (cause := _denied(desk, usage)):
                return replace(result, exit_code=None, cause=cause)
            if number == 0:
                result = self._play(attempt, job, desk)
            if attempt.usage:
                result = replace(result, usage=result.usage + usage)
                desk.spent(usage, attempt.model or self._settings.model or self.name)
            if result.cause:
                break
        return result

    def _play(self, attempt: Attempt, job: Job, desk: Desk) -> AgentResult:
        argv = [os.path.realpath(sys.executable), "-I", "-S", "-c", PLAYER]
        part = attempt.model_dump_json(include={"write", "delete", "run", "reflection", "handoff", "said", "exit_code"})
        done = desk.run(argv, env=job.env, stdin=part.encode())
        error = attempt.error
        if done.cause is None and done.exit_code != attempt.exit_code:
            error = f"the script could not be played: {done.error or f'exit code {done.exit_code}'}"
        said = attempt.said[-said_bytes(job) :]
        return AgentResult(done.exit_code, error, done.cause, self._wait(attempt.wait), said=said)

    def _wait(self, pause: Pause | None) -> Wait | None:
        if pause is None:
            return None
        return Wait(0.0 if pause.halt else self._clock().timestamp() + pause.seconds, pause.reason, pause.halt)

    def _usage(self, attempt: Attempt, tokens: Tokens) -> Usage:
        usage = Usage(**tokens.model_dump(), calls=1)
        model = attempt.model or self._settings.model
        return replace(usage, dollars=pricing.price(model, usage, self._prices)) if model else usage


def _denied(desk: Desk, usage: Usage) -> Cause | None:
    grant = desk.ask(usage.counted, usage.dollars)
    return None if grant.ok else grant.cause or desk.stop_cause() or Cause.STOPPED
