"""The user's repository, read and never changed: identity, settings, excludes, worktrees, what ralph can't handle.

Nothing of it runs: no hooks, no filters, no file system monitor.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ralph.errors import GitError
from ralph.vcs.git import Git, failure, raw, settings, text
from ralph.vcs.objects import Person

ALLOWED = re.compile(r"refs/(heads/ralph([/-].*)?|notes/ralph|ralph/ledger)$")
"""Refs that a night may leave in the user's repository."""

_NETWORK = r"^(credential\..*|http\..*|core\.(sshcommand|gitproxy)|ssh\.variant|url\..*|remote\..*\.proxy.*)$"
_LFS = re.compile(rb"filter\s*=\s*lfs\b")


def git_dirs(repo: Path) -> tuple[Path, Path]:
    """Git directory and common directory of a checkout, linked worktrees included. Starts no process."""
    entry = repo / ".git"
    if entry.is_file():
        line = entry.read_text("utf-8", "surrogateescape").strip()
        git_dir = (repo / line.removeprefix("gitdir:").strip()).resolve()
    elif entry.is_dir():
        git_dir = entry
    elif (repo / "HEAD").is_file() and (repo / "objects").is_dir():
        git_dir = repo
    else:
        raise GitError(f"{repo} is not a git repository", "Run ralph inside a checkout, or `git init` first.")
    common = git_dir / "commondir"
    if common.is_file():
        return git_dir, (git_dir / common.read_text("utf-8", "surrogateescape").strip()).resolve()
    return git_dir, git_dir


def open_repository(repo: Path, *, user_config: bool = False) -> Git:
    """git on the user's repository under the closed environment, for reading and for moving ralph's own refs."""
    return Git(git_dirs(repo)[0], user_config=user_config)


def configuration(repo: Path) -> dict[str, str]:
    """The user's effective settings (system, global, local), last value of each; keys as git prints them."""
    fields = open_repository(repo, user_config=True).fields("config", "--list", "-z", "--includes")
    return dict(_setting(field) for field in fields)


def user_identity(repo: Path) -> Person:
    """Name and email that the user's commits carry. Raises GitError where git would refuse to commit."""
    known = configuration(repo)
    name = os.environ.get("GIT_AUTHOR_NAME") or known.get("author.name") or known.get("user.name", "")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or known.get("author.email") or known.get("user.email", "")
    if not name or not email:
        raise GitError("git does not know your name and email", "Set them: git config --global user.name/user.email.")
    return name, email


def network_settings(repo: Path) -> dict[str, str]:
    """Environment that hands the repository's own credential, proxy and ssh settings to a git elsewhere.

    In the environment, not on a command line: headers in there may hold tokens.
    """
    local = open_repository(repo, user_config=True)
    code, out, err = local.status("config", "--local", "--includes", "-z", "--get-regexp", _NETWORK)
    if code not in (0, 1):
        raise failure(("config",), code, err)
    pairs = [_setting(field) for field in out.split(b"\0") if field]
    return settings([*local.settings, *(f"{key}={value}" for key, value in pairs)]) | _ssh(configuration(repo))


def remotes(repo: Path) -> list[str]:
    """Names of the configured remotes, longest first."""
    found = (re.fullmatch(r"remote\.(.+)\.url", key) for key in configuration(repo))
    return sorted((match.group(1) for match in found if match), key=len, reverse=True)


def remote_url(repo: Path, remote: str) -> str:
    """URL that git would fetch ``remote`` from, ``url.<base>.insteadOf`` applied; a local path is made absolute."""
    url = open_repository(repo, user_config=True).line("ls-remote", "--get-url", remote)
    local = ":" not in url.split("/")[0] and "://" not in url
    return str((repo / url).resolve()) if local else url


def excludes(repo: Path) -> str:
    """The user's own ignore rules that are not in the tree: info/exclude and core.excludesFile."""
    _, common = git_dirs(repo)
    named = configuration(repo).get("core.excludesfile", "")
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    other = Path(named).expanduser() if named else config_home / "git/ignore"
    return "\n".join(part for part in (_text_of(common / "info/exclude"), _text_of(other)) if part)


@dataclass(frozen=True, slots=True)
class Worktree:
    """Where a worktree's HEAD is, and every branch that an operation under way in it will move."""

    path: str
    branches: tuple[str, ...]


