"""Collect the report of a gate: from the path it was told, or from the tree where its runner leaves files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from ralph.core import globs
from ralph.core.secrets import Redactor
from ralph.errors import RalphError
from ralph.host.files import read_beneath, write_atomic
from ralph.host.process import Completed
from ralph.verify.gates import PlannedGate
from ralph.verify.junit import MAX_BYTES

_SKIPPED = frozenset({".git", "node_modules", ".venv"})
_MOST_FILES = 5_000
_COVERAGE_BYTES = 100_000_000
_CLOCK_SLACK = 0.02
"""Seconds by which a file system's coarse clock may lag behind ours."""


def gather(
    planned: PlannedGate, completed: Completed, *, junit: Path, tree: Path, into: Path, redactor: Redactor | None = None
) -> Path | None:
    """Where ``judge`` finds the gate's report, on the host and without secrets; None where it left none.

    ``junit`` is the file outside the tree that the command was told; reports inside ``tree`` are copied to directory
    ``into`` without following a link. Either counts only where it was written after the gate began.
    """
    found = _gathered(planned, completed, junit, tree, into)
    for path in _parts(found) if found and redactor else ():
        _redact(path, redactor)
    return found


def gather_coverage(planned: PlannedGate, completed: Completed, *, tree: Path, into: Path) -> None:
    """Copy the coverage file that a gate left in ``tree`` to the file ``into``, where it was written by this run."""
    path = planned.gate.coverage.lstrip("/")
    since = datetime.fromisoformat(completed.started).timestamp() - _CLOCK_SLACK
    try:
        data = read_beneath(tree, path, _COVERAGE_BYTES) if path else None
    except RalphError:
        data = b"too large"  # unreadable must not look like missing
    if data is not None and (tree / path).lstat().st_mtime >= since:
        write_atomic(into, data)


def digest(report: Path) -> str:
    """SHA-256 of a report: of the file, or of the names and bytes of all files of a directory."""
    if not report.is_dir():
        return hashlib.sha256(report.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for path in _parts(report):
        whole.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def _parts(report: Path) -> list[Path]:
    return sorted(path for path in report.iterdir() if path.is_file()) if report.is_dir() else [report]


def _redact(path: Path, redactor: Redactor | None) -> None:
    if redactor is None or path.is_symlink() or path.stat().st_size > MAX_BYTES:
        return
    data = path.read_bytes()
    if (clean := redactor.bytes(data)) != data:
        write_atomic(path, clean)


def _gathered(planned: PlannedGate, completed: Completed, junit: Path, tree: Path, into: Path) -> Path | None:
    since = datetime.fromisoformat(completed.started).timestamp() - _CLOCK_SLACK
    patterns = _left_in_tree(planned)
    if not patterns:
        return junit if junit.is_file() and junit.lstat().st_mtime >= since else None
    into.mkdir(parents=True, exist_ok=True)
    copied = 0
    for path in _files(tree, patterns):
        if copied < _MOST_FILES and (tree / path).lstat().st_mtime >= since and _copy(tree, path, into, copied):
            copied += 1
    return into if copied else None


def _left_in_tree(planned: PlannedGate) -> Sequence[str]:
    if planned.gate.junit:
        return (f"/{planned.gate.junit.lstrip('/')}",)
    runner = planned.runner
    return runner.leaves if runner and runner.source == "tree" else ()


def _files(tree: Path, patterns: Sequence[str]) -> Iterator[str]:
    for folder, folders, names in os.walk(tree, followlinks=False):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for name in sorted(names):
            path = (Path(folder) / name).relative_to(tree).as_posix()
            if globs.matches(patterns, path):
                yield path


def _copy(tree: Path, path: str, into: Path, number: int) -> bool:
    try:
        data = read_beneath(tree, path, MAX_BYTES)
    except RalphError:
        data = b"too large"  # unreadable reports must not look like missing ones
    if data is not None:
        write_atomic(into / f"{number:05}.xml", data)
    return data is not None
