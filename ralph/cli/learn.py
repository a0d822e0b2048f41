"""`ralph learn`: what agents would like to see in AGENTS.md, decided line by line by a person."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ralph.cli.output import emit_json, table
from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.host.paths import Layout
    from ralph.memory.knowledge import Proposal


@click.command(
    epilog="""\b
Examples:
  ralph learn                       ask about each line
  ralph learn --json                list them
  ralph learn --approve 1f0c2a9b    put one into AGENTS.md
"""
)
@click.option(
    "--approve", "approved", metavar="ID", multiple=True, help="Put this line into AGENTS.md; repeat for more."
)
@click.option("--reject", "rejected", metavar="ID", multiple=True, help="Never show this line again; repeat for more.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and ask nothing.")
def learn(approved: tuple[str, ...], rejected: tuple[str, ...], as_json: bool) -> None:
    """Go through the lines that agents proposed for AGENTS.md.

    What you approve is written into your checkout's AGENTS.md; committing it is up to you.
    """
    from ralph.host import paths

    layout = paths.layout(paths.find_repo(Path.cwd()))
    open_ = _pending(layout)
    if approved or rejected:
        chosen, refused = _named(open_, approved), _named(open_, rejected)
        if both := set(approved) & set(rejected):
            raise click.UsageError(f"{', '.join(sorted(both))} can't be approved and rejected at once")
        _decide(layout, chosen, refused, as_json)
    elif as_json:
        emit_json([asdict(proposal) for proposal in open_])
    elif not open_:
        click.echo("nothing is proposed")
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _ask(layout, open_)
    else:
        rows = [(proposal.id, proposal.section, proposal.task, proposal.text) for proposal in open_]
        click.echo(table(("id", "section", "task", "line"), rows, limit=300))


def _pending(layout: Layout) -> list[Proposal]:
    from ralph.memory import knowledge
    from ralph.memory.ledger import Ledger

    events = Ledger.read_only(layout.ledger).events(kinds=("ended",)) if layout.ledger.exists() else iter(())
    return knowledge.pending(events, _decided(layout))


def _decided(layout: Layout) -> Path:
    return layout.root / "learned.json"


def _named(open_: Sequence[Proposal], wanted: Sequence[str]) -> list[Proposal]:
    by_id = {proposal.id: proposal for proposal in open_}
    for proposal_id in wanted:
        if proposal_id not in by_id:
            raise RalphError(f"there is no open proposal {proposal_id}", "`ralph learn --json` lists them")
    return [by_id[proposal_id] for proposal_id in dict.fromkeys(wanted)]


def _decide(layout: Layout, chosen: Sequence[Proposal], refused: Sequence[Proposal], as_json: bool) -> None:
    from ralph.memory import knowledge

    now = datetime.now(UTC).isoformat(timespec="seconds")
    written = knowledge.approve(chosen, layout.repo, _decided(layout), now) if chosen else []
    if refused:
        knowledge.remember(refused, "rejected", _decided(layout), now)
    if as_json:
        emit_json({"written": written, "approved": [p.id for p in chosen], "rejected": [p.id for p in refused]})
        return
    for row in written:
        click.echo(f"AGENTS.md: {row}")
    if refused:
        click.echo(f"{len(refused)} rejected")


def _ask(layout: Layout, open_: Sequence[Proposal]) -> None:
    """Ask about each line and act on each answer at once, so that leaving in the middle keeps what was said."""
    for number, proposal in enumerate(open_, start=1):
        often = f", {proposal.times} times" if proposal.times > 1 else ""
        click.echo(f"\n{number} of {len(open_)}, {proposal.section}, from task {proposal.task}{often}:")
        click.echo(f"  {proposal.text}")
        answer = click.prompt("Put it into AGENTS.md?", type=click.Choice(["y", "n", "skip", "quit"]), default="skip")
        if answer == "quit":
            return
        if answer != "skip":
            _decide(layout, [proposal] if answer == "y" else [], [proposal] if answer == "n" else [], as_json=False)
