"""Real changes of small real projects, honest and dishonest, and what the product says about each."""

from __future__ import annotations

from . import python
from .case import Case, Project

ALL: tuple[tuple[Project, tuple[Case, ...]], ...] = ((python.PROJECT, python.CASES),)
"""Each project with its cases."""
