"""`ralph query` and `ralph clean`: the record can be read, and only what is past goes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from ralph.engine.lock import lock_repository
from ralph.host.files import own_directory
from ralph.host.paths import Layout, layout
from ralph.memory.ledger import Ledger
from ralph.vcs.mirror import Mirror
from ralph.vcs.workspace import Workspace


def ralph(repo: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-m", "ralph", *args], cwd=repo, capture_output=True, text=True)


@pytest.fixture
def recorded(git_repo: Path) -> Path:
    own_directory(layout(git_repo).root)
    ledger = Ledger(layout(git_repo).ledger)
    ledger.append("warning", {"text": 'a, "b"\n\x1b[2J'}, night="2026-06-01-1")
    ledger.close()
    return git_repo


def test_one_select_in_three_forms(recorded: Path) -> None:
    sql = "select night, json_extract(data, '$.text') as text, null as void from events"
    assert json.loads(ralph(recorded, "query", "--json", sql).stdout) == [
        {"night": "2026-06-01-1", "text": 'a, "b"\n\x1b[2J', "void": None}
    ]
    header, row = csv.reader(io.StringIO(ralph(recorded, "query", "--csv", sql).stdout))
    assert (header[0], row[1]) == ("night", 'a, "b"\n\x1b[2J')
    table = ralph(recorded, "query", sql).stdout
    assert "2026-06-01-1" in table
    assert "\x1b" not in table


@pytest.mark.parametrize(
    "sql", ["insert into events values (1)", "drop table events", "select nope", "select 1; select 2", "vacuum"]
)
def test_what_is_no_select_changes_nothing_and_is_explained(recorded: Path, sql: str) -> None:
    before = layout(recorded).ledger.read_bytes()
    done = ralph(recorded, "query", sql)
    assert done.returncode == 1
    assert "--schema" in done.stderr
    assert layout(recorded).ledger.read_bytes() == before


def test_the_schema_is_there_before_the_first_night(tmp_path: Path) -> None:
    shown = ralph(tmp_path, "query", "--schema")
    assert shown.returncode == 0
    assert "iterations" in shown.stdout
    names = [row["name"] for row in json.loads(ralph(tmp_path, "query", "--schema", "--json").stdout)]
    assert names == ["iterations", "gates", "usage", "tasks", "evidence", "executions", "decisions", "events"]


def test_every_documented_view_answers(recorded: Path) -> None:
    for row in json.loads(ralph(recorded, "query", "--schema", "--json").stdout):
        done = ralph(recorded, "query", f"select {', '.join(quoted(row['columns']))} from {row['name']}")
        assert done.returncode == 0, done.stderr


def quoted(columns: str) -> list[str]:
    return [f'"{name}"' for name in columns.split(", ")]


def test_before_the_first_night_it_says_so(git_repo: Path) -> None:
    done = ralph(git_repo, "query", "select 1")
    assert done.returncode == 1
    assert "no night" in done.stderr


OLD, NEW = (str(date.today() - timedelta(days=days)) for days in (40, 5))


@pytest.fixture
def worn(git_repo: Path) -> Layout:
    """State with an old and a new night: run directories, attempts, and things that never go."""
    (git_repo / "ralph.toml").write_text("")
    where = layout(git_repo)
    own_directory(where.root)
    mirror = Mirror(where.mirror, git_repo)
    mirror.ensure()
    head = mirror.resolve("main")
    workspace = Workspace(where.loop("loop-1"), where.mirror)
    workspace.create(head)
    for night in (OLD, NEW):
        iteration = f"{night}-1.loop-1.1"
        (where.run(iteration)).mkdir(parents=True)
        (where.run(iteration) / "prompt.md").write_text("do it")
        workspace.keep_attempt(iteration, workspace.tree_of(head), head)
    (where.root / "runs/not-a-night").mkdir()
    (where.root / "runs/link").symlink_to(git_repo)
    Ledger(where.ledger).append("warning", {"text": "record"})
    return where


def left(where: Layout) -> tuple[set[str], set[str]]:
    git = ["git", "-C", str(where.loop("loop-1") / "git"), "for-each-ref", "--format=%(refname)"]
    refs = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split()
    return {path.name for path in (where.root / "runs").iterdir()}, {ref.rpartition("/")[2] for ref in refs}


def test_only_what_is_past_goes(worn: Layout) -> None:
    before = left(worn)
    planned = json.loads(ralph(worn.repo, "clean", "--dry-run", "--json").stdout)
    assert planned["runs"] == [f"{OLD}-1.loop-1.1"]
    assert list(planned["attempts"]) == ["loop-1"]
    assert left(worn) == before
    done = ralph(worn.repo, "clean")
    assert done.returncode == 0, done.stderr
    runs, refs = left(worn)
    assert runs == {f"{NEW}-1.loop-1.1", "not-a-night", "link"}
    assert refs == before[1] - {f"{OLD}-1.loop-1.1"}
    assert [(row.kind, row.data) for row in Ledger.read_only(worn.ledger).events()] == [
        ("warning", {"text": "record"}),
        ("cleaned", {"runs": [f"{OLD}-1.loop-1.1"]}),
    ]
    assert (worn.repo / "README.md").exists()


def test_zero_days_keep_for_ever(worn: Layout) -> None:
    (worn.repo / "ralph.toml").write_text("[keep]\nlogs_days = 0\nattempts_days = 0\n")
    before = left(worn)
    assert ralph(worn.repo, "clean").returncode == 0
    assert left(worn) == before


def test_it_is_refused_while_a_daemon_runs(worn: Layout) -> None:
    before = left(worn)
    with lock_repository(worn):
        done = ralph(worn.repo, "clean")
    assert done.returncode == 1
    assert "daemon" in done.stderr
    assert left(worn) == before
