"""What `ralph doctor` looks at: each check yields rows of what is so, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.config import Config
    from ralph.host.paths import Layout

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the doctor. Only ``fail`` keeps a night from being what it should be."""

    status: Literal["ok", "warn", "fail"]
    what: str
    detail: str
    fix: str = ""
    said: str = ""
    """The end of what the command wrote, where that tells more."""


def machine() -> Iterator[Row]:
    """Git and Python."""
    from ralph.vcs import git

    try:
        yield Row("ok", "git", ".".join(map(str, git.version())))
    except RalphError as error:
        yield Row("fail", "git", error.message, error.hint)
    version = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= (3, 11)
    yield Row("ok" if enough else "fail", "python", version, "" if enough else "install Python 3.11 or newer")


def repository(layout: Layout) -> Iterator[Row]:
    """What this repository has that can't be supported, by name, and where its state goes."""
    problems = unsupported(layout)
    for what, fix in problems:
        yield Row("fail", "repository", what, fix)
    if not problems:
        yield Row("ok", "repository", str(layout.repo))
    yield from _state(layout)


def unsupported(layout: Layout) -> list[tuple[str, str]]:
    """(what, fix) for everything about the repository that ralph can't work with."""
    from ralph.vcs.mirror import Mirror

    return [(f"not supported: {what}", _way_out(what)) for what in Mirror(layout.mirror, layout.repo).unsupported()]


def _way_out(what: str) -> str:
    return next((fix for name, fix in _WAYS_OUT.items() if what.startswith(name)), "")


_WAYS_OUT = {
    "shallow": "git fetch --unshallow",
    "partial": "clone it again without --filter",
    "sparse": "git sparse-checkout disable",
    "empty": "make a first commit",
    "submodules": "run ralph inside the submodule's own repository, or vendor its files",
    "Git LFS": "keep the files that agents need in git itself",
    "SHA-256": "use a repository with SHA-1 objects",
    "reftable": "git refs migrate --ref-format=files",
}


def state_root_problem(layout: Layout) -> list[tuple[str, str]]:
    """(what, fix) where the state directory would lie in the repository: `git clean` or an agent could wipe it."""
    inside = any(layout.root.is_relative_to(place) for place in (layout.repo, layout.common_dir))
    what = f"the state directory {layout.root} lies inside the repository"
    return [(what, "set XDG_STATE_HOME to a directory outside of it")] if inside else []


def _state(layout: Layout) -> Iterator[Row]:
    from ralph.host.files import free_bytes, own_directory, write_atomic

    for what, fix in state_root_problem(layout):
        yield Row("fail", "state", what, fix)
        return
    try:
        own_directory(layout.root)
        write_atomic(layout.root / "doctor", b"")
        (layout.root / "doctor").unlink()
    except RalphError as error:
        yield Row("fail", "state", error.message, error.hint)
        return
    except OSError as error:
        fix = "free some space, or set XDG_STATE_HOME to a writable directory"
        yield Row("fail", "state", f"{layout.root} can't be written: {error.strerror}", fix)
        return
    yield Row("ok", "state", f"{layout.root}, {free_bytes(layout.root) // MIB} MB free")


def disk(layout: Layout, config: Config) -> Iterator[Row]:
    from ralph.host.files import free_bytes

    free, floor = free_bytes(layout.root) // MIB, config.limits.disk_free_mb
    if free < floor:
        yield Row("fail", "disk", f"{free} MB free; loops pause below {floor} MB", "free some space, or `ralph clean`")
    elif free < 2 * floor:
        yield Row("warn", "disk", f"{free} MB free, not far above {floor} MB where loops pause", "free some space")
    else:
        yield Row("ok", "disk", f"{free} MB free (loops pause below {floor} MB)")


def clock(config: Config, now: datetime | None = None) -> Iterator[Row]:
    """When the next window opens, and whether a change of the clock hits it within a year."""
    from datetime import timedelta

    from ralph.core import window
    from ralph.engine.schedule import zone

    night = config.night
    tz = zone(night.timezone)
    now = now or datetime.now(UTC)
    found = window.current_or_next(now, night.start, night.stop, tz)
    state = "open until" if now in found else "opens"
    edge = (found.closes if now in found else found.opens).astimezone(tz)
    detail = f"{night.start}-{night.stop} {tz}: {state} {edge:%a %H:%M}, {found.seconds / 3600:g} h"
    days = (window.occurrence(found.key + timedelta(days=n), night.start, night.stop, tz) for n in range(366))
    said = [line for day in days for line in window.moved(day, night.start, night.stop, tz)]
    fix = "choose a start and a stop outside of the hour in which clocks change" if said else ""
    yield Row("warn" if said else "ok", "window", "; ".join([detail, *said]), fix)


