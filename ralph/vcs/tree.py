"""The work tree on disk against the index: what differs, what is extra; and deleting without following links.

Nothing here starts a process. Directories without tracked files are never entered, except to delete them.
"""

# Paths are bytes here, names need not be UTF-8:
# ruff: noqa: PTH101, PTH115, PTH118, PTH119, PTH120, PTH208

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ralph.errors import GitError
from ralph.vcs.index import GITLINK, SYMLINK, Entry, Index
from ralph.vcs.objects import blob_id

TICK = 20_000_000
"""ns; two changes of a file may get the same ctime when they are closer than the kernel's clock tick."""

_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Scan:
    """Paths are bytes relative to the work tree, without a slash at the end."""

    modified: list[bytes] = field(default_factory=list)
    """Tracked, and not certainly as the index says."""
    missing: list[bytes] = field(default_factory=list)
    extra: list[bytes] = field(default_factory=list)
    """Not tracked, ignored or not: files, and directories without any tracked file."""
    hidden: list[bytes] = field(default_factory=list)
    """Those of ``modified`` whose size and whole seconds are as before: git would not notice."""

    @property
    def clean(self) -> bool:
        return not (self.modified or self.missing or self.extra)

    @property
    def differing(self) -> list[bytes]:
        return self.modified + self.missing


def scan(root: Path, index: Index) -> Scan:
    """Compare the work tree below ``root`` with ``index``. The ``.git`` at the top is passed over."""
    found = Scan()
    entries = index.entries
    parents = _parents(entries)
    fresh = index.written - TICK
    seen = 0
    todo = [b""]
    base = os.fsencode(root)
    while todo:
        prefix = todo.pop()
        for item in _listing(os.path.join(base, prefix)):
            path = prefix + item.name
            entry = entries.get(path)
            if entry is None:
                if not prefix and item.name == b".git":
                    continue
                if path in parents and item.is_dir(follow_symlinks=False):
                    todo.append(path + b"/")
                else:
                    found.extra.append(path)
                continue
            seen += 1
            if entry[4] == GITLINK:
                _gitlink(item, path, found)
            else:
                _compare(item, path, entry, fresh, found)
    if seen < len(entries):
        found.missing = [path for path in entries if not _exists(base, path)]
    return found


def differs(root: Path, path: bytes, entry: Entry) -> bool:
    """Compare bytes and mode of one tracked path with its blob; never follows a link, never blocks on a pipe."""
    full = os.path.join(os.fsencode(root), path)
    try:
        info = os.lstat(full)
        if stat.S_ISLNK(info.st_mode):
            return entry.mode != SYMLINK or blob_id(os.readlink(full)) != entry.blob
        if not stat.S_ISREG(info.st_mode) or entry.mode != (0o100755 if info.st_mode & 0o100 else 0o100644):
            return True
        return _hash_file(full) != entry.blob
    except OSError:
        return True


def remove(root: Path, paths: Collection[bytes], keep: Collection[bytes] = ()) -> None:
    """Delete files and whole directories below ``root``, never through a symbolic link, sparing ``keep``."""
    for path in paths:
        if path in keep:
            continue
        below = [spared for spared in keep if spared.startswith(path + b"/")]
        full = os.path.join(os.fsencode(root), path)
        if below and stat.S_ISDIR(os.lstat(full).st_mode):
            remove(root, [path + b"/" + item.name for item in _listing(full)], below)
            continue
        folder = _open_beneath(root, os.path.dirname(path))
        try:
            _delete(folder, os.path.basename(path))
        finally:
            os.close(folder)


def unlock_permissions(root: Path) -> None:
    """Make everything below ``root`` readable for its owner again; an agent may have taken that away."""
    for folder, directories, files, fd in os.fwalk(root):
        del folder
        for name in directories:
            _widen(name, fd, 0o700)
        for name in files:
            _widen(name, fd, 0o600)


