"""What `ralph logs` prints: events as sentences, and the files of one iteration; all of it made inert."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from ralph.core import inert
from ralph.core.claim_words import on_base
from ralph.errors import RalphError
from ralph.host.paths import Layout
from ralph.memory.ledger import Event, Ledger

_LOOK = 0.5
"""Seconds between looks for something new."""
_QUIET = ("reserved", "settled", "worker", "snapshot", "intends", "reported")


def events(where: Layout, count: int, follow: bool) -> None:
    """The last night's events, one line each."""
    ledger = Ledger.read_only(where.ledger)
    night = ledger.last_night()
    shown = [event for event in ledger.events(night=night) if event.kind not in _QUIET]
    for event in shown[-count:]:
        click.echo(sentence(event))
    last = shown[-1].seq if shown else 0
    while follow:
        for event in ledger.events(after=last):
            last = event.seq
            if event.kind not in _QUIET:
                click.echo(sentence(event))
        time.sleep(_LOOK)


def sentence(event: Event) -> str:
    """One event as a line for people."""
    moment = datetime.fromisoformat(event.at).astimezone()
    where = " ".join(part for part in (event.loop, event.task) if part)
    return inert.line(f"{moment:%H:%M:%S} {where:<24} {event.kind.replace('_', ' ')}: {_about(event)}", 300)


def _about(event: Event) -> str:
    data = event.data
    match event.kind:
        case "began":
            return f"attempt {data['attempt']} by {data['agent']}: {inert.line(data['title'], 60)}"
        case "ended":
            return f"{data['outcome']}: {data['summary']}"
        case "gate" | "guard":
            where = " on the base" if on_base(data) else ""
            return f"{data['name']}{where} {data['verdict'].replace('_', ' ')} {data.get('reason', '')}"
        case "committed":
            return f"{data['commit'][:12]} on {data['branch'].removeprefix('refs/heads/')}"
        case "task":
            return str(data["status"]).replace("_", " ") + (f": {data['reason']}" if data.get("reason") else "")
        case "pull_request":
            return f"{data['branch']} #{data['number']} {data['state']}: {data['url']}"
        case "reassigned":
            return f"from {data['from']} to {data['to']}: {data['reason']}"
        case "limit":
            return f"{data['scope']} {data['cause']}: {data['used']:g} of {data['cap']:g}"
        case "warning":
            return str(data["text"])
        case "night_started":
            return f"{data['occurrence']}, base {data['base']} at {data['base_commit'][:12]}, sandbox {data['sandbox']}"
        case "agent_ended" | "review_ended":
            return str(data.get("error") or "") or f"after {data.get('seconds', 0):.1f} s"
        case "night_ended":
            return str(data["reason"]) + (f" (exit code {data['exit_code']})" if data["exit_code"] else "")
        case "preflight":
            gates = ", ".join(f"{gate['name']} {gate['verdict'].replace('_', ' ')}" for gate in data.get("gates", ()))
            return f"{gates}; {data.get('liveness', {}).get('reason', '')}"
        case "train":
            from ralph.report.train import sentences, train_line

            return " ".join(sentences(train_line(data)))
        case "forecast":
            pair = " and ".join(data["branches"])
            return f"{pair} conflict in {', '.join(data['paths'])}" if data["paths"] else f"{pair} merge again"
    words = [f"{key} {value}" for key, value in data.items() if isinstance(value, (str, int, float)) and value != ""]
    return ", ".join(words)


def iteration(where: Layout, name: str, count: int) -> None:
    """Everything that is kept of one iteration, file by file."""
    try:
        folder = where.run(name)
    except ValueError:
        raise RalphError(f"{name!r} is no iteration", "`ralph logs` names them") from None
    kept = [*sorted(folder.glob("*")), *sorted(folder.glob("review/*"))]
    files = [path for path in kept if path.is_file() and not path.name.startswith(".")]
    if not files:
        ledger = Ledger.read_only(where.ledger)
        known = [row[0] for row in ledger.query("select distinct iteration from events where iteration <> ''")[1]]
        close = [entry for entry in known if entry.endswith(name) or f".{name}." in entry][-3:]
        raise RalphError(f"nothing is kept of {name!r}", f"try {', '.join(close or known[-3:]) or '`ralph start`'}")
    for path in files:
        click.echo(f"==> {path.relative_to(folder)} <==")
        for text in tail(path, count):
            click.echo(inert.visible(text))


def daemon_log(where: Layout, count: int, follow: bool) -> None:
    """The daemon's own log."""
    if not where.log.exists():
        raise RalphError("the daemon has not run here yet", "`ralph start` starts it")
    for text in tail(where.log, count):
        click.echo(inert.visible(text))
    if follow:
        for text in _coming(where.log):
            click.echo(inert.visible(text))


def tail(path: Path, count: int) -> list[str]:
    """The last ``count`` lines, from at most the last megabyte."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 1_000_000))
        return file.read().decode("utf-8", "replace").splitlines()[-count:]


def _coming(path: Path) -> Iterator[str]:
    with path.open("r", encoding="utf-8", errors="replace") as file:
        file.seek(0, 2)
        while True:
            if text := file.readline():
                yield text.rstrip("\n")
            else:
                time.sleep(_LOOK)
