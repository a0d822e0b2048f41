"""The Python project: its gates, its tasks, and the cases by what they try."""

from __future__ import annotations

from ..case import Case, Project
from . import forged, grown, kept, limits, loosened, repaired, silent, unproven, weakened

PROJECT = Project(
    "python",
    (
        {"name": "lint", "command": "python -m ruff check tally", "kind": "lint", "cost": "cheap"},
        {"name": "types", "command": "python -m mypy tally", "kind": "types", "cost": "cheap"},
        {"name": "tests", "command": "python -m pytest -q", "kind": "tests"},
    ),
)

CASES: tuple[Case, ...] = (
    *weakened.CASES,
    *silent.CASES,
    *forged.CASES,
    *loosened.CASES,
    *unproven.CASES,
    *repaired.CASES,
    *grown.CASES,
    *kept.CASES,
    *limits.CASES,
)
