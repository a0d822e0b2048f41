"""The nights' records as files of one ref in the user's repository, each night on top of the former ones."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from ralph.errors import GitError
from ralph.vcs import user
from ralph.vcs.delivery import PATIENCE, existing_branch
from ralph.vcs.git import Git, failure, locked, text
from ralph.vcs.objects import RALPH, ZERO, commit_bytes

REF = "refs/ralph/ledger"
FOLDER = "nights"


def store(repo: Path, name: str, content: str, date: int, *, patience: float = PATIENCE) -> str:
    """Commit ``content`` as ``nights/<name>`` on top of what the ref holds, and move the ref by compare-and-swap.

    ``date`` is epoch seconds. The same content again changes nothing. Returns the commit the ref is at; raises
    GitError.
    """
    git = user.open_repository(repo)
    waited = 0.0
    while True:
        before = existing_branch(repo, REF)
        tree = _tree(git, before, name, content)
        if before and text(git.run("rev-parse", f"{before}^{{tree}}")).strip() == tree:
            return before
        made = commit_bytes(tree, [before] if before else [], f"Night {name.partition('.')[0]}", RALPH, RALPH, date)
        commit = text(git.run("hash-object", "-t", "commit", "-w", "--stdin", input=made)).strip()
        args = ("update-ref", "-m", "ralph: record", REF, commit, before or ZERO)
        code, _, err = git.status(*args)
        if code == 0:
            return commit
        moved = existing_branch(repo, REF) != before
        if waited >= patience or not (moved or locked(failure(args, code, err))):
            raise failure(args, code, err)
        time.sleep(0.05)
        waited += 0.05


def read(repo: Path, name: str) -> str | None:
    """The stored record ``nights/<name>``; None where there is none."""
    code, out, _ = user.open_repository(repo).status("cat-file", "blob", f"{REF}:{FOLDER}/{name}")
    return out.decode("utf-8", "replace") if code == 0 else None


def _tree(git: Git, before: str | None, name: str, content: str) -> str:
    if "/" in name or not name:
        raise GitError(f"{name!r} is no name of a record")
    blob = text(git.run("hash-object", "-w", "--stdin", input=content.encode("utf-8", "replace"))).strip()
    rows = {row.split("\t", 1)[1]: row for row in _listed(git, f"{before}:{FOLDER}")} if before else {}
    rows[name] = f"100644 blob {blob}\t{name}"
    folder = _made(git, rows.values())
    top = {row.split("\t", 1)[1]: row for row in _listed(git, before)} if before else {}
    top[FOLDER] = f"040000 tree {folder}\t{FOLDER}"
    return _made(git, top.values())


def _listed(git: Git, treeish: str) -> list[str]:
    code, out, _ = git.status("ls-tree", "-z", treeish)
    return [text(row) for row in out.split(b"\0") if row] if code == 0 else []


def _made(git: Git, rows: Iterable[str]) -> str:
    listing = "".join(f"{row}\0" for row in rows)
    return text(git.run("mktree", "-z", input=listing.encode("utf-8", "surrogateescape"))).strip()
