"""How tasks look on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click

from ralph.cli.output import table
from ralph.core.inert import line, visible
from ralph.domain import Status, Task

_COLOURS = {
    Status.IN_PROGRESS: "cyan",
    Status.COMPLETED: "green",
    Status.FAILED: "red",
    Status.NEEDS_HUMAN: "yellow",
    Status.CANCELLED: "dim",
}


def as_json(task: Task, blocked: Mapping[str, str]) -> dict[str, object]:
    """A task with all its fields, and in ``blocked`` why it can't run (null where it can)."""
    return {**asdict(task), "blocked": blocked.get(task.id)}


def state(task: Task, blocked: Mapping[str, str]) -> str:
    return "blocked" if task.status is Status.PENDING and task.id in blocked else task.status.value


def _why(task: Task, blocked: Mapping[str, str]) -> str:
    return blocked.get(task.id) or (task.result.reason if task.result else None) or ""


def print_table(tasks: Sequence[Task], blocked: Mapping[str, str]) -> None:
    """A table: coloured on a terminal, plain text in a pipe."""
    columns = ("id", "status", "prio", "tries", "title", "why")
    rows = [
        (task.id, state(task, blocked), str(task.priority), str(task.attempts), task.title, _why(task, blocked))
        for task in tasks
    ]
    if not sys.stdout.isatty():
        click.echo(table(columns, rows))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        drawn.add_column(
            name, no_wrap=name in ("id", "status"), justify="right" if name in ("prio", "tries") else "left"
        )
    for task, row in zip(tasks, rows, strict=True):
        style = "dim" if row[1] == "blocked" else _COLOURS.get(task.status, "")
        cells = [Text(line(cell, 300)) for cell in row]
        cells[1].stylize(style)
        drawn.add_row(*cells)
    Console().print(drawn)


def print_task(task: Task, blocked: Mapping[str, str]) -> None:
    """One task at length."""
    why = _why(task, blocked)
    facts = {
        "status": state(task, blocked) + (f": {why}" if why else ""),
        "attempts": str(task.attempts),
        "commit": task.result.commit if task.result else None,
        "iteration": task.result.iteration if task.result else None,
        "kind": task.kind.value,
        "priority": str(task.priority),
        "role": task.role,
        "labels": ", ".join(task.labels),
        "depends on": ", ".join(task.depends_on),
        "files": ", ".join(task.files) or "any",
        "allow": ", ".join(task.allow),
        "budget": ", ".join(f"{name} {cap:g}" for name, cap in asdict(task.budget).items() if cap),
    }
    rows = [f"{task.id}: {task.title}", "", *(f"{name + ':':12}{text}" for name, text in facts.items() if text)]
    for title, text in (("Description", task.description), ("Plan", task.plan)):
        rows += ["", title, *_indented(text)] if text else []
    for title, items in (("Acceptance", task.acceptance), ("Checks", task.checks)):
        rows += ["", title, *(row for item in items for row in _indented("- " + item))] if items else []
    click.echo(visible("\n".join(rows)))


def _indented(text: str) -> list[str]:
    return [f"  {row}".rstrip() for row in text.splitlines()]
