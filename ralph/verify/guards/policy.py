"""Guard ``diff-policy``: what may be in a tree at all, so that checking it out elsewhere is safe."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ralph.core.inert import spelled
from ralph.domain import Change, Finding
from ralph.errors import RalphError
from ralph.verify.guards import content
from ralph.verify.guards.diff import GITLINK, SYMLINK, Diff

MOST_FILES = 2_000
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udbff]")
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_GIT_NAME = re.compile(r"\.git(?:$|[. :]|\\)|git~\d+$", re.IGNORECASE)


def findings(diff: Diff) -> list[Finding]:
    found: list[Finding] = []
    if len(diff.changes) > MOST_FILES:
        found.append(Finding("too-many-files", "", f"{len(diff.changes)} changed files are more than {MOST_FILES}"))
    for change in diff.changes[: 2 * MOST_FILES]:
        if change.status != "D":
            found += _of_path(change.path)
            found += _of_mode(diff, change)
    return found + list(_collisions(diff))


def _of_path(path: str) -> Iterator[Finding]:
    shown = spelled(path).replace("\n", "<U+000A>")
    if _CONTROL.search(path):
        yield Finding("control-character", shown, "the name has control or invisible characters")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        yield Finding("reserved-name", shown, "not a plain relative path")
    for part in parts:
        plain = _IGNORED_BY_HFS.sub("", unicodedata.normalize("NFC", part))
        if _GIT_NAME.match(plain) and plain != ".gitmodules":
            yield Finding("reserved-name", shown, f"{spelled(part)!r} is git's own directory on some file systems")
    if parts[-1].lower().endswith((".pyc", ".pyo")):
        yield Finding("bytecode", shown, "compiled code would be loaded in place of a source that says something else")
    if parts[-1].lower() == ".gitmodules":
        yield Finding("submodule", shown, "submodules are not changed at night")


def _of_mode(diff: Diff, change: Change) -> Iterator[Finding]:
    path, mode = change.path, change.new_mode
    if mode == GITLINK:
        yield Finding("submodule", path, "a commit of another repository (gitlink)")
    elif mode == SYMLINK:
        target = diff.read_blob(change.new_blob).decode("utf-8", "replace")
        if _leaves(path, target):
            yield Finding("symlink", path, f"a symbolic link out of the tree: {spelled(target)[:200]}")
    elif mode not in ("100644", "100755"):
        yield Finding("mode", path, f"mode {mode} is neither a file nor a link")
    else:
        yield from _of_file(diff, change)


def _of_file(diff: Diff, change: Change) -> Iterator[Finding]:
    limit, path = diff.config.guards.max_file_mb, change.path
    try:
        size = len(diff.new(change) or b"")
    except RalphError as error:
        if limit:
            yield Finding("large-file", path, error.message)
        return
    if limit and size > limit * 1_000_000:
        yield Finding("large-file", path, f"{size / 1e6:.1f} MB is more than {limit:g} MB (guards.max_file_mb)")
    else:
        yield from content.findings(diff, change)


def _leaves(path: str, target: str) -> bool:
    """Whether a link at ``path`` points out of the tree or into git's own directory."""
    if target.startswith("/") or "\\" in target or not target:
        return True
    parts = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).split("/")
    return parts[0] == ".." or any(_GIT_NAME.match(part) for part in parts)


def _collisions(diff: Diff) -> Iterator[Finding]:
    """Added paths that are one with another path where case or Unicode form does not count, folder by folder."""
    removed = {change.path for change in diff.changes if change.status == "D"}
    added = [change.path for change in diff.changes if change.status == "A"]
    if not added:
        return
    spellings: dict[str, set[str]] = defaultdict(set)
    for prefix in _prefixes([*(path for path in diff.tracked if path not in removed), *added]):
        spellings[_folded(prefix)].add(prefix)
    for path in added:
        for prefix in _prefixes([path]):
            if others := sorted(spellings[_folded(prefix)] - {prefix}):
                yield Finding(
                    "case-collision", path, f"{spelled(prefix)} and {spelled(others[0])} are one on some machines"
                )
                break


def _prefixes(paths: Iterable[str]) -> set[str]:
    """The paths and all folders above them."""
    found: set[str] = set()
    for path in paths:
        while path and path not in found:
            found.add(path)
            path = path.rpartition("/")[0]
    return found


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
