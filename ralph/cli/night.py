"""`ralph start`, `stop`, `pause` and `resume`: the person's hand on the daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click

from ralph.cli.output import emit_json
from ralph.engine.client import ask
from ralph.errors import DaemonError
from ralph.host.paths import Layout, find_repo, layout

START_SECONDS = 60
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(
    epilog="""\b
Examples:
  ralph start                start before bed: works from [night] start to stop, every night
  ralph start --now          a night right now, detached
  ralph start --once         work in the foreground until nothing is ready, then report
  ralph start --dry-run      what would run, in which order, under which caps

\b
Exit codes of --once: 0 all done, 4 something needs you, 1 it could not start.
"""
)
@click.option("--now", is_flag=True, help="Ignore the window: start at once, detached.")
@click.option("--once", is_flag=True, help="Foreground, until nothing is ready, then report.")
@click.option("--foreground", is_flag=True, help="Do not detach (services use this).")
@click.option("--dry-run", is_flag=True, help="Print tasks, order, loops and caps; start nothing.")
@_JSON
def start(now: bool, once: bool, foreground: bool, dry_run: bool, as_json: bool) -> None:
    """Start the daemon of this repository."""
    if now and once:
        raise click.UsageError("--now and --once exclude each other")
    where = layout(find_repo(Path.cwd()))
    if dry_run:
        from ralph.cli.dry_run import show

        show(where, as_json)
        return
    mode = "once" if once else "now" if now else "window"
    if foreground and not once:
        _become(where, mode)
    from ralph.cli.ready import refuse_what_cannot_work

    for warning in refuse_what_cannot_work(where):
        click.echo(f"warning: {warning}", err=True)
    if once:
        from ralph.cli.follow import follow

        sys.exit(follow(where, launch(where, "once"), as_json))
    process = launch(where, mode)
    _after_start(where, process.pid, mode, as_json)


def _argv(where: Layout, mode: str, ready: int = -1) -> list[str]:
    argv = [sys.executable, "-P", "-m", "ralph.engine.entry", "--repo", str(where.repo), "--mode", mode]
    return [*argv, "--ready-fd", str(ready)] if ready >= 0 else argv


def _become(where: Layout, mode: str) -> None:
    """Turn this process into the daemon, so that a service manager watches the right pid."""
    argv = _argv(where, mode)
    os.chdir(where.repo)
    os.execv(argv[0], argv)


def launch(where: Layout, mode: str) -> subprocess.Popen[bytes]:
    """Start the daemon in a session of its own and wait until it stands. Raises DaemonError with its reason."""
    from ralph.host.files import own_directory

    own_directory(where.root)
    read, write = os.pipe()
    with where.log.open("ab") as log:
        process = subprocess.Popen(
            _argv(where, mode, write),
            cwd=where.repo,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write],
            start_new_session=True,
        )
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        word = pipe.readline().decode("utf-8", "replace").strip()
    if word == "ready":
        return process
    process.wait(5)
    problem = json.loads(word) if word.startswith("{") else {}
    message = problem.get("error", f"the daemon ended at once with exit code {process.returncode}")
    raise DaemonError(message, problem.get("hint") or f"see {where.log}")


def _after_start(where: Layout, pid: int, mode: str, as_json: bool) -> None:
    status = ask(where.socket, {"command": "status"}) or {}
    if as_json:
        emit_json({"pid": pid, "mode": mode, "state": status.get("state", "starting")})
        return
    click.echo(f"ralph works on {where.repo} (pid {pid}): {status.get('state', 'starting')}")
    click.echo("Next: `ralph status`, `ralph watch`; `ralph stop` ends it; `ralph report` in the morning.")


@click.command(
    epilog="""\b
Examples:
  ralph stop          let running iterations finish, then end
  ralph stop --now    end running agents too; their work is kept and resumed
"""
)
@click.option("--now", is_flag=True, help="End running agents; their work is kept.")
@click.option("--wait/--no-wait", default=True, help="Wait until the daemon has ended (default).")
def stop(now: bool, wait: bool) -> None:
    """Stop the daemon."""
    where = layout(find_repo(Path.cwd()))
    status = ask(where.socket, {"command": "status"})
    if status is None:
        raise DaemonError("no daemon runs for this repository", "`ralph start` starts one")
    ask(where.socket, {"command": "stop", "now": now})
    pid = int(status["pid"])
    if not wait:
        click.echo(f"stopping (pid {pid}); `ralph status` shows what still runs")
        return
    click.echo("stopping: " + ("ending running agents" if now else "waiting for running iterations to end"), err=True)
    _wait_for(pid)
    click.echo("stopped; `ralph report` shows what was done")


def _wait_for(pid: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except (ProcessLookupError, AttributeError):
        return
    import select

    try:
        select.select([fd], [], [])
    finally:
        os.close(fd)


@click.command(
    epilog="""\b
Examples:
  ralph pause            all loops, after their running iterations
  ralph pause loop-2     one loop
"""
)
@click.argument("loop", required=False, default="")
def pause(loop: str) -> None:
    """Pick nothing new on LOOP (default: on all) until `ralph resume`."""
    answer = _command({"command": "pause", "loop": loop})
    click.echo(f"paused: {', '.join(answer['paused'])}; running iterations finish. `ralph resume` goes on.")


@click.command(
    epilog="""\b
Examples:
  ralph resume           everything that is paused, also by a limit or a halted account
  ralph resume loop-2    one loop
"""
)
@click.argument("loop", required=False, default="")
def resume(loop: str) -> None:
    """Let paused loops go on."""
    answer = _command({"command": "resume", "loop": loop})
    click.echo(f"resumed: {', '.join(answer['resumed'])}" if answer["resumed"] else "nothing was paused")


def _command(request: dict[str, object]) -> dict[str, list[str]]:
    where = layout(find_repo(Path.cwd()))
    answer = ask(where.socket, request)
    if answer is None:
        raise DaemonError("no daemon runs for this repository", "`ralph start --now` starts one")
    return answer
