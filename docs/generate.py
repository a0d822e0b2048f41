"""Write again what in docs/ is generated from the program. `make docs` runs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click


def generated() -> dict[str, str]:
    """File name in docs/ -> text."""
    from ralph.cli.config import markdown
    from ralph.memory.task_schema import schema_text

    return {"configuration.md": markdown(), "cli.md": cli(), "tasks.schema.json": schema_text()}


def cli() -> str:
    """Help of every command, as the program prints it at 100 columns."""
    from ralph.cli.main import SECTIONS
    from ralph.cli.main import cli as top

    parts = [_HEAD, _block("ralph", top, None)]
    with click.Context(top, info_name="ralph") as context:
        for section, commands in SECTIONS.items():
            parts.append(f"## {section}")
            for name in commands:
                command = top.get_command(context, name)
                assert command is not None
                parts += _help(name, command, context)
    return "\n\n".join(parts) + "\n"


def _help(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    yield f"### ralph {name}"
    yield _block(name, command, parent)
    if isinstance(command, click.Group):
        with click.Context(command, info_name=name, parent=parent) as context:
            for inner, sub in command.commands.items():
                yield _block(inner, sub, context)


def _block(name: str, command: click.Command, parent: click.Context | None) -> str:
    with click.Context(
        command, info_name=name, parent=parent, terminal_width=100, help_option_names=["-h", "--help"]
    ) as context:
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"```text\n{text}\n```"


_HEAD = """\
# Commands

Every listing takes `--json`. Exit codes: 0 done, 1 expected error (with a hint), 2 usage, 3 bug (with a crash file),
4 finished but something needs a person, 130 interrupted. `ralph -C DIR ...` runs as if started in DIR.
No colour reaches a pipe, and none with `NO_COLOR` set. Completion: `ralph completion bash`, `zsh` or `fish`.

Generated from the program by `make docs`; a test keeps it true."""


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, text in generated().items():
        (folder / name).write_text(text, encoding="utf-8")
