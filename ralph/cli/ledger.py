"""`ralph query` and `ralph clean`: read the record in SQL, and remove what is past its keeping time."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ralph.config import Keep
    from ralph.host.paths import Layout


@click.command(
    epilog="""\b
Examples:
  ralph query "select task, outcome, summary from iterations"
  ralph query --csv "select * from usage" > usage.csv
  ralph query --json "select task, sum(dollars) as dollars from usage group by task"
  ralph query --schema
"""
)
@click.argument("sql", required=False)
@click.option("--schema", is_flag=True, help="List the tables and views with their columns.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
def query(sql: str | None, schema: bool, as_json: bool, as_csv: bool) -> None:
    """Run one SELECT on the ledger. It is opened read-only; a running night is not disturbed."""
    if schema == (sql is not None):
        raise click.UsageError("give one SELECT, or --schema")
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    columns, rows = _schema() if sql is None else _ask(sql)
    if sql is None and not (as_json or as_csv):
        for name, listed, meaning in rows:
            click.echo(f"{click.style(name, bold=True)}: {meaning}\n    {listed}")
        return
    _print(columns, rows, as_json, as_csv)


def _ask(sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    from ralph.host.paths import find_repo, layout
    from ralph.memory.ledger import Ledger

    ledger = Ledger.read_only(layout(find_repo(Path.cwd())).ledger)
    try:
        return ledger.query(sql)
    finally:
        ledger.close()


def _schema() -> tuple[list[str], list[tuple[Any, ...]]]:
    """From the program, not from a file: it is there before the first night."""
    from ralph.memory.ledger_schema import DOCUMENTED, SCHEMA, VIEWS

    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(SCHEMA + VIEWS)
        rows = [
            (name, ", ".join(row[0] for row in db.execute("select name from pragma_table_info(?)", (name,))), meaning)
            for name, meaning in DOCUMENTED.items()
        ]
    return ["name", "columns", "meaning"], rows


def _print(columns: list[str], rows: list[tuple[Any, ...]], as_json: bool, as_csv: bool) -> None:
    from ralph.cli.output import emit_json, table

    if as_json:
        emit_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif as_csv:
        import csv
        import sys

        from ralph.core.inert import visible

        shown = [[visible(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *(shown if sys.stdout.isatty() else rows)])
    else:
        click.echo(table(columns, rows, limit=120))


@dataclass(frozen=True, slots=True)
class Past:
    """What is past its keeping time."""

    runs: tuple[str, ...]
    """Iterations whose prompts, transcripts and logs go."""
    attempts: dict[str, tuple[str, ...]]
    """Per loop the refs of attempts that go."""


@click.command(
    epilog="""\b
Examples:
  ralph clean --dry-run
  ralph clean
"""
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def clean(dry_run: bool, as_json: bool) -> None:
    """Remove run directories past [keep] logs_days and attempts past attempts_days; nothing else.

    The ledger, the branches, the pull requests and the reports stay.
    """
    from ralph.cli.output import emit_json
    from ralph.config import load
    from ralph.engine.lock import lock_repository
    from ralph.host.paths import find_repo, layout

    found = layout(find_repo(Path.cwd()))
    keep = load(found.repo / "ralph.toml").keep
    if dry_run:
        past = _past(found, keep, date.today())
    else:
        with lock_repository(found):
            past = _past(found, keep, date.today())
            _remove(found, keep, past, date.today())
    if as_json:
        emit_json({"dry_run": dry_run, **asdict(past)})
        return
    count = sum(map(len, past.attempts.values()))
    verb = "would remove" if dry_run else "removed"
    click.echo(f"{verb} {len(past.runs)} run directories (older than {keep.logs_days} days)")
    click.echo(f"{verb} {count} attempts (older than {keep.attempts_days} days)")


def _past(layout: Layout, keep: Keep, today: date) -> Past:
    logs, attempts = _limit(today, keep.logs_days), _limit(today, keep.attempts_days)
    runs = sorted(path.name for path in _folders(layout.root / "runs") if _started(path.name) < logs)
    loops = {path.name: _old_attempts(layout, path.name, attempts) for path in sorted(_folders(layout.root / "loops"))}
    return Past(tuple(runs), {loop: refs for loop, refs in loops.items() if refs})


def _old_attempts(layout: Layout, loop: str, before: date) -> tuple[str, ...]:
    from ralph.vcs.git import Git, text
    from ralph.vcs.store import ATTEMPTS

    git_dir = layout.loop(loop) / "git"
    if not git_dir.is_dir():
        return ()
    names = text(Git(git_dir).run("for-each-ref", "--format=%(refname)", ATTEMPTS)).split()
    return tuple(name for name in names if _started(name.removeprefix(ATTEMPTS)) < before)


def _remove(layout: Layout, keep: Keep, past: Past, today: date) -> None:
    from ralph.host.files import delete_tree
    from ralph.memory.ledger import Ledger
    from ralph.vcs.store import Store

    if past.runs and layout.ledger.exists():
        ledger = Ledger(layout.ledger)
        ledger.append("cleaned", {"runs": list(past.runs)})
        ledger.close()
    for iteration in past.runs:
        delete_tree(layout.run(iteration), inside=layout.root)
    for loop in past.attempts:
        Store(layout.loop(loop) / "git", layout.mirror).remove_attempts(_limit(today, keep.attempts_days))


def _limit(today: date, days: int) -> date:
    """Nights that started before this date are past; 0 days stands for ever."""
    return today - timedelta(days=days) if days else date.min


def _folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir() and not path.is_symlink()] if parent.is_dir() else []


def _started(name: str) -> date:
    """Date of the night that an iteration's name begins with; what has none is never old."""
    hit = re.match(r"\d{4}-\d\d-\d\d", name)
    try:
        return date.fromisoformat(hit.group()) if hit else date.max
    except ValueError:
        return date.max
