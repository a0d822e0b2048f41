"""The real Claude Code CLI, pinned and installed once for all runs of the suite."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

PINNED = "2.1.329"


def installed() -> Path:
    """The program; npm fetches it into the tests' cache where it is not there yet."""
    root = Path(os.environ.get("RALPH_TESTS_CACHE") or Path.home() / ".cache" / "ralph-tests")
    cache = root / f"claude-code-{PINNED}"
    program = cache / "node_modules" / ".bin" / "claude"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not program.exists():
            package = f"@anthropic-ai/claude-code@{PINNED}"
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", cache, package], check=True)
    return program
