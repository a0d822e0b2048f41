"""The sandbox on macOS: a profile for sandbox-exec. Nothing can be mounted there, so every path is the host's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ralph.host import toolchain
from ralph.host.jail import LAUNCHER, Jail

_PROGRAM = "/usr/bin/sandbox-exec"
_HIDDEN = ("/private/tmp", "/private/var/tmp", "/Volumes")
_BASE = """\
(version 1)
(allow default)
(deny signal)
(allow signal (target same-sandbox))
(deny process-info* (target others))
(deny mach-lookup (global-name "com.apple.SecurityServer") (global-name "com.apple.securityd.xpc"))
(deny file-write*)
(allow file-write* (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty") (regex #"^/dev/ttys"))
"""


class SeatbeltSandbox:
    """Later rules win: writing nowhere but in the jail's writable places, reading no home but what is named."""

    name = "seatbelt"

    def __init__(self, search: str | None = None, homes: tuple[Path, ...] | None = None) -> None:
        self._search = os.environ.get("PATH", os.defpath) if search is None else search
        self._homes = homes if homes is not None else (*toolchain.homes(), Path("/Users"))

    def wrap(self, argv: Sequence[str], jail: Jail, directory: str) -> list[str]:
        return [_PROGRAM, "-p", self.profile(jail), *LAUNCHER, directory, *argv]

    def profile(self, jail: Jail) -> str:
        """The sandbox profile (SBPL) for ``jail``."""
        hidden = (*self._homes, *map(Path, _HIDDEN), *jail.hidden)
        writable = [jail.home, jail.tmp, *(host for host, _ in jail.writable)]
        read_only = [host for host, _ in jail.read_only]
        shown = [*toolchain.installations(hidden, self._search), *read_only]
        rules = [
            _rule("deny", "file-read*", hidden),
            _rule("allow", "file-read-metadata", hidden),
            _rule("deny", "file-read*", [jail.at]),
            _rule("allow", "file-read*", [jail.tree, *shown, *writable]),
            _rule("allow", "file-write*", [*([jail.tree] if jail.tree_writable else []), *writable]),
            _rule("deny", "file-write*", read_only),
        ]
        if not jail.network:
            rules.append("(deny network*)")
        return _BASE + "\n".join(rule for rule in rules if rule) + "\n"

    def path_of(self, jail: Jail, host: Path) -> Path:  # noqa: ARG002 (the seam)
        return host

    def home_of(self, jail: Jail) -> Path:
        return jail.home

    def tmp_of(self, jail: Jail) -> Path:
        return jail.tmp


def _rule(verb: str, what: str, paths: Iterable[Path]) -> str:
    places = " ".join(f"(subpath {_quoted(path)})" for path in dict.fromkeys(paths))
    return f"({verb} {what} {places})" if places else ""


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
