"""Run under a service manager: the unit or agent file of one repository, and the word sent to systemd.

The templates in ``systemd/`` ship with the package. Paths are captured at installation, because a service has no
login shell; keys never stand in the unit but in a file of mode 0600 beside it.
"""

from __future__ import annotations

import os
import plistlib
import re
import socket
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ralph.errors import RalphError
from ralph.host.paths import Layout

MARKER = "Written by `ralph service install`, which overwrites it."
CAPTURED = ("PATH", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "LANG", "SSL_CERT_FILE")
"""Variables of the installing shell that the service needs to find programs and the same state directory."""


@dataclass(frozen=True, slots=True)
class Service:
    """What one repository's service runs."""

    name: str
    directory: Path
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    credentials: Path
    """File of mode 0600 with lines ``KEY='value'``; it may be missing."""
    log: Path
    """launchd: where output goes that is not in the daemon's own log; systemd has its journal."""


def describe(layout: Layout) -> Service:
    """The service of one repository, for the program and the environment that run now."""
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", layout.repo.name).strip("-.")[:40] or "project"
    name = f"ralph-{slug}-{layout.root.name[:8]}"
    return Service(
        name=name,
        directory=layout.repo,
        command=(sys.executable, "-P", "-m", "ralph", "start", "--foreground"),
        environment=tuple((key, os.environ[key]) for key in CAPTURED if os.environ.get(key)),
        credentials=config_home() / "ralph" / f"{name}.env",
        log=layout.root / "service.log",
    )


def unit(service: Service) -> str:
    """The systemd user unit. Raises RalphError for a path that a unit file can't hold."""
    values = {
        "MARKER": MARKER,
        "NAME": _escaped(service.directory.name),
        "DIRECTORY": _escaped(str(service.directory)),
        "COMMAND": " ".join([_quoted(service.command[0]), *(_argument(word) for word in service.command[1:])]),
        "ENVIRONMENT": "\n".join(f"Environment={_quoted(f'{key}={value}')}" for key, value in service.environment),
        "CREDENTIALS": _escaped(str(service.credentials)),
    }
    return re.sub(r"@([A-Z]+)@", lambda hit: values[hit[1]], template("ralph.service"))


def plist(service: Service) -> bytes:
    """The launchd agent. A shell reads the credentials, because launchd has no file for them."""
    data = plistlib.loads(template("ralph.plist").encode())
    source = 'if [ -f "$0" ]; then set -a; . "$0"; set +a; fi; exec "$@"'
    data["Label"] = label(service)
    data["ProgramArguments"] = ["/bin/sh", "-c", source, str(service.credentials), *service.command]
    data["WorkingDirectory"] = str(service.directory)
    data["EnvironmentVariables"] = dict(service.environment)
    data["StandardOutPath"] = data["StandardErrorPath"] = str(service.log)
    return plistlib.dumps(data)


def label(service: Service) -> str:
    return f"dev.ralph.{service.name.removeprefix('ralph-')}"


def unit_path(service: Service) -> Path:
    return config_home() / "systemd" / "user" / f"{service.name}.service"


def plist_path(service: Service) -> Path:
    return Path.home() / "Library" / "LaunchAgents" / f"{label(service)}.plist"


def config_home() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(configured) if configured.startswith("/") else Path.home() / ".config"


def template(name: str) -> str:
    """Text of a file in ``systemd/``: inside an installed package, beside the package in a checkout."""
    package = resources.files("ralph")
    shipped = package / "systemd" / name
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    return (Path(str(package)).parent / "systemd" / name).read_text(encoding="utf-8")


def notify(state: str) -> bool:
    """Send a state (``READY=1``, ``WATCHDOG=1``, ``STOPPING=1``, ``STATUS=...``) to systemd.

    False where no service manager listens. Never blocks and never raises: a night does not end for it.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    target = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(state.encode(), target)
        except OSError:
            return False
    return True


def _escaped(text: str) -> str:
    """A value taken as it stands: only systemd's specifiers are escaped."""
    if re.search(r"[\x00-\x1f]", text):
        raise RalphError(f"a service can't be made for {text!r}: it holds a control character", "rename the directory")
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    return '"' + _escaped(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _argument(word: str) -> str:
    return _quoted(word).replace("$", "$$")
