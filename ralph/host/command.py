"""A command as a value, and its end as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ralph.domain import Cause

Wake = tuple[int, Callable[[], Cause | None]]
"""A descriptor to watch while a command runs, and what to call when it is readable; a Cause ends the command.

The callback must take what is there; one that has returned a Cause is not called again.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One command. Limits of 0 mean no cap."""

    argv: tuple[str, ...]
    directory: str
    env: Mapping[str, str]
    log: Path
    """File that gets stdout and stderr (or stdout alone where ``errors`` is set)."""
    errors: Path | None = None
    stdin: bytes | None = None
    """None: /dev/null."""
    seconds: float = 0
    stall_seconds: float = 0
    output_bytes: int = 0
    memory_bytes: int = 0
    grace: float = 5.0
    """Seconds between asking the tree to end and killing it, where the cause allows asking."""
    watch: Path | None = None
    """Work tree whose changes count as a sign of life."""
    oom: int = 500
    """Linux oom_score_adj: under memory pressure the kernel takes the command, not the daemon. 0: as it is."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended and what is known about it."""

    argv: tuple[str, ...]
    exit_code: int | None
    """None where a signal ended it. Inside bubblewrap a signal N shows as 128 + N."""
    signal: int | None
    cause: Cause | None
    """Why the daemon ended it; None where it ended by itself."""
    started: str
    """ISO 8601, UTC."""
    seconds: float
    log: Path
    log_bytes: int
    log_sha256: str
    peak_pss: int = 0
    """Bytes; measured only while a memory limit is set and the command lives long enough to be looked at."""
    swept: int = 0
    """Processes that were still there after the command had ended."""
    error: str = ""
    """Why it could not be started (exit codes 126 and 127 of the shell's convention are set as well)."""
