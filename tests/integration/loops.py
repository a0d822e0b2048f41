"""Real repositories for the tests of the git room: a user's checkout, its mirror, and loops on it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ralph.vcs.mirror import Mirror
from ralph.vcs.objects import ZERO
from ralph.vcs.workspace import Workspace

BRANCH = "refs/heads/ralph/alpha"
ADA = ("Ada Tester", "ada@example.org")
RALPH = ("ralph", "ralph@localhost")


def git(where: Path, *args: str, ok: bool = True) -> str:
    """Plain git, as a person would run it."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(["git", *args], cwd=where, env=env, capture_output=True, text=True, errors="surrogateescape")
    assert done.returncode == 0 or not ok, f"git {args}: {done.stderr}"
    return done.stdout.rstrip("\n")


def commit_all(repo: Path, message: str = "change") -> str:
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", message)
    return git(repo, "rev-parse", "HEAD")


@dataclass
class Loop:
    repo: Path
    mirror: Mirror
    space: Workspace
    base: str

    @property
    def tree(self) -> Path:
        return self.space.tree

    def commit(self, tree: str, parent: str | None = None, date: int = 1_700_000_000) -> str:
        return self.space.commit_object(tree, [parent or self.base], "feat: work\n", ADA, RALPH, date)

    def land(self, tree: str) -> str:
        """Commit on the loop's branch, as the daemon does."""
        head = self.space.ref(BRANCH) or ZERO
        commit = self.commit(tree, None if head == ZERO else head)
        assert self.space.advance(BRANCH, commit, head)
        return commit


def make_loop(repo: Path, state: Path, name: str = "alpha") -> Loop:
    mirror = Mirror(state / "mirror.git", repo)
    mirror.ensure()
    base = mirror.resolve("main")
    space = Workspace(state / "loops" / name, mirror.path)
    space.create(base)
    return Loop(repo, mirror, space, base)
