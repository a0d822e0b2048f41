"""Sums of what the ledger says about model calls; the report and `ralph cost` use the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from ralph.memory.ledger import Event
from ralph.report import read
from ralph.report.model import Spend

_ENDS = ("agent_ended", "review_ended")
KINDS = ("reserved", "settled", *_ENDS)
"""Event kinds that say something about spending."""


def total(events: Iterable[Event]) -> Spend:
    """Sum the rows of ``settled``, and what is left open by ``reserved`` and by agents without a meter."""
    settled: list[Event] = []
    ended: list[Event] = []
    reserved: dict[tuple[str, object], int] = {}
    for event in events:
        match event.kind:
            case "settled":
                settled.append(event)
                reserved.pop((event.iteration, event.data.get("id")), None)
            case "reserved":
                reserved[event.iteration, event.data.get("id")] = read.integer(event.data, "tokens")
            case "agent_ended" | "review_ended":
                ended.append(event)
    usages = [read.table(event.data, "usage") for event in settled]
    blind = [event for event in ended if event.data.get("metered") is False]
    known = [read.number(usage, "dollars") for usage in usages if usage.get("dollars") is not None]
    unpriced = sum(_calls(usage) for usage in usages if usage.get("dollars") is None)
    columns = {
        name: sum(read.integer(usage, name) for usage in usages)
        for name in ("input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
    }
    return Spend(
        **columns,
        tokens=columns["input_tokens"] + columns["cache_write_tokens"] + columns["output_tokens"],
        calls=sum(_calls(usage) for usage in usages),
        dollars=None if not known and (unpriced or blind) else math.fsum(known),
        unpriced_calls=unpriced,
        unmetered_iterations=len({event.iteration for event in blind}),
        reported_tokens=sum(_counted(event) for event in blind),
        unsettled_tokens=sum(reserved.values()),
        estimated=any(usage.get("estimated") for usage in usages),
    )


def by(events: Iterable[Event], key: Callable[[Event], str]) -> dict[str, Spend]:
    """Sums per group, in alphabetical order."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(key(event), []).append(event)
    return {name: total(groups[name]) for name in sorted(groups)}


def by_model(events: Iterable[Event]) -> dict[str, Spend]:
    """Sums per model; calls that say none stand under ``unknown``, agents without a meter under ``not metered``."""
    rows = list(events)
    named = {(e.iteration, e.data.get("id")): read.text(e.data, "model") for e in rows if e.kind == "settled"}

    def model(event: Event) -> str:
        if event.kind in _ENDS:
            return "not metered"
        own = read.text(event.data, "model") or named.get((event.iteration, event.data.get("id")), "")
        return own or "unknown"

    return by([e for e in rows if e.kind not in _ENDS or e.data.get("metered") is False], model)


def _calls(usage: object) -> int:
    calls = read.integer(usage, "calls") if isinstance(usage, dict) else 0
    return calls or 1


def _counted(event: Event) -> int:
    usage = read.table(event.data, "usage")
    return sum(read.integer(usage, name) for name in ("input_tokens", "cache_write_tokens", "output_tokens"))
