"""The fields of a task as options of the command line, and the file they end in."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ralph.domain import Kind

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ralph.memory.tasks import TaskFile

Fields = dict[str, object]
Command = Callable[..., None]

_ORDER = (
    "title",
    "description",
    "acceptance",
    "checks",
    "files",
    "depends_on",
    "priority",
    "kind",
    "role",
    "labels",
    "budget",
    "plan",
    "allow",
)
"""In which a new row spells its fields."""


def task_file() -> TaskFile:
    from ralph.host import paths
    from ralph.memory.tasks import TaskFile

    layout = paths.layout(paths.find_repo(Path.cwd()))
    return TaskFile(layout.repo / "tasks.json", layout.good_tasks)


def ids(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Task ids for the shell; a repository or file that can't be read offers none."""
    from click.shell_completion import CompletionItem

    from ralph.errors import RalphError

    try:
        rows = task_file().load().tasks
    except (RalphError, OSError):
        return []
    return [CompletionItem(task.id, help=task.title) for task in rows if task.id.startswith(incomplete)]


def fields(command: Command) -> Command:
    """The options that stand for the person's fields of a task."""
    many: dict[str, Any] = {"multiple": True}
    options: list[Callable[[Command], Command]] = [
        click.option("--description", metavar="TEXT", help="What is wanted and why; `-` reads standard input."),
        click.option("--accept", "acceptance", metavar="TEXT", **many, help="Acceptance criterion; repeat for more."),
        click.option("--check", "checks", metavar="COMMAND", **many, help="Command that must exit 0; repeat for more."),
        click.option("--file", "files", metavar="GLOB", **many, help="Path or glob that it owns; repeat for more."),
        click.option("--after", "depends_on", metavar="ID", **many, shell_complete=ids, help="Task that comes first."),
        click.option("--priority", type=int, help="Lower comes first; 100 where none is given."),
        click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="What sort of change."),
        click.option("--role", metavar="ROLE", help="Role that works on it."),
        click.option("--label", "labels", metavar="WORD", **many, help="Free word; repeat for more."),
        click.option("--budget", metavar="NAME=N", **many, help="Cap: iterations, minutes, tokens or dollars."),
        click.option("--plan", metavar="TEXT", help="How to go about it."),
        click.option("--allow", metavar="WHAT", **many, help="Declared exception, such as delete-test."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def given(options: dict[str, Any]) -> Fields:
    """The fields that were named on the command line, as tasks.json spells them; `--x ""` empties a list."""
    said: Fields = {}
    for name in _ORDER:
        value = options.get(name)
        if value is None or value == ():
            continue
        if name == "budget":
            said[name] = dict(_cap(each) for each in value if each)
        elif isinstance(value, tuple):
            said[name] = [each for each in value if each]
        elif name == "description" and value == "-":
            said[name] = sys.stdin.read(1_000_000).strip()
        else:
            said[name] = value
    return said


def _cap(text: str) -> tuple[str, int | float]:
    name, _, number = text.partition("=")
    if name not in ("iterations", "minutes", "tokens", "dollars"):
        raise click.BadParameter(f"{text!r} is not NAME=N", param_hint="--budget")
    try:
        return name, float(number) if name in ("minutes", "dollars") and "." in number else int(number)
    except ValueError:
        raise click.BadParameter(f"{text!r}: {number!r} is no number", param_hint="--budget") from None


def slug(title: str, taken: set[str]) -> str:
    """An id made of the title's words that nothing else is called."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "task"
    return (
        words if words not in taken else next(f"{words}-{n}" for n in range(2, 100_000) if f"{words}-{n}" not in taken)
    )
