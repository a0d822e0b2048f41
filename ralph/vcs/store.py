"""One loop's git directory: its objects and refs, without the work tree.

Workers write objects only. Methods that move refs say so; only the daemon may call them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from ralph.domain import Change
from ralph.errors import GitError
from ralph.vcs.git import FETCH, ONE_BY_ONE, Git, failure, text, upload_pack
from ralph.vcs.objects import RALPH, ZERO, Person, blob_id, commit_bytes, read_loose, tree_of, write_commit
from ralph.vcs.reading import Reading
from ralph.vcs.throwaway import ATTRIBUTES

ATTEMPTS = "refs/ralph/attempts/"

_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = false
\tignoreCase = {ignore_case}
[gc]
\tauto = 0
[uploadpack]
\tallowAnySHA1InWant = true
"""


class Store(Reading):
    """Objects and refs of one loop. ``git_dir`` borrows the objects of the bare repository ``mirror``."""

    def __init__(self, git_dir: Path, mirror: Path) -> None:
        self.git_dir = git_dir
        self.mirror = mirror
        self.objects = git_dir / "objects"
        self.git = Git(git_dir)

    def lay_git_dir(self) -> None:
        """Write the git directory with plain files; what is there already stays. Needs no git process."""
        for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
            (self.git_dir / folder).mkdir(parents=True, exist_ok=True)
        config = self.git_dir / "config"
        config.write_text("")
        ignore_case = str((self.git_dir / "CONFIG").exists()).lower()
        config.write_text(_CONFIG.format(ignore_case=ignore_case))
        (self.objects / "info/alternates").write_text(f"{self.mirror / 'objects'}\n")
        (self.git_dir / "info/attributes").write_text(ATTRIBUTES)
        (self.git_dir / "HEAD").write_text("ref: refs/heads/none\n")

    def tree_of(self, commit: str) -> str:
        """Tree id of a commit. Raises GitError where there is no such commit."""
        found = tree_of(self.objects, commit) or tree_of(self.mirror / "objects", commit)
        return found or self.git.line("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")

    def changes(self, old_tree: str, new_tree: str) -> list[Change]:
        """What differs between two trees (or commits), one entry a path, without rename detection.

        Nested repositories show with mode 160000. A path that is not UTF-8 carries surrogate escapes.
        """
        if old_tree == new_tree:
            return []
        fields = self.git.fields("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", old_tree, new_tree)
        return [_change(head, path) for head, path in zip(fields[::2], fields[1::2], strict=True)]

    def blob(self, name: str, limit: int) -> bytes:
        """The first ``limit`` bytes of a blob. Raises GitError where it does not exist."""
        for objects in (self.objects, self.mirror / "objects"):
            found = read_loose(objects, name, limit)
            if found is not None:
                return found[1]
        return self.git.head("cat-file", "blob", name, limit=limit)[0]

    def diff(self, old: str, new: str, limit: int) -> str:
        """Patch between two trees for people and prompts, at most ``limit`` bytes; what was cut is said.

        Binary files are shown as text too: an attribute must not hide a change. Guards read blobs, not this.
        """
        options = ("-r", "-p", "--no-ext-diff", "--no-textconv", "--text", "--no-renames", "--no-color")
        data, more = self.git.head("diff-tree", *options, "--full-index", old, new, limit=limit)
        shown = data.decode("utf-8", "replace")
        return f"{shown}\n[cut after {limit} bytes]\n" if more else shown

    def commit_object(
        self, tree: str, parents: Sequence[str], message: str, author: Person, committer: Person, date: int
    ) -> str:
        """Write a commit and return its id; no ref moves. ``date`` is epoch seconds. Same arguments, same id."""
        return write_commit(self.objects, commit_bytes(tree, parents, message, author, committer, date))

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether ``ancestor`` is reachable from ``commit``."""
        if commit == ancestor:
            return True
        args = ("merge-base", "--is-ancestor", ancestor, commit)
        code, _, err = self.git.status(*args)
        if code > 1:
            raise failure(args, code, err)
        return code == 0

    def since(self, base: str, commit: str) -> list[str]:
        """Commits reachable from ``commit`` and not from ``base``, newest first."""
        return text(self.git.run("rev-list", commit, f"^{base}")).split()

    def merge(self, ours: str, theirs: str) -> tuple[str | None, list[str]]:
        """Merge two commits without a work tree: the tree and no paths, or None and the conflicting paths."""
        args = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
        code, out, err = self.git.status(*args)
        if code not in (0, 1):
            raise failure(args, code, err)
        tree, *paths = [text(field) for field in out.split(b"\0") if field]
        return (tree, []) if code == 0 else (None, sorted(set(paths)))

    def carry(self, work: str, old: str, new: str) -> tuple[str | None, list[str]]:
        """Bring what the tree ``work`` changed against commit ``old`` over to commit ``new``.

        Returns the tree and no paths, or None and the conflicting paths. Writes objects, no refs.
        """
        common, ours = self.tree_of(old), self.tree_of(new)
        if common == ours:
            return work, []
        base = self.commit_object(common, [], "Base\n", RALPH, RALPH, 0)
        sides = (self.commit_object(tree, [base], "Side\n", RALPH, RALPH, 0) for tree in (ours, work))
        return self.merge(*sides)

    def fetch_from(self, other_loop_git_dir: Path, commit: str) -> None:
        """Copy a commit with its history from another loop's git directory. Writes objects, no refs."""
        if self._has(commit):
            return
        self.git.run("fetch", *FETCH, f"--upload-pack={upload_pack()}", str(other_loop_git_dir), commit)

    def ref(self, name: str) -> str | None:
        """Commit id of a ref; None where it does not exist. Reads files, starts no process."""
        try:
            return (self.git_dir / name).read_text("ascii").strip()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return self._packed(name)

    def advance(self, ref: str, new: str, old: str) -> bool:
        """Move ``ref`` from ``old`` to ``new`` by compare-and-swap; False where it is somewhere else. Daemon only.

        ``old`` is forty zeros for a ref that must not exist yet. True also where the ref is at ``new`` already.
        """
        args = ("update-ref", ref, new, old := old or ZERO)
        code, _, err = self.git.status(*args)
        if code == 0:
            return True
        now = self.ref(ref) or ZERO
        if now == new:
            return True
        if now == old:
            raise failure(args, code, err)
        return False

    def keep_attempt(self, iteration: str, tree: str, parent: str, at: int = 0) -> str:
        """Make an attempt's tree reachable under a ref of its own and return the ref. Daemon only. Idempotent.

        ``at`` is epoch seconds, fixed in the ledger: the commit behind the ref is deterministic.
        """
        ref = attempt_ref(iteration)
        commit = self.commit_object(tree, [parent], f"Attempt {iteration}\n", RALPH, RALPH, at)
        if self.ref(ref) != commit:
            self.git.run("update-ref", ref, commit)
        return ref

    def remove_attempts(self, before: date) -> int:
        """Delete the refs of attempts of nights that started before ``before``; returns how many. Daemon only."""
        names = text(self.git.run("for-each-ref", "--format=%(refname)", ATTEMPTS)).split()
        old = [name for name in names if _night(name) < before.isoformat()]
        self.git.run("update-ref", "--stdin", "-z", input=b"".join(b"delete %s\0\0" % name.encode() for name in old))
        return len(old)

    def unlock(self) -> list[str]:
        """Delete what a killed git left: locks and half-written objects. Returns the paths. Daemon only.

        To be called after the fence. A git of ours that outlived its parent is killed first: nobody else may
        work on this directory, so whatever still does is ours.
        """
        _end_gits_on(self.git_dir)
        stale = [path for path in self.git_dir.rglob("*") if _stale(path)]
        for path in stale:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return sorted(str(path.relative_to(self.git_dir)) for path in stale)

    def write_blob(self, data: bytes) -> str:
        """Store bytes as a blob and return its id. Writes an object, no refs."""
        found = read_loose(self.objects, name := blob_id(data), 0)
        return name if found else text(self.git.run("hash-object", "-w", "--stdin", input=data)).strip()

    def compose(self, tree: str, paths: Mapping[str, tuple[str, str] | None]) -> str:
        """The tree that ``tree`` becomes with other files at some paths: (mode, blob), or None for no file there.

        Writes objects, no refs, and touches no work tree.
        """
        none = "0" * len(tree)
        rows = [f"{entry[0]} {entry[1]}\t{path}\0" if entry else f"0 {none}\t{path}\0" for path, entry in paths.items()]
        with tempfile.TemporaryDirectory(prefix="ralph-compose-") as folder:
            git = Git(self.git_dir, Path(folder), Path(folder) / "index")
            git.run("read-tree", tree)
            data = "".join(rows).encode("utf-8", "surrogateescape")
            git.run("update-index", "--replace", "-z", "--index-info", input=data)
            return text(git.run("write-tree", env=ONE_BY_ONE)).strip()

    def _has(self, commit: str) -> bool:
        return self.git.status("cat-file", "-e", f"{commit}^{{commit}}")[0] == 0

    def _packed(self, name: str) -> str | None:
        try:
            lines = (self.git_dir / "packed-refs").read_text("utf-8", "surrogateescape").splitlines()
        except FileNotFoundError:
            return None
        return next((line[:40] for line in lines if line[41:] == name), None)


