"""Real changes of small real projects, honest and dishonest, and what the product says about each."""

from __future__ import annotations

from . import golang, node, python
from .case import Case, Project

ALL: tuple[tuple[Project, tuple[Case, ...]], ...] = (
    (python.PROJECT, python.CASES),
    (node.PROJECT, node.CASES),
    (golang.PROJECT, golang.CASES),
)
"""Each project with its cases."""
