"""`ralph train` and `undo`: what lands together, and what comes out again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ralph.errors import DONE, NEEDS_PERSON

if TYPE_CHECKING:
    from ralph.config import Config
    from ralph.engine.train.values import Train
    from ralph.engine.undo import Undone
    from ralph.host.paths import Layout

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(
    epilog="""\b
Examples:
  ralph train                 merge and gate all branches together, now
  ralph train --minutes 90    with another time box than [night] train_minutes
  ralph train --json | jq .left

\b
Exit codes: 0 all of them land, 4 at least one does not, or was not tried.
"""
)
@click.option("--minutes", type=click.FloatRange(min=0), help="Time box; 0: none. Default: [night] train_minutes.")
@_JSON
def train(minutes: float | None, as_json: bool) -> int:
    """Try whether all branches land together on the base as it is now, and which tasks come out again.

    What is red or conflicts is narrowed down to the smallest set of branches. Nothing is pushed and no branch moves.
    A night does this at its end by itself; works also while a daemon runs.
    """
    from ralph.engine.messages import plain
    from ralph.engine.train import by_hand

    where, config = _repository()
    box = minutes if minutes is not None else config.night.train_minutes or 30
    found, recorded = by_hand.train(where, config, box, _say)
    if as_json:
        from ralph.cli.output import emit_json

        emit_json({**plain(found), "recorded": recorded})
    else:
        _print_train(found)
    return NEEDS_PERSON if found.left else DONE


@click.command(
    epilog="""\b
Examples:
  ralph undo fix-login           make the branch ralph-undo/fix-login
  ralph undo fix-login --force   even where the gates are red without it

\b
Exit codes: 0 the branch is there, 4 the gates are red without it, 1 it can't be taken out.
"""
)
@click.argument("task")
@click.option("--force", is_flag=True, help="Make the branch although gates are red.")
@_JSON
def undo(task: str, force: bool, as_json: bool) -> int:
    """Take TASK's commit out again, on the branch ralph-undo/TASK: on top of its branch, or of the base it landed on.

    The result is gated first; nothing is pushed, and no branch of yours moves.
    """
    from ralph.engine import undo as engine
    from ralph.engine.messages import plain

    where, config = _repository()
    found = engine.undo(where, config, task, force, _say)
    if as_json:
        from ralph.cli.output import emit_json

        emit_json({**plain(found), "next": found.next})
    else:
        _print_undone(found)
    return NEEDS_PERSON if found.how == "refused" else DONE


def _repository() -> tuple[Layout, Config]:
    from ralph.config import load
    from ralph.host.paths import find_repo, layout

    where = layout(find_repo(Path.cwd()))
    return where, load(where.repo / "ralph.toml")


def _say(text: str) -> None:
    click.echo(f"... {_inert(text)}", err=True)


def _inert(text: str) -> str:
    from ralph.core.inert import line

    return line(text, 300)


def _print_train(found: Train) -> None:
    from ralph.engine.messages import plain
    from ralph.report.train import removal_words, sentences, train_line

    data: dict[str, Any] = plain(found)
    line = train_line(data)
    for sentence in sentences(line, _inert, _inert):
        click.echo(sentence)
    width = max((len(one.task) for one in line.removals), default=0)
    for one in line.removals:
        click.echo(f"  {_inert(one.task):<{width}}  {removal_words(one, _inert)}")


def _print_undone(found: Undone) -> None:
    for gate in found.gates:
        click.echo(_inert(gate))
    branch = found.branch.removeprefix("refs/heads/")
    if found.how == "refused":
        click.echo(f"refused: without {found.task}, {_inert(', '.join(found.red[:5]))} is red on {found.onto}")
        click.echo(f"kept: {_inert(found.attempt)}")
    elif found.how == "parked":
        click.echo(f"{branch} holds it: {_inert(found.detail)}")
    else:
        click.echo(f"{branch} is {found.onto} without {found.task} ({found.commit[:12]})")
    if found.red and found.how != "refused":
        click.echo(f"red without it: {_inert(', '.join(found.red[:5]))}")
    click.echo(f"Next: `{found.next}`")
