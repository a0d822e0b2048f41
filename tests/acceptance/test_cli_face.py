"""The installed program: exit codes, messages, help, completion, and that it answers at once."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ralph import __version__
from ralph.cli import errors
from ralph.cli.main import COMMANDS, cli
from ralph.errors import NeedsPerson, RalphError
from ralph.host.files import own_directory
from ralph.host.paths import layout

RALPH = Path(sys.executable).with_name("ralph")


def ralph(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program with pipes for its streams."""
    return subprocess.run(
        [RALPH, *args], cwd=cwd, capture_output=True, text=True, errors="replace", env=os.environ | env, timeout=60
    )


def every_command() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner, sub in command.commands.items():
                yield f"{name} {inner}", sub


def test_version_and_help() -> None:
    assert ralph("--version").stdout == f"ralph {__version__}\n"
    shown = ralph("--help").stdout
    assert all(f"  {name} " in shown for name in COMMANDS)
    assert all(text in shown for _, text in COMMANDS.values())


def test_every_command_explains_itself_with_an_example() -> None:
    for name, command in every_command():
        with click.Context(command, info_name=name) as context:
            shown = command.get_help(context)
        assert "Example" in shown, f"ralph {name} --help has no example"
        assert command.help, f"ralph {name} has no sentence"


def test_help_imports_no_command() -> None:
    assert imported("--help") == []


@pytest.mark.parametrize("slow", ["pydantic", "rich", "anthropic", "git", "httpx2", "apscheduler", "apprise", "github"])
def test_status_imports_nothing_slow(slow: str, status_imports: set[str]) -> None:
    assert slow not in status_imports


