"""What stands around agents and gates: the Sandbox seam, its implementations and the probe that picks one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ralph.errors import SandboxError
from ralph.host.bwrap import BwrapSandbox
from ralph.host.jail import LAUNCHER, Jail, Sandbox
from ralph.host.seatbelt import SeatbeltSandbox

__all__ = [
    "BwrapSandbox",
    "Jail",
    "NoSandbox",
    "Probe",
    "Sandbox",
    "SeatbeltSandbox",
    "make",
    "probe",
]

_ESCAPE = """
(echo x > "$1"; echo x > "$2") 2>&-
test -e "$3" && exit 12
test -w "$4" && exit 14
echo inside > inside || exit 13
"""
_WROTE_OUTSIDE = "a write outside the tree went through"
_FINDINGS = {
    12: "a hidden file could be seen",
    13: "the tree could not be written",
    14: "switches of the kernel can be written",
}
_SWITCH = "/proc/sys/kernel/core_pattern"
_HINTS = (
    (("setting up uid map", "RTM_NEWADDR", "Operation not permitted", "Permission denied"),
     "unprivileged user namespaces are blocked; on Ubuntu 24.04 and later add an AppArmor profile for bwrap with"
     " `userns,` (docs/security.md), or run `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"),
    (("No permissions to create new namespace", "clone", "unshare"),
     "user namespaces are off; run `sysctl kernel.unprivileged_userns_clone=1`, in a container start it with"
     " `--security-opt seccomp=unconfined`"),
    (("No such file",), "install it: `apt install bubblewrap` (or your system's package)"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """What starting a sandbox showed."""

    sandbox: Sandbox | None
    name: str
    """bwrap, seatbelt, none; empty where nothing works."""
    detail: str
    """What was proved, or why nothing works and what to do."""
    tried: tuple[str, ...] = ()


class NoSandbox:
    """No walls: the command runs as it is, in the tree's own path."""

    name = "none"

    def wrap(self, argv: Sequence[str], jail: Jail, directory: str) -> list[str]:  # noqa: ARG002 (the seam)
        return [*LAUNCHER, directory, *argv]

    def path_of(self, jail: Jail, host: Path) -> Path:  # noqa: ARG002 (the seam)
        return host

    def home_of(self, jail: Jail) -> Path:
        return jail.home

    def tmp_of(self, jail: Jail) -> Path:
        return jail.tmp


def make(name: str) -> Sandbox:
    """Return the sandbox called ``name`` without starting it. Raises SandboxError for an unknown name."""
    match name:
        case "bwrap":
            return BwrapSandbox()
        case "seatbelt":
            return SeatbeltSandbox()
        case "none":
            return NoSandbox()
    raise SandboxError(f"there is no sandbox called {name!r}", "use auto, bwrap, seatbelt or none")


@cache
def probe(mode: str) -> Probe:
    """Find the sandbox for ``mode`` (auto, bwrap, seatbelt, none) by really starting it, once per process."""
    if mode == "none":
        return Probe(NoSandbox(), "none", "no sandbox: agents and gates can do whatever you can", ("none",))
    names = {"auto": ["seatbelt" if sys.platform == "darwin" else "bwrap"]}.get(mode, [mode])
    reasons = []
    for name in names:
        sandbox = make(name)
        problem = examine(sandbox)
        if not problem:
            return Probe(sandbox, name, f"{name} started, and a write outside the tree failed", (name,))
        reasons.append(f"{name}: {problem}")
    return Probe(None, "", "; ".join(reasons), tuple(names))


def examine(sandbox: Sandbox) -> str:
    """Start ``sandbox`` once and try to break out; return what is wrong, empty where nothing is."""
    with tempfile.TemporaryDirectory(prefix="ralph-probe-") as name:
        root = Path(name).resolve()
        jail = Jail(tree=root / "tree", at=root / "at", home=root / "home", tmp=root / "tmp", hidden=(root / "hidden",))
        for folder in (jail.tree, jail.at, jail.home, jail.tmp, *jail.hidden):
            folder.mkdir()
        secret = root / "hidden" / "secret"
        secret.write_text("secret")
        outside = (root / "outside", Path("/") / root.name)  # the second one only root could write
        directory = str(sandbox.path_of(jail, jail.tree))
        argv = sandbox.wrap(["/bin/sh", "-c", _ESCAPE, "sh", *map(str, (*outside, secret)), _SWITCH], jail, directory)
        try:
            done = subprocess.run(argv, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return _with_hint(f"cannot start: {getattr(error, 'strerror', None) or error}")
        if written := [path for path in outside if path.exists()]:
            for path in written:
                path.unlink()
            return _WROTE_OUTSIDE
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            return _FINDINGS.get(done.returncode) or _with_hint(lines[-1] if lines else f"exit code {done.returncode}")
        return "" if (jail.tree / "inside").exists() else _FINDINGS[13]


def _with_hint(problem: str) -> str:
    hint = next((hint for signs, hint in _HINTS if any(sign in problem for sign in signs)), "")
    return f"{problem}; {hint}" if hint else problem
