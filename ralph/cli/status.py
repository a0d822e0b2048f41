"""`ralph status`, `watch` and `logs`."""

from __future__ import annotations

from pathlib import Path

import click

from ralph.host.paths import find_repo, layout


@click.command(
    epilog="""\b
Examples:
  ralph status
  ralph status --json | jq .tasks
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show what is running, waiting and done."""
    from ralph.cli.glance import glance

    click.echo(glance(as_json))


@click.command(
    epilog="""\b
Examples:
  ralph watch              follow until Ctrl-C
  ralph watch --every 0.5
"""
)
@click.option("--every", default=1.0, show_default=True, type=click.FloatRange(0.1, 60), help="Seconds between looks.")
def watch(every: float) -> None:
    """Follow the night in the terminal."""
    from ralph.cli.follow import watching

    watching(layout(find_repo(Path.cwd())), every)


@click.command(
    epilog="""\b
Examples:
  ralph logs                         what happened tonight, one line an event
  ralph logs -f                      ... and what happens from now on
  ralph logs 2026-11-20-1.loop-1.3   one iteration: prompt, transcript, gate logs
  ralph logs --daemon                the daemon's own log
"""
)
@click.argument("iteration", required=False, default="")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what comes.")
@click.option("--daemon", is_flag=True, help="The daemon's own log.")
@click.option("-n", "--lines", "count", default=200, show_default=True, help="Lines from the end.")
def logs(iteration: str, follow: bool, daemon: bool, count: int) -> None:
    """Print what happened, or all that is kept of one ITERATION."""
    from ralph.cli import log_view

    where = layout(find_repo(Path.cwd()))
    if daemon:
        log_view.daemon_log(where, count, follow)
    elif iteration:
        log_view.iteration(where, iteration, count)
    else:
        log_view.events(where, count, follow)
