"""The rows of tasks.json as models: where a person's bytes become ``ralph.domain.Task``; also the JSON Schema."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ralph.domain import Budget, Kind, Status, Task, TaskResult

LARGEST = 1_000_000_000

ALLOW_PATTERN = r"^(delete-test|weaken-test|skip-test|snapshot|suppress|(config|protected):[^\x00-\x1f]+)$"


def _text(value: str) -> str:
    if control := next((char for char in value if _is_control(char) and char not in "\n\r\t"), None):
        raise ValueError(f"holds the control character U+{ord(control):04X}")
    return value


def _line(value: str) -> str:
    if control := next((char for char in value if _is_control(char)), None):
        raise ValueError(f"must be one line of text, but holds the control character U+{ord(control):04X}")
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029"


def _glob(value: str) -> str:
    parts = _line(value).lstrip("!").split("/")
    if ".." in parts or not any(parts):
        raise ValueError(f"{value!r} is no path inside the repository")
    return value


def _command(value: str) -> str:
    if any(char in value for char in "'\"\\"):
        try:
            shlex.split(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no command line: {error}") from None
    return _line(value)


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Text = Annotated[str, AfterValidator(_text)]
Line = Annotated[str, AfterValidator(_line)]
Glob = Annotated[str, AfterValidator(_glob)]
Command = Annotated[str, AfterValidator(_command)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Cap = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]


class Row(BaseModel):
    """Keys that are not named here are kept as they stand and mean nothing to ralph."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, use_attribute_docstrings=True)


class BudgetRow(Row):
    """Caps of one task; 0 means no cap of its own."""

    iterations: Count = 0
    """Attempts."""
    minutes: Cap = 0
    """Wall time of all attempts."""
    tokens: Count = 0
    """Uncached input, cache writes and output of all attempts."""
    dollars: Cap = 0
    """US dollars of all attempts."""


class ResultRow(Row):
    """What the task led to; written by the daemon."""

    commit: str | None = None
    """Commit that completed it."""
    iteration: str | None = None
    """Iteration that ended it."""
    reason: str | None = None
    """Why it stands where it stands, in one line."""


class TaskRow(Row):
    """A task. `status`, `attempts` and `result` belong to the daemon, all else to the person."""

    id: Id
    """Unique; stands in branch names, commit trailers and reports."""
    title: Annotated[Line, Field(max_length=300)]
    """One line; becomes the subject of the commit."""
    description: Text = ""
    """What is wanted and why, in Markdown."""
    acceptance: list[Text] = []
    """Criteria that a reviewer can check."""
    checks: list[Command] = []
    """Commands that must exit 0 when the task is done; run as further gates. No shell."""
    files: list[Glob] = []
    """Globs (gitignore syntax) of the paths that the task owns; empty: any path."""
    depends_on: list[Id] = []
    """Ids of tasks that must be completed before."""
    priority: Annotated[int, Field(ge=-LARGEST, le=LARGEST)] = 100
    """Lower comes first."""
    kind: Annotated[Kind, Field(strict=False)] = Kind.FEATURE
    """What sort of change it is; verification policy depends on it."""
    role: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")] = "implementer"
    """Role that works on it."""
    labels: list[Line] = []
    """Free words for filters and pull requests."""
    budget: BudgetRow = BudgetRow()
    """Caps of this task."""
    plan: Text = ""
    """How to go about it, if somebody thought it through already."""
    allow: list[Annotated[str, Field(pattern=ALLOW_PATTERN)]] = []
    """Declared exceptions: delete-test, weaken-test, skip-test, snapshot, suppress, config:<path>, protected:<path>."""
    status: Annotated[Status, Field(strict=False)] = Status.PENDING
    """The daemon's view. A person may set `pending` (try again) or `cancelled`; any other edit is undone."""
    attempts: Count = 0
    """Iterations that counted; written by the daemon."""
    result: ResultRow | None = None
    """What it led to; written by the daemon."""


class TasksFile(Row):
    """tasks.json: the tasks of a repository, edited by people, with the daemon's view of where each stands."""

    version: Literal[1] = 1
    """Format of this file."""
    tasks: list[TaskRow]
    """Tasks; of two that are ready with the same priority, the upper one comes first."""


def to_task(row: TaskRow) -> Task:
    """The domain's value for a checked row."""
    return Task(
        id=row.id,
        title=row.title,
        description=row.description,
        acceptance=tuple(row.acceptance),
        checks=tuple(row.checks),
        files=tuple(row.files),
        depends_on=tuple(row.depends_on),
        priority=row.priority,
        kind=row.kind,
        role=row.role,
        labels=tuple(row.labels),
        budget=Budget(row.budget.iterations, row.budget.minutes, row.budget.tokens, row.budget.dollars),
        plan=row.plan,
        allow=tuple(row.allow),
        status=row.status,
        attempts=row.attempts,
        result=TaskResult(row.result.commit, row.result.iteration, row.result.reason) if row.result else None,
    )


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of tasks.json, as it stands in docs/tasks.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TasksFile.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
