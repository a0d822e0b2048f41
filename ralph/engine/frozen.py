"""The configuration that a night works by, on disk as it was; a night that goes on under another one keeps both."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ralph.host.files import own_directory, write_atomic
from ralph.host.paths import Layout


def keep(where: Layout, night: str, text: str) -> bool:
    """Put ``text`` in force for a night; True where another one was, which stays under the name of its digest."""
    own_directory(where.nights)
    path = where.frozen(night)
    before = path.read_bytes() if path.exists() else b""
    if before == text.encode():
        return False
    if before:
        write_atomic(_by_digest(where, night, digest(before)), before)
    write_atomic(path, text.encode())
    return bool(before)


def path_of(where: Layout, night: str, sha256: str) -> Path | None:
    """The file that holds the configuration with this digest; None where none does any more."""
    for path in (where.frozen(night), _by_digest(where, night, sha256)):
        if path.exists() and digest(path.read_bytes()) == sha256:
            return path
    return None


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _by_digest(where: Layout, night: str, sha256: str) -> Path:
    return where.frozen(f"{night}.{sha256[:12]}")
