"""What a scripted model says: per task and attempt a list of turns, read from JSON or Python.

A script is an object (or a Python file that sets ``SCRIPT`` to one)::

    {"models": ["claude-sonnet-5-5"],
     "tasks": {"greet": [[TURN, TURN], [TURN]]},
     "reviews": {"greet": [[TURN]]},
     "scenarios": {"busy": [[TURN]]},
     "default": [[TURN]]}

``tasks`` maps a task id to its attempts, an attempt is a list of turns, the last attempt repeats. ``reviews`` is the
same for prompts that ask for a review of a task's attempt, ``scenarios`` for requests below the path ``/s/<name>``.
``default`` answers whatever matches nothing. After the last turn the model says that it is done.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ralph.core import marks
from ralph.errors import RalphError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Call(_Part):
    """One tool call."""

    name: str
    input: Any = {}
    """Arguments; a string is sent as it is, also where it is no JSON."""


class Error(_Part):
    """An error answer of the API."""

    status: int = 500
    """HTTP status; inside a stream it is always 200."""
    type: str = ""
    """``error.type``; empty: the usual one for the status."""
    message: str = "scripted error"
    error_code: str = ""
    """``error.details.error_code``."""
    headers: dict[str, str] = {}
    after: int | None = None
    """Send it as an SSE ``error`` event after this many events, instead of a status."""


class Raw(_Part):
    """Bytes that are no answer of the API at all."""

    status: int = 200
    headers: dict[str, str] = {}
    body: str = ""
    repeat: int = 1
    """Times the body is sent."""


class Stall(_Part):
    """A silence inside a stream."""

    seconds: float
    after: int = 1
    """Events sent before it."""
    ping: float = 0
    """Seconds between keep-alive comments during it; 0: none."""


class Turn(_Part):
    """One answer of the model, or what goes wrong instead."""

    text: str = ""
    thinking: str = ""
    tools: list[Call] = []
    write: dict[str, str] = {}
    """Path and content of files to create, by whatever tool the request offers."""
    run: list[str] = []
    """Shell commands, by whatever tool the request offers."""
    stop_reason: str = ""
    """Empty: ``tool_use`` with tools, else ``end_turn``."""
    stop_details: dict[str, Any] | None = None
    usage: dict[str, Any] | None = {}
    """Values over the computed ones (bytes / 4); null: the answer has no usage."""
    error: Error | None = None
    raw: Raw | None = None
    drop: bool = False
    """Close the connection without an answer."""
    hang: float = 0
    """Seconds of silence before the status line; ends early when the server closes."""
    stall: Stall | None = None
    cut: int | None = None
    """End the connection after this many bytes of the stream."""
    times: int = 0
    """Requests for this turn of a conversation that what goes wrong holds for; 0: all. Then it is answered well."""

    def healthy(self) -> Turn:
        """The same answer with nothing going wrong."""
        return self.model_copy(
            update={"error": None, "raw": None, "drop": False, "hang": 0, "stall": None, "cut": None, "times": 0}
        )


Attempts = list[list[Turn]]
DONE = Turn(text="Done.")


class Script(_Part):
    """Everything a scripted model answers."""

    models: list[str] = ["claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"]
    tasks: dict[str, Attempts] = {}
    reviews: dict[str, Attempts] = {}
    scenarios: dict[str, Attempts] = {}
    default: Attempts = []

    @classmethod
    def load(cls, path: Path) -> Script:
        """Read a script from a .json or .py file. Raises RalphError naming the place of a mistake."""
        try:
            data = runpy.run_path(str(path)).get("SCRIPT") if path.suffix == ".py" else json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise RalphError(f"{path}: can't be read as a script: {error}", "see ralph/modelserver/script.py") from None
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: object, name: str = "script") -> Script:
        """Check the data of a script; ``name`` stands in messages."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise RalphError(f"{name}: {place}: {first['msg']}", "see ralph/modelserver/script.py") from None

    def turn(self, scenario: str, prompt: str, number: int) -> tuple[str, Turn]:
        """The answer to a conversation that holds ``number`` answers already, and the name of who is meant."""
        name, attempts = self._attempts(scenario, prompt)
        if not attempts:
            return name, DONE
        turns = attempts[min(marks.attempt_of(prompt), len(attempts)) - 1]
        return name, turns[number] if number < len(turns) else DONE

    def _attempts(self, scenario: str, prompt: str) -> tuple[str, Attempts]:
        if scenario in self.scenarios:
            return scenario, self.scenarios[scenario]
        if scenario in self.tasks:
            return scenario, self.tasks[scenario]
        known = self.reviews if marks.is_review(prompt) else self.tasks
        if task := marks.task_of(prompt, known):
            return task, known[task]
        return "default", self.default
