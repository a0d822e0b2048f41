"""Commit objects as bytes: their id is known before they exist, and writing one costs no git process.

Only loose commits are written and loose objects read here; everything else about objects is git's.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

ZERO = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

Person = tuple[str, str]
"""Name and email address."""

RALPH: Person = ("ralph", "ralph@localhost")


def commit_bytes(
    tree: str, parents: Sequence[str], message: str, author: Person, committer: Person, date: int
) -> bytes:
    """The content of a commit. ``date`` is epoch seconds, recorded as UTC: same arguments, same id."""
    head = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    head += [f"author {_ident(author)} {date} +0000", f"committer {_ident(committer)} {date} +0000"]
    text = "\n".join([*head, "", message.replace("\0", "").rstrip() + "\n"])
    return text.encode("utf-8", "replace")


def commit_id(content: bytes) -> str:
    return _hash(b"commit", content)


def blob_id(content: bytes) -> str:
    return _hash(b"blob", content)


def write_commit(objects: Path, content: bytes, *, durable: bool = True) -> str:
    """Store a commit below ``objects`` and return its id; durable (fsync) unless told otherwise. Idempotent."""
    name = commit_id(content)
    target = _place(objects, name)
    if target.exists():
        return name
    target.parent.mkdir(exist_ok=True)
    fd, temporary = tempfile.mkstemp(prefix="tmp_obj_", dir=objects)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(zlib.compress(b"commit %d\0" % len(content) + content, 1))
            file.flush()
            os.fchmod(fd, 0o444)
            if durable:
                os.fsync(fd)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return name


def read_loose(objects: Path, name: str, limit: int = 1 << 20) -> tuple[str, bytes, bool] | None:
    """Kind, first ``limit`` bytes and whether there is more; None where the object is not loose here."""
    try:
        packed = _place(objects, name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    stream = zlib.decompressobj()
    data = stream.decompress(packed, limit + 64)
    head, _, content = data.partition(b"\0")
    kind, _, size = head.decode("ascii").partition(" ")
    return kind, content[:limit], int(size) > limit


def tree_of(objects: Path, commit: str) -> str | None:
    """Tree id of a loose commit; None where it is not loose here."""
    found = read_loose(objects, commit)
    if found is None or found[0] != "commit":
        return None
    return found[1][5:45].decode("ascii")


def message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """A commit message whose ``Ralph-*`` trailers are these and no others, whatever ``body`` says."""
    subject = " ".join(subject.split())[:200] or "Change"
    quoted = re.sub(r"(?mi)^(\s*ralph-[a-z-]+\s*:)", r"> \1", body).strip()
    footer = "\n".join(f"{key}: {' '.join(value.split())}" for key, value in trailers.items())
    return "\n\n".join(part for part in (subject, quoted, footer) if part) + "\n"


def _place(objects: Path, name: str) -> Path:
    return objects / name[:2] / name[2:]


def _hash(kind: bytes, content: bytes) -> str:
    return hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content, usedforsecurity=False).hexdigest()


def _ident(person: Person) -> str:
    name, email = (re.sub(r"[<>\x00-\x1f]", "", part).strip(" .,:;\"'") for part in person)
    return f"{name or 'unknown'} <{email}>"
