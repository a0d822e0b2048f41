"""The command line: names every command at once, imports only the one that is called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from ralph import __version__
from ralph.cli import errors
from ralph.errors import RalphError

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Set up": {
        "init": ("init", "Write ralph.toml and tasks.json for this repository."),
        "doctor": ("doctor", "Check that a night can run here, each line with a fix."),
        "demo": ("demo", "Run a whole night on a throwaway project, with no account."),
        "config": ("config", "Show the configuration in force, or explain every key."),
        "service": ("service", "Install ralph as a service of this machine."),
        "completion": ("main", "Print the completion script of a shell."),
    },
    "Tasks": {
        "tasks": ("tasks", "List, add and change tasks."),
    },
    "Night": {
        "start": ("night", "Start the daemon: tonight, now, or once."),
        "stop": ("night", "Stop after the running iterations, or at once."),
        "pause": ("night", "Pick nothing new until `ralph resume`."),
        "resume": ("night", "Go on after a pause."),
        "status": ("status", "What is running, waiting and done."),
        "watch": ("status", "Follow the night in the terminal."),
        "logs": ("status", "Print logs and transcripts."),
    },
    "Morning": {
        "report": ("report", "Read what the night did and what it needs from you."),
        "prs": ("report", "List the pull requests."),
        "evidence": ("evidence", "Show what was executed to support a commit."),
        "verify": ("evidence", "Derive every verdict again from the stored bytes."),
        "train": ("train", "Try whether all branches land together."),
        "undo": ("train", "Take one task out again, on a branch of its own."),
        "cost": ("report", "Tokens and dollars by task, loop and agent."),
        "learn": ("learn", "Go through the lines proposed for AGENTS.md."),
    },
    "Record": {
        "query": ("ledger", "Ask the ledger in SQL (read-only)."),
        "clean": ("ledger", "Remove records that are past [keep]."),
    },
}
"""Per section of the help: command -> (module in ralph.cli, one line)."""

COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
WIDTH = max(map(len, COMMANDS))


class LazyGroup(click.Group):
    """Knows the names and one-line helps by heart; a command's module is imported when it is invoked."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ralph.cli.{COMMANDS[cmd_name][0]}")
        for value in vars(module).values():
            if isinstance(value, click.Command) and value.name == cmd_name:
                return value
        raise LookupError(f"ralph.cli.{COMMANDS[cmd_name][0]} has no command {cmd_name!r}")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{WIDTH}}", text) for name, (_, text) in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        from click.shell_completion import CompletionItem

        own = [CompletionItem(n, help=text) for n, (_, text) in COMMANDS.items() if n.startswith(incomplete)]
        return own + click.Command.shell_complete(self, ctx, incomplete)


EPILOG = """\b
Examples:
  ralph init                    write ralph.toml and tasks.json here
  ralph doctor                  check that a night can run
  ralph start                   start before bed; works from 22:00 to 07:00
  ralph start --once            work now, in the foreground, until nothing is left
  ralph report                  read what happened

\b
Exit codes: 0 done, 1 expected error, 2 usage, 3 bug, 4 finished but something
needs a person, 130 interrupted.
"""


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ralph %(version)s")
@click.option("-C", "directory", metavar="DIR", help="Run as if started in DIR.")
@click.pass_context
def cli(ctx: click.Context, directory: str | None) -> None:
    """Overnight batch work with coding agents: gates decide what is done, not agents."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            raise click.BadParameter(f"{directory}: {error.strerror}", param_hint="-C") from None
    try:
        os.getcwd()  # noqa: PTH109 - only whether there is one
    except FileNotFoundError:
        raise RalphError("the current directory has been deleted", "change to one that exists") from None


@click.command(
    epilog="""\b
Examples:
  ralph completion bash >> ~/.bashrc
  ralph completion zsh >> ~/.zshrc
  ralph completion fish > ~/.config/fish/completions/ralph.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL; add it to the shell's start file."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "ralph", "_RALPH_COMPLETE").source())


def main() -> None:
    """Entry point of the ``ralph`` program."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(errors.boundary(lambda: cli.main(prog_name="ralph", standalone_mode=False)))


if __name__ == "__main__":
    main()
