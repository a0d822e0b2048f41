"""The daemon's bare copy of the user's repository: the only thing that loops borrow objects from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ralph.errors import GitError
from ralph.vcs import user
from ralph.vcs.git import FETCH, Git, failure, text, upload_pack
from ralph.vcs.objects import RALPH

_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[gc]
\tauto = 0
[uploadpack]
\tallowAnySHA1InWant = true
"""
_NAME = re.compile(r"(?!.*(\.\.|@\{|//))[^\x00-\x20~^:?*\[\\-][^\x00-\x20~^:?*\[\\]*$")


class Mirror:
    """A bare repository at ``path``, fed from the user's checkout ``repo``. Objects are never pruned. Daemon only."""

    def __init__(self, path: Path, repo: Path) -> None:
        self.path = path
        self.repo = repo
        self.git = Git(path)
        self._contents: dict[tuple[str, str], bytes | None] = {}

    def ensure(self) -> None:
        """Make the repository, or bring its copies of the user's identity and excludes up to date."""
        for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        (self.path / "config").write_text(_CONFIG)
        (self.path / "HEAD").write_text("ref: refs/heads/none\n")
        (self.path / "info/exclude").write_text(user.excludes(self.repo), "utf-8", "surrogateescape")
        try:
            name, email = user.user_identity(self.repo)
        except GitError:
            name, email = RALPH
        (self.path / "user").write_text(f"{name}\n{email}\n", "utf-8")

    def fetch(self, refs: Sequence[str]) -> None:
        """Copy refs (full names) or commit ids of the user's repository with their history. Raises GitError."""
        source = str(user.git_dirs(self.repo)[1])
        specs = [f"+{ref}:{ref}" if ref.startswith("refs/") else ref for ref in refs]
        self.git.run("fetch", *FETCH, f"--upload-pack={upload_pack()}", source, *specs, timeout=3600)

    def resolve(self, base: str) -> str:
        """Commit id of ``main`` or ``origin/main``, fetched into the mirror.

        A local branch goes first; else ``<remote>/<branch>`` is fetched from the remote itself, with the user's
        credentials and without touching the user's repository; else a tag or commit of the user's repository.
        """
        if not _NAME.match(base):
            raise GitError(f"{base!r} is no name of a branch", "Set [night] base to a branch, e.g. main.")
        local = user.open_repository(self.repo)
        commit = _commit(local, f"refs/heads/{base}")
        if commit is not None:
            return self._local(f"refs/heads/{base}", commit)
        for remote in user.remotes(self.repo):
            if base.startswith(f"{remote}/"):
                return self._from_remote(remote, base.removeprefix(f"{remote}/"))
        commit = _commit(local, base)
        if commit is None:
            raise GitError(f"there is no branch {base}", "Set [night] base to a branch of this repository.")
        return self._local(commit, commit)

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes in a commit, symbolic links inside the tree followed; None where there is no such file."""
        key = commit, path
        if key not in self._contents:
            self._contents[key] = self._read(commit, path)
        return self._contents[key]

    def list_tree(self, commit: str) -> list[tuple[str, str, str]]:
        """Mode, blob id and path of every file in a commit."""
        rows = [text(row).split("\t", 1) for row in self.git.fields("ls-tree", "-r", "-z", "--full-tree", commit)]
        return [(head.split()[0], head.split()[2], path) for head, path in rows]

    def unsupported(self) -> list[str]:
        """What the user's repository has that ralph does not handle, in words."""
        return user.unsupported(self.repo)

    def has(self, commit: str) -> bool:
        return _commit(self.git, commit) == commit

    def _local(self, ref: str, commit: str) -> str:
        if not self.has(commit) or (ref.startswith("refs/") and _commit(self.git, ref) != commit):
            self.fetch([ref])
        return commit

    def _from_remote(self, remote: str, branch: str) -> str:
        env = user.network_settings(self.repo)
        url = user.remote_url(self.repo, remote)
        target = f"refs/remotes/{remote}/{branch}"
        outside = Git(self.path, user_config=True)
        outside.run("fetch", *FETCH, "--", url, f"+refs/heads/{branch}:{target}", env=env, timeout=3600)
        return self.git.line("rev-parse", "--verify", f"{target}^{{commit}}")

    def _read(self, commit: str, path: str) -> bytes | None:
        wanted = f"{commit}:{path}".encode("utf-8", "surrogateescape")
        out = self.git.run("cat-file", "--batch", "--follow-symlinks", "-z", input=wanted + b"\0")
        head, _, rest = out.partition(b"\n")
        words = head.split()
        if len(words) == 3 and words[1] == b"blob" and len(rest) == int(words[2]) + 1:
            return rest[:-1]
        if not self.has(commit):
            raise GitError(f"there is no commit {commit} in the mirror")
        return None


def _commit(git: Git, name: str) -> str | None:
    args = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    code, out, err = git.status(*args)
    if code not in (0, 1, 128):
        raise failure(args, code, err)
    return text(out).strip() if code == 0 else None
