"""Stored results of tests: rewritten or deleted ones, and other data of tests that was there before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from ralph.domain import Finding
from ralph.verify.guards.tampering import found
from ralph.verify.guards.tampering.files import File

_STORED = re.compile(
    r"(?:^|/)(?:__snapshots__|__image_snapshots__|snapshots|goldens?|approvals|approved|expected|expectations|baselines?)/"
    r"|\.(?:snap|ambr|golden|approved\.\w+|expected|snapshot)$|[._-](?:golden|expected|snapshot|approved)\.\w+$"
)
_PROSE = re.compile(
    r"\.(?:md|rst|adoc)$|(?:^|/)(?:README|LICENSE|\.gitkeep|\.gitignore|py\.typed)|requirements[\w-]*\.txt$"
)


def findings(changed: Sequence[File]) -> list[Finding]:
    """Stored results are only added: new files, and new entries in files that keep all old ones."""
    return list(_findings(changed))


def _findings(changed: Sequence[File]) -> Iterator[Finding]:
    moved = {file.new for file in changed if file.old is None and file.new is not None}
    for file in changed:
        stored = _is_stored(file)
        if not (stored or file.test) or (file.program and not stored) or _PROSE.search(file.path):
            continue
        if file.old is None and file.readable:
            continue
        what = "a stored result of tests" if stored else "data of tests"
        if file.new is None and file.readable:
            if file.old not in moved:
                yield Finding(found.SNAPSHOT, file.path, f"{what} was deleted")
        elif not file.readable or not _only_added(file.old or "", file.new or ""):
            yield Finding(found.SNAPSHOT, file.path, f"{what} was rewritten")


def _is_stored(file: File) -> bool:
    """By the habits of the snapshot tools; elsewhere than among tests only where the suffix is theirs."""
    if not _STORED.search(file.path):
        return False
    return file.test or file.path.endswith((".snap", ".ambr", ".golden")) or "__snapshots__/" in file.path


def _only_added(old: str, new: str) -> bool:
    if _json_grown(old, new):
        return True
    rows = iter(new.split("\n"))
    return all(any(row == other for other in rows) for row in old.rstrip("\n").split("\n"))


def _json_grown(old: str, new: str) -> bool:
    try:
        return _contains(json.loads(old), json.loads(new))
    except ValueError:
        return False


def _contains(old: object, new: object) -> bool:
    match old, new:
        case dict(), dict():
            return all(key in new and _contains(value, new[key]) for key, value in old.items())
        case list(), list():
            return old == new[: len(old)]
    return type(old) is type(new) and old == new
