"""The disposable work tree of one loop: prepared, handed to an agent, turned into a tree, checked after gates.

The git directory lies beside the work tree, where no agent can write; the ``.git`` inside is for the agent's
convenience and is never read.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ralph.domain import Change, Finding
from ralph.errors import GitError
from ralph.vcs import throwaway, tree
from ralph.vcs.git import ONE_BY_ONE, Git, text
from ralph.vcs.index import GITLINK, NOTHING, Index, differences, has_gitlinks, read_index
from ralph.vcs.objects import RALPH, commit_bytes, commit_id
from ralph.vcs.snapshot import add_everything
from ralph.vcs.store import Store, literal_excludes

STATE_EXCLUDES = ("/tasks.json", "/progress/", "/.ralph", ".aider*", ".ralph-delete-*")
"""Never part of a change: run state of ralph and of agents."""


class Workspace(Store):
    """``loop_dir/git`` (objects, refs, index) and ``loop_dir/tree`` (files), borrowing objects from ``mirror``."""

    def __init__(self, loop_dir: Path, mirror: Path, folder: str = "tree") -> None:
        super().__init__(loop_dir / "git", mirror)
        self.tree = loop_dir / folder
        self.index = self.git_dir / ("index" if folder == "tree" else f"index-{folder}")
        self.work = Git(self.git_dir, self.tree, self.index)
        self._read: tuple[tuple[int, int, int], Index] | None = None
        self._settled: Index | None = None
        """Index just brought to the work tree by ``git add``: comparing once more would find nothing."""
        self._trees: dict[str, Index] = {}
        """The index before and after the last snapshot, each by the tree that it makes."""
        self.oddities: tuple[Finding, ...] = ()
        """What the last snapshot saw and a tree can't hold or must not: for the feedback, not for the verdict."""

    def aside(self, folder: str) -> Workspace:
        """Another work tree of the same git directory, ``loop_dir/folder``, for trees that no agent works in."""
        beside = Workspace(self.git_dir.parent, self.mirror, folder)
        beside._own_tree()
        return beside

    @property
    def laid(self) -> str | None:
        """The tree that was last laid here, as far as the index knows."""
        return self._index().tree

    @property
    def readable(self) -> tuple[Path, Path]:
        """Directories that the agent's own git needs to read: bind them read-only into its sandbox."""
        return self.mirror / "objects", self.objects

    def create(self, head: str) -> None:
        """Make the git directory and check ``head`` out. Safe to call again."""
        self.lay_git_dir()
        self.prepare(head)

    def prepare(
        self, commit: str, start_tree: str | None = None, keep: Sequence[str] = (), scratch: Sequence[str] = ()
    ) -> None:
        """Make the work tree exactly ``start_tree`` (default: the commit's), with HEAD of a fresh ``.git`` at
        ``commit``; everything else is deleted except ``keep``. ``scratch`` directories are made, empty.

        Without differences this starts no process. Raises GitError.
        """
        wanted = start_tree or self.tree_of(commit)
        self._own_tree()
        self._write_excludes([*keep, *scratch])
        self._make(wanted, keep)
        if start_tree is not None:
            self._forget_gitlinks_of_attempts(commit)
        self._lay(commit)
        for folder in scratch:
            (self.tree / folder).mkdir(parents=True, exist_ok=True)

    def snapshot(self, keep: Sequence[str] = ()) -> str:
        """Write what lies in the work tree as a tree object and return its id. Writes objects, no refs.

        Ignored files (by .gitignore as it is now, and the user's own excludes) are left out, as are ``keep``
        folders. A nested repository becomes an entry of mode 160000, never its content.
        """
        index = self._index()
        self._trees = {index.tree: index} if index.tree else {}
        found = tree.suspects(self.tree, index)
        if index.tree is not None and not found and not set(tree.extras(self.tree, index)) - set(_bytes(keep)):
            self.oddities = ()
            return index.tree
        for path in found.hidden:
            os.utime(os.path.join(os.fsencode(self.tree), path), follow_symlinks=False)  # noqa: PTH118
        self._guard_gitlinks()
        self.oddities = add_everything(self.work, self.tree, self.index, keep)
        self._guard_gitlinks()
        written = text(self.work.run("write-tree", env=ONE_BY_ONE)).strip()
        self._settled = self._trees[written] = self._index()
        return written

    def changes(self, old_tree: str, new_tree: str) -> list[Change]:
        """The same, without starting a process between the trees before and after the last snapshot."""
        old, new = self._trees.get(old_tree), self._trees.get(new_tree)
        return differences(old, new) if old and new else super().changes(old_tree, new_tree)

    def paths_before(self, changes: Iterable[Change], tree: str) -> list[str] | None:
        """Paths of the tree that ``changes`` (without renames) made into ``tree``, read from the index.

        None where the index holds another tree. Starts no process.
        """
        index = self._index()
        if index.tree != tree:
            return None
        paths = {text(path) for path in index.entries}
        for change in changes:
            if change.status == "A":
                paths.discard(change.path)
            elif change.status == "D":
                paths.add(change.path)
        return sorted(paths)

    def newly_ignored(self, base: str, changes: Iterable[Change]) -> list[str]:
        """Files on disk that are ignored now and would not be by the rules of ``base``: call before the gates.

        Directories end with a slash. Costs nothing unless ``changes`` touch a .gitignore.
        """
        if not any(Path(change.path).name == ".gitignore" for change in changes):
            return []
        listing = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
        ignored = self.work.fields(*listing)
        with tempfile.TemporaryDirectory(prefix="ralph-ignore-") as folder:
            self._write_ignore_files(base, Path(folder))
            rules = Git(self.git_dir, Path(folder), Path(folder) / ".no-index")
            data = b"".join(path + b"\0" for path in ignored)
            before = set(rules.fields("check-ignore", "-z", "--stdin", "--no-index", input=data, ok=(0, 1)))
        return [text(path) for path in ignored if path not in before]

    def clean_for_gates(self, candidate: str, keep: Sequence[str] = (), parent: str | None = None) -> None:
        """Make the work tree exactly the tree ``candidate``: untracked and ignored paths go, except ``keep``.

        A fresh ``.git`` has HEAD at a commit of ``candidate`` on top of ``parent``. Raises GitError.
        """
        self._make(candidate, keep)
        content = commit_bytes(candidate, [parent] if parent else [], "Candidate\n", RALPH, RALPH, 0)
        self._lay(commit_id(content), content)

    def untracked(self) -> frozenset[bytes]:
        """Files that are in no tree, ignored or not, and topmost folders of nothing else. Starts no process."""
        return frozenset(tree.extras(self.tree, self._index()))

    def forget_untracked(self, but: Collection[bytes]) -> None:
        """Delete all of them but those."""
        tree.remove(self.tree, self.untracked() - frozenset(but))

    def verify_tree(self, candidate: str) -> list[str]:
        """Paths of ``candidate`` whose bytes, mode or existence on disk differ from it now; new files don't count.

        Stat data to the nanosecond pick the suspects, content decides. Starts no process.
        Raises GitError where the index does not hold ``candidate`` (call clean_for_gates first).
        """
        index = self._index()
        if index.tree != candidate:
            raise GitError(f"the work tree was not prepared for {candidate[:12]}")
        found = tree.suspects(self.tree, index)
        changed = [path for path in found.modified if tree.differs(self.tree, path, index.entries[path])]
        return sorted(text(path) for path in changed + found.missing)

    def _make(self, wanted: str, keep: Sequence[str]) -> None:
        index = self._index()
        found = tree.Suspects() if index is self._settled else tree.suspects(self.tree, index)
        self._settled = None
        tree.remove(self.tree, tree.extras(self.tree, index), _bytes(keep))
        touched = [path for path in found.modified if tree.differs(self.tree, path, index.entries[path])]
        tree.remove(self.tree, touched)
        if index.tree != wanted or touched or found.missing:
            self.work.run("read-tree", "--reset", "-u", wanted)
            self._guard_gitlinks()

    def _index(self) -> Index:
        try:
            info = self.index.stat()
            if self._read is None or self._read[0] != (info.st_mtime_ns, info.st_ino, info.st_size):
                self._read = (info.st_mtime_ns, info.st_ino, info.st_size), read_index(self.index)
            return self._read[1]
        except FileNotFoundError:
            return NOTHING
        except GitError:
            self.index.unlink()
            return NOTHING

    def _own_tree(self) -> None:
        """The work tree must be a real directory: a link in its place would lead the daemon elsewhere."""
        try:
            mode = os.lstat(self.tree).st_mode
        except FileNotFoundError:
            self.tree.mkdir(parents=True)
            return
        if not stat.S_ISDIR(mode):
            self.tree.unlink()
            self.tree.mkdir()

    def _lay(self, commit: str, content: bytes | None = None) -> None:
        if os.path.lexists(self.tree / ".git"):
            tree.remove(self.tree, [b".git"])
        exclude = (self.git_dir / "info/exclude").read_text("utf-8", "surrogateescape")
        throwaway.lay(
            self.tree / ".git",
            commit=commit,
            index=self.index,
            objects=self.readable,
            exclude=exclude,
            user=self._user(),
            own=content,
        )

    def _user(self) -> tuple[str, str]:
        try:
            name, email = (self.mirror / "user").read_text("utf-8").split("\n")[:2]
        except (FileNotFoundError, ValueError):
            return RALPH
        return name, email

    def _write_excludes(self, folders: Sequence[str]) -> None:
        path = self.git_dir / "info/exclude"
        users = self.mirror / "info/exclude"
        inherited = users.read_text("utf-8", "surrogateescape") if users.exists() else ""
        lines = [inherited.rstrip("\n"), *STATE_EXCLUDES, *literal_excludes(folders)]
        wanted = "\n".join(lines) + "\n"
        if not path.exists() or path.read_text("utf-8", "surrogateescape") != wanted:
            path.write_text(wanted, "utf-8", "surrogateescape")

    def _guard_gitlinks(self) -> None:
        """Have git leave nested repositories alone: looking into one would run what its configuration says."""
        if not has_gitlinks(self.index):
            return
        links = {path: entry for path, entry in self._index().entries.items() if entry.mode == GITLINK}
        gone = [path for path in links if not (self.tree / os.fsdecode(path)).is_dir()]
        open_ = [path for path, entry in links.items() if not entry.skipped and path not in gone]
        self._update_index("--force-remove", gone)
        self._update_index("--skip-worktree", open_)

    def _forget_gitlinks_of_attempts(self, commit: str) -> None:
        if not has_gitlinks(self.index):
            return
        known = {path for mode, path in self._modes(commit) if mode == b"160000"}
        links = [path for path, entry in self._index().entries.items() if entry.mode == GITLINK and path not in known]
        self._update_index("--force-remove", links)
        tree.remove(self.tree, links)

    def _update_index(self, option: str, paths: Sequence[bytes]) -> None:
        if paths:
            self.work.run("update-index", option, "-z", "--stdin", input=b"".join(path + b"\0" for path in paths))

    def _modes(self, treeish: str) -> list[tuple[bytes, bytes]]:
        rows = self.git.fields("ls-tree", "-r", "-z", "--full-tree", treeish)
        return [(row.split(b" ", 1)[0], row.split(b"\t", 1)[1]) for row in rows]

    def _write_ignore_files(self, base: str, folder: Path) -> None:
        for row in self.git.fields("ls-tree", "-r", "-z", "--full-tree", base):
            head, path = row.split(b"\t", 1)
            if os.path.basename(path) == b".gitignore" and head.startswith(b"100"):  # noqa: PTH119
                target = folder / os.fsdecode(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.blob(head.split()[2].decode("ascii"), 1 << 20))


def _bytes(paths: Iterable[str]) -> list[bytes]:
    return [os.fsencode(path.strip("/")) for path in paths]