@pytest.fixture(scope="module")
def status_imports(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    repo = tmp_path_factory.mktemp("status")
    subprocess.run(["git", "init", "-q", "."], cwd=repo, check=True)
    return set(loaded("status", cwd=repo))


def loaded(*args: str, cwd: Path | None = None) -> list[str]:
    program = (
        "import sys, atexit; sys.argv = sys.argv[1:]\n"
        "atexit.register(lambda: print('MODULES', *sys.modules, file=sys.stderr))\n"
        "from ralph.cli.main import main; main()"
    )
    command = [sys.executable, "-c", program, "ralph", *args]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    return next(line for line in done.stderr.splitlines() if line.startswith("MODULES")).split()[1:]


def imported(*args: str) -> list[str]:
    modules = {module for module, _ in COMMANDS.values()} - {"main"}
    return [name for name in loaded(*args) if name in {f"ralph.cli.{module}" for module in modules}]


def test_a_typo_gets_a_suggestion() -> None:
    done = ralph("statu")
    assert done.returncode == 2
    assert "Did you mean" in done.stderr
    assert "status" in done.stderr


@pytest.mark.parametrize(
    "args", [["query"], ["init", "--nope"], ["-C"], ["-C", "/nowhere", "status"], ["completion", "x"]]
)
def test_wrong_usage_is_2(args: list[str]) -> None:
    done = ralph(*args)
    assert done.returncode == 2
    assert done.stderr
    assert done.stdout == ""


def test_an_expected_error_is_1_with_the_next_step(tmp_path: Path) -> None:
    done = ralph("config", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("ralph: ")
    assert "hint: run `git init`" in done.stderr
    assert "Traceback" not in done.stderr


def test_dash_C_runs_as_if_started_there(git_repo: Path) -> None:
    done = ralph("-C", str(git_repo), "config", cwd=Path("/"))
    assert str(git_repo / "ralph.toml") in done.stderr
    assert "ralph init" in done.stderr


def test_a_linked_worktree_and_a_subdirectory_are_inside(git_repo: Path) -> None:
    (git_repo / "deep/er").mkdir(parents=True)
    (git_repo / "ralph.toml").write_text("")
    assert ralph("config", cwd=git_repo / "deep/er").returncode == 0


def test_no_colour_in_a_pipe_and_none_with_NO_COLOR(git_repo: Path) -> None:
    assert "\x1b" not in ralph("doctor", "--quick", cwd=git_repo).stdout
    command = f"{RALPH} --help; {RALPH} config"
    shown = subprocess.run(
        ["script", "-qec", command, "/dev/null"], cwd=git_repo, capture_output=True, env=os.environ | {"NO_COLOR": "1"}
    )
    assert b"\x1b[" not in shown.stdout


def test_a_deleted_directory_is_said(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", f"cd {gone} && rmdir {gone} && exec {RALPH} config"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("locale", [{"LANG": "C", "LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONIOENCODING": "latin-1"}])
def test_text_reaches_any_terminal(git_repo: Path, locale: dict[str, str]) -> None:
    (git_repo / "ralph.toml").write_text('[workspace]\nsetup = "ünï → 😀"\n', encoding="utf-8")
    assert ralph("config", cwd=git_repo, **locale).returncode == 0


def test_a_reader_that_leaves_is_no_bug(git_repo: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {RALPH} config --explain | head -1"],
        cwd=git_repo,
        capture_output=True,
        text=True,
    )
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_and_answers(shell: str) -> None:
    assert "_RALPH_COMPLETE" in ralph("completion", shell).stdout
    env = {"_RALPH_COMPLETE": f"{shell}_complete", "COMP_WORDS": "ralph st", "COMP_CWORD": "1"}
    if shell == "fish":
        env["COMP_CWORD"] = "st"
    answer = ralph(**env).stdout
    assert "start" in answer
    assert "status" in answer
    assert "init" not in answer


def test_outcomes_become_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: BaseException) -> object:
        raise error

    assert errors.boundary(lambda: None) == 0
    assert errors.boundary(lambda: 4) == 4
    assert errors.boundary(lambda: True) == 0
    assert errors.boundary(lambda: fail(RalphError("no", "do this"))) == 1
    assert errors.boundary(lambda: fail(NeedsPerson("look"))) == 4
    assert errors.boundary(lambda: fail(click.UsageError("wrong"))) == 2
    assert errors.boundary(lambda: fail(KeyboardInterrupt())) == 130
    assert "hint: do this" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device", "/x"), PermissionError(13, "Permission denied", "/x")]
)
def test_errors_of_the_machine_are_no_bugs(error: OSError, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> object:
        raise error

    assert errors.boundary(fail) == 1
    assert "hint:" in capsys.readouterr().err


def test_what_an_error_says_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> object:
        raise RalphError("task \x1b[2J\x07 evil\rok")

    errors.boundary(fail)
    assert "\x1b" not in capsys.readouterr().err


def test_a_bug_leaves_a_private_file_and_one_line(
    git_repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_directory(layout(git_repo).root)
    monkeypatch.chdir(git_repo)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")

    def buggy() -> object:
        return {}["missing"]

    assert errors.boundary(buggy) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 2
    (crash,) = layout(git_repo).root.glob("crash-*.txt")
    assert str(crash) in said
    assert "KeyError: 'missing'" in crash.read_text()
    assert "sk-ant-secret" not in crash.read_text()
    assert stat.S_IMODE(crash.stat().st_mode) == 0o600


def test_ctrl_c_is_130() -> None:
    program = (
        "import sys, time\nfrom ralph.cli import errors\n"
        "def wait():\n    print('up', flush=True)\n    time.sleep(30)\n"
        "sys.exit(errors.boundary(wait))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_policy_that_anybody_may_write_is_refused(git_repo: Path, mode: int) -> None:
    (git_repo / "ralph.toml").write_text("")
    (git_repo / "ralph.toml").chmod(mode)
    done = ralph("config", cwd=git_repo)
    assert done.returncode == 1
    assert "chmod o-w" in done.stderr


def test_an_open_umask_makes_no_open_policy(git_repo: Path) -> None:
    made = subprocess.run(["sh", "-c", f"umask 000; exec {RALPH} init"], cwd=git_repo, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert ralph("config", cwd=git_repo).returncode == 0
    assert stat.S_IMODE((git_repo / "ralph.toml").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('command = ["claudette"]', "claudette is not on PATH"),
        ('command = ["./gone.sh"]', "./gone.sh does not exist"),
        ('command = ["./README.md"]', "./README.md is not executable"),
    ],
)
def test_a_start_that_can_bring_nothing_is_refused_before_it_detaches(git_repo: Path, change: str, said: str) -> None:
    policy = (
        f'[agents.a]\nkind = "command"\n{change}\n[[gates]]\nname = "g"\ncommand = "true"\n[sandbox]\nmode = "none"\n'
    )
    (git_repo / "ralph.toml").write_text(policy)
    (git_repo / "tasks.json").write_text('{"version": 1, "tasks": []}')
    for mode in ("--now", "--once"):
        done = ralph("start", mode, cwd=git_repo)
        assert (done.returncode, said in done.stderr, "ralph doctor" in done.stderr) == (1, True, True), done.stderr
    (git_repo / "ralph.toml").write_text(
        policy.replace("[[gates]]", '[agents.b]\nkind = "command"\ncommand = ["true"]\n[[gates]]')
    )
    done = ralph("start", "--once", cwd=git_repo)
    assert (done.returncode, said in done.stderr) == (0, True), done.stderr


def test_status_without_a_daemon_counts_every_task(git_repo: Path) -> None:
    (git_repo / "tasks.json").write_text(
        '{"version": 1, "tasks": [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}]}'
    )
    assert "Tasks: 2 pending" in ralph("status", cwd=git_repo).stdout
    (git_repo / "tasks.json").write_text("[1")
    assert ralph("status", cwd=git_repo).returncode == 0
