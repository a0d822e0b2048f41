"""`ralph service` against a service manager's program that writes down what it is asked."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ralph.host.paths import layout
from ralph.host.service import describe, plist_path, unit_path

CONFIG = '[agents.api]\nkind = "api"\n[notify]\ncommand = ["tell"]\nenv = ["PHONE"]\n'


class Manager:
    """Stand-ins for systemctl, loginctl and launchctl on PATH; each call is a line in ``said``."""

    def __init__(self, folder: Path) -> None:
        self.said = folder / "said"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ("systemctl", "loginctl", "launchctl"):
            self.answer(name, "exit 0")

    def answer(self, name: str, body: str) -> None:
        file = self.bin / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.said}\n{body}\n')
        file.chmod(0o755)

    def calls(self) -> list[str]:
        return self.said.read_text().splitlines() if self.said.exists() else []


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git_repo: Path) -> Manager:
    made = Manager(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    (git_repo / "ralph.toml").write_text(CONFIG)
    return made


def service(repo: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "ralph",
        "service",
        *args,
        *([] if "--kind" in args else ["--kind", "systemd"]),
    ]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True)


def test_install_and_uninstall(git_repo: Path, manager: Manager) -> None:
    made = describe(layout(git_repo))
    done = service(git_repo, "install", "--linger")
    assert done.returncode == 0, done.stderr
    assert manager.calls() == [
        "systemctl --user show-environment",
        "loginctl enable-linger",
        "systemctl --user daemon-reload",
        f"systemctl --user enable {made.name}.service",
        f"systemctl --user restart {made.name}.service",
    ]
    assert "WatchdogSec=60" in unit_path(made).read_text()
    assert json.loads(service(git_repo, "status", "--json").stdout)["installed"] == "yes"
    done = service(git_repo, "uninstall")
    assert done.returncode == 0, done.stderr
    assert not unit_path(made).exists()
    assert made.credentials.exists()
    assert str(made.credentials) in done.stdout
    assert manager.calls()[-2:] == [
        f"systemctl --user disable --now {made.name}.service",
        "systemctl --user daemon-reload",
    ]


def test_dry_run_touches_nothing(git_repo: Path, manager: Manager) -> None:
    made = describe(layout(git_repo))
    shown = json.loads(service(git_repo, "install", "--dry-run", "--json").stdout)
    assert shown["files"][0]["path"] == str(unit_path(made))
    assert ["systemctl", "--user", "daemon-reload"] in shown["commands"]
    assert manager.calls() == []
    assert not unit_path(made).exists()


def test_keys_are_named_and_copied_only_when_asked(
    git_repo: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-123")
    credentials = describe(layout(git_repo)).credentials
    first = service(git_repo, "install")
    assert "ANTHROPIC_API_KEY, PHONE" in first.stdout
    assert "sk-ant-123" not in credentials.read_text() + unit_path(describe(layout(git_repo))).read_text()
    second = service(git_repo, "install", "--save-keys")
    assert "Put PHONE into" in second.stdout
    assert "ANTHROPIC_API_KEY='sk-ant-123'\n" in credentials.read_text()
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    service(git_repo, "install")
    assert "sk-ant-123" in credentials.read_text()


def test_a_key_that_a_shell_would_read_otherwise_is_refused(
    git_repo: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONE", "'; rm -rf ~; '")
    done = service(git_repo, "install", "--save-keys")
    assert done.returncode == 1
    assert "PHONE" in done.stderr
    assert "rm -rf" not in done.stderr


def test_a_unit_that_somebody_else_wrote_stays(git_repo: Path, manager: Manager) -> None:
    unit = unit_path(describe(layout(git_repo)))
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n")
    done = service(git_repo, "install")
    assert done.returncode == 1
    assert "not written by ralph" in done.stderr
    assert unit.read_text() == "[Service]\n"


def test_without_a_user_manager_the_way_out_is_named(git_repo: Path, manager: Manager) -> None:
    manager.answer("systemctl", "echo 'Failed to connect to bus: No medium found' >&2; exit 1")
    done = service(git_repo, "install")
    assert done.returncode == 1
    assert "No medium found" in done.stderr
    assert "enable-linger" in done.stderr
    assert not unit_path(describe(layout(git_repo))).exists()


def test_lingering_that_is_off_is_said(git_repo: Path, manager: Manager) -> None:
    manager.answer("loginctl", "echo no")
    assert "loginctl enable-linger" in service(git_repo, "install").stdout


def test_launchd(git_repo: Path, manager: Manager) -> None:
    made = describe(layout(git_repo))
    manager.answer("launchctl", '[ "$1" != bootout ]')
    done = service(git_repo, "install", "--kind", "launchd")
    assert done.returncode == 0, done.stderr
    assert plist_path(made).exists()
    assert [line.split()[1] for line in manager.calls()] == ["bootout", "bootstrap"]
    assert service(git_repo, "uninstall", "--kind", "launchd").returncode == 0
    assert not plist_path(made).exists()


def test_templates_ship_in_the_wheel(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    program = "import ralph, ralph.host.service as s; print(ralph.__file__); print(s.template('ralph.service'))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert str(tmp_path / "installed") in done.stdout
    assert "Type=notify" in done.stdout
    assert (tmp_path / "installed/ralph/systemd/ralph.plist").exists()
