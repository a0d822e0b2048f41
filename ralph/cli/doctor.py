"""`ralph doctor`: can a night run here? Every line says what is so, and every bad one what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ralph.cli.checks import Row
from ralph.errors import DONE, NEEDS_PERSON, ConfigError, RalphError

if TYPE_CHECKING:
    from ralph.config import Config
    from ralph.host.paths import Layout

_SAID_LINES = 12
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(
    epilog="""\b
Examples:
  ralph doctor
  ralph doctor --quick     without running the gates
  ralph doctor --json

\b
Exit code: 0 all is well, warnings included; 4 at least one line fails.
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--quick", is_flag=True, help="Do not run the gates and the agents' programs.")
def doctor(as_json: bool, quick: bool) -> int:
    """Check that a night can run here; each line that is not well comes with a fix."""
    rows: list[Row] = []
    for row in examine(Path.cwd(), quick):
        rows.append(row)
        if not as_json:
            _print(row)
    counts = Counter(row.status for row in rows)
    if as_json:
        from ralph.cli.output import emit_json

        emit_json({"ok": not counts["fail"], "rows": [asdict(row) for row in rows]})
    else:
        click.echo(f"\n{counts['fail']} to fix, {counts['warn']} to know, {counts['ok']} well")
    return NEEDS_PERSON if counts["fail"] else DONE


def examine(start: Path, quick: bool) -> Iterator[Row]:
    """All rows, each as soon as it is known; a check that can't be made is itself a row."""
    from ralph.cli import checks, executed
    from ralph.config import load
    from ralph.host.paths import find_repo, layout

    machine = list(checks.machine())
    yield from machine
    yield from _told("power", checks.power())
    if any(row.status == "fail" for row in machine):
        return
    try:
        found = layout(find_repo(start))
        yield from _told("repository", checks.repository(found))
        config = load(found.repo / "ralph.toml")
    except RalphError as error:
        what = "ralph.toml" if isinstance(error, ConfigError) else "repository"
        yield Row("fail", what, error.message, error.hint)
        return
    yield Row("ok", "ralph.toml", str(found.repo / "ralph.toml"))
    yield from _of_the_night(found, config)
    if not quick:
        yield from _told("agents", executed.programs(found, config))
        yield from _told("gates", executed.gates(found, config))


def _of_the_night(layout: Layout, config: Config) -> Iterator[Row]:
    """Everything that ralph.toml decides and that is known without running anything of the project."""
    from ralph.cli import checks, programs

    yield from _told("tasks.json", checks.tasks(layout))
    yield from _told("ralph.toml", checks.configuration(config))
    yield from _told("author", checks.identity(layout))
    yield from _told("base", checks.base(layout, config))
    yield from _told("disk", checks.disk(layout, config))
    yield from _told("window", checks.clock(config))
    yield from _told("forge", checks.forge(layout, config))
    yield from _told("service", checks.service(layout))
    yield from _told("agents", programs.agents(layout, config))
    yield from _told("sandbox", checks.sandbox(config))


def _told(what: str, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; an error that a person can act on becomes the last of them."""
    try:
        yield from rows
    except RalphError as error:
        yield Row("fail", what, error.message, error.hint)
    except OSError as error:
        yield Row("fail", what, f"{error.strerror}: {error.filename}", "check that this path is there and yours")


def _print(row: Row) -> None:
    from ralph.core.inert import line

    mark = click.style(f"{row.status:<4}", fg=_COLOURS[row.status], bold=row.status != "ok")
    click.echo(f"{mark}  {line(row.what):<12}  {line(row.detail, 400)}")
    for text in row.said.splitlines()[-_SAID_LINES:]:
        click.echo(f"{'':20}| {line(text, 300)}")
    if row.fix:
        click.echo(f"{'':20}fix: {line(row.fix, 400)}")