def worktrees(repo: Path) -> Iterator[Worktree]:
    """All worktrees of a repository with the branches they hold (full ref names). Starts no process."""
    _, common = git_dirs(repo)
    yield _worktree(common, str(common.parent))
    linked = common / "worktrees"
    for entry in sorted(linked.iterdir()) if linked.is_dir() else []:
        where = _text_of(entry / "gitdir").strip().removesuffix("/.git")
        yield _worktree(entry, where or entry.name)


def unsupported(repo: Path) -> list[str]:
    """What this repository has that ralph does not handle, in words; empty where all is well."""
    git = open_repository(repo)
    _, common = git_dirs(repo)
    known = configuration(repo)
    found = []
    if known.get("extensions.objectformat", "sha1") != "sha1":
        found.append("SHA-256 objects")
    if known.get("extensions.refstorage", "files") != "files" or (common / "reftable").exists():
        found.append("reftable refs")
    if found:
        return found
    if (common / "shallow").exists():
        found.append("shallow clone")
    if "extensions.partialclone" in known or any(key.endswith(".promisor") for key in known):
        found.append("partial clone")
    if known.get("core.sparsecheckout", "false").lower() in ("true", "yes", "on", "1", ""):
        found.append("sparse checkout")
    if git.status("rev-parse", "--verify", "--quiet", "HEAD^{commit}")[0] != 0:
        return [*found, "empty repository (no commit on HEAD)"]
    rows = [row.split(b"\t", 1) for row in git.fields("ls-tree", "-r", "-z", "--full-tree", "HEAD")]
    if any(head.startswith(b"160000") for head, _ in rows):
        found.append("submodules")
    attributes = [head.split()[2].decode() for head, path in rows if path.rpartition(b"/")[2] == b".gitattributes"]
    texts = [git.run("cat-file", "blob", name) for name in attributes]
    if any(_LFS.search(data) for data in [*texts, raw(_text_of(common / "info/attributes"))]):
        found.append("Git LFS")
    return found


def snapshot_state(repo: Path) -> dict[str, str]:
    """Hashes of everything that a night must leave alone, by name: compare two of them to prove that it did."""
    git_dir, common = git_dirs(repo)
    state = {}
    rows = text(open_repository(repo).run("for-each-ref", "--format=%(refname) %(objectname)")).splitlines()
    state["refs"] = _hash("\n".join(row for row in rows if not ALLOWED.match(row.split()[0])).encode())
    for name in ("index", "HEAD", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "config.worktree"):
        state[name] = _hash_path(git_dir / name)
    for name in ("config", "packed-refs", "logs/refs/stash", "info", "hooks", "worktrees", "modules", "shallow"):
        state[name] = _hash_path(common / name)
    for entry in sorted(repo.iterdir()) if repo != git_dir else []:
        if entry.name not in (".git", ".ralph", "tasks.json", "progress"):
            state[f"files/{entry.name}"] = _hash_path(entry)
    return state


def _ssh(known: Mapping[str, str]) -> dict[str, str]:
    if os.environ.get("GIT_SSH_COMMAND") or os.environ.get("GIT_SSH") or known.get("core.sshcommand"):
        return {}
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}


def _setting(field: bytes) -> tuple[str, str]:
    key, _, value = text(field).partition("\n")
    return key, value


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def _worktree(git_dir: Path, path: str) -> Worktree:
    names = [_text_of(git_dir / "HEAD").strip().removeprefix("ref: ")]
    names += [_text_of(git_dir / kind / "head-name").strip() for kind in ("rebase-merge", "rebase-apply")]
    bisected = _text_of(git_dir / "BISECT_START").strip()
    names += [bisected if bisected.startswith("refs/") else f"refs/heads/{bisected}"]
    return Worktree(path, tuple(name for name in names if name.startswith("refs/heads/") and name != "refs/heads/"))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hash_path(path: Path) -> str:
    """Hash of a file's bytes and mode, a link's target, or everything in a directory."""
    try:
        info = path.lstat()
    except FileNotFoundError:
        return "absent"
    if stat.S_ISLNK(info.st_mode):
        return _hash(b"link " + os.fsencode(path.readlink()))
    if stat.S_ISDIR(info.st_mode):
        rows = [f"{os.fsencode(entry.name)!r} {_hash_path(entry)}" for entry in sorted(path.iterdir())]
        return _hash("\n".join(rows).encode())
    if not stat.S_ISREG(info.st_mode):
        return f"special {info.st_mode:o}"
    return _hash(b"%o " % stat.S_IMODE(info.st_mode) + path.read_bytes())
