"""The sandbox on Linux: bubblewrap with a read-only root, hidden homes, and the tree at the checkout's path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ralph.host import toolchain
from ralph.host.jail import LAUNCHER, Jail

_HIDDEN = ("/tmp", "/run", "/var/tmp", "/mnt", "/media")
_FIRST = (
    "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session",
    "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
    "--ro-bind", "/proc/sys", "/proc/sys",
)  # fmt: skip
"""/proc/sys apart: root without any capability may still write sysctls (core_pattern runs a program on the host), and
bubblewrap leaves them writable, as it asks access(2), which says no for that directory."""


class BwrapSandbox:
    """Own process, IPC and (unless ``Jail.network``) network namespaces; no capability, also for root.

    Mounts, later over earlier: the root read-only; emptiness over homes, /tmp, /run and ``Jail.hidden``; the private
    home at the user's home; tools on PATH; the tree at the checkout's path; the jail's own binds.
    """

    name = "bwrap"

    def __init__(self, program: str | None = None, search: str | None = None) -> None:
        self._program = program or shutil.which("bwrap") or "bwrap"
        self._search = os.environ.get("PATH", os.defpath) if search is None else search
        self._homes = toolchain.homes()
        self._home = Path.home()
        self._empty = tuple(path for path in (*self._homes, *map(Path, _HIDDEN)) if _is_plain_directory(path))

    def wrap(self, argv: Sequence[str], jail: Jail, directory: str) -> list[str]:
        line = [self._program, *_FIRST]
        if os.getuid() != 0:
            line.append("--unshare-user")
        if not jail.network:
            line.append("--unshare-net")
        empty = toolchain.outermost(path for path in (*self._empty, *jail.hidden) if path.is_dir())
        for path in empty:
            line += ["--tmpfs", str(path)]
        line += ["--bind", str(jail.home), str(self.home_of(jail)), "--bind", str(jail.tmp), "/tmp"]
        for path in self._shown(jail, empty):
            line += ["--ro-bind-try", str(path), str(path)]
        line += ["--bind" if jail.tree_writable else "--ro-bind", str(jail.tree), str(jail.at)]
        for option, binds in (("--ro-bind", jail.read_only), ("--bind", jail.writable)):
            for host, inside in binds:
                line += [option, str(host), str(inside)]
        return [*line, "--", *LAUNCHER, directory, *argv]

    def warm(self) -> None:
        """Look for tools now and remember them: the fork server does it once for all workers."""
        toolchain.installations(self._empty, self._search)

    def path_of(self, jail: Jail, host: Path) -> Path:
        binds = [
            (jail.tree, jail.at),
            (jail.home, self.home_of(jail)),
            (jail.tmp, Path("/tmp")),
            *jail.read_only,
            *jail.writable,
        ]
        fitting = [(source, inside) for source, inside in binds if host.is_relative_to(source)]
        if not fitting:
            raise ValueError(f"{host} is not visible inside the sandbox")
        source, inside = max(fitting, key=lambda bind: len(bind[0].parts))
        return inside / host.relative_to(source)

    def home_of(self, jail: Jail) -> Path:
        """The user's own home, so that tools find what is shown there; elsewhere where that is not possible."""
        possible = any(self._home.is_relative_to(path) for path in self._empty)
        return self._home if possible and not self._home.is_relative_to(jail.at) else Path("/run/home")

    def tmp_of(self, jail: Jail) -> Path:  # noqa: ARG002 (the seam)
        return Path("/tmp")

    def _shown(self, jail: Jail, empty: tuple[Path, ...]) -> tuple[Path, ...]:
        """Tools and, with network, the name servers' file, where they lie below something that was emptied."""
        paths = list(toolchain.installations(self._empty, self._search))
        for host, _ in jail.read_only:
            paths += [path for path in toolchain.interpreter_of(host) if toolchain.harmless(path)]
        if jail.network:
            paths.append(Path(os.path.realpath("/etc/resolv.conf")))
        paths = [path for path in paths if any(path.is_relative_to(folder) for folder in empty)]
        kept_out = (jail.at, *jail.hidden)
        return toolchain.outermost(path for path in paths if not any(_overlap(path, other) for other in kept_out))


def _overlap(path: Path, other: Path) -> bool:
    return path.is_relative_to(other) or other.is_relative_to(path)


def _is_plain_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
