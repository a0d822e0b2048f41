"""Put a new version in a file's place without losing a save that comes at the same moment."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from pathlib import Path

from ralph.errors import RalphError
from ralph.host.files import read_regular, sync_directory

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def replace_if(path: Path, data: bytes, expected: str, limit: int) -> bool:
    """Replace the content of ``path`` by ``data`` if its SHA-256 is ``expected``; False where it is not.

    The two files change places in one step, so whatever stood there is seen and put back where it was not the
    expected content. Where the file system can't do that, the content is compared right before the rename.
    Only one writer may call this at a time for one path. Raises OSError (disk full, read-only).
    """
    temporary = path.with_name(f".{path.name}.ralph")
    try:
        mode = path.lstat().st_mode & 0o777
        if not mode & 0o222:
            raise PermissionError(errno.EACCES, "it is read-only", str(path))
        temporary.unlink(missing_ok=True)  # left by a writer that was killed
        _write(temporary, data, mode)
        if _digest(path, limit) != expected:
            return False
        if not _exchange(temporary, path):
            temporary.replace(path)
        elif _digest(temporary, limit) != expected:
            _put_back(temporary, path, data, limit)
            return False
        sync_directory(path.parent)
        return True
    except FileNotFoundError:
        return False
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a new file under one fixed name, so that kill -9 can't leave many of them in a person's checkout."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _put_back(temporary: Path, path: Path, data: bytes, limit: int) -> None:
    """Return the save that was displaced to its place, unless one that came later stands there by now."""
    _exchange(temporary, path)
    if _digest(temporary, limit) != hashlib.sha256(data).hexdigest():
        _exchange(temporary, path)


def _digest(path: Path, limit: int) -> str:
    try:
        return hashlib.sha256(read_regular(path, limit)).hexdigest()
    except RalphError:
        return ""


def _exchange(one: Path, other: Path) -> bool:
    """Swap two files; False where the system or the file system can't. Raises OSError for anything else."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = libc.renamex_np(first, second, _RENAME_SWAP)
    else:
        swap = getattr(libc, "renameat2", None)
        if swap is None:
            return False
        failed = swap(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE)
    if failed:
        code = ctypes.get_errno()
        if code in _CANNOT:
            return False
        raise OSError(code, os.strerror(code), str(other))
    return True
