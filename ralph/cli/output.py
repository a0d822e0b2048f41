"""Tables and JSON on the terminal; apart, so that every command prints alike."""

from __future__ import annotations

import json
import shutil
import sys

import click

from ralph.cli.columns import columns as table


def emit_json(value: object) -> None:
    """One JSON document on stdout; what is no JSON type is written as text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def columns_of_terminal() -> int:
    """Width of the terminal that stdout is; 0 where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


__all__ = ["columns_of_terminal", "emit_json", "table"]
