"""What agents write about their own work: reflections, and the lines for AGENTS.md that they propose in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ralph.core.inert import line, visible
from ralph.domain import Reflection
from ralph.memory.ledger import Event

SECTIONS = ("STYLE", "GOTCHAS", "ARCH_DECISIONS", "TEST_STRATEGY")
"""Headings of AGENTS.md that a proposal can name."""
LIMIT = 16_384
_LINE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Proposal:
    """A line that an agent would like to see in AGENTS.md."""

    id: str
    """Hash of the text: the same proposal made twice is one."""
    night: str
    task: str
    text: str
    section: str
    kind: str = "pattern"
    """pattern: something about the code; prompt: something about how agents are asked."""
    times: int = 1


def proposals(events: Iterable[Event]) -> list[Proposal]:
    """What the reflections in ``ended`` events propose, oldest first, equal ones counted."""
    found: dict[str, Proposal] = {}
    for event in events:
        reflection = event.data.get("reflection") if event.kind == "ended" else None
        if not isinstance(reflection, dict):
            continue
        for kind in ("pattern", "prompt"):
            said = reflection.get(kind)
            if isinstance(said, str) and (proposal := _proposal(event, kind, said)):
                before = found.get(proposal.id)
                found[proposal.id] = replace(before, times=before.times + 1) if before else proposal
    return list(found.values())


def _proposal(event: Event, kind: str, said: str) -> Proposal | None:
    section, text = _section_of(said, "GOTCHAS" if kind == "pattern" else "STYLE")
    text = line(text, _LINE_LIMIT).lstrip("-*#> ").strip()
    if not text:
        return None
    digest = hashlib.sha256(re.sub(r"\W+", " ", text).casefold().strip().encode()).hexdigest()[:8]
    return Proposal(digest, event.night, event.task, text, section, kind)


def _section_of(said: str, default: str) -> tuple[str, str]:
    names = "|".join(SECTIONS)
    tagged = re.match(rf"\s*[\[(*`]*({names})[\])*`]*\s*[:\-]?\s*", said, re.IGNORECASE)
    return (tagged[1].upper(), said[tagged.end() :]) if tagged else (default, said)


_LABELS = {
    "surprised": "surprised",
    "surprise": "surprised",
    "what surprised me": "surprised",
    "pattern": "pattern",
    "one pattern for agents.md": "pattern",
    "pattern for agents.md": "pattern",
    "prompt": "prompt",
    "one prompt improvement": "prompt",
    "prompt improvement": "prompt",
    "failed": "failed",
    "what failed": "failed",
    "change": "change",
    "what specific change would fix it": "change",
    "repeating": "repeating",
    "am i repeating the same approach": "repeating",
}
_LABEL = re.compile(r"\s*(?:[-*#>]+|\d+[.)])?\s*[*_`]*([A-Za-z][A-Za-z .]{2,40}?)[*_`]*\s*[:?][*_`]*\s*(.*)")
_NOTHING = {"", "-", "none", "nothing", "n/a", "na", "no", "null"}


def parse_reflection(text: str) -> Reflection:
    """What an agent wrote into RALPH_REFLECTION_FILE; a label without a value, or none at all, gives empty fields."""
    shown = visible(text[:LIMIT])
    said: dict[str, str] = {}
    label = ""
    for row in shown.splitlines():
        match = _LABEL.fullmatch(row)
        known = _LABELS.get(match[1].casefold().strip()) if match else None
        if match and known:
            label = known
            said.setdefault(label, "")
            row = match[2]
        if label and row.strip():
            said[label] = f"{said[label]} {row.strip()}".strip()
    return Reflection(
        surprised=_something(said, "surprised"),
        pattern=_something(said, "pattern"),
        prompt=_something(said, "prompt"),
        repeating=re.match(r"\W*(yes|true|y)\b", said.get("repeating", ""), re.IGNORECASE) is not None,
        raw=shown.strip(),
    )


def _something(said: dict[str, str], label: str) -> str:
    value = line(said.get(label, ""), 2000)
    return "" if value.casefold().rstrip(".") in _NOTHING else value
