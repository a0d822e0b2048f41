"""The Sandbox seam: what a command may see and touch, and who turns that into a command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LAUNCHER = ("/bin/sh", "-c", 'cd -- "$1" || exit 126; shift; exec "$@"', "sh")
"""Prefix of directory and argv: gives a command that can't be run the shell's 127 and 126, not the sandbox's 1."""


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
    """Start the wrapped command with ``Request.directory`` = ``/``: it goes to ``directory`` by itself."""

    name: str

    def wrap(self, argv: Sequence[str], jail: Jail, directory: str) -> list[str]:
        """The command line that runs ``argv`` inside ``jail`` with current directory ``directory`` (inside path)."""

    def path_of(self, jail: Jail, host: Path) -> Path:
        """The path under which a file below ``jail.tree``, home, tmp or a bound path appears inside."""

    def home_of(self, jail: Jail) -> Path:
        """The private home as seen inside: the value of HOME."""

    def tmp_of(self, jail: Jail) -> Path:
        """The private directory for temporary files as seen inside: the value of TMPDIR."""
