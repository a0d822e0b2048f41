"""The running log ``progress/<date>.md``: what each iteration came to, for people and for the next prompt.

An entry ends with a line that carries its iteration's id, so that writing it again after a crash has no effect.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from ralph.core import inert
from ralph.errors import RalphError
from ralph.host.files import read_regular, write_atomic

MAX_BYTES = 20_000_000
_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.md")
_BEGIN = re.compile(r"^<!-- ralph:(\S+) -->$", re.MULTILINE)
_NOTE_LIMIT = 1200


@dataclass(frozen=True, slots=True)
class Entry:
    """One iteration. All text in it may have been written by an agent."""

    iteration: str
    clock: str
    """Local time of its end, ``HH:MM``."""
    loop: str
    task: str
    title: str
    attempt: int
    agent: str
    outcome: str
    summary: str = ""
    commit: str = ""
    paths: tuple[str, ...] = ()
    """Changed paths."""
    seconds: float = 0
    tokens: int | None = None
    """None where nobody counted them."""
    dollars: float | None = None
    handoff: str = ""


def append(directory: Path, date: str, entry: Entry) -> bool:
    """Add ``entry`` to the log of ``date`` (YYYY-MM-DD); False where it stands there already.

    The file is replaced atomically, what people wrote into it stays. Raises RalphError where it is no regular file.
    """
    if not _FILE.fullmatch(f"{date}.md"):
        raise ValueError(f"not a date: {date!r}")
    path = directory / f"{date}.md"
    directory.mkdir(parents=True, exist_ok=True)
    text = _read(path)
    if text is None:
        text, mode = f"# Night of {date}\n", 0o644
    else:
        mode = stat.S_IMODE(path.lstat().st_mode)
    if f"\n{_end(entry.iteration)}\n" in text.replace("\r\n", "\n"):
        return False
    gap = "\n" if text.endswith("\n") else "\n\n"
    write_atomic(path, f"{text}{gap}{render(entry)}".encode(errors="surrogateescape"), mode)
    return True


def render(entry: Entry) -> str:
    """One entry as Markdown; everything that an agent or a person wrote is shown, never interpreted."""
    title = inert.markdown(entry.title, 120)
    head = f"### {entry.clock} {inert.markdown(entry.task, 64)}: {title}"
    facts = [
        f"attempt {entry.attempt} on {inert.markdown(entry.loop, 64)} by {inert.markdown(entry.agent, 64)}",
        _duration(entry.seconds),
        "tokens not counted" if entry.tokens is None else f"{entry.tokens:,} tokens",
    ]
    if entry.dollars is not None:
        facts.append(f"${entry.dollars:.2f}")
    commit = f", commit {inert.markdown(entry.commit[:12])}" if entry.commit else ""
    lines = [
        f"<!-- ralph:{entry.iteration} -->",
        head,
        f"**{inert.markdown(entry.outcome, 40)}**{commit}; {', '.join(facts)}",
    ]
    if entry.summary:
        lines.append(f"- Why: {inert.code(entry.summary, 400)}")
    if entry.paths:
        shown = ", ".join(inert.code(path, 200) for path in entry.paths[:8])
        more = f" and {len(entry.paths) - 8} more" if len(entry.paths) > 8 else ""
        lines.append(f"- Changed: {shown}{more}")
    if entry.handoff:
        note = inert.visible(entry.handoff).replace("<!--", "<! --")  # else it could forge the markers of an entry
        lines += ["- Left for the next, in the agent's words:", "", inert.fenced(note, _NOTE_LIMIT)]
    return "\n".join([*lines, "", _end(entry.iteration), ""])


def tail(directory: Path, limit: int) -> str:
    """The last whole entries of the logs, oldest first, in at most ``limit`` characters; what is left out is said."""
    entries: list[str] = []
    size, left_out = 0, False
    for path in sorted(_logs(directory), reverse=True):
        for entry in reversed(_entries(path)):
            size += len(entry) + 1
            if size > limit:
                left_out = True
                break
            entries.append(entry)
        if left_out:
            break
    note = "(earlier entries are left out)\n\n" if left_out and entries else ""
    return note + "\n".join(reversed(entries))


def _logs(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if _FILE.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _entries(path: Path) -> list[str]:
    """Whole entries of one log without their markers; an unreadable log has none."""
    try:
        text = _read(path) or ""
    except RalphError:
        return []
    found = []
    for begin in _BEGIN.finditer(text):
        end = text.find(f"\n{_end(begin[1])}\n", begin.end())
        if end >= 0:
            found.append(inert.visible(text[begin.end() : end]).strip() + "\n")
    return found


def _read(path: Path) -> str | None:
    if not path.exists() and not path.is_symlink():
        return None
    return read_regular(path, MAX_BYTES).decode(errors="surrogateescape")


def _end(iteration: str) -> str:
    return f"<!-- /ralph:{iteration} -->"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
