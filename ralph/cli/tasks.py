"""`ralph tasks`: list, show, add, edit, retry and cancel tasks; works whether or not a night is running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ralph.cli.output import emit_json, table
from ralph.cli.task_fields import Fields, fields, given, ids, slug, task_file
from ralph.cli.task_view import as_json, print_table, print_task
from ralph.domain import Status, Task
from ralph.errors import TasksError

if TYPE_CHECKING:
    from ralph.memory.tasks import TaskSet

_STATES = [*(status.value for status in Status), "blocked", "ready"]
_JSON = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")


def _find(tasks: TaskSet, task_id: str) -> Task:
    import difflib

    by_id = {task.id: task for task in tasks.tasks}
    if task_id in by_id:
        return by_id[task_id]
    close = difflib.get_close_matches(task_id, by_id, n=1)
    hint = f"did you mean {close[0]}?" if close else "`ralph tasks list` shows them all"
    raise TasksError(f"there is no task {task_id}", hint)


@click.group(
    name="tasks",
    epilog="""\b
Examples:
  ralph tasks list                       what there is, and what is blocked by what
  ralph tasks add "Fix the login" --file "src/auth/**" --accept "a wrong password answers 401"
  ralph tasks edit fix-the-login --priority 5
  ralph tasks retry fix-the-login        try again what failed
""",
)
def tasks() -> None:
    """List, add and change tasks.

    All of it edits tasks.json, which you can as well do by hand, also during a night.
    """


@tasks.command(
    "list",
    short_help="List the tasks, blocked ones with the reason.",
    epilog="""\b
Examples:
  ralph tasks list --status failed --status needs_human
  ralph tasks list --json | jq -r '.[] | select(.blocked) | .id'
""",
)
@click.option("--status", "statuses", multiple=True, type=click.Choice(_STATES), help="Only these.")
@click.option("--role", help="Only tasks of this role.")
@click.option("--label", help="Only tasks with this label.")
@_JSON
def list_(statuses: tuple[str, ...], role: str | None, label: str | None, as_json_: bool) -> None:
    """List the tasks in the order of the file; a blocked one with its reason."""
    from ralph.cli.hindrances import hindrances

    loaded = task_file().load()
    reasons = hindrances(loaded.tasks)

    def wanted(task: Task) -> bool:
        words = {str(task.status), "blocked" if task.id in reasons else ""}
        if task.status is Status.PENDING and task.id not in reasons:
            words.add("ready")
        return (
            (not statuses or bool(words & set(statuses)))
            and (not role or task.role == role)
            and (not label or label in task.labels)
        )

    shown = [task for task in loaded.tasks if wanted(task)]
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json_:
        emit_json([as_json(task, reasons) for task in shown])
    elif shown:
        print_table(shown, reasons)
    else:
        click.echo("no task matches" if loaded.tasks else "no tasks yet; `ralph tasks add TITLE` writes the first one")


@tasks.command(epilog="\b\nExample:\n  ralph tasks show fix-the-login\n")
@click.argument("task_id", metavar="ID", shell_complete=ids)
@_JSON
def show(task_id: str, as_json_: bool) -> None:
    """Show all of one task."""
    from ralph.cli.hindrances import hindrances

    loaded = task_file().load()
    task = _find(loaded, task_id)
    reasons = hindrances(loaded.tasks)
    if as_json_:
        emit_json(as_json(task, reasons))
    else:
        print_task(task, reasons)


@tasks.command(
    epilog="""\b
Examples:
  ralph tasks add "Fix the login" --file "src/auth/**" --check "pytest -q tests/auth"
  ralph tasks add "Document it" --after fix-the-login --kind docs --budget iterations=2
  gh issue view 12 --json body -q .body | ralph tasks add "Issue 12" --description -
"""
)
@click.argument("title")
@click.option("--id", "task_id", metavar="ID", help="Its id; made of the title where none is given.")
@fields
@_JSON
def add(title: str, task_id: str | None, as_json_: bool, **options: Any) -> None:
    """Add a task at the end of tasks.json."""
    named = given(options)
    chosen = task_id or ""

    def change(document: dict[str, object]) -> None:
        nonlocal chosen
        rows = cast("list[Fields]", document["tasks"])
        taken = {str(row["id"]) for row in rows}
        if task_id in taken:
            raise TasksError(f"there is a task {task_id} already", "`ralph tasks edit` changes it")
        chosen = task_id or slug(title, taken)
        rows.append({"id": chosen, "title": title, **named})

    after = task_file().edit(change)
    _say(after, [chosen], "added", as_json_)


@tasks.command(
    short_help="Change fields of a task, or open it in your editor.",
    epilog="""\b
