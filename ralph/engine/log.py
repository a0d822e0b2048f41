"""The progress log: one entry for each ended iteration, made from the ledger."""

from __future__ import annotations

from datetime import datetime

from ralph.domain import Usage
from ralph.engine.faults import point
from ralph.engine.messages import adapter
from ralph.engine.night import Night
from ralph.memory import progress


def enter(night: Night, iteration: str) -> None:
    """Write the entry of ``iteration``; writing it twice has no effect."""
    found = {event.kind: event for event in night.ledger.events(iteration=iteration)}
    began, ended, committed = found.get("began"), found.get("ended"), found.get("committed")
    if began is None or ended is None:
        return
    usage = Usage()
    for event in night.ledger.events(iteration=iteration, kinds=("settled",)):
        usage += adapter(Usage).validate_python(event.data["usage"])
    metered = (found["agent_ended"].data.get("metered", True)) if "agent_ended" in found else True
    moment = datetime.fromisoformat(ended.at).astimezone()
    entry = progress.Entry(
        iteration=iteration,
        clock=f"{moment:%H:%M}",
        loop=began.loop,
        task=began.task,
        title=began.data["title"],
        attempt=began.data["attempt"],
        agent=began.data["agent"],
        outcome=ended.data["outcome"],
        summary=ended.data["summary"],
        commit=committed.data["commit"] if committed else "",
        paths=tuple(change["path"] for change in committed.data["changes"]) if committed else (),
        seconds=float(found["agent_ended"].data.get("seconds", 0)) if "agent_ended" in found else 0,
        tokens=usage.counted if metered or usage.calls else None,
        dollars=usage.dollars if metered else None,
        handoff=ended.data.get("handoff", ""),
    )
    progress.append(night.layout.repo / "progress", night.id[:10], entry)
    point("progress")
