"""Follow a daemon in the terminal: live tables on a terminal, a line an event where output is piped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ralph.cli.glance import asleep, lines
from ralph.cli.log_view import sentence
from ralph.engine.client import ask
from ralph.host.paths import Layout
from ralph.memory.ledger import Ledger

if TYPE_CHECKING:
    from rich.text import Text

_SHOWN = frozenset(
    {"began", "ended", "committed", "task", "reassigned", "waiting", "halted", "paused", "limit", "warning"}
    | {"preflight", "pull_request", "train", "forecast", "delivery_failed", "night_started", "night_ended"}
)
_LOOK = 0.2


def follow(where: Layout, daemon: subprocess.Popen[bytes], as_json: bool) -> int:
    """Show the night of a foreground start until its daemon ends; returns the daemon's exit code.

    Ctrl-C is passed on: once to stop in order, twice to stop at once.
    """
    shown = _Follower(where, quiet=as_json)
    while True:
        try:
            code = _until_end(daemon, shown)
            break
        except KeyboardInterrupt:
            click.echo("stopping in order; Ctrl-C again ends it at once", err=True)
            daemon.send_signal(2)
    shown.look()
    return _closing(where, shown, code, as_json)


def _until_end(daemon: subprocess.Popen[bytes], shown: _Follower) -> int:
    if not sys.stdout.isatty() or shown.quiet:
        while (code := daemon.poll()) is None:
            shown.look()
            _nap(daemon)
        return code
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(_cut(["starting"]), console=Console(), refresh_per_second=8, transient=True) as live:

        def above(text: str) -> None:
            live.console.print(Text(text))

        shown.echo = above
        while (code := daemon.poll()) is None:
            shown.look()
            if found := ask(shown.where.socket, {"command": "status"}):
                live.update(_cut(lines(found)))
            _nap(daemon)
        return code


def _cut(rows: list[str]) -> Text:
    """The rows for a live display: cut at the terminal's edge, since a table that wraps can't be read."""
    from rich.text import Text

    return Text("\n".join(rows), no_wrap=True, overflow="ellipsis")


def _nap(daemon: subprocess.Popen[bytes]) -> None:
    try:
        daemon.wait(_LOOK)
    except subprocess.TimeoutExpired:
        pass


class _Follower:
    """Prints each new event of the ledger once."""

    def __init__(self, where: Layout, quiet: bool) -> None:
        self.where, self.quiet = where, quiet
        self.echo: Callable[[str], None] = click.echo
        self._ledger: Ledger | None = None
        self._last = 0
        if where.ledger.exists():
            self._ledger = Ledger.read_only(where.ledger)
            self._last = max((event.seq for event in self._ledger.events(kinds=("night_started",))), default=0)
            rows = self._ledger.query("select coalesce(max(seq), 0) from events")[1]
            self._last = int(rows[0][0])
        self.night: str | None = None

    def look(self) -> None:
        if self._ledger is None:
            if not self.where.ledger.exists():
                return
            self._ledger = Ledger.read_only(self.where.ledger)
        for event in self._ledger.events(after=self._last):
            self._last = event.seq
            self.night = event.night or self.night
            if not self.quiet and event.kind in _SHOWN:
                self._show(sentence(event))

    def _show(self, text: str) -> None:
        """Print it. A reader that went away (`| head`) ends the printing, not the night that is waited for."""
        try:
            self.echo(text)
        except BrokenPipeError:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _closing(where: Layout, shown: _Follower, code: int, as_json: bool) -> int:
    from ralph import report

    if shown.night is None:
        from ralph.cli.log_view import tail

        click.echo("\n".join(tail(where.log, 3)), err=True)
        return code if code >= 0 else 1
    found = report.collect(Ledger.read_only(where.ledger), shown.night)
    if as_json:
        click.echo(report.render_json(found))
    else:
        click.echo()
        from ralph.cli.output import columns_of_terminal

        width = columns_of_terminal()
        click.echo(report.render_terminal(found, colour=bool(width), width=width))
        click.echo(f"Report: {where.repo / 'progress' / (shown.night + '-report.md')}")
    return code if code >= 0 else 1


def watching(where: Layout, every: float) -> None:
    """`ralph watch`: the status again and again, until Ctrl-C or, where output is piped, until the daemon ends."""
    if not sys.stdout.isatty():
        if ask(where.socket, {"command": "status"}) is None:
            click.echo("\n".join(lines(asleep(where))))
        follower = _Follower(where, quiet=False)
        while ask(where.socket, {"command": "status"}) is not None:
            follower.look()
            time.sleep(every)
        return
    from rich.live import Live

    with Live(_cut([]), refresh_per_second=max(1, 1 / every), screen=True) as live:
        while True:
            found: dict[str, Any] = ask(where.socket, {"command": "status"}) or asleep(where)
            live.update(_cut([*lines(found), "", "Ctrl-C leaves; the daemon goes on."]))
            time.sleep(every)
