"""Reads the daemon's own git index: which paths are tracked, with the stat data they had, to the nanosecond.

git itself compares whole seconds; an edit that restores size and mtime within the second escapes it. Here
ctime counts to the nanosecond, and reading costs no process (format: gitformat-index, versions 2 and 3).
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from ralph.domain import Change
from ralph.errors import GitError
from ralph.vcs.objects import ZERO

GITLINK = 0o160000
SYMLINK = 0o120000

_FIXED = struct.Struct(">10I20sH")
_GITLINK_BYTES = b"\x00\x00\xe0\x00"
_SKIP_WORKTREE = 0x4000


class Entry(tuple[int, int, int, int, int, bytes, bool]):
    """ctime and mtime in ns, inode and size modulo 2**32, mode, blob id, and whether git leaves the path alone.

    A plain tuple: an index of 50,000 entries is read before and after every agent.
    """

    __slots__ = ()

    @property
    def ctime(self) -> int:
        return self[0]

    @property
    def mode(self) -> int:
        return self[4]

    @property
    def blob(self) -> str:
        return self[5].hex()

    @property
    def skipped(self) -> bool:
        return self[6]


@dataclass(frozen=True, slots=True)
class Index:
    """Tracked paths, and the tree they make where git has computed it since the last change."""

    entries: dict[bytes, Entry]
    tree: str | None
    written: int
    """mtime of the index file in ns."""


NOTHING = Index({}, None, 0)


def read_index(path: Path) -> Index:
    """Read an index file; a missing one is empty. Raises GitError where it is damaged or of another version."""
    try:
        with path.open("rb") as file:
            data = file.read()
            written = os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return NOTHING
    try:
        entries, offset = _entries(data)
        return Index(entries, _tree(data, offset), written)
    except (struct.error, ValueError, IndexError) as error:
        raise GitError(f"the index {path} is damaged", "Delete it; the next prepare writes a new one.") from error


def has_gitlinks(path: Path) -> bool:
    """Cheap test that is never wrong when it says no."""
    try:
        return _GITLINK_BYTES in path.read_bytes()
    except FileNotFoundError:
        return False


def _entries(data: bytes) -> tuple[dict[bytes, Entry], int]:
    magic, version, count = struct.unpack_from(">4sII", data)
    if magic != b"DIRC" or version not in (2, 3):
        raise ValueError(f"index version {version}")
    entries: dict[bytes, Entry] = {}
    offset = 12
    unpack = _FIXED.unpack_from
    for _ in range(count):
        cs, cn, ms, mn, _dev, ino, mode, _uid, _gid, size, blob, bits = unpack(data, offset)
        start = offset + 62
        extended = 0
        if bits & 0x4000:
            extended = struct.unpack_from(">H", data, start)[0]
            start += 2
        end = data.index(b"\0", start)
        entries[data[start:end]] = Entry(
            (cs * 10**9 + cn, ms * 10**9 + mn, ino, size, mode, blob, bool(extended & _SKIP_WORKTREE))
        )
        offset += (end - offset + 8) & ~7
    return entries, offset


def _tree(data: bytes, offset: int) -> str | None:
    """Root of the cache-tree extension: the tree that these entries make, if git knows it."""
    while offset + 8 <= len(data) - 20:
        name, size = struct.unpack_from(">4sI", data, offset)
        if name == b"TREE":
            body = data[offset + 8 : offset + 8 + size]
            count, _, rest = body[1:].partition(b"\n")
            if int(count.split()[0]) < 0:
                return None
            return rest[:20].hex()
        offset += 8 + size
    return None


def differences(old: Index, new: Index) -> list[Change]:
    """What git calls the raw difference of the trees that two indexes make, in the order of paths."""
    before, after = old.entries, new.entries
    paths = before.keys() | after.keys() if before.keys() != after.keys() else before.keys()
    pairs = ((path, before.get(path), after.get(path)) for path in paths)
    changed = ((path, was, now) for path, was, now in pairs if was is None or now is None or was[4:6] != now[4:6])
    return [_change(*one) for one in sorted(changed, key=itemgetter(0))]


def _change(path: bytes, was: Entry | None, now: Entry | None) -> Change:
    retyped = was is not None and now is not None and stat.S_IFMT(was.mode) != stat.S_IFMT(now.mode)
    return Change(
        status="A" if was is None else "D" if now is None else "T" if retyped else "M",
        path=path.decode("utf-8", "surrogateescape"),
        old_mode=f"{was.mode if was else 0:06o}",
        new_mode=f"{now.mode if now else 0:06o}",
        old_blob=was.blob if was else ZERO,
        new_blob=now.blob if now else ZERO,
    )
