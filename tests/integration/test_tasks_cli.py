"""`ralph tasks` on a real repository, also beside a daemon that syncs all the time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ralph.cli.errors import boundary
from ralph.cli.main import cli
from ralph.host import paths
from ralph.host.files import own_directory

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def repo(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three tasks: one, two (needs one), and bad, which failed."""
    rows = [
        {"id": "one", "title": "First"},
        {"id": "two", "title": "Second", "depends_on": ["one"], "mine": {"kept": 1}},
        {"id": "bad", "title": "Third", "status": "failed", "attempts": 3, "result": {"reason": "gate red"}},
    ]
    (git_repo / "tasks.json").write_text(json.dumps({"version": 1, "tasks": rows}, indent=2) + "\n")
    monkeypatch.chdir(git_repo)
    return git_repo


@pytest.fixture
def run(repo: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `ralph ...` in this process; returns exit code, stdout, stderr."""

    def call(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = boundary(lambda: cli.main(args=list(args), prog_name="ralph", standalone_mode=False))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def rows(repo: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads((repo / "tasks.json").read_text())["tasks"]}


def test_list_shows_what_is_blocked_and_why(run: Run) -> None:
    code, out, _ = run("tasks", "list")
    assert code == 0
    lines = out.splitlines()
    assert any("two" in line and "blocked" in line and "needs one (pending)" in line for line in lines)
    assert any("bad" in line and "failed" in line and "gate red" in line for line in lines)
    assert "\x1b" not in out
    _, out, _ = run("tasks", "list", "--status", "ready", "--json")
    assert [task["id"] for task in json.loads(out)] == ["one"]
    _, out, _ = run("tasks", "list", "--status", "blocked", "--status", "failed", "--json")
    assert [(task["id"], task["blocked"]) for task in json.loads(out)] == [
        ("two", "needs one (pending)"),
        ("bad", None),
    ]


def test_list_from_a_subdirectory_and_with_nothing_to_show(
    run: Run, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "src").mkdir()
    monkeypatch.chdir(repo / "src")
    assert run("tasks", "list", "--role", "nobody") == (0, "no task matches\n", "")


def test_show(run: Run) -> None:
    assert "failed: gate red" in run("tasks", "show", "bad")[1]
    task = json.loads(run("tasks", "show", "bad", "--json")[1])
    assert (task["attempts"], task["result"]["reason"], task["kind"]) == (3, "gate red", "feature")
    code, _, err = run("tasks", "show", "tow")
    assert code == 1
    assert "there is no task tow" in err
    assert "did you mean two?" in err


def test_add_writes_a_row_that_means_what_was_said(run: Run, repo: Path) -> None:
    code, out, _ = run(
        *(
            "tasks",
            "add",
            "Größer & besser!",
            "--accept",
            "a",
            "--accept",
            "b",
            "--check",
            "pytest -q",
            "--after",
            "one",
        ),
        *("--file", "src/**", "--priority", "5", "--kind", "fix", "--label", "x", "--allow", "snapshot"),
        *(
            "--budget",
            "iterations=2",
            "--budget",
            "dollars=1.5",
            "--description",
            "D",
            "--plan",
            "P",
            "--role",
            "backend",
        ),
    )
    assert (code, out) == (0, "grosser-besser: added (blocked: needs one (pending))\n")
    row = rows(repo)["grosser-besser"]
    assert row == {
        "id": "grosser-besser",
        "title": "Größer & besser!",
        "description": "D",
        "acceptance": ["a", "b"],
        "checks": ["pytest -q"],
        "files": ["src/**"],
        "depends_on": ["one"],
        "priority": 5,
        "kind": "fix",
        "role": "backend",
        "labels": ["x"],
        "budget": {"iterations": 2, "dollars": 1.5},
        "plan": "P",
        "allow": ["snapshot"],
    }
    assert json.loads(run("tasks", "add", "Größer & besser!", "--json")[1])[0]["id"] == "grosser-besser-2"
    assert "there is a task one already" in run("tasks", "add", "X", "--id", "one")[2]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["add", ""], 1, "`title`: must not be empty"),
        (["add", "x", "--file", "../y"], 1, "is no path inside the repository"),
        (["add", "x", "--after", "on"], 1, "did you mean one?"),
        (["add", "x", "--budget", "cents=3"], 2, "is not NAME=N"),
        (["add", "x", "--budget", "tokens=many"], 2, "is no number"),
        (["add", "x", "--kind", "bug"], 2, "is not one of"),
        (["add", "x", "--id", "a b"], 1, "should be 1 to 64 letters"),
        (["edit", "one", "--after", "two"], 1, "tasks wait for each other"),
        (["edit", "nine", "--priority", "1"], 1, "there is no task nine"),
        (["retry", "one"], 1, "task one is pending"),
        (["cancel", "one", "nine"], 1, "there is no task nine"),
        (["retry"], 2, "Missing argument"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    run: Run, repo: Path, args: list[str], code: int, message: str
) -> None:
    before = (repo / "tasks.json").read_bytes()
    got, out, err = run("tasks", *args)
    assert (got, out) == (code, "")
    assert message in err
    assert (repo / "tasks.json").read_bytes() == before


def test_edit_changes_the_named_fields_only(run: Run, repo: Path) -> None:
    before = rows(repo)["two"]
    assert run("tasks", "edit", "two", "--title", "New", "--priority", "1", "--after", "")[1] == "two: changed\n"
    assert rows(repo)["two"] == {**before, "title": "New", "priority": 1, "depends_on": []}
    assert run("tasks", "edit", "two", "--priority", "1")[1] == "two: unchanged\n"


def test_edit_in_an_editor(run: Run, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/Third/Fourth/")
    assert run("tasks", "edit", "bad")[1] == "bad: changed\n"
    assert rows(repo)["bad"] == {
        **{"id": "bad", "title": "Fourth", "status": "failed", "attempts": 3},
        "result": {"reason": "gate red"},
    }
    monkeypatch.setenv("EDITOR", "sed -i s/title/titel/")
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, _, err = run("tasks", "edit", "bad")
    assert code == 1
    assert "`title`: is missing" in err
    monkeypatch.setenv("EDITOR", "sed -i s/bad/good/")
    assert "an id can't change" in run("tasks", "edit", "bad")[2]
    assert rows(repo)["bad"]["title"] == "Fourth"


def test_retry_and_cancel(run: Run, repo: Path) -> None:
    assert run("tasks", "retry", "bad")[1] == "bad: will be tried again\n"
    assert run("tasks", "cancel", "one", "two")[1] == "one: cancelled\ntwo: cancelled\n"
    assert {name: row["status"] for name, row in rows(repo).items()} == {
        "one": "cancelled",
        "two": "cancelled",
        "bad": "pending",
    }
    assert rows(repo)["two"]["mine"] == {"kept": 1}


def test_a_bad_file_is_named_with_its_line(run: Run, repo: Path) -> None:
    (repo / "tasks.json").write_text('{"tasks": [\n  {"id": "a"}\n]}\n')
    for args in (["list"], ["show", "a"], ["add", "x"], ["retry", "a"]):
        code, out, err = run("tasks", *args)
        assert (code, out) == (1, "")
        assert f"{repo / 'tasks.json'}:2:3: task a: `title`: is missing" in err
    (repo / "tasks.json").unlink()
    assert "run `ralph init`" in run("tasks", "list")[2]


def test_a_misspelt_key_is_warned_about(run: Run, repo: Path) -> None:
    (repo / "tasks.json").write_text('{"tasks": [{"id": "a", "title": "t", "dependsOn": []}]}')
    code, out, err = run("tasks", "list", "--json")
    assert (code, len(json.loads(out))) == (0, 1)
    assert "did you mean `depends_on`?" in err


def test_the_schema_and_the_help(run: Run) -> None:
    assert json.loads(run("tasks", "schema")[1])["title"] == "TasksFile"
    for command in ("list", "show", "add", "edit", "retry", "cancel", "schema"):
        assert "Example" in run("tasks", command, "--help")[1]


def test_ids_are_completed(repo: Path) -> None:
    env = {**os.environ, "_RALPH_COMPLETE": "bash_complete", "COMP_WORDS": "ralph tasks retry t", "COMP_CWORD": "3"}
    done = subprocess.run([sys.executable, "-m", "ralph.cli.main"], env=env, cwd=repo, capture_output=True, check=False)
    assert done.stdout.decode().split() == ["plain,two"]
    (repo / "tasks.json").write_text("{")
    done = subprocess.run([sys.executable, "-m", "ralph.cli.main"], env=env, cwd=repo, capture_output=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (b"", b"")


def test_list_imports_nothing_slow(repo: Path) -> None:
    code = (
        "import sys; from ralph.cli.main import cli; cli.main(args=['tasks', 'list'], standalone_mode=False);"
        "slow = ('anthropic', 'httpx2', 'git', 'rich', 'github', 'apprise', 'genai_prices', 'apscheduler', 'sqlite3');"
        "print([name for name in slow if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


DAEMON = """
import json, sys
from pathlib import Path
from ralph.domain import Status, TaskResult
from ralph.memory.tasks import TaskFile, View

file, stop, log = TaskFile(Path(sys.argv[1]), Path(sys.argv[2])), Path(sys.argv[3]), Path(sys.argv[4])
view, told, rounds, problems = {}, [], 0, []
last = False
while True:
    last = stop.exists()
    synced = file.sync(view)
    problems += [synced.problem] if synced.problem else []
    problems += [list(each) for each in synced.reverted]
    for task in synced.retried:
        told.append(["retry", task])
        view[task] = View(Status.FAILED, 1, TaskResult(None, f"again.{rounds}", "red again"))
    for task in synced.cancelled:
        told.append(["cancel", task])
        view[task] = View(Status.CANCELLED)
    for task in synced.adopted:
        view[task] = next(View(t.status, t.attempts, t.result) for t in synced.tasks if t.id == task)
    rounds += 1
    view["clock"] = View(Status.IN_PROGRESS, rounds, TaskResult(None, f"i.{rounds}", None))
    log.write_text(json.dumps({"told": told, "rounds": rounds, "problems": problems}))
    if last:
        break
"""


@contextmanager
def daemon(repo: Path, tmp_path: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """A process that syncs without pause; calling the value ends it and returns what it saw."""
    layout = paths.layout(repo)
    own_directory(layout.root)
    stop, log = tmp_path / "stop", tmp_path / "log.json"
    argv = [sys.executable, "-c", DAEMON, str(repo / "tasks.json"), str(layout.good_tasks), str(stop), str(log)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE)

    def finish() -> dict[str, Any]:
        stop.touch()
        _, errors = process.communicate(timeout=30)
        assert errors == b""
        return json.loads(log.read_text())

    try:
        yield finish
    finally:
        process.kill()
        process.communicate()


def test_two_hundred_random_commands_beside_a_daemon_are_all_applied_once(run: Run, repo: Path, tmp_path: Path) -> None:
    dice = random.Random(7)
    fails = [{"id": f"f{n}", "title": "F", "status": "failed", "attempts": 2} for n in range(40)]
    others = [{"id": f"p{n}", "title": "P"} for n in range(40)]
    start = [{"id": "clock", "title": "C"}, *fails, *others]
    (repo / "tasks.json").write_text(json.dumps({"version": 1, "tasks": start}, indent=2))
    retries = [("retry", f"f{n}") for n in range(40)]
    cancels = [("cancel", f"p{n}") for n in range(40)]
    adds = [("add", f"n{n}") for n in range(60)]
    edits = [("edit", dice.choice([f"f{n}" for n in range(40)] + [f"p{n}" for n in range(40)])) for n in range(60)]
    commands = [*retries, *cancels, *adds, *edits]
    dice.shuffle(commands)
    priorities: dict[str, int] = {}
    with daemon(repo, tmp_path) as finish:
        for number, (command, task) in enumerate(commands):
            extra = {"add": ["--id", task], "edit": ["--priority", str(number)]}.get(command, [])
            if command == "edit":
                priorities[task] = number
            code, _, err = run("tasks", command, "new" if command == "add" else task, *extra)
            assert code == 0, err
        seen = finish()
    assert seen["problems"] == []
    assert seen["rounds"] > 100
    assert sorted(seen["told"]) == sorted([list(each) for each in (*retries, *cancels)])
    found = rows(repo)
    assert {f"n{n}" for n in range(60)} <= found.keys()
    assert {task: found[task]["priority"] for task in priorities} == priorities
    assert {found[f"f{n}"]["result"]["reason"] for n in range(40)} == {"red again"}
    assert {found[f"p{n}"]["status"] for n in range(40)} == {"cancelled"}
    assert len(json.loads((repo / "tasks.json").read_text())["tasks"]) == 141


WRITER = """
import sys
from pathlib import Path
from ralph.memory.tasks import TaskFile

file = TaskFile(Path(sys.argv[1]), Path(sys.argv[2]))
for n in range(250):
    row = n % 3
    file.edit(lambda document: document["tasks"][row].setdefault("labels", []).append(f"{sys.argv[3]}{n}"))
"""


def test_two_writers_and_a_daemon_lose_nothing_in_500_rounds(repo: Path, tmp_path: Path) -> None:
    layout = paths.layout(repo)
    with daemon(repo, tmp_path) as finish:
        argv = [sys.executable, "-c", WRITER, str(repo / "tasks.json"), str(layout.good_tasks)]
        writers = [subprocess.Popen([*argv, name]) for name in ("x", "y")]
        assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
        seen = finish()
    assert seen["problems"] == []
    assert seen["rounds"] > 10
    labels = [label for row in rows(repo).values() for label in row.get("labels", [])]
    assert sorted(labels) == sorted(f"{name}{n}" for name in "xy" for n in range(250))
