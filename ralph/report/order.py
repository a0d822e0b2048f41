"""In which order the night's branches are read: what others stack on first, then the smaller ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Branch:
    """A branch with tonight's commits on it, while they are collected."""

    name: str
    first: int
    """Sequence number of its first commit."""
    tasks: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    parents: set[str] = field(default_factory=set)
    """Parents of its commits."""
    after: set[str] = field(default_factory=set)
    """Names of the branches it stacks on."""
    together: set[str] = field(default_factory=set)
    """Names of the branches that stack on it as well: neither can be read, or merged, before the other."""


def stack(branches: Mapping[str, Branch], depends_on: Mapping[str, Sequence[str]]) -> None:
    """Fill ``after`` and ``together``: a branch stacks on those that hold what its tasks or commits build on."""
    home = {name: branch.name for branch in branches.values() for name in (*branch.tasks, *branch.commits)}
    for branch in branches.values():
        needed = [*branch.parents, *(name for task in branch.tasks for name in depends_on.get(task, ()))]
        branch.after = {home[name] for name in needed if name in home} - {branch.name}
    for branch in branches.values():
        branch.together = {name for name in branch.after if branch.name in branches[name].after}
    for branch in branches.values():
        branch.after -= branch.together


def review_order(branches: Mapping[str, Branch]) -> list[Branch]:
    """Dependencies before dependants, then fewer changed files, then earlier ones; a cycle starts at its smallest."""
    left = dict(branches)
    ordered: list[Branch] = []
    while left:
        ready = [branch for branch in left.values() if not branch.after & left.keys()] or list(left.values())
        best = min(ready, key=lambda branch: (len(branch.files), branch.first, branch.name))
        ordered.append(left.pop(best.name))
    return ordered
