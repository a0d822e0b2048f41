"""Brings finished commits into the user's repository and to its remote, moving nothing but ralph's own refs.

Nothing is forced: a branch moves by compare-and-swap from the value that is known, or the result is parked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ralph.errors import GitError
from ralph.vcs import user
from ralph.vcs.git import FETCH, Git, failure, locked, text, upload_pack
from ralph.vcs.objects import ZERO
from ralph.vcs.user import snapshot_state, user_identity

T = TypeVar("T")

NOTES = "refs/notes/ralph"
TEMPORARY = "refs/ralph/tmp/"
"""Holds what is being delivered, for the moment between fetching it and moving the branch."""

PATIENCE = 60.0
"""Seconds to wait for another git that holds a lock in the user's repository. Its locks are never removed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a commit went. ``branch`` is the ref that holds it now."""

    how: Literal["ref", "parked", "unchanged"]
    branch: str
    detail: str


@dataclass(frozen=True, slots=True)
class Push:
    """What the remote branch is after a push: ``pushed``, ``unchanged``, or ``rejected`` by the lease."""

    how: Literal["pushed", "unchanged", "rejected"]
    detail: str


def deliver(
    repo: Path,
    git_dir_of_loop: Path,
    branch: str,
    commit: str,
    expected: str | None,
    *,
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Fetch ``commit`` into the user's repository and move ``branch`` there from ``expected`` (None: new) to it.

    A branch that is checked out anywhere, or is not at ``expected``, stays as it is and the commit is parked on
    ``<branch>-parked-<short id>``. Raises GitError, also for a name outside ``refs/heads/ralph*``.
    """
    if not user.ALLOWED.match(branch) or not branch.startswith("refs/heads/"):
        raise GitError(f"{branch} is not ralph's to move")
    expected = None if expected == ZERO else expected
    git = user.open_repository(repo)
    if existing_branch(repo, branch) == commit:
        return Delivery("unchanged", branch, "already there")
    temporary = TEMPORARY + branch.removeprefix("refs/heads/").replace("/", ".")

    def fetch() -> None:
        git.run("fetch", *FETCH, f"--upload-pack={upload_pack()}", str(git_dir_of_loop), f"+{commit}:{temporary}")

    _patiently(fetch, patience, sleep)
    try:
        return _patiently(lambda: _move(repo, git, branch, commit, expected), patience, sleep)
    finally:
        _patiently(lambda: git.run("update-ref", "-d", temporary, commit), patience, sleep)
        _remove_empty(user.git_dirs(repo)[1], TEMPORARY)


def sweep(repo: Path) -> list[str]:
    """Delete temporary refs of a delivery that was killed; returns their names. For the start, after the fence."""
    git = user.open_repository(repo)
    names = text(git.run("for-each-ref", "--format=%(refname)", TEMPORARY)).split()
    for name in names:
        git.run("update-ref", "-d", name)
    _remove_empty(user.git_dirs(repo)[1], TEMPORARY)
    return names


def existing_branch(repo: Path, branch: str) -> str | None:
    """Commit that a branch (name or full ref) of the user's repository is at; None where it does not exist."""
    name = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    args = ("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    code, out, err = user.open_repository(repo).status(*args)
    if code not in (0, 1):
        raise failure(args, code, err)
    return text(out).strip() or None


def attic(repo: Path, branch: str, commit: str, source: Path | None = None) -> str:
    """Keep ``commit``, an old head of ``branch``, under ``refs/heads/ralph-attic/`` and return that ref. Idempotent.

    ``source`` is a git directory that has the commit where the user's repository may not have it.
    """
    short = branch.removeprefix("refs/heads/").removeprefix("ralph/").removeprefix("ralph-task/")
    ref = f"refs/heads/ralph-attic/{short}-{commit[:12]}"
    if source is not None:
        deliver(repo, source, ref, commit, None)
    elif existing_branch(repo, ref) != commit:
        _patiently(lambda: user.open_repository(repo).run("update-ref", ref, commit, ZERO), PATIENCE, time.sleep)
    return ref


def write_note(repo: Path, commit: str, note: str, *, patience: float = PATIENCE) -> None:
    """Set the note on ``commit`` under ``refs/notes/ralph``; the same note again changes nothing."""
    git = user.open_repository(repo)
    blob = text(git.run("hash-object", "-w", "--stdin", input=note.encode("utf-8", "replace"))).strip()
    code, out, _ = git.status("notes", f"--ref={NOTES}", "list", commit)
    if code == 0 and text(out).strip() == blob:
        return
    args = ("notes", f"--ref={NOTES}", "add", "--force", f"--reuse-message={blob}", commit)
    _patiently(lambda: git.run(*args), patience, time.sleep)


def read_note(repo: Path, commit: str) -> str | None:
    """The note on ``commit``; None where there is none."""
    code, out, _ = user.open_repository(repo).status("notes", f"--ref={NOTES}", "show", commit)
    return out.decode("utf-8", "replace") if code == 0 else None


def push(
    repo: Path,
    git_dir: Path,
    url: str,
    branch: str,
    commit: str,
    expected: str | None,
    *,
    timeout: float = 300.0,
) -> Push:
    """Push ``commit`` from ``git_dir`` to ``branch`` (full ref) at ``url``, only if it is at ``expected`` there.

    ``expected`` None means that the branch must not exist yet. The credentials, ssh and proxy settings are the
    user's, as seen from ``repo``; hooks do not run. A timeout is an unknown outcome: the remote is looked at.
    Raises GitError where the remote can't be reached.
    """
    git = Git(git_dir, user_config=True)
    env = user.network_settings(repo)
    lease = f"--force-with-lease={branch}:{expected or ''}"
    args = ("push", "--porcelain", "--no-verify", "--no-signed", lease, "--", url, f"{commit}:{branch}")
    try:
        code, out, err = git.status(*args, env=env, timeout=timeout)
    except GitError as error:
        code, out, err = -1, b"", error.message.encode()
    if code == 0:
        return Push("unchanged" if b"\n=\t" in out else "pushed", text(out).strip())
    there = remote_branch(repo, git_dir, url, branch)
    if there == commit:
        return Push("pushed", "found there after an unknown outcome")
    if there != expected:
        return Push("rejected", f"{branch} is at {there or 'nothing'} there, not at {expected or 'nothing'}")
    raise failure(args, code, err or out)


def remote_branch(repo: Path, git_dir: Path, url: str, branch: str, *, timeout: float = 60.0) -> str | None:
    """Commit id of ``branch`` (full ref) at ``url``; None where it does not exist. Raises GitError."""
    git = Git(git_dir, user_config=True)
    out = git.run("ls-remote", "--", url, branch, env=user.network_settings(repo), timeout=timeout)
    rows = [row.split("\t") for row in text(out).splitlines()]
    return next((row[0] for row in rows if row[1:] == [branch]), None)


def _move(repo: Path, git: Git, branch: str, commit: str, expected: str | None) -> Delivery:
    holders = [tree.path for tree in user.worktrees(repo) if branch in tree.branches]
    if not holders:
        args = ("update-ref", "-m", "ralph: deliver", branch, commit, expected or ZERO)
        code, _, err = git.status(*args)
        if code == 0:
            return Delivery("ref", branch, f"{expected[:12] if expected else 'new'} -> {commit[:12]}")
        now = existing_branch(repo, branch)
        if now == expected or locked(error := failure(args, code, err)):
            raise failure(args, code, err)
        reason = f"it was moved to {now[:12]}" if now else f"it was deleted ({error.message})"
    else:
        reason = f"it is checked out in {holders[0]}"
    parked = f"{branch}-parked-{commit[:12]}"
    git.run("update-ref", parked, commit)
    return Delivery("parked", parked, f"{branch.removeprefix('refs/heads/')} was left alone: {reason}")


def _patiently(act: Callable[[], T], patience: float, sleep: Callable[[float], None]) -> T:
    waited, pause = 0.0, 0.05
    while True:
        try:
            return act()
        except GitError as error:
            if not locked(error) or waited >= patience:
                raise
            sleep(pause)
            waited += pause
            pause = min(pause * 2, 5.0)


def _remove_empty(common: Path, folder: str) -> None:
    """Remove directories that a deleted temporary ref leaves, so that nothing of it is seen."""
    path = common / folder
    while path != common / "refs":
        try:
            path.rmdir()
        except FileNotFoundError:
            pass  # git removed it already; its parent may be left
        except OSError:
            return  # in use by another delivery
        path = path.parent


__all__ = [
    "NOTES",
    "Delivery",
    "Push",
    "attic",
    "deliver",
    "existing_branch",
    "push",
    "read_note",
    "remote_branch",
    "snapshot_state",
    "sweep",
    "user_identity",
    "write_note",
]
