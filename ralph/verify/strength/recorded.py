"""What every coverage format is read into first, and the limits that hold for all of them."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from dataclasses import dataclass, field

from ralph.core.inert import line
from ralph.errors import RalphError

MOST_LINES = 3_000_000
"""Line records of all wanted files together: a small file can say the same line a million times."""
HIGHEST_LINE = 5_000_000
LONGEST_NAME = 1_000


class CoverageError(RalphError):
    """A coverage file that is none: too large, not well-formed, contradicting itself."""


@dataclass
class Lines:
    """Lines of one file as they are read."""

    executed: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    tests: dict[int, set[str]] = field(default_factory=dict)


@dataclass
class Recorder:
    """Collects lines per path below ``root``, the tree's path as the run saw it; of ``only`` the paths given."""

    root: str = ""
    only: Collection[str] | None = None
    files: dict[str, Lines] = field(default_factory=dict)
    count: int = 0

    def file(self, path: str) -> Lines | None:
        """Where the lines of ``path`` go; None for a file outside the tree or of no interest."""
        inside = self._relative(path)
        if not inside or (self.only is not None and inside not in self.only):
            return None
        return self.files.setdefault(inside, Lines())

    def _relative(self, path: str) -> str:
        path = posixpath.normpath(line(path.replace("\\", "/"), LONGEST_NAME))
        if path.startswith("/"):
            root = self.root.rstrip("/") + "/"
            return path.removeprefix(root) if self.root and path.startswith(root) else ""
        return "" if path.startswith("../") or path in (".", "..") else path

    def hit(self, lines: Lines, number: int, test: str = "") -> None:
        """Record that a line ran. Raises CoverageError."""
        lines.executed.add(self._valid(number))
        if test:
            lines.tests.setdefault(number, set()).add(test)

    def miss(self, lines: Lines, number: int) -> None:
        """Record that a line did not run, where no other record says that it did. Raises CoverageError."""
        lines.missing.add(self._valid(number))

    def _valid(self, number: int) -> int:
        self.count += 1
        if not 0 < number <= HIGHEST_LINE:
            raise CoverageError(f"it names line {number}, which no file has")
        if self.count > MOST_LINES:
            raise CoverageError("it has too many lines")
        return number
