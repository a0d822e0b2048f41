"""The daemon's fields in the rows of a tasks.json: read out of it and written into it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from typing import cast

from ralph.domain import Task
from ralph.memory.task_merge import View, view_of
from ralph.memory.task_parse import TaskSet
from ralph.memory.task_text import Document, respell


def with_view(task: Task, view: View) -> Task:
    if view_of(task) == view:
        return task
    return replace(task, status=view.status, attempts=view.attempts, result=view.result)


def without_status(tasks: TaskSet) -> Collection[str]:
    """Ids of the rows that do not spell out a status."""
    rows = cast("list[Document]", tasks.raw["tasks"])
    return {cast("str", row["id"]) for row in rows if "status" not in row}


def showing(tasks: TaskSet, rows: tuple[Task, ...]) -> TaskSet:
    """``tasks`` with the daemon's fields of ``rows`` (the same tasks in the same order) in its text."""
    if rows == tasks.tasks:
        return tasks
    said = cast("list[Document]", tasks.raw["tasks"])
    document = {**tasks.raw, "tasks": [_row(*each) for each in zip(said, tasks.tasks, rows, strict=True)]}
    text = respell(tasks.text, tasks.raw, document)
    digest = hashlib.sha256(tasks.data(text)).hexdigest()
    return replace(tasks, tasks=rows, raw=document, digest=digest, text=text)


def _row(row: Document, before: Task, after: Task) -> Document:
    if before is after:
        return row
    changed = dict(row)
    if before.status is not after.status:
        changed["status"] = after.status.value
    if before.attempts != after.attempts:
        changed["attempts"] = after.attempts
    if before.result != after.result:
        result = after.result
        shown = {"commit": result.commit, "iteration": result.iteration, "reason": result.reason} if result else None
        changed["result"] = shown
    return changed
