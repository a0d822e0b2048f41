"""`ralph service`: install, remove and look at the service that keeps the daemon of this repository running."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.host.service import Service

Command = tuple[str, ...]
KINDS = click.Choice(["systemd", "launchd"])


@dataclass(frozen=True, slots=True)
class Plan:
    """Files to write, commands to run, files to remove and commands to run after that, in this order."""

    files: dict[Path, bytes] = field(default_factory=dict)
    commands: tuple[Command, ...] = ()
    remove: tuple[Path, ...] = ()
    afterwards: tuple[Command, ...] = ()

    def carry_out(self) -> None:
        from ralph.host.files import write_atomic

        for path, data in self.files.items():
            _refuse_foreign(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
            click.echo(f"wrote {path}")
        for command in self.commands:
            _run(command)
        for path in self.remove:
            _refuse_foreign(path)
            path.unlink(missing_ok=True)
            click.echo(f"removed {path}")
        for command in self.afterwards:
            _run(command)

    def show(self, as_json: bool) -> None:
        if as_json:
            from ralph.cli.output import emit_json

            files = [{"path": str(path), "text": data.decode(errors="replace")} for path, data in self.files.items()]
            commands = [*self.commands, *self.afterwards]
            emit_json({"files": files, "remove": list(self.remove), "commands": commands})
            return
        for path, data in self.files.items():
            click.echo(f"# would write {path}\n{data.decode(errors='replace')}")
        for command in self.commands:
            click.echo(f"# would run: {' '.join(command)}")
        for path in self.remove:
            click.echo(f"# would remove {path}")
        for command in self.afterwards:
            click.echo(f"# would run: {' '.join(command)}")


@click.group(
    epilog="""\b
Examples:
  ralph service install --dry-run    show the unit and the commands
  ralph service install --linger     keep running after you log out
  ralph service status
  ralph service uninstall
"""
)
def service() -> None:
    """Run the daemon of this repository as a service: systemd user unit or launchd agent."""


@service.command(
    epilog="""\b
Examples:
  ralph service install --dry-run --json
  ralph service install --save-keys --linger
