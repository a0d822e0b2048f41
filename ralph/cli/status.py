"""`ralph status`, `watch` and `logs`; nothing slow is imported here, because status has to answer at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ralph.cli.output import emit_json, table
from ralph.engine.client import ask
from ralph.errors import RalphError
from ralph.host.paths import Layout, find_repo, layout


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
    where = layout(find_repo(Path.cwd()))
    found = ask(where.socket, {"command": "status"}) or asleep(where)
    if as_json:
        emit_json(found)
        return
    click.echo("\n".join(lines(found)))


def asleep(where: Layout) -> dict[str, Any]:
    """What can be said without a daemon: the last night, from the ledger."""
    found: dict[str, Any] = {"state": "no daemon", "pid": None, "night": None}
    if not where.ledger.exists():
        return found
    import sqlite3

    db = sqlite3.connect(f"file:{where.ledger}?mode=ro", uri=True)
    try:
        row = db.execute("select night from events where kind = 'night_started' order by seq desc limit 1").fetchone()
        counts = db.execute("select status, count(*) from tasks group by status").fetchall()
    except sqlite3.Error as error:
        raise RalphError(f"{where.ledger}: {error}", "`ralph doctor` looks closer") from None
    finally:
        db.close()
    return {**found, "last_night": row[0] if row else None, "tasks": dict(counts)}


def lines(found: dict[str, Any]) -> list[str]:
    """The status for people."""
    if not found.get("night"):
        return _idle(found)
    out = [f"Night {found['night']}: {_state(found)}"]
    if found["sandbox"] == "none":
        out.append("NO SANDBOX: agents and gates can do whatever you can.")
    out += ["", table(["loop", "task", "agent", "step", "for", "detail"], [_loop_row(x) for x in found["loops"]])]
    counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in found["tasks"].items() if n)
    out += ["", f"Tasks: {counts or 'none'}", f"Used: {_used(found)}"]
    for wait in found["waiting"]:
        until = "until you act" if wait["halt"] else f"until {time.strftime('%H:%M', time.localtime(wait['until']))}"
        out.append(f"Waiting {until}: {wait['reason']}")
    out += [f"Blocked {task}: {reason}" for task, reason in found["blocked"].items()]
    out += [f"Paused role {role}: {reason}" for role, reason in found["paused_roles"].items()]
    if found["problem"]:
        out.append(f"tasks.json: {found['problem']} (the last good one stays in force)")
    return out


def _idle(found: dict[str, Any]) -> list[str]:
    out = [f"{found['state']}" + (f" (pid {found['pid']})" if found.get("pid") else "")]
    if found.get("tasks"):
        out.append("Tasks: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in found["tasks"].items()))
    if found.get("last_night"):
        out.append(f"Last night: {found['last_night']}; `ralph report` shows it.")
    elif not found.get("pid"):
        out.append("Next: `ralph start`, or `ralph start --once` to work now.")
    return out


def _state(found: dict[str, Any]) -> str:
    why = found["stopping"] or found["draining"]
    return f"{found['state']} (pid {found['pid']})" + (f", nothing new is picked: {why}" if why else "")


def _loop_row(loop: dict[str, Any]) -> list[str]:
    since = max(0, time.time() - loop["since"])
    age = f"{since:.0f} s" if since < 120 else f"{since / 60:.0f} min"
    return [loop["name"], loop["task"] or "-", loop["agent"] or "-", loop["step"], age, loop["detail"]]


def _used(found: dict[str, Any]) -> str:
    used, caps = found["used"], found["caps"]
    dollars = "not metered" if used["dollars"] is None else f"${used['dollars']:.2f}"
    parts = {
        "iterations": f"{used['iterations']} iterations",
        "tokens": f"{used['tokens']:,} tokens",
        "dollars": dollars,
        "seconds": f"{used['seconds'] / 60:.0f} min",
    }
    cap = {"iterations": "{:g}", "tokens": "{:,}", "dollars": "${:g}", "seconds": "{:g} s"}
    return ", ".join(text + (f" of {cap[key].format(caps[key])}" if caps[key] else "") for key, text in parts.items())


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
