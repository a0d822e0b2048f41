"""`ralph report`, `prs` and `cost`: the morning, read from the ledger while a night may still run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ralph.cli.record import night_named, opened
from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.forge import PullRequest
    from ralph.memory.ledger import Event
    from ralph.report.model import Spend

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(
    epilog="""\b
Examples:
  ralph report                  the last night, also while it runs
  ralph report 2026-11-20-1     another one
  ralph report --json | jq .totals
  less "$(ralph report --path)"
"""
)
@click.argument("night", required=False)
@_JSON
@click.option("--path", is_flag=True, help="Print the path of the written report.")
@click.pass_context
def report(ctx: click.Context, night: str | None, as_json: bool, path: bool) -> None:
    """Read what the night did and what it needs from you. NIGHT is a date or an id; default: the last one."""
    if as_json and path:
        raise click.UsageError("--json or --path, not both")
    with opened() as (found, ledger):
        name = night_named(ledger, night)
        if path:
            click.echo(_written(found.repo / "progress" / f"{name}-report.md"))
            return
        from ralph.cli.output import columns_of_terminal
        from ralph.report import collect, render_json, render_terminal

        gathered = collect(ledger, name)
    width = columns_of_terminal()
    colour = width > 0 and ctx.find_root().color is not False
    text = render_json(gathered) if as_json else render_terminal(gathered, colour=colour, width=width)
    click.echo(text, nl=False, color=colour or None)


@click.command(epilog="\b\nExamples:\n  ralph prs\n  ralph prs --refresh --json\n")
@click.option("--refresh", is_flag=True, help="Ask the forge how they stand now.")
@_JSON
def prs(refresh: bool, as_json: bool) -> None:
    """List the pull requests ralph opened, oldest first; states on GitHub are as last seen without --refresh."""
    from dataclasses import asdict

    from ralph.cli.output import emit_json, table

    requests = _pull_requests(refresh)
    if as_json:
        emit_json([asdict(request) for request in requests])
    elif not requests:
        click.echo("No pull request yet.")
    else:
        rows = [(r.number, "draft" if r.draft and r.state == "open" else r.state, r.branch, r.url) for r in requests]
        click.echo(table(["number", "state", "branch", "where"], rows, limit=200))


def _pull_requests(refresh: bool) -> list[PullRequest]:
    from ralph import forge
    from ralph.config import load
    from ralph.host.paths import find_repo, layout

    found = layout(find_repo(Path.cwd()))
    config = load(found.repo / "ralph.toml")
    if refresh or config.forge.kind == "local":
        return forge.make(config, found).list()
    with opened() as (_, ledger):
        known = {event.data.get("branch"): event.data for event in ledger.events(kinds=("pull_request",))}
    requests = [
        forge.PullRequest(
            branch=str(data["branch"]),
            number=int(data["number"]),
            url=str(data["url"]),
            state=str(data["state"]),
            title=str(data.get("title", "")),
            head=str(data.get("head", "")),
            draft=bool(data.get("draft")),
        )
        for data in known.values()
    ]
    return sorted(requests, key=lambda request: request.number)


@click.command(
    epilog="""\b
Examples:
  ralph cost                    the last night by task
  ralph cost --by model 2026-11-20
  ralph cost --by night         every night there was
"""
)
@click.argument("night", required=False)
@click.option("--by", type=click.Choice(["task", "loop", "agent", "model", "night"]), default="task", show_default=True)
@_JSON
def cost(night: str | None, by: str, as_json: bool) -> None:
    """Tokens and dollars; what nobody could count is said, never shown as nothing."""
    from ralph.report import spend

    kinds = (*spend.KINDS, "began")
    with opened() as (_, ledger):
        every = by == "night" and night is None
        events = list(
            ledger.events(kinds=kinds) if every else ledger.events(kinds=kinds, night=night_named(ledger, night))
        )
    rows = [event for event in events if event.kind in spend.KINDS]
    groups = spend.by_model(rows) if by == "model" else spend.by(rows, _key(by, events))
    _print_cost(by, groups, spend.total(rows), as_json)


def _key(by: str, events: list[Event]) -> Any:
    if by == "agent":
        agents = {event.iteration: str(event.data.get("agent", "")) for event in events if event.kind == "began"}
        return lambda event: agents.get(event.iteration, "")
    return lambda event: getattr(event, by)


def _print_cost(by: str, groups: dict[str, Spend], total: Spend, as_json: bool) -> None:
    from dataclasses import asdict

    from ralph.cli.output import emit_json, table
    from ralph.report.page import money

    if as_json:
        rows = [{by: name, **asdict(part)} for name, part in groups.items()]
        emit_json({"by": by, "rows": rows, "total": asdict(total)})
        return
    columns = [by, "tokens", "input", "cache write", "cache read", "output", "calls", "dollars"]
    lines = [
        (
            name or "-",
            *(f"{number:,}" for number in (part.tokens, part.input_tokens, part.cache_write_tokens)),
            *(f"{number:,}" for number in (part.cache_read_tokens, part.output_tokens, part.calls)),
            money(part),
        )
        for name, part in [*groups.items(), ("total", total)]
    ]
    click.echo(table(columns, lines))


def _written(path: Path) -> Path:
    if not path.is_file():
        raise RalphError(f"{path.name} is not written yet", "`ralph report` shows the night as it stands")
    return path
