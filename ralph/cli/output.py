"""Tables and JSON on the terminal; apart, so that every command prints alike."""

from __future__ import annotations

import json

import click

from ralph.cli.columns import columns as table


def emit_json(value: object) -> None:
    """One JSON document on stdout; what is no JSON type is written as text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


__all__ = ["emit_json", "table"]
