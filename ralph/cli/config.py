"""`ralph config`: the configuration in force, and every key explained."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ralph.errors import ConfigError, RalphError

if TYPE_CHECKING:
    from ralph.config import Config

Row = tuple[str, str, Any, Any]


@click.command(
    epilog="""\b
Examples:
  ralph config                      the effective ralph.toml, defaults written out
  ralph config --explain            every key with its meaning, default and value
  ralph config --explain limits     only the keys that contain "limits"
  ralph config --explain --json     the same for programs
"""
)
@click.option("--explain", is_flag=True, help="List every key with its meaning, default and value in force.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("words", nargs=-1, metavar="[KEY]...")
def config(explain: bool, as_json: bool, words: tuple[str, ...]) -> None:
    """Show the configuration in force; with --explain, what each key means."""
    if words and not explain:
        raise click.UsageError("KEY belongs to --explain")
    if explain:
        _explain(_load(required=False), words, as_json)
        return
    effective = _load(required=True)
    if as_json:
        from ralph.cli.output import emit_json

        emit_json(effective.model_dump(mode="json"))
    else:
        from ralph.config import freeze

        click.echo(freeze(effective), nl=False)


def _load(required: bool) -> Config:
    """ralph.toml of this repository; the defaults where it is not required and there is none."""
    from ralph.config import Config, load
    from ralph.host.paths import find_repo

    try:
        path = find_repo(Path.cwd()) / "ralph.toml"
    except RalphError:
        if required:
            raise
        return Config()
    return load(path) if required or path.exists() else Config()


def _explain(effective: Config, words: tuple[str, ...], as_json: bool) -> None:
    from ralph.cli.output import emit_json
    from ralph.config import explain

    rows = [row for row in explain(effective) if not words or any(word in row[0] for word in words)]
    if not rows:
        raise ConfigError(f"no key contains {' or '.join(words)}", "run `ralph config --explain` to see all of them")
    if as_json:
        emit_json([_as_json(row) for row in rows])
        return
    for table, keys in groupby(rows, key=lambda row: _table(row[0])):
        click.secho(f"\n{_header(table)}", bold=True)
        for row in keys:
            click.echo(_entry(row))


def _as_json(row: Row) -> dict[str, Any]:
    key, text, default, now = row
    known = {name: None if value is ... else value for name, value in (("default", default), ("value", now))}
    return {"key": key, "text": text, "required": default is ..., **known}


def _entry(row: Row) -> str:
    key, text, default, now = row
    name = _name(key)
    changed = f"   (default {_value(default)})" if now != default else ""
    lines = "\n".join(f"    {line.strip()}" for line in text.splitlines())
    return f"  {click.style(name, bold=True)} = {_value(now)}{changed}\n{lines}"


def _table(key: str) -> str:
    return key.rpartition(".")[0] or key


def _name(key: str) -> str:
    """The key inside its table; the table of routes has the roles as its keys."""
    return key.rpartition(".")[2] if key != "routes" else "<role>"


def _value(value: object) -> str:
    if value is ...:
        return "required"
    return "unset" if value is None else json.dumps(value, ensure_ascii=False)


def markdown() -> str:
    """The text of docs/configuration.md: every key with its default, from the same words as ``--explain``."""
    from ralph.config import explain

    parts = [_HEAD]
    for table, rows in groupby(explain(), key=lambda row: _table(row[0])):
        lines = [f"| `{_name(row[0])}` | `{_value(row[2])}` | {_cell(row[1])} |" for row in rows]
        parts.append("\n".join([f"## `{_header(table)}`", "", "| key | default | meaning |", "|---|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


def _header(table: str) -> str:
    """How the table's header is written in ralph.toml: ``[[gates]]`` for a list of tables."""
    return f"[[{table.removesuffix('[]')}]]" if table.endswith("[]") else f"[{table.replace('[]', '')}]"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


_HEAD = """\
# ralph.toml

The policy of one repository: tracked, edited by people, protected from agents. `ralph init` writes a commented one,
`ralph config` shows what is in force, and `ralph config --explain` prints this page with your values.
Unknown keys are errors, with the nearest key as a suggestion. Each night freezes the configuration it starts with.

Generated from the program by `make docs`; a test keeps it true."""
