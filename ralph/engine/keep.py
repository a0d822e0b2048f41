"""Folders kept over resets (.venv, node_modules): made by `[workspace] setup` once for each set of inputs."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Mapping
from pathlib import Path

from ralph.core.globs import matches
from ralph.engine.jails import NODE_CACHES, Place, environment
from ralph.errors import RalphError
from ralph.host.files import delete_tree, own_directory
from ralph.host.process import Request, Shim
from ralph.host.sandbox import Jail
from ralph.vcs.workspace import Workspace
from ralph.verify.excerpt import excerpt, read_log

SETUP_SECONDS = 1800


class SetupFailed(RalphError):
    """The setup command did not make the folders; on a changed input that is the change's fault."""


class Keeper:
    """Finds or makes the kept folders that fit a tree."""

    def __init__(self, place: Place, shim: Shim, workspace: Workspace) -> None:
        self.place, self.shim, self.workspace = place, shim, workspace
        self._keys: dict[str, str] = {}

    def folders(self, tree: str) -> dict[str, Path]:
        """Per kept folder its place on the host. Raises SetupFailed."""
        table = self.place.config.workspace
        if not table.keep:
            return {}
        if not table.setup:
            found = {name: self.place.checkout / name for name in table.keep}
            kept = {name: path for name, path in found.items() if path.is_dir()}
        else:
            kept = self._made(tree)
        self.mount_points(kept)
        return kept

    def _made(self, tree: str) -> dict[str, Path]:
        table = self.place.config.workspace
        root = self._root(tree)
        own_directory(root)
        kept = {name: root / name.replace("/", "__") for name in table.keep}
        with open(root / "lock", "w", encoding="utf-8") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            if not (root / "done").exists():
                self._setup(kept, root)
                (root / "done").touch()
        for name, path in kept.items():
            for cache in NODE_CACHES if Path(name).name == "node_modules" else ():
                (path / cache).mkdir(exist_ok=True)  # a place to bind over: the folder itself is read-only
        return kept

    def has(self, tree: str) -> bool:
        """Whether setup has run for a tree's inputs."""
        return (self._root(tree) / "done").exists()

    def _root(self, tree: str) -> Path:
        return self.place.loop.parent.parent / "keep" / self.key(tree)

    def key(self, tree: str) -> str:
        """Hash of the setup command and of every input file in ``tree``."""
        if tree not in self._keys:
            table = self.place.config.workspace
            digest = hashlib.sha256(table.setup.encode())
            for path, blob in self.workspace.blobs(tree):
                if matches(table.inputs, path):
                    digest.update(f"\0{path}\0{blob}".encode("utf-8", "surrogateescape"))
            self._keys[tree] = digest.hexdigest()[:20]
        return self._keys[tree]

    def _setup(self, kept: dict[str, Path], root: Path) -> None:
        place = self.place
        for path in kept.values():
            delete_tree(path, inside=root)  # what a failed setup left half made
            path.mkdir()
        self.mount_points(kept)
        room = place.room("setup")
        jail = Jail(
            tree=place.tree,
            at=place.checkout,
            home=room.home,
            tmp=room.tmp,
            writable=tuple((host, place.checkout / name) for name, host in kept.items()),
            hidden=(place.loop.parent.parent,),
            network=True,
        )
        argv = place.sandbox.wrap(["/bin/sh", "-c", place.config.workspace.setup], jail, str(place.directory))
        env = environment(place, jail, {})
        log = root / "setup.log"
        done = self.shim.run(Request(tuple(argv), "/", env, log, seconds=SETUP_SECONDS))
        if done.exit_code != 0:
            said = excerpt(read_log(log), 12)
            hint = f"run `{place.config.workspace.setup}` by hand; all of its output: {log}"
            raise SetupFailed(f"[workspace] setup failed with exit code {done.exit_code}: {said}", hint)

    def mount_points(self, kept: Mapping[str, Path]) -> None:
        """A place in the tree for each folder: an empty directory to bind over, or a link without a sandbox."""
        for name, host in kept.items():
            here = self.place.tree / name
            if any(path.is_symlink() for path in here.parents if path.is_relative_to(self.place.tree)):
                continue  # it may lead anywhere; nothing is made through it
            if here.is_symlink() or (here.exists() and not here.is_dir()):
                if self.place.boxed and self._tracked(name):
                    continue
                here.unlink()  # the last tree's, or the agent's: what is bound over it would land where it leads
            if here.exists():
                continue
            here.parent.mkdir(parents=True, exist_ok=True)
            if self.place.boxed:
                here.mkdir()
            else:
                here.symlink_to(host)

    def _tracked(self, name: str) -> bool:
        """Whether the tree itself has something there."""
        return bool(self.workspace.work.fields("ls-files", "-z", "--", f":(top,literal){name}"))