Examples:
  ralph tasks edit fix-the-login --priority 5 --accept "one" --accept "two"
  ralph tasks edit fix-the-login --after ""        no dependencies any more
  ralph tasks edit fix-the-login                   opens your editor
""",
)
@click.argument("task_id", metavar="ID", shell_complete=ids)
@click.option("--title", help="One line.")
@fields
@_JSON
def edit(task_id: str, as_json_: bool, **options: Any) -> None:
    """Change fields of a task; one that can be repeated replaces the whole list.

    Without options the task opens in your editor.
    """
    from ralph.cli.task_editor import in_editor

    file = task_file()
    before = file.load()
    _find(before, task_id)
    named = given(options)
    if not named:
        after = in_editor(file, before, task_id)
    else:
        after = file.edit(lambda document: row_of(document, task_id).update(named))
    _say(after, [task_id], "unchanged" if after.digest == before.digest else "changed", as_json_)


def row_of(document: dict[str, object], task_id: str) -> Fields:
    """The row of a task in a document. Raises TasksError where it is gone."""
    for row in cast("list[Fields]", document["tasks"]):
        if row["id"] == task_id:
            return row
    raise TasksError(f"task {task_id} was deleted meanwhile", "`ralph tasks list` shows what there is")


@tasks.command(
    short_help="Try finished tasks again.", epilog="\b\nExample:\n  ralph tasks retry fix-the-login docs-export\n"
)
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, shell_complete=ids)
@_JSON
def retry(task_ids: tuple[str, ...], as_json_: bool) -> None:
    """Try finished tasks again, with their attempts counted from 0."""
    _set_status(task_ids, Status.PENDING, {Status.PENDING, Status.IN_PROGRESS}, "will be tried again", as_json_)


@tasks.command(short_help="Cancel tasks.", epilog="\b\nExample:\n  ralph tasks cancel docs-export\n")
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, shell_complete=ids)
@_JSON
def cancel(task_ids: tuple[str, ...], as_json_: bool) -> None:
    """Cancel tasks; one that is being worked on is stopped, what depends on it stays blocked."""
    _set_status(task_ids, Status.CANCELLED, {Status.COMPLETED, Status.CANCELLED}, "cancelled", as_json_)


def _set_status(task_ids: tuple[str, ...], to: Status, not_from: set[Status], said: str, as_json_: bool) -> None:
    def change(document: dict[str, object]) -> None:
        for task_id in task_ids:
            row = row_of(document, task_id)
            now = Status(str(row.get("status", Status.PENDING)))
            if now in not_from:
                raise TasksError(f"task {task_id} is {now}, nothing was changed", "`ralph tasks show` tells more")
            row["status"] = to.value

    file = task_file()
    before = file.load()
    for task_id in task_ids:
        _find(before, task_id)
    _say(file.edit(change), list(task_ids), said, as_json_)


@tasks.command(
    short_help="List the tasks that reviewers propose.",
    epilog="\b\nExample:\n  ralph tasks proposals --json | jq -r '.[].title'\n",
)
@_JSON
def proposals(as_json_: bool) -> None:
    """List the tasks that reviewers propose. None of them is added before you do it with `ralph tasks add`."""
    from dataclasses import asdict

    from ralph.host import paths
    from ralph.memory.ledger import Ledger
    from ralph.memory.proposals import proposals as proposed

    where = paths.layout(paths.find_repo(Path.cwd())).ledger
    found = proposed(Ledger.read_only(where).events(kinds=("gate",))) if where.exists() else ()
    if as_json_:
        emit_json([asdict(one) for one in found])
    elif found:
        rows = [(one.night, one.task, one.title, " ".join(one.files)) for one in found]
        click.echo(table(("night", "beside", "title", "files"), rows, limit=300))
    else:
        click.echo("nothing is proposed")


@tasks.command(epilog="\b\nExample:\n  ralph tasks schema > tasks.schema.json\n")
def schema() -> None:
    """Print the JSON Schema of tasks.json, for editors."""
    from ralph.memory.task_schema import schema_text

    click.echo(schema_text(), nl=False)


def _say(after: TaskSet, task_ids: list[str], done: str, as_json_: bool) -> None:
    from ralph.cli.hindrances import hindrances

    reasons = hindrances(after.tasks)
    changed = [task for task in after.tasks if task.id in task_ids]
    if as_json_:
        emit_json([as_json(task, reasons) for task in changed])
        return
    for task in changed:
        blocked_now = f" (blocked: {reasons[task.id]})" if task.id in reasons else ""
        click.echo(f"{task.id}: {done}{blocked_now}")
