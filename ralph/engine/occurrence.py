"""Which night is meant: its id, and whether one that began has to go on or is over for good."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ralph.core.window import Window
from ralph.memory.ledger import Event, Ledger

LONGEST = 24 * 3600
"""Seconds after which a night is not gone on with."""


def next_id(ledger: Ledger, here: Window | None) -> str:
    """``<local start date>-<n>``."""
    day = str(here.key) if here else datetime.now().astimezone().date().isoformat()
    taken = {event.night for event in ledger.events(kinds=("night_started",))}
    number = 1
    while f"{day}-{number}" in taken:
        number += 1
    return f"{day}-{number}"


def unfinished(ledger: Ledger, occurrence: str, key: str | None) -> dict[str, Any] | None:
    """The last night, where it has to go on and is of the same kind (for a window: the same occurrence)."""
    started = list(ledger.events(kinds=("night_started",)))
    if not started:
        return None
    last = started[-1]
    if _ended(ledger, last.night):
        return None
    if (last.data.get("occurrence") == "window") != (occurrence == "window"):
        return None
    if key is not None and not last.night.startswith(f"{key}-"):
        return None
    age = (datetime.now(UTC) - datetime.fromisoformat(last.at)).total_seconds()
    pinned = any(ledger.events(night=last.night, kinds=("began",)))
    return {"night": last.night, "age": age, "pinned": pinned, **last.data} if age < LONGEST else None


def is_over(ledger: Ledger, key: str) -> bool:
    """Whether the window's occurrence has had its night: a night ended in it that nobody had stopped."""
    return any(_ended(ledger, event.night) for event in _of_window(ledger, key))


def _of_window(ledger: Ledger, key: str) -> list[Event]:
    started = ledger.events(kinds=("night_started",))
    return [e for e in started if e.night.startswith(f"{key}-") and e.data.get("occurrence") == "window"]


def _ended(ledger: Ledger, night: str) -> bool:
    ends = list(ledger.events(night=night, kinds=("night_ended",)))
    return bool(ends) and not ends[-1].data.get("resumable")
