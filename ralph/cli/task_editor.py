"""Edit one task in the person's editor, without a lock while it is open."""

from __future__ import annotations

from typing import cast

import click

from ralph.errors import RalphError, TasksError
from ralph.memory.task_text import Document, spell
from ralph.memory.tasks import TaskFile, TaskSet

_DAEMONS = ("status", "attempts", "result")


def in_editor(file: TaskFile, before: TaskSet, task_id: str) -> TaskSet:
    """The tasks after the person has changed one of them as JSON; the daemon's fields are not shown to the editor.

    What does not check out is offered again. Raises RalphError where somebody else changed it too, click.Abort where
    the person gives up.
    """
    opened = _mine(_row(before.raw, task_id))
    text = spell(opened) + "\n"
    while True:
        saved = click.edit(text, extension=".json")
        if saved is None or saved == text:
            return file.load()
        text = saved
        try:
            wanted = _parsed(saved)
            return file.edit(lambda document, wanted=wanted: _put(document, task_id, opened, wanted))  # type: ignore[misc]
        except TasksError as error:
            click.echo(f"{error.message}" + (f" ({error.hint})" if error.hint else ""), err=True)
            click.confirm("Edit it again?", default=True, abort=True, err=True)


def _parsed(text: str) -> Document:
    import jiter

    try:
        value = jiter.from_json(text.encode(errors="surrogateescape"), catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        raise TasksError(f"not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise TasksError("a task is an object: {...}")
    return value


def _row(document: Document, task_id: str) -> Document:
    rows = cast("list[Document]", document["tasks"])
    found = next((row for row in rows if row["id"] == task_id), None)
    if found is None:
        raise TasksError(f"task {task_id} was deleted meanwhile", "`ralph tasks list` shows what there is")
    return found


def _mine(row: Document) -> Document:
    return {key: value for key, value in row.items() if key not in _DAEMONS}


def _put(document: Document, task_id: str, opened: Document, wanted: Document) -> None:
    row = _row(document, task_id)
    if _mine(row) != opened:
        raise RalphError(f"somebody else changed task {task_id} meanwhile", "look at it again")
    if wanted.get("id", task_id) != task_id:
        raise TasksError("an id can't change, the record of the task hangs on it", "cancel this one and add another")
    for key in opened.keys() - wanted.keys():
        del row[key]
    row.update(_mine(wanted))