"""
)
@click.option("--dry-run", is_flag=True, help="Show what would be written and run.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON.")
@click.option("--linger", is_flag=True, help="systemd: let your services run while you are logged out.")
@click.option(
    "--save-keys", is_flag=True, help="Copy the keys that ralph.toml names from this shell into the 0600 file."
)
@click.option("--kind", type=KINDS, help="Instead of the one this system has.")
def install(dry_run: bool, as_json: bool, linger: bool, save_keys: bool, kind: str | None) -> None:
    """Install and start the service; running it again updates it."""
    from ralph.host.files import own_directory

    if as_json and not dry_run:
        raise click.UsageError("--json belongs to --dry-run")
    kind = kind or _kind()
    described, names = _described()
    plan = _install_plan(described, kind, linger, None if dry_run else _credentials(described, names, save_keys))
    if dry_run:
        plan.show(as_json)
        return
    _need(kind)
    own_directory(described.log.parent)
    plan.carry_out()
    _say_credentials(described, names)
    if kind == "systemd" and not linger and lingers() is False:
        click.echo("It stops when you log out. To keep it running: loginctl enable-linger")


@service.command(epilog="\b\nExample:\n  ralph service uninstall --dry-run\n")
@click.option("--dry-run", is_flag=True, help="Show what would be removed and run.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON.")
@click.option("--kind", type=KINDS, help="Instead of the one this system has.")
def uninstall(dry_run: bool, as_json: bool, kind: str | None) -> None:
    """Stop and remove the service; the file with your keys stays, and is named."""
    if as_json and not dry_run:
        raise click.UsageError("--json belongs to --dry-run")
    kind = kind or _kind()
    described, _ = _described()
    plan = _uninstall_plan(described, kind)
    if dry_run:
        plan.show(as_json)
        return
    _need(kind)
    if not plan.remove[0].exists():
        click.echo("no service is installed for this repository")
        return
    plan.carry_out()
    if described.credentials.exists():
        click.echo(f"your keys are still in {described.credentials}")


@service.command(epilog="\b\nExample:\n  ralph service status --json\n")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--kind", type=KINDS, help="Instead of the one this system has.")
def status(as_json: bool, kind: str | None) -> None:
    """Show whether the service is installed and running."""
    from ralph.cli.output import emit_json

    kind = kind or _kind()
    described, _ = _described()
    state = _state(described, kind)
    if as_json:
        emit_json(state)
        return
    for key, value in state.items():
        click.echo(f"{key:<12} {value}")


def _described() -> tuple[Service, list[str]]:
    """The service, and the names of the keys that ralph.toml asks for."""
    from ralph.config import load
    from ralph.host.paths import find_repo, layout
    from ralph.host.service import describe

    found = layout(find_repo(Path.cwd()))
    config = load(found.repo / "ralph.toml")
    names = {name for agent in config.agents.values() for name in agent.env}
    keyed = (a for a in config.agents.values() if a.kind == "api" or (a.kind == "claude-code" and not a.state))
    names |= {agent.api_key_env for agent in keyed}
    names |= {config.forge.token_env} if config.forge.kind == "github" else set()
    return describe(found), sorted(names | set(config.notify.env))


def _install_plan(described: Service, kind: str, linger: bool, credentials: bytes | None) -> Plan:
    from ralph.host import service as host

    files = {described.credentials: credentials} if credentials is not None else {}
    if kind == "launchd":
        path, target = host.plist_path(described), f"gui/{os.getuid()}"
        commands: list[Command] = [
            ("launchctl", "bootout", f"{target}/{host.label(described)}"),
            ("launchctl", "bootstrap", target, str(path)),
        ]
        return Plan(files=files | {path: host.plist(described)}, commands=tuple(commands))
    text = host.unit(described).encode(errors="surrogateescape")
    commands = [
        ("systemctl", "--user", "daemon-reload"),
        ("systemctl", "--user", "enable", f"{described.name}.service"),
        ("systemctl", "--user", "restart", f"{described.name}.service"),
    ]
    if linger:
        commands.insert(0, ("loginctl", "enable-linger"))
    return Plan(files=files | {host.unit_path(described): text}, commands=tuple(commands))


def _uninstall_plan(described: Service, kind: str) -> Plan:
    from ralph.host import service as host

    if kind == "launchd":
        command = ("launchctl", "bootout", f"gui/{os.getuid()}/{host.label(described)}")
        return Plan(commands=(command,), remove=(host.plist_path(described),))
    disable = ("systemctl", "--user", "disable", "--now", f"{described.name}.service")
    reload = ("systemctl", "--user", "daemon-reload")
    return Plan(commands=(disable,), remove=(host.unit_path(described),), afterwards=(reload,))


def _state(described: Service, kind: str) -> dict[str, str]:
    from ralph.host import service as host

    path = host.plist_path(described) if kind == "launchd" else host.unit_path(described)
    state = {"service": described.name, "file": str(path), "installed": "yes" if path.exists() else "no"}
    if not path.exists() or shutil.which("launchctl" if kind == "launchd" else "systemctl") is None:
        return state
    if kind == "launchd":
        code, _ = _ask(("launchctl", "print", f"gui/{os.getuid()}/{host.label(described)}"))
        return state | {"active": "yes" if code == 0 else "no"}
    keys = "ActiveState,SubState,UnitFileState,NRestarts,MainPID"
    code, said = _ask(("systemctl", "--user", "show", f"{described.name}.service", f"--property={keys}"))
    if code:
        return state | {"active": f"unknown: {said.strip()}"}
    return state | dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def _credentials(described: Service, names: list[str], save: bool) -> bytes | None:
    """The file of keys to write: a commented skeleton the first time, values where asked. None: leave it."""
    if not save:
        return None if described.credentials.exists() else _CREDENTIALS_HEAD.encode() + _lines(names, {})
    values = {name: os.environ[name] for name in names if os.environ.get(name)}
    for name, value in values.items():
        if not value.isprintable() or "'" in value or "\\" in value:
            raise RalphError(f"the value of {name} can't be written into {described.credentials}", "write it by hand")
    return _CREDENTIALS_HEAD.encode() + _lines(names, values)


_CREDENTIALS_HEAD = "# Keys for the service of ralph; mode 0600. One KEY='value' a line.\n"


def _lines(names: list[str], values: dict[str, str]) -> bytes:
    return "".join(f"{n}='{values[n]}'\n" if n in values else f"#{n}=''\n" for n in names).encode()


def _say_credentials(described: Service, names: list[str]) -> None:
    text = described.credentials.read_text() if described.credentials.exists() else ""
    missing = [name for name in names if f"\n{name}=" not in f"\n{text}"]
    if missing:
        click.echo(f"A service has no login shell. Put {', '.join(missing)} into {described.credentials}")


def _kind() -> str:
    return "launchd" if sys.platform == "darwin" else "systemd"


def _need(kind: str) -> None:
    """Raises RalphError where the service manager is missing or can't be reached."""
    program = "launchctl" if kind == "launchd" else "systemctl"
    if shutil.which(program) is None:
        raise RalphError(
            f"{program} is not here, so no service can be installed",
            "run `ralph start` in tmux or in your container's start command; --dry-run shows the file",
        )
    if kind == "systemd":
        code, said = _ask(("systemctl", "--user", "show-environment"))
        if code:
            raise RalphError(
                f"systemctl --user does not reach your user manager: {said.strip()}",
                "log in directly (not by su or sudo), or run `loginctl enable-linger` and set "
                f"XDG_RUNTIME_DIR=/run/user/{os.getuid()}",
            )


def lingers() -> bool | None:
    """Whether services of this user run while logged out; None where nobody knows."""
    code, said = _ask(("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value"))
    return None if code else said.strip() == "yes"


def _refuse_foreign(path: Path) -> None:
    from ralph.host.service import MARKER

    ours = path.suffix in (".plist", ".env") or not path.exists() or MARKER in path.read_text(errors="replace")
    if not ours:
        raise RalphError(f"{path} was not written by ralph", "move it away first")


def _run(command: Command) -> None:
    """Run it; only `bootout`, which fails where nothing was loaded, may fail."""
    code, said = _ask(command)
    if code and command[1] != "bootout":
        raise RalphError(f"`{' '.join(command)}` failed: {said.strip() or f'exit code {code}'}")


def _ask(command: Command) -> tuple[int, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return 127, f"{command[0]} is not here"
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]} did not answer in 60 s"
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr
