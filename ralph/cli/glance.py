"""What `ralph status` says; not even click is imported here, because it has to answer at once."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ralph.cli.columns import columns
from ralph.engine.client import ask
from ralph.errors import RalphError
from ralph.host.paths import Layout, find_repo, layout


def glance(as_json: bool) -> str:
    """The state of the daemon of the repository around the current directory."""
    where = layout(find_repo(Path.cwd()))
    found = ask(where.socket, {"command": "status"}) or asleep(where)
    return json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join(lines(found))


def asleep(where: Layout) -> dict[str, Any]:
    """What can be said without a daemon: the last night, from the ledger."""
    found: dict[str, Any] = {"state": "no daemon", "pid": None, "night": None}
    rows = _in_the_file(where)
    if not where.ledger.exists():
        return {**found, "tasks": rows} if rows else found
    import sqlite3

    db = sqlite3.connect(f"file:{where.ledger}?mode=ro", uri=True)
    try:
        row = db.execute("select night from events where kind = 'night_started' order by seq desc limit 1").fetchone()
        counts = db.execute("select status, count(*) from tasks group by status").fetchall()
    except sqlite3.Error as error:
        raise RalphError(f"{where.ledger}: {error}", "`ralph doctor` looks closer") from None
    finally:
        db.close()
    return {**found, "last_night": row[0] if row else None, "tasks": dict(counts) if rows is None else rows}


def _in_the_file(where: Layout) -> dict[str, int] | None:
    """Tasks of tasks.json by status; None where it can't be read, which others say better."""
    try:
        rows = json.loads((where.repo / "tasks.json").read_bytes())["tasks"]
        return dict(Counter(str(row.get("status", "pending")) for row in rows))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def lines(found: dict[str, Any]) -> list[str]:
    """The status for people."""
    if not found.get("night"):
        return _idle(found)
    out = [f"Night {found['night']}: {_state(found)}"]
    if found["sandbox"] == "none":
        out.append("NO SANDBOX: agents and gates can do whatever you can.")
    out += ["", columns(["loop", "task", "agent", "step", "for", "detail"], [_loop_row(x) for x in found["loops"]])]
    counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in found["tasks"].items() if n)
    out += ["", f"Tasks: {counts or 'none'}", f"Used: {_used(found)}"]
    for wait in found["waiting"]:
        out.append(f"{_until(wait)}: {wait['reason']}")
    out += [f"Blocked {task}: {reason}" for task, reason in found["blocked"].items()]
    out += [f"Paused role {role}: {reason}" for role, reason in found["paused_roles"].items()]
    if found.get("train"):
        out.append(f"Train: {found['train']}")
    for gate, tests in found.get("quarantined", {}).items():
        out.append(f"Flaky, not gating in {gate}: {', '.join(tests[:3])}" + (", ..." if len(tests) > 3 else ""))
    for one in found.get("forecast", []):
        paths = ", ".join(one["paths"][:3]) + (", ..." if len(one["paths"]) > 3 else "")
        out.append(f"Conflict ahead: {' and '.join(one['branches'])} in {paths}")
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


def _until(wait: dict[str, Any]) -> str:
    if wait["halt"]:
        return "Waiting until you act"
    if wait["until"] <= time.time():
        return "Tried again"
    return f"Waiting until {time.strftime('%H:%M', time.localtime(wait['until']))}"


def _loop_row(loop: dict[str, Any]) -> list[str]:
    since = max(0, time.time() - loop["since"])
    age = f"{since:.0f} s" if since < 120 else f"{since / 60:.0f} min"
    return [loop["name"], loop["task"] or "-", loop["agent"] or "-", loop["step"], age, loop["detail"]]


def _used(found: dict[str, Any]) -> str:
    used, caps = found["used"], dict(found["caps"])
    dollars, others = f"${used['dollars'] or 0:.2f}", ", ".join(found["unmetered"])
    if used["dollars"] is None:
        dollars, others, caps["dollars"] = "dollars not metered", "", 0
    parts = {
        "iterations": f"{used['iterations']} iterations",
        "tokens": f"{used['tokens']:,} tokens",
        "dollars": dollars,
        "seconds": f"{used['seconds'] / 60:.0f} min",
    }
    cap = {"iterations": "{:g}", "tokens": "{:,}", "dollars": "${:g}", "seconds": "{:g} s"}
    said = {key: text + (f" of {cap[key].format(caps[key])}" if caps[key] else "") for key, text in parts.items()}
    if others:
        said["dollars"] += f" (not metered: {others})"
    return ", ".join(said.values())