def _compare(item: os.DirEntry[bytes], path: bytes, entry: Entry, fresh: int, found: Scan) -> None:
    info = item.stat(follow_symlinks=False)
    size, inode = info.st_size & 0xFFFFFFFF, info.st_ino & 0xFFFFFFFF
    if (info.st_ctime_ns, info.st_mtime_ns, inode, size) == entry[:4]:
        if entry[0] < fresh:
            return
        same = _same_content(item, info, entry)
        if same:
            return
    found.modified.append(path)
    if size == entry[3] and (info.st_ctime_ns // 10**9, info.st_mtime_ns // 10**9) == (
        entry[0] // 10**9,
        entry[1] // 10**9,
    ):
        found.hidden.append(path)


def _same_content(item: os.DirEntry[bytes], info: os.stat_result, entry: Entry) -> bool:
    if stat.S_ISLNK(info.st_mode):
        return blob_id(os.readlink(item.path)) == entry.blob
    return stat.S_ISREG(info.st_mode) and _hash_file(item.path) == entry.blob


def _gitlink(item: os.DirEntry[bytes], path: bytes, found: Scan) -> None:
    if not item.is_dir(follow_symlinks=False):
        found.modified.append(path)
        return
    found.extra += [path + b"/" + child.name for child in _listing(item.path)]


def _hash_file(path: bytes) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        return blob_id(file.read())


def _parents(entries: Collection[bytes]) -> set[bytes]:
    parents: set[bytes] = set()
    for path in entries:
        parent = os.path.dirname(path)
        while parent and parent not in parents:
            parents.add(parent)
            parent = os.path.dirname(parent)
    return parents


def _listing(path: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(path) as items:
            return list(items)
    except PermissionError:
        os.chmod(path, 0o700)
        with os.scandir(path) as items:
            return list(items)


def _exists(base: bytes, path: bytes) -> bool:
    """Whether ``path`` is there without a symbolic link on the way."""
    try:
        os.lstat(os.path.join(base, path))
    except OSError:
        return False
    parent = os.path.dirname(path)
    return not parent or _plain_directory(base, parent)


def _plain_directory(base: bytes, path: bytes) -> bool:
    while path:
        if not stat.S_ISDIR(os.lstat(os.path.join(base, path)).st_mode):
            return False
        path = os.path.dirname(path)
    return True


def _open_beneath(root: Path, path: bytes) -> int:
    fd = os.open(root, _DIRECTORY)
    try:
        for part in filter(None, path.split(b"/")):
            below = os.open(part, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


def _delete(folder: int, name: bytes) -> None:
    """Delete ``name`` in ``folder``. Subdirectories are first moved up beside it: any depth, two descriptors."""
    info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if os.fstat(folder).st_mode & 0o700 != 0o700:
        os.fchmod(folder, 0o700)
    if not stat.S_ISDIR(info.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    pending, moved = [name], 0
    while pending:
        current = pending.pop()
        fd = _open_writable(current, folder)
        try:
            for child in os.listdir(fd):
                raw = os.fsencode(child)
                if _unlink_file(raw, fd):
                    continue
                moved += 1
                aside = b".ralph-delete-%d-%d" % (os.getpid(), moved)
                _widen(child, fd, 0o700)
                os.rename(raw, aside, src_dir_fd=fd, dst_dir_fd=folder)
                pending.append(aside)
        finally:
            os.close(fd)
        os.rmdir(current, dir_fd=folder)


def _unlink_file(name: bytes, folder: int) -> bool:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EPERM) and _is_directory(name, folder):
            return False
        raise GitError(f"cannot delete {os.fsdecode(name)}: {error.strerror}") from error
    return True


def _is_directory(name: bytes, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _open_writable(name: bytes, folder: int) -> int:
    _widen(os.fsdecode(name), folder, 0o700)
    return os.open(name, _DIRECTORY, dir_fd=folder)


def _widen(name: str, folder: int, bits: int) -> None:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if mode & bits != bits and not stat.S_ISLNK(mode):
        os.chmod(name, stat.S_IMODE(mode) | bits, dir_fd=folder)