def attempt_ref(iteration: str) -> str:
    """Ref that holds an iteration's tree. Two dots in a row, which git forbids, are escaped."""
    return ATTEMPTS + iteration.replace("..", ".%2E").replace("/", ".")


def _night(ref: str) -> str:
    """Date that the attempt's name starts with; a name without one is never old."""
    found = re.match(r"\d{4}-\d\d-\d\d", ref.removeprefix(ATTEMPTS))
    return found.group() if found else "9999"


def _change(head: bytes, path: bytes) -> Change:
    old_mode, new_mode, old_blob, new_blob, status = head.decode("ascii").lstrip(":").split()
    return Change(status[0], text(path), old_mode, new_mode, old_blob, new_blob)


def _stale(path: Path) -> bool:
    return path.name.endswith(".lock") or path.name.startswith(("tmp_obj", "tmp_pack", "tmp_idx", "tmp_rev"))


def _end_gits_on(git_dir: Path, patience: float = 5.0) -> None:
    import psutil

    ours = [process for process in psutil.process_iter() if _works_on(process, str(git_dir))]
    for process in ours:
        process.kill()
    deadline = time.monotonic() + patience
    while any(_alive(process) for process in ours):
        if time.monotonic() > deadline:
            raise GitError(f"a git process on {git_dir} does not end", "Look at the disk, then start again.")
        time.sleep(0.01)


def _works_on(process: object, git_dir: str) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return process.name().startswith("git") and process.environ().get("GIT_DIR") == git_dir
    except (psutil.Error, OSError):
        return False


def _alive(process: object) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def literal_excludes(paths: Iterable[str]) -> list[str]:
    """Lines for an exclude file that mean exactly these paths at the top of the tree."""
    return ["/" + re.sub(r"([\\*?\[\]!# ])", r"\\\1", path.strip("/")) for path in paths]
