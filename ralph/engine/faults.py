"""Named points at which a test can kill the process or fail it; inert without RALPH_TESTING=1.

``RALPH_FAULT=kill:<point>[:<n>]`` sends SIGKILL to the daemon the n-th time it passes the point;
``RALPH_FAULT=count`` writes the names it passed to the file named by RALPH_FAULT_LOG.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

POINTS = (
    "began",
    "worker-told",
    "agent-ended",
    "snapshot",
    "judged",
    "done",
    "commit-made",
    "intended",
    "advanced",
    "committed",
    "ended",
    "tasks-saved",
    "delivering",
    "delivered",
    "noted",
    "proposed",
    "progress",
    "train-judged",
    "train",
    "reporting",
    "reported",
)
"""Every point there is; passing an unknown one is an error, so that none is forgotten here."""

_seen: Counter[str] = Counter()


def point(name: str) -> None:
    """Pass the point ``name``; does nothing outside tests."""
    if os.environ.get("RALPH_TESTING") != "1":
        return
    if name not in POINTS:
        raise ValueError(f"unknown fault point {name!r}")
    _seen[name] += 1
    fault = os.environ.get("RALPH_FAULT", "")
    if fault == "count":
        with open(os.environ["RALPH_FAULT_LOG"], "a", encoding="utf-8") as log:
            log.write(name + "\n")
    kind, _, rest = fault.partition(":")
    wanted, _, nth = rest.partition(":")
    if kind == "kill" and wanted == name and _seen[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
