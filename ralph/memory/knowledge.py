"""AGENTS.md: read for prompts from the base commit, and extended only by a person's word with what agents proposed."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ralph.core.inert import visible
from ralph.errors import RalphError
from ralph.host.files import read_regular, write_atomic
from ralph.memory.ledger import Event
from ralph.memory.reflections import SECTIONS, Proposal, parse_reflection, proposals

__all__ = [
    "SECTIONS",
    "Knowledge",
    "Proposal",
    "approve",
    "parse_reflection",
    "pending",
    "proposals",
    "read",
    "remember",
    "skeleton",
]

NAME = "AGENTS.md"
ROOT_LIMIT = 32_000
NEAR_LIMIT = 8_000
MAX_BYTES = 5_000_000

Reader = Callable[[str], bytes | None]
"""Content of a path of the base commit; None where there is none."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What AGENTS.md files say to one task."""

    root: str = ""
    near: tuple[tuple[str, str], ...] = ()
    """(path, text) of the nearest files below the root that cover the task's files."""
    cut: tuple[str, ...] = ()
    """What did not fit, one sentence each."""


def read(reader: Reader, files: Sequence[str] = ()) -> Knowledge:
    """The root AGENTS.md and the nearest one to each of the task's ``files`` (globs)."""
    cut: list[str] = []
    root = _capped(NAME, _text(reader, NAME), ROOT_LIMIT, cut)
    near: dict[str, str] = {}
    for pattern in files:
        for folder in _folders(pattern):
            path = f"{folder}/{NAME}"
            if path in near:
                break
            if text := _text(reader, path):
                near[path] = _capped(path, text, NEAR_LIMIT, cut)
                break
    kept = dict(list(near.items())[:4])
    cut += [f"{path} was left out" for path in near if path not in kept]
    return Knowledge(root, tuple(kept.items()), tuple(cut))


def _folders(pattern: str) -> list[str]:
    """The literal folders of a glob, nearest first: ``src/app/*.py`` gives ``src/app``, ``src``."""
    literal: list[str] = []
    for part in pattern.lstrip("!/").split("/")[:-1]:
        if part in ("", ".", "..") or any(char in part for char in "*?[\\"):
            break
        literal.append(part)
    return ["/".join(literal[:end]) for end in range(len(literal), 0, -1)]


def _text(reader: Reader, path: str) -> str:
    data = reader(path)
    if data is not None and len(data) < 200 and re.fullmatch(rb"[\w./-]+\.md\n?", data):
        target = _target(path, data.decode().strip())
        data = (reader(target) if target else None) or data  # a symlink's blob holds the path it points to
    return visible((data or b"").decode(errors="replace")).strip()


def _target(path: str, link: str) -> str | None:
    parts: list[str] = []
    for part in (PurePosixPath(path).parent / link).parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return None if link.startswith("/") else "/".join(parts)


def _capped(path: str, text: str, limit: int, cut: list[str]) -> str:
    if len(text) <= limit:
        return text
    kept = text[:limit].rsplit("\n", 1)[0]
    cut.append(f"{path}: the last {len(text) - len(kept):,} of {len(text):,} characters were cut")
    return kept


_ABOUT = {
    "STYLE": "How code is written here, beyond what the formatter does.",
    "GOTCHAS": "What surprised somebody, so that it surprises nobody else.",
    "ARCH_DECISIONS": "What was decided, and why.",
    "TEST_STRATEGY": "What is tested where, and how to run it.",
}


def skeleton() -> str:
    """An AGENTS.md to begin with."""
    parts = ["# AGENTS.md\n\nRead by every agent before it works here. Edited by people only; one line, one fact.\n"]
    parts += [f"## {name}\n\n<!-- {_ABOUT[name]} -->\n" for name in SECTIONS]
    return "\n".join(parts)


def pending(events: Iterable[Event], decided: Path) -> list[Proposal]:
    """Proposals that nobody has decided on yet; ``decided`` is the file of decisions."""
    done = decisions(decided)
    return [proposal for proposal in proposals(events) if proposal.id not in done]


def decisions(decided: Path) -> dict[str, str]:
    """Per proposal id: ``approved`` or ``rejected``. Raises RalphError for a damaged file."""
    if not decided.exists():
        return {}
    try:
        data = json.loads(read_regular(decided, MAX_BYTES))
        return {str(key): str(value["decision"]) for key, value in data["decided"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RalphError(f"{decided} is damaged", "move it away; proposals are then asked again") from None


def approve(approved: Sequence[Proposal], repo: Path, decided: Path, now: str) -> list[str]:
    """Write the proposals into the checkout's AGENTS.md and remember the decision; ``now`` is ISO 8601, UTC.

    Returns the lines written; one that stands there already is not written again.
    """
    path = _agents_file(repo)
    before = read_regular(path, MAX_BYTES).decode() if path.exists() else ""
    text, written = before or f"# {NAME}\n", []
    for proposal in approved:
        row = f"- {proposal.text}"
        if row not in [each.strip() for each in text.splitlines()]:
            text = insert(text, proposal.section, row)
            written.append(row)
    if written:
        mode = stat.S_IMODE(path.stat().st_mode) if before else 0o644
        write_atomic(path, text.encode(), mode)
    remember(approved, "approved", decided, now)
    return written


def remember(about: Sequence[Proposal], decision: str, decided: Path, now: str) -> None:
    """Keep a decision (``approved`` or ``rejected``) so that these proposals are not shown again."""
    decisions(decided)
    data: dict[str, Any] = {"version": 1, "decided": {}}
    if decided.exists():
        data = json.loads(read_regular(decided, MAX_BYTES))
    for proposal in about:
        data["decided"][proposal.id] = {"decision": decision, "at": now, "text": proposal.text}
    write_atomic(decided, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())


def _agents_file(repo: Path) -> Path:
    """AGENTS.md of the checkout; a link inside the repository is followed, so that it stays a link."""
    path = repo / NAME
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(repo)):
        raise RalphError(f"{path} links to {target}, outside the repository", "write the line there yourself")
    return target


def insert(text: str, section: str, row: str) -> str:
    """``text`` with ``row`` as the last line of the section, which is made at the end where it is missing."""
    newline = "\r\n" if "\r\n" in text else "\n"
    rows = text.splitlines()
    heading, end = _span(rows, section)
    if heading is None:
        while rows and not rows[-1].strip():
            rows.pop()
        return newline.join([*rows, "", f"## {section}", "", row]) + newline
    last = end - 1
    while last > heading and not rows[last].strip():
        last -= 1
    gap = [] if rows[last].lstrip().startswith(("-", "*", "+")) else [""]
    rest = rows[last + 1 :]
    if rest and rest[0].strip():
        rest.insert(0, "")
    return newline.join([*rows[: last + 1], *gap, row, *rest]) + newline


def _span(rows: Sequence[str], section: str) -> tuple[int | None, int]:
    """Index of the section's heading, and of the first line after the section; headings inside fences don't count."""
    found, level, fence = None, 0, ""
    for index, row in enumerate(rows):
        mark = re.match(r"\s{0,3}(`{3,}|~{3,})", row)
        if mark and (not fence or (mark[1][0] == fence[0] and len(mark[1]) >= len(fence))):
            fence = "" if fence else mark[1]
            continue
        heading = None if fence else re.match(r"(#{1,6})\s+(.*?)\s*#*\s*$", row)
        if heading is None:
            continue
        if found is not None and len(heading[1]) <= level:
            return found, index
        if found is None and heading[2].strip("`*_ ").casefold() == section.casefold():
            found, level = index, len(heading[1])
    return found, len(rows)
