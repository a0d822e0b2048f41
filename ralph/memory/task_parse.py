"""From the bytes of a tasks.json to tasks; every refusal names the file, the line and the column."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

from ralph.domain import Task
from ralph.errors import TasksError
from ralph.memory.task_text import Document, position

MAX_BYTES = 20_000_000
BOM = "\ufeff"
_SCHEMA_HINT = "`ralph tasks schema` prints every field"


@dataclass(frozen=True, slots=True)
class TaskSet:
    """A checked tasks.json."""

    tasks: tuple[Task, ...]
    """In the order of the file."""
    raw: Document = field(repr=False)
    """All that the file says, unknown keys too."""
    digest: str
    """SHA-256 of its bytes, in hex."""
    text: str = field(default="", repr=False)
    """Its text without a byte order mark."""
    marked: bool = False
    """It begins with a byte order mark."""
    warnings: tuple[str, ...] = ()
    """Keys that look misspelt."""

    def data(self, text: str) -> bytes:
        """The bytes of a file like this one that says ``text``."""
        return ((BOM if self.marked else "") + text).encode()


def parse(data: bytes, name: str = "tasks.json") -> TaskSet:
    """Check the bytes of a tasks.json; ``name`` stands in messages.

    Raises TasksError with one message: not JSON, wrong type, duplicate id, unknown dependency, cycle.
    """
    import jiter
    from pydantic import ValidationError

    from ralph.memory.task_schema import TasksFile, to_task

    if len(data) > MAX_BYTES:
        raise TasksError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB", "split the work into smaller lists")
    marked = data.startswith(BOM.encode())
    body = data.removeprefix(BOM.encode())
    try:
        raw = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise _not_json(error, body, name) from None
    text = body.decode()
    if not isinstance(raw, dict):
        raise TasksError(
            f"{name}:1:1: the file holds a {_json_type(raw)}, not an object",
            'it should look like {"version": 1, "tasks": [...]}',
        )
    try:
        checked = TasksFile.model_validate(raw)
    except ValidationError as error:
        raise _wrong(error, text, raw, name) from None
    tasks = tuple(to_task(row) for row in checked.tasks)
    _check_ids(tasks, text, name)
    _check_dependencies(tasks, text, name)
    warnings = tuple(_misspelt(raw, text, name))
    return TaskSet(tasks, raw, hashlib.sha256(data).hexdigest(), text, marked, warnings)


def _not_json(error: ValueError, body: bytes, name: str) -> TasksError:
    if not body.strip():
        return TasksError(f"{name}:1:1: the file is empty", 'write {"version": 1, "tasks": []}')
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return TasksError(f"{name}:1:1: the file is UTF-16", "save it as UTF-8")
    said = re.fullmatch(r"(.*) at line (\d+) column (\d+)", str(error), re.DOTALL)
    if said is None:
        return TasksError(f"{name}: not valid JSON: {error}", "check it with a JSON editor")
    problem, line, column = said[1], said[2], max(1, int(said[3]))
    if "recursion" in problem:
        problem = "nested too deeply"
    hint = "this key stands twice in one object; remove one" if "duplicate key" in problem else "fix the place named"
    return TasksError(f"{name}:{line}:{column}: not valid JSON: {problem}", hint)


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names.get(type(value), "value")


def _wrong(error: Any, text: str, raw: Document, name: str) -> TasksError:
    first = error.errors(include_url=False)[0]
    place = tuple(first["loc"])
    at = _at(name, text, place)
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    dotted = ".".join(str(step) for step in place[2 if _task_at(raw, place) else 0 :]) or "tasks"
    whose = _task_at(raw, place)
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    if first["type"] == "string_pattern_mismatch" and place[-1] == "id":
        message = "should be 1 to 64 letters, digits, dots, dashes or underscores"
    if first["type"] == "missing":
        message = "is missing"
    hint = _SCHEMA_HINT
    if first["type"] == "list_type" and isinstance(first["input"], str):
        hint = f'write ["{first["input"][:60]}"]'
    if place == ("version",):
        hint = "this program reads version 1; a newer one may be needed"
    return TasksError(f"{at}: {whose}`{dotted}`: {message}{more}", hint)


def _task_at(raw: Document, place: tuple[Any, ...]) -> str:
    if len(place) < 2 or place[0] != "tasks":
        return ""
    row = cast("list[Any]", raw["tasks"])[place[1]]
    named = row.get("id") if isinstance(row, dict) else None
    return f"task {named}: " if isinstance(named, str) and named.isprintable() else f"task {place[1] + 1}: "


def _at(name: str, text: str, place: tuple[str | int, ...]) -> str:
    line, column = position(text, place)
    return f"{name}:{line}:{column}"


def _check_ids(tasks: tuple[Task, ...], text: str, name: str) -> None:
    first: dict[str, int] = {}
    for index, task in enumerate(tasks):
        if task.id in first:
            line, column = position(text, ("tasks", first[task.id], "id"))
            at = _at(name, text, ("tasks", index, "id"))
            message = f"{at}: two tasks are called {task.id}; the other is at line {line}, column {column}"
            raise TasksError(message, "give one of them another id")
        first[task.id] = index


def _check_dependencies(tasks: tuple[Task, ...], text: str, name: str) -> None:
    known = {task.id for task in tasks}
    for index, task in enumerate(tasks):
        for step, needed in enumerate(task.depends_on):
            if needed not in known:
                at = _at(name, text, ("tasks", index, "depends_on", step))
                close = difflib.get_close_matches(needed, known, n=1)
                hint = f"did you mean {close[0]}?" if close else "add that task, or remove the dependency"
                raise TasksError(f"{at}: task {task.id} depends on {needed}, which is not in the file", hint)
    try:
        TopologicalSorter({task.id: task.depends_on for task in tasks}).prepare()
    except CycleError as error:
        cycle = list(reversed(error.args[1]))
        index = next(index for index, task in enumerate(tasks) if task.id == cycle[0])
        at = _at(name, text, ("tasks", index, "depends_on"))
        shown = " -> ".join(cycle if len(cycle) <= 12 else [*cycle[:11], "...", cycle[-1]])
        message = f"{at}: tasks wait for each other: {shown}"
        raise TasksError(message, "remove one of these dependencies") from None


def _misspelt(raw: Document, text: str, name: str) -> list[str]:
    """Warnings about unknown keys that are close to a known one; other unknown keys are the person's own."""
    from ralph.memory.task_schema import TaskRow

    known = list(TaskRow.model_fields)
    unknown: dict[str, int] = {}
    for index, row in enumerate(cast("list[Document]", raw["tasks"])):
        for key in row:
            if key not in TaskRow.model_fields:
                unknown.setdefault(key, index)
    found = []
    for key, index in list(unknown.items())[:1000]:
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower().replace("-", "_")
        if close := difflib.get_close_matches(snake, known, n=1, cutoff=0.8):
            at = _at(name, text, ("tasks", index, key))
            found.append(f"{at}: the key `{key}` is kept but means nothing; did you mean `{close[0]}`?")
    return found[:10]
