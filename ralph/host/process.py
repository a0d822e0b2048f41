"""Run commands under the shim so that nothing survives them: a Request goes in, a Completed comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ralph.domain import Cause


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


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended and what is known about it."""

    argv: tuple[str, ...]
    exit_code: int | None
    """None where a signal ended it or it could not be started."""
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
    swept: int = 0
    """Processes that were still there after the command had ended."""
    error: str = ""
    """Why it could not be started (exit codes 126 and 127 of the shell's convention are set as well)."""
