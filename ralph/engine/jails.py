"""What an agent and a gate get to see: their jail, their environment, and the names of paths inside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ralph.config import Config, Gate
from ralph.domain import IterationSpec
from ralph.host import toolchain
from ralph.host.files import delete_tree, own_directory
from ralph.host.sandbox import Jail, Sandbox

INSIDE = Path("/run/ralph")
"""Where files of the daemon appear inside a sandbox."""
_PASSED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_TOOLCHAINS = (*toolchain.VARIABLES, "CARGO_HOME", "GOPATH", "PYENV_VERSION", "RUSTUP_TOOLCHAIN")
"""Where a machine keeps its tools elsewhere than below the home, their programs find the rest by these."""
NOTES = ("reflection", "handoff", "usage")
NODE_CACHES = (".vite", ".vite-temp", ".cache")
"""Folders in node_modules that tools write to when they run; vitest fails where it can't."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one program gets to write besides the tree and finds empty: nothing planted here reaches another one."""

    path: Path

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"

    def caches(self, kept: Mapping[str, Path]) -> list[tuple[Path, str]]:
        """(host path, path in the tree) of the writable folders in kept node_modules that have a place for them."""
        modules = [(name, host) for name, host in kept.items() if Path(name).name == "node_modules"]
        found = [(host / cache, f"{name}/{cache}") for name, host in modules for cache in NODE_CACHES]
        return [
            (self.path / "caches" / inside, inside)
            for place, inside in found
            if place.is_dir() and not place.is_symlink()
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of one iteration, and the sandbox that stands around everything that runs in them."""

    spec: IterationSpec
    config: Config
    sandbox: Sandbox
    folder: str = "tree"
    """Name of the work tree: the loop's own, or one beside it."""

    def make(self) -> None:
        """Make the directories; the run directory carries the mark that lets `ralph clean` remove it."""
        own_directory(self.run)
        self.notes.mkdir(exist_ok=True, mode=0o700)

    def room(self, name: str) -> Room:
        """An empty room for the program ``name``: "agent", "setup", or a gate."""
        room = Room(self.loop / "rooms" / (name if self.folder == "tree" else f"{self.folder}-{name}"))
        delete_tree(room.path, self.loop)
        for folder in (room.home, room.tmp):
            folder.mkdir(parents=True, mode=0o700)
        return room

    @property
    def run(self) -> Path:
        return Path(self.spec.run_dir)

    @property
    def loop(self) -> Path:
        return Path(self.spec.loop_dir)

    @property
    def tree(self) -> Path:
        return self.loop / self.folder

    @property
    def notes(self) -> Path:
        """Directory of the files an agent may write outside the tree."""
        return self.run / "notes"

    @property
    def checkout(self) -> Path:
        return Path(self.spec.checkout)

    @property
    def scratch(self) -> Path:
        """Holds the writable folders that gates find empty at each tree."""
        return self.loop / ("scratch" if self.folder == "tree" else f"{self.folder}-scratch")

    def scratch_folders(self) -> dict[str, Path]:
        return {name: self.scratch / name for name in self.config.workspace.scratch}

    @property
    def boxed(self) -> bool:
        return self.sandbox.name != "none"

    def inside(self, host: Path, at: Path) -> Path:
        """The name of a host path that is bound at ``at`` inside the sandbox; without one it is itself."""
        return at if self.boxed else host

    @property
    def directory(self) -> Path:
        """The work tree as the programs see it."""
        return self.inside(self.tree, self.checkout)

    def keep_binds(self, kept: Mapping[str, Path]) -> tuple[tuple[Path, Path], ...]:
        """Keep folders, read-only at their place in the tree."""
        return tuple((host, self.checkout / name) for name, host in kept.items())

    def cache_binds(self, room: Room, kept: Mapping[str, Path]) -> tuple[tuple[Path, Path], ...]:
        """Made and writable: what tools want to write inside a kept folder."""
        binds = room.caches(kept)
        for host, _ in binds:
            host.mkdir(parents=True, exist_ok=True)
        return tuple((host, self.checkout / inside) for host, inside in binds)


def agent_jail(place: Place, kept: Mapping[str, Path], binds: Sequence[Path], state: Sequence[Path]) -> Jail:
    """The agent may write its tree, its home, its notes, and the paths its login needs; it has network."""
    extra = [Path(path).expanduser() for path in place.config.sandbox.write]
    room = place.room("agent")
    return Jail(
        tree=place.tree,
        at=place.checkout,
        home=room.home,
        tmp=room.tmp,
        read_only=(
            *place.keep_binds(kept),
            (place.run / "prompt.md", INSIDE / "prompt.md"),
            *((path, INSIDE / "bin" / path.name) for path in binds),
            (Path(place.spec.mirror) / "objects", Path(place.spec.mirror) / "objects"),
            (place.loop / "git" / "objects", place.loop / "git" / "objects"),
            *_readable(place.config),
        ),
        writable=(
            (place.notes, INSIDE / "notes"),
            *((p, p) for p in (*state, *extra) if p.exists()),
            *place.cache_binds(room, kept),
        ),
        hidden=(place.loop.parent.parent,),
        network=True,
    )


def review_jail(
    place: Place, kept: Mapping[str, Path], binds: Sequence[Path], state: Sequence[Path], gates: Path, files: bool
) -> Jail:
    """The reviewer sees what an agent sees and writes nothing that anybody reads but, with ``files``, its review."""
    room = place.room("review")
    scratch = [(room.path / "scratch" / name, place.checkout / name) for name in place.config.workspace.scratch]
    for host, _ in scratch:
        host.mkdir(parents=True, exist_ok=True)
    objects = (Path(place.spec.mirror) / "objects", place.loop / "git" / "objects")
    return Jail(
        tree=place.tree,
        at=place.checkout,
        home=room.home,
        tmp=room.tmp,
        tree_writable=False,
        read_only=(
            *place.keep_binds(kept),
            (place.run / "prompt.md", INSIDE / "prompt.md"),
            (gates, INSIDE / "gates"),
            *((path, INSIDE / "bin" / path.name) for path in binds),
            *((path, path) for path in objects),
            *_readable(place.config),
        ),
        writable=(
            *([(place.notes, INSIDE / "notes")] if files else []),
            *((path, path) for path in state if path.exists()),
            *scratch,
            *place.cache_binds(room, kept),
        ),
        hidden=(place.loop.parent.parent,),
        network=True,
    )


def review_environment(
    place: Place, jail: Jail, gates: Path, further: Mapping[str, str], files: bool
) -> dict[str, str]:
    """The reviewer's environment: the gates' commands come first on its PATH."""
    notes = place.inside(place.notes, INSIDE / "notes")
    told = {f"RALPH_{name.upper()}_FILE": str(notes / f"{name}.txt") for name in ("review", "usage") if files}
    told["RALPH_PROMPT_FILE"] = str(place.inside(place.run / "prompt.md", INSIDE / "prompt.md"))
    told["PATH"] = os.pathsep.join([str(place.inside(gates, INSIDE / "gates")), search_path(place)])
    return environment(place, jail, {**told, **further})


def gate_jail(
    place: Place, kept: Mapping[str, Path], cache: Path, reports: Path, gate: Gate, canary: Path | None = None
) -> Jail:
    """A gate may write its caches and its report, and the tree only where it says so; it reads ``canary``."""
    room = place.room(f"gate-{gate.name}")
    scratch = tuple((host, place.checkout / name) for name, host in place.scratch_folders().items())
    for host, _ in scratch:
        host.mkdir(parents=True, exist_ok=True)
    return Jail(
        tree=place.tree,
        at=place.checkout,
        home=room.home,
        tmp=room.tmp,
        tree_writable=not gate.parallel,
        read_only=(
            *place.keep_binds(kept),
            (Path(place.spec.mirror) / "objects", Path(place.spec.mirror) / "objects"),
            (place.loop / "git" / "objects", place.loop / "git" / "objects"),
            *(((canary, INSIDE / "canary"),) if canary else ()),
            *_readable(place.config),
        ),
        writable=(
            (cache, INSIDE / "cache"),
            (reports, INSIDE / "reports"),
            *scratch,
            *place.cache_binds(room, kept),
        ),
        hidden=(place.loop.parent.parent,),
        network=gate.network == "host",
    )


def _readable(config: Config) -> tuple[tuple[Path, Path], ...]:
    paths = [Path(path).expanduser() for path in config.sandbox.read]
    return tuple((path, path) for path in paths if path.exists())


def environment(place: Place, jail: Jail, further: Mapping[str, str]) -> dict[str, str]:
    """Everything that a program run in ``jail`` finds in its environment, and nothing else."""
    spec = place.spec
    home = place.sandbox.home_of(jail)
    tmp = place.sandbox.tmp_of(jail)
    own = {
        "PATH": search_path(place),
        "HOME": str(home),
        "TMPDIR": str(tmp),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "USER": "ralph",
        "RALPH_RUN": spec.tag,
        "RALPH_TASK_ID": spec.task.id,
        "RALPH_ITERATION": spec.iteration,
        "RALPH_ATTEMPT": str(spec.attempt),
        "RALPH_LOOP": spec.loop,
        "RALPH_PORT_BASE": str(spec.port_base),
    }
    passed = {name: os.environ[name] for name in (*_PASSED, *_TOOLCHAINS) if name in os.environ}
    return {**own, **passed, **place.config.workspace.env, **further}


def agent_environment(place: Place, jail: Jail, further: Mapping[str, str]) -> dict[str, str]:
    """The agent's environment: the prompt's path and the files of the contract besides."""
    notes = place.inside(place.notes, INSIDE / "notes")
    files = {f"RALPH_{name.upper()}_FILE": str(notes / f"{name}.txt") for name in NOTES}
    files["RALPH_PROMPT_FILE"] = str(place.inside(place.run / "prompt.md", INSIDE / "prompt.md"))
    return environment(place, jail, {**files, **further})


def search_path(place: Place) -> str:
    """PATH inside: the daemon's PATH, with the programs of kept environments in front."""
    own = [f"{name}/bin" for name in place.config.workspace.keep if Path(name).name in (".venv", "venv")]
    own += [f"{name}/.bin" for name in place.config.workspace.keep if Path(name).name == "node_modules"]
    inside = [str(place.directory / name) for name in own]
    return os.pathsep.join([*inside, os.environ.get("PATH", os.defpath)])
