"""The files a service manager gets: structure, escaping, and what systemd itself says of them."""

from __future__ import annotations

import os
import plistlib
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ralph.errors import RalphError
from ralph.host import service
from ralph.host.paths import Layout

NASTY = 'my "app" 100% $HOME \\o ü'


def described(tmp_path: Path, name: str = "app") -> service.Service:
    repo = tmp_path / name
    repo.mkdir()
    return service.describe(Layout(repo=repo, common_dir=repo / ".git", root=tmp_path / "state" / "0123456789abcdef"))


def settings(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_the_unit_runs_the_daemon_in_the_foreground_and_watches_it(tmp_path: Path) -> None:
    made = described(tmp_path)
    found = settings(service.unit(made))
    assert found["Type"] == ["notify"]
    assert found["WatchdogSec"] == ["60"]
    assert found["ExecStart"] == [f'"{sys.executable}" "-P" "-m" "ralph" "start" "--foreground"']
    assert found["WorkingDirectory"] == [str(made.directory)]
    assert found["EnvironmentFile"] == [f"-{made.credentials}"]
    assert found["Restart"] == ["on-failure"]
    assert found["UMask"] == ["0077"]
    assert found["TimeoutStopSec"] == ["40"]
    assert found["Delegate"] == ["yes"]
    assert "@" not in service.unit(made)


def test_the_installing_shells_path_is_captured_and_its_keys_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/opt/node/bin:/usr/bin")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    made = described(tmp_path)
    text = service.unit(made) + service.plist(made).decode()
    assert 'Environment="PATH=/opt/node/bin:/usr/bin"' in text
    assert f'Environment="XDG_STATE_HOME={os.environ["XDG_STATE_HOME"]}"' in text
    assert "sk-ant-secret" not in text


@pytest.mark.parametrize("name", ["app", NASTY])
def test_systemd_finds_nothing_to_say_of_the_unit(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze not_run: systemd is not installed")
    monkeypatch.setenv("PATH", f'{os.environ["PATH"]}:/a b%c:/q"uo$te\\')
    file = tmp_path / "ralph-app.service"
    file.write_text(service.unit(described(tmp_path, name)))
    done = subprocess.run(["systemd-analyze", "verify", "--user", file], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_systemd_would_interpret_is_escaped(tmp_path: Path) -> None:
    made = described(tmp_path, NASTY)
    found = settings(service.unit(made))
    assert found["WorkingDirectory"] == [str(made.directory).replace("%", "%%")]
    assert service._argument('a"b$c%d\\') == '"a\\"b$$c%%d\\\\"'
    assert made.name.startswith("ralph-my-app-100-HOME-o-")


def test_a_directory_that_a_unit_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RalphError, match="control character"):
        service.unit(described(tmp_path, "two\nExecStartPre=lines"))


def test_the_agent_file_is_a_plist_with_the_same_command(tmp_path: Path) -> None:
    made = described(tmp_path, NASTY)
    data = plistlib.loads(service.plist(made))
    assert data["ProgramArguments"][-6:] == [sys.executable, "-P", "-m", "ralph", "start", "--foreground"]
    assert data["KeepAlive"] == {"SuccessfulExit": False}
    assert data["ExitTimeOut"] == 40
    assert data["Label"] == f"dev.{made.name.replace('-', '.', 1)}"
    assert data["WorkingDirectory"] == str(made.directory)
    assert data["Umask"] == 0o077


def test_the_agents_shell_reads_keys_and_keeps_arguments_whole(tmp_path: Path) -> None:
    made = described(tmp_path)
    argv = plistlib.loads(service.plist(made))["ProgramArguments"]
    made.credentials.parent.mkdir(parents=True)
    show = [sys.executable, "-c", "import os, sys; print(os.environ.get('MY_KEY'), sys.argv[1:])", "two words", "$HOME"]
    without = subprocess.run([*argv[:4], *show], capture_output=True, text=True, check=True)
    made.credentials.write_text("MY_KEY='a b$c'\n")
    withal = subprocess.run([*argv[:4], *show], capture_output=True, text=True, check=True)
    assert without.stdout == "None ['two words', '$HOME']\n"
    assert withal.stdout == "a b$c ['two words', '$HOME']\n"


@pytest.mark.parametrize("abstract", [False, True])
def test_notify_reaches_the_service_manager(abstract: bool, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if abstract and sys.platform != "linux":
        pytest.skip("abstract sockets not_run: only Linux has them")
    name = f"ralph-test-{os.getpid()}" if abstract else str(runtime_dir / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}" if abstract else name)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        assert service.notify("READY=1\nSTATUS=waiting until 22:00")
        assert manager.recv(100) == b"READY=1\nSTATUS=waiting until 22:00"


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "relative"])
def test_notify_without_a_manager_is_quiet(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not service.notify("READY=1")


def test_notify_never_blocks_on_a_manager_that_does_not_read(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(runtime_dir / "deaf")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        assert not all(service.notify("WATCHDOG=1") for _ in range(5000))


def test_templates_are_found_inside_a_package_and_beside_a_checkout() -> None:
    assert "Type=notify" in service.template("ralph.service")
    assert plistlib.loads(service.template("ralph.plist").encode())["RunAtLoad"] is True
