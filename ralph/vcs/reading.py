"""Looking into commits of a loop without a work tree: paths, files, dates."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ralph.vcs.git import Git, text
from ralph.vcs.objects import read_loose


class Reading:
    """Answers about commits and trees; what is asked again is remembered, because objects never change."""

    git: Git
    objects: Path
    mirror: Path

    def paths(self, treeish: str) -> list[str]:
        """Every path of a commit or tree."""
        return [path for path, _ in self.blobs(treeish)]

    def blobs(self, treeish: str) -> list[tuple[str, str]]:
        """(path, object id) of every entry of a commit or tree."""
        return _blobs(self.git, treeish)

    def read(self, treeish: str, path: str, limit: int) -> bytes | None:
        """The first ``limit`` bytes of a regular file at ``path``; None where there is none."""
        blob = next((blob for name, blob in self.blobs(treeish) if name == path), None)
        if blob is None:
            return None
        return self.git.head("cat-file", "blob", blob, limit=limit)[0]

    def knows(self, commit: str) -> bool:
        """Whether the commit can be read here."""
        return self.git.status("cat-file", "-e", f"{commit}^{{commit}}")[0] == 0

    def date_of(self, commit: str) -> int:
        """Committer date in epoch seconds."""
        for objects in (self.objects, self.mirror / "objects"):
            found = read_loose(objects, commit)
            if found is not None:
                return _date(found[1])
        return int(self.git.line("show", "--no-patch", "--format=%ct", commit))


@dataclass(frozen=True, slots=True)
class Made:
    """What a commit object says."""

    tree: str
    parents: tuple[str, ...]
    message: str
    trailers: dict[str, str] = field(default_factory=dict)
    """Lines ``Ralph-*: value`` of the last paragraph."""


def made(git: Git, commit: str) -> Made | None:
    """The commit object of that id in ``git``; None where there is none."""
    code, out, _ = git.status("cat-file", "commit", commit)
    if code != 0:
        return None
    head, _, message = text(out).partition("\n\n")
    fields = [line.split(" ", 1) for line in head.split("\n") if " " in line and not line.startswith(" ")]
    last = message.rstrip("\n").rpartition("\n\n")[2]
    pairs = (line.partition(": ") for line in last.split("\n") if line.startswith("Ralph-"))
    return Made(
        tree=next(value for name, value in fields if name == "tree"),
        parents=tuple(value for name, value in fields if name == "parent"),
        message=message,
        trailers={name: value for name, _, value in pairs},
    )


@lru_cache(maxsize=8)
def _blobs(git: Git, treeish: str) -> list[tuple[str, str]]:
    rows = [row.split(b"\t", 1) for row in git.fields("ls-tree", "-r", "-z", "--full-tree", treeish)]
    return [(text(path), head.split()[2].decode()) for head, path in rows]


def _date(commit: bytes) -> int:
    line = next(line for line in commit.split(b"\n") if line.startswith(b"committer "))
    return int(line.split()[-2])
