"""The work tree on disk against the index: what differs, what is extra; and deleting without following links.

Nothing here starts a process. Directories without tracked files are never entered, except to delete them.
"""

# Paths are bytes here, names need not be UTF-8:
# ruff: noqa: PTH101, PTH115, PTH118, PTH119, PTH120, PTH208

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ralph.errors import GitError
from ralph.vcs.index import GITLINK, SYMLINK, Entry, Index
from ralph.vcs.objects import blob_id

TICK = 12_000_000
"""ns; two changes of a file may get the same ctime when they are closer than the kernel's clock tick."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Suspects:
    """Tracked paths, as bytes relative to the work tree."""

    modified: list[bytes] = field(default_factory=list)
    """There, and not certainly as the index says."""
    missing: list[bytes] = field(default_factory=list)
    hidden: list[bytes] = field(default_factory=list)
    """Those of ``modified`` whose size and whole seconds are as before: git would not notice."""

    def __bool__(self) -> bool:
        return bool(self.modified or self.missing)


def suspects(root: Path, index: Index) -> Suspects:
    """Tracked paths whose stat data are not those in ``index``, or too young to be believed and really different."""
    found = Suspects()
    fresh = index.written - TICK
    top = os.open(root, _DIRECTORY)
    try:
        replaced = {path for path in _parents(index.entries) if not _is_directory(path, top)}
        for path, entry in index.entries.items():
            if replaced and _below(path, replaced):
                found.missing.append(path)
                continue
            try:
                info = os.stat(path, dir_fd=top, follow_symlinks=False)
            except OSError:
                found.missing.append(path)
                continue
            if entry[4] == GITLINK:
                if not stat.S_ISDIR(info.st_mode):
                    found.modified.append(path)
                continue
            now = (info.st_ctime_ns, info.st_mtime_ns, info.st_ino & 0xFFFFFFFF, info.st_size & 0xFFFFFFFF)
            if now != entry[:4] or (now[0] >= fresh and differs(root, path, entry)):
                found.modified.append(path)
                if _same_to_git(now, entry):
                    found.hidden.append(path)
    finally:
        os.close(top)
    return found


def extras(root: Path, index: Index) -> list[bytes]:
    """Untracked paths, ignored or not: files, and topmost directories without any tracked file.

    The ``.git`` at the top is passed over.
    """
    entries = index.entries
    parents = _parents(entries)
    found: list[bytes] = []
    base = os.fsencode(root) + b"/"
    todo = [b""]
    while todo:
        prefix = todo.pop()
        for item in _listing(base + prefix):
            path = prefix + item.name
            entry = entries.get(path)
            if entry is not None:
                if entry[4] == GITLINK and item.is_dir(follow_symlinks=False):
                    found += [path + b"/" + child.name for child in _listing(item.path)]
            elif path in parents and item.is_dir(follow_symlinks=False):
                todo.append(path + b"/")
            elif path != b".git":
                found.append(path)
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


def _same_to_git(now: tuple[int, int, int, int], entry: Entry) -> bool:
    seconds = [moment // 10**9 for moment in (*now[:2], *entry[:2])]
    return now[2:] == entry[2:4] and seconds[:2] == seconds[2:]


def _hash_file(path: bytes) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        digest = hashlib.sha1(b"blob %d\0" % os.fstat(fd).st_size, usedforsecurity=False)
        while part := file.read(1 << 20):
            digest.update(part)
        return digest.hexdigest()


def _parents(entries: Collection[bytes]) -> set[bytes]:
    parents: set[bytes] = set()
    last = b""
    for path in entries:
        parent = path.rpartition(b"/")[0]
        if parent == last:
            continue
        last = parent
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition(b"/")[0]
    return parents


def _below(path: bytes, folders: set[bytes]) -> bool:
    while path:
        path = path.rpartition(b"/")[0]
        if path in folders:
            return True
    return False


def _listing(path: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(path) as items:
            return list(items)
    except PermissionError:
        os.chmod(path, 0o700)
        with os.scandir(path) as items:
            return list(items)


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
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _open_writable(name: bytes, folder: int) -> int:
    _widen(os.fsdecode(name), folder, 0o700)
    return os.open(name, _DIRECTORY, dir_fd=folder)


def _widen(name: str, folder: int, bits: int) -> None:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if mode & bits != bits and not stat.S_ISLNK(mode):
        os.chmod(name, stat.S_IMODE(mode) | bits, dir_fd=folder)
