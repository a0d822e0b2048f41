"""Follows a growing file line by line, so that a command's output needs no pipe that a grandchild could hold."""

from __future__ import annotations

import os
from collections.abc import Callable

LINE = 1 << 20
"""Bytes of one line that are handed on; the rest of a longer line is dropped."""
_CHUNK = 1 << 18
_CHUNKS = 8
"""Chunks of one look: a writer that is faster than we are must not keep us from our other duties."""


class Tail:
    def __init__(self, fd: int, on_line: Callable[[bytes], None]) -> None:
        self._fd = fd
        self._on_line = on_line
        self._offset = 0
        self._line = bytearray()

    def read(self) -> bool:
        """Hand on the lines that are complete now, without their line end. False where the end was not reached."""
        for _ in range(_CHUNKS):
            chunk = os.pread(self._fd, _CHUNK, self._offset)
            if not chunk:
                return True
            self._offset += len(chunk)
            *complete, rest = chunk.split(b"\n")
            for part in complete:
                self._add(part)
                self._flush()
            self._add(rest)
        return False

    def finish(self) -> None:
        """Hand on what is left, also a last line without an end."""
        while not self.read():
            pass
        if self._line:
            self._flush()

    def _add(self, part: bytes) -> None:
        self._line += part[: LINE - len(self._line)]

    def _flush(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        self._on_line(line)
