"""What stands around agents and gates: the Sandbox seam, its implementations and the probe that picks one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Jail:
    """What one command may see and touch. Paths are on the host unless a field says otherwise."""

    tree: Path
    at: Path
    """Path at which ``tree`` appears inside: the user's checkout."""
    home: Path
    """Private home, writable."""
    tmp: Path
    """Private TMPDIR, writable; appears as /tmp."""
    tree_writable: bool = True
    read_only: tuple[tuple[Path, Path], ...] = ()
    """(host path, inside path) bound read-only over the tree or elsewhere: keep folders, .git at gates, toolchains."""
    writable: tuple[tuple[Path, Path], ...] = ()
    """(host path, inside path) bound writable: caches, note files, agent state."""
    hidden: tuple[Path, ...] = ()
    """Host directories that must look empty: the state root, other checkouts."""
    network: bool = False


class Sandbox(Protocol):
    name: str

    def wrap(self, argv: Sequence[str], jail: Jail, directory: str) -> list[str]:
        """The command line that runs ``argv`` inside ``jail`` with current directory ``directory`` (inside path)."""

    def path_of(self, jail: Jail, host: Path) -> Path:
        """The path under which a file below ``jail.tree``, home or tmp appears inside."""
