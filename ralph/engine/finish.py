"""How a night ends: everything delivered, the report written, a person told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ralph import report
from ralph.config import Config
from ralph.core.pick import blocked_by
from ralph.domain import Status, Task
from ralph.engine import baseline, blocked, totals
from ralph.engine.faults import point
from ralph.engine.night import Night
from ralph.engine.publish import Publisher
from ralph.errors import DONE, NEEDS_PERSON, RalphError
from ralph.host.files import delete_tree
from ralph.host.paths import Layout
from ralph.memory import ledger_export
from ralph.memory.ledger import Ledger
from ralph.notify.base import Notice
from ralph.vcs import ledger_ref

SAY_SECONDS = 2.0
"""Until it is said that branches are still being sent."""
_DELIVERY = ("delivered", "delivery_failed")


async def finish(night: Night, resumable: bool = False, say: Callable[[str], None] = lambda _what: None) -> int:
    """Finish publishing, write the last events and the report, notify; returns the exit code.

    ``resumable``: somebody stopped it, and the next start in the same window goes on with it. ``say`` is told what
    takes long.
    """
    if night.publisher:
        await _send_all(night.publisher, say)
    if night.forecast:
        await night.forecast.finish()
    say("reporting")
    night.sync_tasks()
    if sums := await asyncio.to_thread(totals.of, night):
        night.record("totals", sums)
    counts = night.outcome_counts()
    code = NEEDS_PERSON if _needs_person(night, counts) else DONE
    reason = night.stopping or night.draining or _paused(night, counts) or "nothing is left to do"
    night.record("night_ended", {"reason": reason, "exit_code": code, "tasks": counts, "resumable": resumable})
    by_itself = not (night.stopping or night.draining)
    for id, why in blocked.stopped(night, _ready(night) if by_itself else {}).items():
        night.record("blocked", {"reason": why}, task=id)
    point("reporting")
    path = report_of(night.layout, night.ledger, night.id)
    night.record("reported", {"path": str(path)})
    point("reported")
    record = Record(night.layout, night.ledger, night.id)
    record.told(await asyncio.to_thread(record.stored))
    done, total = counts[Status.COMPLETED], sum(counts.values())
    title = f"ralph: {done} of {total} tasks completed"
    notice = Notice("night_finished", title, f"{title}. {reason}. Read {path}")
    await asyncio.to_thread(night.notifier.send, notice)
    return code


async def _send_all(publisher: Publisher, say: Callable[[str], None]) -> None:
    """Wait for what is still to be sent; a push may take minutes, and is given up by whoever makes it."""
    sending = asyncio.create_task(publisher.finish())
    while not (await asyncio.wait({sending}, timeout=SAY_SECONDS))[0]:
        left = ", ".join(publisher.left())
        say(f"sending {left}" if left else "writing the progress log")
    await sending


def _ready(night: Night) -> dict[str, Task]:
    """Open tasks that wait for no other one."""
    tasks = {task.id: task for task in night.current_tasks()}
    return {id: task for id, task in tasks.items() if not blocked_by(task, tasks)}


def _paused(night: Night, counts: dict[str, int]) -> str:
    """What kept loops from the tasks that are left."""
    paused = {loop.name: loop.paused for loop in night.loops.values() if loop.paused}
    paused |= {f"role {role}": reason for role, reason in night.paused_roles.items()}
    said = "; ".join(f"{name} paused: {reason}" for name, reason in paused.items()) or baseline.why_blocked(night)
    return said if counts[Status.PENDING] else ""


def _needs_person(night: Night, counts: dict[str, int]) -> bool:
    """Something waits for a decision: a task, a paused loop, a halted account, a failed delivery, a bad file."""
    last = {event.data["branch"]: event for event in night.ledger.events(night=night.id, kinds=_DELIVERY)}
    undelivered = any(event.kind == "delivery_failed" for event in last.values())
    paused = any(loop.paused for loop in night.loops.values()) or bool(night.paused_roles)
    left = counts[Status.NEEDS_HUMAN] + counts[Status.FAILED]
    left += counts[Status.PENDING] if night.occurrence == "once" else 0
    left += len(night.train.refused()) if night.train else 0
    return bool(left or paused or undelivered or night.halted() or night.problem or night.blocked_gates)


def report_missing(where: Layout, ledger: Ledger) -> None:
    """Write the last night's report and record where a crash came between its end and them."""
    night = ledger.last_night() or ""
    kinds = [event.kind for event in ledger.events(night=night, kinds=("night_ended", "reported", "exported"))]
    if not night or "night_ended" not in kinds:
        return
    since = kinds[len(kinds) - kinds[::-1].index("night_ended") :]
    if "reported" not in since:
        ledger.append("reported", {"path": str(report_of(where, ledger, night))}, night=night)
    if "exported" not in since:
        record = Record(where, ledger, night)
        record.told(record.stored())


def report_of(where: Layout, ledger: Ledger, night: str) -> Path:
    """Write the report of a night from the ledger alone; returns the Markdown file."""
    found = report.collect(ledger, night)
    path, _ = report.write(where.repo / "progress", found)
    return path


class Record:
    """The night's events as they stand, to be committed to refs/ralph/ledger of the user's repository."""

    def __init__(self, where: Layout, ledger: Ledger, night: str) -> None:
        self.where, self.ledger, self.night = where, ledger, night
        self.rows = list(ledger_export.lines(ledger, night))

    def stored(self) -> str | RalphError:
        """The commit, or what kept the events from being committed."""
        date = int(datetime.fromisoformat(self.rows[-1].at).timestamp())
        try:
            return ledger_ref.store(self.where.repo, f"{self.night}.jsonl", ledger_export.write(self.rows), date)
        except RalphError as error:
            return error

    def told(self, outcome: str | RalphError) -> None:
        """Write down where the events are, in the thread that owns the ledger."""
        if isinstance(outcome, RalphError):
            text = f"the night's record is not in {ledger_ref.REF}: {outcome}"
            self.ledger.append("warning", {"text": text}, night=self.night)
        else:
            data = {"ref": ledger_ref.REF, "commit": outcome, "events": len(self.rows)}
            self.ledger.append("exported", data, night=self.night)


def prune(where: Layout, config: Config, ledger: Ledger) -> list[Path]:
    """Remove run directories past ``[keep] logs_days``; returns what was removed."""
    if not config.keep.logs_days:
        return []
    runs, removed = where.root / "runs", []
    oldest = (datetime.now(UTC) - timedelta(days=config.keep.logs_days)).timestamp()
    for run in sorted(runs.iterdir()) if runs.is_dir() else []:
        if run.stat().st_mtime < oldest:
            delete_tree(run, where.root)
            removed.append(run)
    if removed:
        ledger.append("cleaned", {"runs": [run.name for run in removed]})
    return removed