def tasks(layout: Layout) -> Iterator[Row]:
    from ralph.memory.tasks import TaskFile

    count = len(TaskFile(layout.repo / "tasks.json", layout.good_tasks).load().tasks)
    yield Row("ok", "tasks.json", f"{count} task{'s' * (count != 1)}")


def power() -> Iterator[Row]:
    """Whether the machine will still be awake in the morning."""
    import psutil

    from ralph.host.awake import keep_awake

    with keep_awake("ralph doctor looks whether it can") as awake:
        fix = "" if awake.held else "turn automatic sleep off for the night"
        yield Row("ok" if awake.held else "warn", "sleep", awake.detail, fix)
    battery = psutil.sensors_battery()
    if battery is None:
        yield Row("ok", "power", "no battery")
        return
    if battery.power_plugged is False:
        yield Row("warn", "power", f"on battery, {battery.percent:.0f} %", "plug it in")
    else:
        yield Row("ok", "power", f"plugged in, {battery.percent:.0f} %")
    said = "closing it puts the machine to sleep; the night goes on when it wakes"
    yield Row("warn", "lid", said, "leave the lid open for the night")


def configuration(config: Config) -> Iterator[Row]:
    """What ralph.toml says that can't come true."""
    from ralph.notify import make

    if not config.gates:
        yield Row("fail", "gates", "ralph.toml has no gate, so nothing can be committed", "add one: [[gates]]")
    if not config.agents:
        yield Row("fail", "agents", "ralph.toml has no agent", 'add one, e.g. [agents.claude] kind = "claude-code"')
    make(config.notify)


def identity(layout: Layout) -> Iterator[Row]:
    """Whose commits they will be."""
    from ralph.vcs.user import user_identity

    name, email = user_identity(layout.repo)
    yield Row("ok", "author", f"{name} <{email}>")


def base(layout: Layout, config: Config) -> Iterator[Row]:
    from ralph.vcs.git import Git

    name = config.night.base
    place = f"refs/remotes/{name}" if "/" in name else f"refs/heads/{name}"
    git = Git(layout.common_dir)
    for ref in (place, f"refs/heads/{name}"):
        code, out, _ = git.status("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        if code == 0:
            yield Row("ok", "base", f"{name} at {out.decode()[:10]}")
            return
    yield Row("fail", "base", f"there is no branch {name}", "set [night] base to a branch that exists")


def forge(layout: Layout, config: Config) -> Iterator[Row]:
    from ralph.vcs.git import Git

    if config.forge.kind == "local":
        yield Row("ok", "forge", "local: pull requests are files")
        return
    code, _, _ = Git(layout.common_dir).status("config", "--get", f"remote.{config.forge.remote}.url")
    if code:
        fix = "add it, or set [forge] remote"
        yield Row("fail", "forge", f"there is no remote {config.forge.remote!r}", fix)
    if not os.environ.get(config.forge.token_env) and not shutil.which("gh"):
        fix = f"set {config.forge.token_env}, or log in with `gh auth login`"
        yield Row("fail", "forge", f"{config.forge.kind} needs a token: {config.forge.token_env} is not set", fix)
    elif code == 0:
        yield Row("ok", "forge", f"{config.forge.kind}, remote {config.forge.remote}")


def service(layout: Layout) -> Iterator[Row]:
    from ralph.cli.service import lingers
    from ralph.engine.client import ask
    from ralph.host.service import describe, plist_path, unit_path

    described = describe(layout)
    path = plist_path(described) if sys.platform == "darwin" else unit_path(described)
    if not path.exists():
        yield Row("ok", "service", "not installed; `ralph service install` starts the daemon with the machine")
    elif sys.platform != "darwin" and lingers() is False:
        yield Row("warn", "service", "it stops when you log out", "loginctl enable-linger")
    else:
        yield Row("ok", "service", str(path))
    running = ask(layout.socket, {"command": "status"}) is not None
    yield Row("ok", "daemon", "running" if running else "not running; `ralph start` starts it")


def sandbox(config: Config) -> Iterator[Row]:
    """Whether the sandbox really starts, by starting it."""
    from ralph.host.sandbox import probe

    found = probe(config.sandbox.mode)
    if config.sandbox.mode == "none":
        yield Row("warn", "sandbox", 'none: agents may do whatever you may (mode = "none")', 'set mode = "auto"')
    elif found.sandbox is None:
        fix = 'install bubblewrap, or allow user namespaces; mode = "none" runs without, at your own risk'
        yield Row("fail", "sandbox", f"no sandbox works here: {found.detail}", fix)
    else:
        yield Row("ok", "sandbox", found.detail)
