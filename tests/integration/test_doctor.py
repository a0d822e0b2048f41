"""`ralph doctor`: each line says what is so and how to mend it; what fails decides the exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ralph.cli import checks, executed, programs
from ralph.cli.checks import Row
from ralph.config import Agent, parse
from ralph.domain import GateResult, Verdict
from ralph.engine.preflight import CheckResult, Liveness, Preflight
from ralph.host.paths import Layout, layout

GOOD = """
[agents.robot]
kind = "scripted"
script = "robot.json"
[[gates]]
name = "tests"
command = "sh -c 'test ! -e broken'"
[sandbox]
mode = "none"
"""


@pytest.fixture
def project(git_repo: Path) -> Path:
    (git_repo / "ralph.toml").write_text(GOOD)
    (git_repo / "tasks.json").write_text('{"version": 1, "tasks": []}')
    (git_repo / "robot.json").write_text("{}")
    return git_repo


def doctor(repo: Path, *args: str, **env: str) -> tuple[int, dict[str, Row]]:
    """Exit code and the rows, the worst of each name."""
    command = [sys.executable, "-P", "-m", "ralph", "doctor", "--json", *args]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, env=os.environ | env)
    assert done.returncode in (0, 4), done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    assert data["ok"] == (done.returncode == 0)
    rows = sorted((Row(**row) for row in data["rows"]), key=lambda row: ["ok", "warn", "fail"].index(row.status))
    return done.returncode, {row.what: row for row in rows}


def test_a_ready_repository_is_well(project: Path) -> None:
    code, rows = doctor(project, "--quick")
    assert code == 0, rows
    assert {"git", "python", "repository", "state", "tasks.json", "base", "disk", "window", "daemon"} <= set(rows)
    assert rows["sandbox"].status == "warn"
    assert "may do whatever you may" in rows["sandbox"].detail


def test_every_line_that_is_not_well_has_a_fix(project: Path) -> None:
    (project / "ralph.toml").write_text('[night]\nbase = "nowhere"\n[forge]\nkind = "github"\nremote = "up"\n')
    (project / "tasks.json").write_text("[1")
    code, rows = doctor(project, "--quick")
    assert code == 4
    assert {name for name, row in rows.items() if row.status == "fail"} >= {
        "gates",
        "agents",
        "base",
        "tasks.json",
        "forge",
    }
    assert [row for row in rows.values() if row.status != "ok" and not row.fix] == []


def test_a_gate_that_is_red_on_the_base_is_named(project: Path) -> None:
    subprocess.run(["git", "add", "-A"], cwd=project, check=True)
    (project / "broken").touch()
    subprocess.run(["git", "add", "broken"], cwd=project, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "broken"], cwd=project, check=True)
    code, rows = doctor(project)
    assert code == 4
    assert "red on the base" in rows["gate tests"].detail
    assert "allow_red_base" in rows["gate tests"].fix


def test_a_green_gate_is_well(project: Path) -> None:
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "more"], cwd=project, check=True)
    code, rows = doctor(project)
    assert code == 0, rows
    assert rows["gate tests"].status == "ok"


@pytest.mark.sandbox
def test_a_gate_that_only_the_sandbox_keeps_from_passing_is_named(
    project: Path, tmp_path: Path, sandbox_or_skip: object
) -> None:
    secret = tmp_path / "config" / "outside"
    secret.parent.mkdir()
    secret.touch()
    walled = GOOD.replace("sh -c 'test ! -e broken'", f"sh -c 'echo x > {secret}'").replace('"none"', '"auto"')
    (project / "ralph.toml").write_text(walled)
    code, rows = doctor(project)
    assert code == 4
    assert "passes outside the sandbox" in rows["gate tests"].detail
    assert "[sandbox]" in rows["gate tests"].fix


def test_a_repository_that_is_not_supported_is_named(project: Path) -> None:
    (project / ".git/shallow").write_text("")
    assert "shallow" in doctor(project, "--quick")[1]["repository"].detail


def test_outside_a_repository(tmp_path: Path) -> None:
    code, rows = doctor(tmp_path)
    assert code == 4
    assert rows["repository"].fix


@pytest.mark.parametrize("version", [None, "2.20.1"])
def test_git_that_is_absent_or_too_old(project: Path, tmp_path: Path, version: str | None) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if version:
        (programs / "git").write_text(f"#!/bin/sh\necho git version {version}\n")
        (programs / "git").chmod(0o755)
    for name in ("env", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))
    rows = doctor(project, "--quick", PATH=str(programs))[1]
    assert rows["git"].status == "fail"
    assert "2.39" in rows["git"].fix


def test_a_state_directory_that_cannot_be_written(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rows = doctor(project, "--quick", XDG_STATE_HOME=str(tmp_path / "file"))[1]
    assert rows["state"].status == "fail"
    assert "XDG_STATE_HOME" in rows["state"].fix


@pytest.mark.parametrize(
    ("table", "says", "fix"),
    [
        ('kind = "api"\napi_key_env = "NO_SUCH_KEY"', "NO_SUCH_KEY is not set", "export NO_SUCH_KEY"),
        ('kind = "codex"\ncommand = ["no-such-program"]', "not on PATH", "install no-such-program"),
        ('kind = "command"\ncommand = ["./gone.sh"]', "does not exist", "command"),
        ('kind = "scripted"\nscript = "gone.json"', "gone.json", "write the script"),
        ('kind = "command"\ncommand = ["sh"]\nenv = ["NO_SUCH_KEY"]', "", ""),
    ],
)
def test_an_agent_that_cannot_work_says_why(table: str, says: str, fix: str) -> None:
    rows = list(programs.agents(Layout(Path("/nowhere"), Path("/x"), Path("/y")), parse(f"[agents.a]\n{table}\n")))
    bad = [row for row in rows if row.status == "fail"]
    assert bad
    assert says in bad[-1].detail
    assert fix in bad[-1].fix


def test_a_program_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "agent.sh").write_text("#!/bin/sh\n")
    row = programs._program("agent a", Agent(kind="command", command=["./agent.sh"]), tmp_path)
    assert (row.status, row.fix) == ("fail", "chmod +x ./agent.sh")


def test_claude_without_key_or_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in programs.CLAUDE_KEYS:
        monkeypatch.delenv(name, raising=False)
    rows = list(programs._agent("agent a", Agent(kind="claude-code"), Path("/nowhere")))
    assert any("neither a key nor a login" in row.detail for row in rows)


@pytest.mark.parametrize(
    ("night", "status", "says"),
    [
        ('timezone = "Europe/Berlin"', "ok", "opens Mon 22:00, 9 h"),
        ('timezone = "Europe/Berlin"\nstart = "02:30"', "warn", "02:30 does not exist on 2027-03-28"),
        ('timezone = "UTC"\nstart = "11:00"\nstop = "13:00"', "ok", "open until Mon 13:00"),
    ],
)
def test_the_window_in_words(night: str, status: str, says: str) -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    (row,) = checks.clock(parse(f"[night]\n{night}\n"), now)
    assert row.status == status
    assert says in row.detail


@pytest.mark.parametrize(("free", "status"), [(10**18, "fail"), (1, "ok")])
def test_disk_is_judged_by_the_limit(tmp_path: Path, free: int, status: str) -> None:
    here = Layout(tmp_path, tmp_path, tmp_path)
    (row,) = checks.disk(here, parse(f"[limits]\ndisk_free_mb = {free}\n"))
    assert row.status == status


def gate(verdict: Verdict, reason: str = "exit 1") -> GateResult:
    return GateResult("tests", "tests", verdict, reason)


@pytest.mark.parametrize(
    ("inside", "outside", "status", "says"),
    [
        (gate(Verdict.PASSED, "14 tests"), None, "ok", "14 tests"),
        (gate(Verdict.FAILED), gate(Verdict.PASSED), "fail", "passes outside the sandbox, inside: exit 1"),
        (gate(Verdict.FAILED), gate(Verdict.FAILED), "fail", "red on the base"),
        (gate(Verdict.NOT_RUN, "exit 127"), gate(Verdict.NOT_RUN), "fail", "could not run on the base: exit 127"),
    ],
)
def test_the_difference_between_outside_and_inside(
    inside: GateResult, outside: GateResult | None, status: str, says: str
) -> None:
    row = executed.gate_row(inside, outside)
    assert row.status == status
    assert says in row.detail


def test_checks_that_are_green_before_the_work_and_gates_that_see_nothing() -> None:
    checks_found = (
        CheckResult("a", "true", Verdict.PASSED, "exit 0"),
        CheckResult("b", "nope", Verdict.NOT_RUN, "exit 127"),
        CheckResult("c", "false", Verdict.FAILED, "exit 1"),
    )
    liveness = Liveness(Verdict.FAILED, "a fault planted in a.py turned no gate red")
    rows = list(executed.preflight_rows(Preflight("k", "t", (), checks_found, liveness)))
    assert [(row.what, row.status) for row in rows] == [("task a", "warn"), ("task b", "fail"), ("liveness", "warn")]


@pytest.mark.sandbox
def test_an_agents_program_is_tried_inside_the_sandbox(git_repo: Path, tmp_path: Path, sandbox_or_skip: object) -> None:
    for name, body in {"good": "echo 1.2.3", "walled": f"cat {layout(git_repo).root}/ledger.db"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    layout(git_repo).root.mkdir(parents=True)
    layout(git_repo).ledger.write_text("secret")
    tables = "".join(f'[agents.{n}]\nkind = "codex"\ncommand = ["{tmp_path / n}"]\n' for n in ("good", "walled"))
    rows = {row.what: row for row in executed.programs(layout(git_repo), parse(tables))}
    assert rows["agent good"].status == "ok", rows
    assert "1.2.3" in rows["agent good"].detail
    assert "works outside, but inside" in rows["agent walled"].detail
