"""Reading and writing that neither tears, nor follows a planted link, nor deletes what is not ours."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from ralph.errors import RalphError

MARKER = ".ralph-owned"
"""File that says that ralph made the directory and may delete below it."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_NO_PLACE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS})
_DEEP = 64
"""Nesting at which a directory is moved to the top before it is emptied, so that depth costs no file descriptors."""


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data``: a reader, also one after a power loss, finds the old content or the new one.

    A symlink at ``path`` is replaced, never followed. Raises OSError (disk full, no permission); then the old
    content is still there and no temporary file is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fchmod(fd, mode)
            _sync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames and removals in ``path`` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _sync(fd)
    finally:
        os.close(fd)


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of the regular file ``path``, at most ``limit`` bytes.

    Raises RalphError where it is missing, a link, a pipe, a device, a directory, or larger.
    """
    try:
        fd = os.open(path, _READ)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise RalphError(f"cannot read {path}: {reason}") from error
    data = _read(fd, str(path), limit)
    if data is None:
        raise RalphError(f"cannot read {path}: it is not a regular file")
    return data


def read_beneath(root: Path, relative: str, limit: int) -> bytes | None:
    """Return the content of a file below ``root`` without following a link anywhere on the way.

    None where there is no regular file at that path. Raises RalphError where it is larger than ``limit`` bytes or
    ``relative`` leaves ``root``.
    """
    parts = PurePosixPath(relative).parts
    if not parts or ".." in parts or relative.startswith("/"):
        raise RalphError(f"not a path below {root}: {relative!r}")
    with ExitStack() as opened:
        try:
            fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, fd)
            for part in parts[:-1]:
                fd = os.open(part, _FOLDER, dir_fd=fd)
                opened.callback(os.close, fd)
            file = os.open(parts[-1], _READ, dir_fd=fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
                return None
            raise RalphError(f"cannot read {relative} below {root}: {error.strerror}") from error
    return _read(file, relative, limit)


def own_directory(path: Path) -> None:
    """Make ``path`` a private directory (0700) that carries the marker, with its parents.

    Raises RalphError where it exists, is not empty and was not made by ralph.
    """
    private_directory(path)
    marker = path / MARKER
    if marker.exists():
        return
    if any(path.iterdir()):
        raise RalphError(f"{path} exists and was not made by ralph", "move it away, or set XDG_STATE_HOME")
    marker.write_bytes(b"made by ralph; what lies below may be deleted\n")


def private_directory(path: Path) -> Path:
    """Make ``path`` a directory of mode 0700 and return it.

    Raises RalphError where it can't be made, is a link or belongs to somebody else.
    """
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        pass  # checked below like a new one
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        hint = "check XDG_STATE_HOME and XDG_RUNTIME_DIR: they have to name directories that you may write"
        raise RalphError(f"{path} can't be made: {error.strerror}", hint) from error
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise RalphError(f"{path} is not a directory of yours", "remove it")
    if stat.S_IMODE(info.st_mode) != 0o700:
        path.chmod(0o700)
    return path


def delete_tree(path: Path, inside: Path) -> None:
    """Delete ``path`` (file or directory) with everything below it; a missing one is fine.

    Only strictly below ``inside``, which must carry the marker. Links are removed, never followed; another file
    system mounted below is refused. Raises RalphError where any of this does not hold.
    """
    top = Path(os.path.realpath(inside))
    parent = Path(os.path.realpath(path.parent))
    target = parent / path.name
    if path.name in ("", ".", "..") or not target.is_relative_to(top) or target == top:
        raise RalphError(f"refusing to delete {path}: it does not lie below {inside}")
    try:
        made_by_us = stat.S_ISREG((top / MARKER).lstat().st_mode)
    except FileNotFoundError:
        made_by_us = False
    if not made_by_us or target == top / MARKER:
        raise RalphError(f"refusing to delete {path}: {inside} was not made by ralph")
    try:
        fd = os.open(parent, _FOLDER)
    except FileNotFoundError:
        return
    try:
        _remove(fd, path.name, top.stat().st_dev)
    finally:
        os.close(fd)


def free_bytes(path: Path) -> int:
    """Bytes an ordinary user can still write on the file system of ``path`` (or of its nearest existing parent)."""
    for folder in (path, *path.parents):
        try:
            info = os.statvfs(folder)
        except FileNotFoundError:
            continue
        return info.f_bavail * info.f_frsize
    raise RalphError(f"{path} does not exist")


def _sync(fd: int) -> None:
    import fcntl

    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone leaves data in the drive's cache
    if full is None:
        os.fsync(fd)
    else:
        fcntl.fcntl(fd, full)


def _read(fd: int, name: str, limit: int) -> bytes | None:
    """Read and close ``fd``; None where it is not a regular file."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    with open(fd, "rb", buffering=0) as file:
        data = bytearray()
        while len(data) <= limit and (chunk := file.read(limit + 1 - len(data))):
            data += chunk
    if len(data) > limit:
        raise RalphError(f"{name} is larger than {limit} bytes")
    return bytes(data)


def _remove(parent: int, name: str, device: int) -> None:
    """Remove entry ``name`` of the open directory ``parent``; very deep trees are flattened as they are met."""
    try:
        info = os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(info.st_mode):
        os.unlink(name, dir_fd=parent)
        return
    with _folder(parent, name, info, device) as top:
        while _empty(top, top, device, 0):
            pass  # directories that were moved up are entries of ``top`` now
    os.rmdir(name, dir_fd=parent)


def _empty(fd: int, top: int, device: int, depth: int) -> bool:
    """Remove the entries of ``fd``; True where something was moved into ``top`` instead."""
    moved = False
    with os.scandir(fd) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        info = os.lstat(name, dir_fd=fd)
        if not stat.S_ISDIR(info.st_mode):
            os.unlink(name, dir_fd=fd)
        elif depth >= _DEEP:
            _allow(fd, name, info)  # moving a directory rewrites its own ".." entry
            os.rename(name, f".ralph-{os.urandom(8).hex()}", src_dir_fd=fd, dst_dir_fd=top)
            moved = True
        else:
            with _folder(fd, name, info, device) as inner:
                moved |= _empty(inner, top, device, depth + 1)
            os.rmdir(name, dir_fd=fd)
    return moved


@contextmanager
def _folder(parent: int, name: str, info: os.stat_result, device: int) -> Iterator[int]:
    if info.st_dev != device:
        raise RalphError(f"refusing to delete {name}: another file system is mounted there")
    _allow(parent, name, info)
    fd = os.open(name, _FOLDER, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _allow(parent: int, name: str, info: os.stat_result) -> None:
    if info.st_mode & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=parent)
