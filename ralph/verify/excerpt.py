"""Output of untrusted programs made fit to read: no control sequences, no endless lines, head and tail only."""

from __future__ import annotations

from pathlib import Path

from ralph.core.inert import visible

MAX_LOG_BYTES = 20_000_000
_LONGEST_LINE = 400
_EDGE = 200_000
"""Characters at each end of a log that are looked at; an excerpt needs no more."""


def read_log(path: Path) -> str:
    """The last ``MAX_LOG_BYTES`` of a log as text; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MAX_LOG_BYTES))
            return file.read(MAX_LOG_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def excerpt(text: str, lines: int = 60) -> str:
    """Head and tail of ``text``, at most ``lines`` lines, cleaned; what was left out is said."""
    if len(text) > 2 * _EDGE:
        text = text[:_EDGE] + "\n" + text[-_EDGE:]
    kept = [line.rstrip()[:_LONGEST_LINE] for line in visible(text).strip("\n").split("\n")]
    if len(kept) > lines:
        head = lines // 4
        left_out = len(kept) - (lines - 1)
        kept = [*kept[:head], f"[... {left_out} lines left out ...]", *kept[-(lines - 1 - head) :]]
    return "\n".join(kept).strip("\n")


def first_lines(text: str, count: int = 6, characters: int = 600) -> str:
    """The first lines of a message that say something."""
    said = [line.rstrip()[:_LONGEST_LINE] for line in visible(text[:_EDGE]).split("\n") if line.strip()]
    return "\n".join(said[:count])[:characters]
