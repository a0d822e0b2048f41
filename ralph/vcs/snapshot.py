"""``git add`` over whatever an agent may have left, and what to do with the things git refuses to add."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ralph.domain import Finding
from ralph.vcs import tree
from ralph.vcs.git import Git, failure, text
from ralph.vcs.index import GITLINK, has_gitlinks, read_index
from ralph.vcs.objects import EMPTY_TREE

_NO_COMMIT = re.compile(rb"error: '([^\0]+?)/' does not have a commit checked out\n")
_BAD_NAME = re.compile(rb"error: invalid path '([^\0]+?)'\nerror: unable to add '[^\0]+?' to index\n")
_TOO_DEEP = re.compile(rb"warning: could not open directory '([^'\n]{1000,})[^\n]*\n?")
_KEPT = re.compile(rb"The following paths are ignored by one of your \.gitignore files:\n(?:(?!hint:)[^\n]+\n)+")
_HARMLESS = re.compile(rb"(warning|hint):[^\n]*\n?")


def add_everything(git: Git, root: Path, index: Path, keep: Sequence[str]) -> tuple[Finding, ...]:
    """Bring the index to what lies below ``root``; returns what could not be stored as it lies there.

    Raises GitError for anything unexpected (a full disk above all): an incomplete index must never become a tree.
    """
    args = [
        "add",
        "--all",
        "--ignore-errors",
        "--",
        ".",
        *(f":(exclude,top,literal){path.strip('/')}" for path in keep),
    ]
    code, _, err = git.status(*args)
    if b"Permission denied" in err:
        tree.unlock_permissions(root)
        code, _, err = git.status(*args)
    nested = [match.group(1) for match in _NO_COMMIT.finditer(err)]
    names = [match.group(1) for match in _BAD_NAME.finditer(err)]
    deep = [match.group(1) for match in _TOO_DEEP.finditer(err)]
    kept = _KEPT.search(err)
    rest = err
    for pattern in (_KEPT, _NO_COMMIT, _BAD_NAME, _TOO_DEEP, _HARMLESS):
        rest = pattern.sub(b"", rest)
    if rest.strip() or b"Permission denied" in err or (code != 0 and not (nested or names or kept)):
        raise failure(tuple(args), code, rest or err)
    if nested:
        rows = b"".join(b"160000 %s\t%s\0" % (EMPTY_TREE.encode(), path) for path in nested)
        git.run("update-index", "-z", "--index-info", input=rows)
    return (
        *(_finding("unstorable-name", path, "git refuses this name") for path in names),
        *(_finding("too-deep", path[:200], "the path is too long") for path in deep),
        *(_finding("nested-repository", path, "a repository inside the work tree") for path in _links(index)),
    )


def _links(index: Path) -> list[bytes]:
    if not has_gitlinks(index):
        return []
    return [path for path, entry in read_index(index).entries.items() if entry.mode == GITLINK and not entry.skipped]


def _finding(rule: str, path: bytes, message: str) -> Finding:
    return Finding(rule, text(path), message)
