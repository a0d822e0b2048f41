"""Where things live: the user's checkout, its git directory and the state directory outside it. No git is run here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ralph.errors import RalphError

_SOCKET_LIMIT = 103
"""Bytes of a path a Unix socket can bind on every system (macOS: 103, Linux: 107)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one repository's state. Nothing here creates a file."""

    repo: Path
    """Top of the user's checkout."""
    common_dir: Path
    """Git directory that all linked worktrees share."""
    root: Path
    """State directory, outside the repository."""

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.db"

    @property
    def mirror(self) -> Path:
        return self.root / "mirror.git"

    def loop(self, name: str) -> Path:
        return _below(self.root / "loops", name)

    def run(self, iteration: str) -> Path:
        return _below(self.root / "runs", iteration)

    @property
    def keep(self) -> Path:
        return self.root / "keep"

    @property
    def nights(self) -> Path:
        return self.root / "nights"

    def frozen(self, night: str) -> Path:
        return _below(self.nights, f"{night}.toml")

    @property
    def good_tasks(self) -> Path:
        return self.root / "tasks.good.json"

    @property
    def quarantine(self) -> Path:
        """Tests that are known to be flaky."""
        return self.root / "quarantine.json"

    @property
    def prs(self) -> Path:
        return self.root / "prs"

    @property
    def log(self) -> Path:
        return self.root / "daemon.log"

    @property
    def lock(self) -> Path:
        """Held by the daemon of this repository; linked worktrees share it."""
        return self.common_dir / "ralph.lock"

    @property
    def socket(self) -> Path:
        """Control socket of the daemon. Its directory is made by ``files.private_directory``."""
        name = f"{self.root.name}.sock"
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        wanted = Path(runtime) / "ralph" / name
        there = runtime.startswith("/") and os.access(runtime, os.W_OK)  # after `su` it is somebody else's, or gone
        if there and len(os.fsencode(wanted)) <= _SOCKET_LIMIT:
            return wanted
        return Path("/tmp") / f"ralph-{os.getuid()}" / name


def find_repo(start: Path) -> Path:
    """Return the top of the checkout that ``start`` lies in.

    Raises RalphError where there is none.
    """
    here = Path(os.path.realpath(start))
    for folder in (here, *here.parents):
        if _git_dir(folder) is not None:
            return folder
    raise RalphError(f"{start} is not inside a git repository", "run `git init`, or change to your project's directory")


def common_dir(repo: Path) -> Path:
    """Return the git directory shared by all worktrees of the checkout ``repo``, with links resolved."""
    git_dir = _git_dir(repo)
    if git_dir is None:
        raise RalphError(f"{repo} is not the top of a git checkout")
    shared = git_dir / "commondir"
    try:
        return Path(os.path.realpath(git_dir / shared.read_text(encoding="utf-8").strip()))
    except FileNotFoundError:
        return Path(os.path.realpath(git_dir))


def layout(repo: Path) -> Layout:
    """Return the paths of the checkout ``repo`` (its top); worktrees of one repository share the state root."""
    from hashlib import sha256  # 3 ms that `--help` does not need

    common = common_dir(repo)
    name = sha256(os.fsencode(common)).hexdigest()[:16]
    return Layout(repo=Path(os.path.realpath(repo)), common_dir=common, root=_state_home() / "ralph" / name)


def _git_dir(folder: Path) -> Path | None:
    """The git directory that ``folder/.git`` stands for, followed through a ``gitdir:`` file."""
    dot_git = folder / ".git"
    try:
        if dot_git.is_dir():
            return dot_git if (dot_git / "HEAD").is_file() else None
        text = dot_git.read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RalphError(f"cannot read {dot_git}: {error.strerror}", "check its permissions") from error
    if not text.startswith("gitdir:"):
        return None
    target = folder / text.removeprefix("gitdir:").strip()
    return target if (target / "HEAD").is_file() else None


def _state_home() -> Path:
    configured = os.environ.get("XDG_STATE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "state"
    return Path(os.path.realpath(base))


def _below(folder: Path, name: str) -> Path:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"not a file name: {name!r}")
    return folder / name
