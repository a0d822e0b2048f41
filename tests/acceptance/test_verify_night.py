"""`ralph verify` and `ralph evidence` on a real night: all is well, then each kind of forgery."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import Project

from ralph.engine.audit.night import verify_commit, verify_night
from ralph.memory.ledger import Ledger, chained

GATES = """
[[gates]]
name = "tests"
command = "python -m pytest -q -p no:cacheprovider"
kind = "tests"

[[gates]]
name = "shape"
command = "test -f README.md"
cost = "cheap"
"""
AGENT = """
if [ "$RALPH_TASK_ID" = two ] && [ "$RALPH_ATTEMPT" = 1 ]; then answer=wrong; else answer=$RALPH_TASK_ID; fi
printf 'def %s():\\n    return "%s"\\n' "$RALPH_TASK_ID" "$answer" > "$RALPH_TASK_ID.py"
printf 'from %s import %s\\n\\ndef test_%s():\\n    assert %s() == "%s"\\n' "$RALPH_TASK_ID" "$RALPH_TASK_ID" \
  "$RALPH_TASK_ID" "$RALPH_TASK_ID" "$RALPH_TASK_ID" > "test_$RALPH_TASK_ID.py"
"""


@pytest.fixture
def night(project: Project) -> Project:
    """Two tasks landed, the second at its second attempt."""
    project.commit({"test_base.py": "def test_base():\n    assert True\n"})
    project.configure("[verify]\nstrength = 'off'\nprobe_seconds = 0\nflaky_runs = 1\n", gates=GATES)
    project.agent(AGENT)
    project.tasks("one", {"id": "two", "checks": ["test -f two.py"]})
    project.once()
    assert project.status_of() == {"one": "completed", "two": "completed"}
    return project


@contextmanager
def tampered(path: Path) -> Iterator[Path]:
    """The file, put back afterwards; of a database with what SQLite keeps beside it."""
    saved = path.with_name(f"{path.name}.saved-by-test")
    if path.suffix == ".db":
        checkpointed(path)
    shutil.copy2(path, saved)
    try:
        yield path
    finally:
        for name in ("-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)
        saved.replace(path)


def checkpointed(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


def kinds(project: Project, commit: str = "") -> set[str]:
    """Kinds of mismatches of the night, or of one commit."""
    ledger = Ledger.read_only(project.where.ledger)
    name = ledger.last_night() or ""
    found = verify_commit(project.where, ledger, commit) if commit else verify_night(project.where, ledger, name)
    ledger.close()
    return {one.kind for one in found.mismatches}


def rewrite(ledger: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> None:
    """Change rows of the ledger as somebody would who knows how its hashes are made."""
    db = sqlite3.connect(ledger)
    db.executescript("drop trigger if exists events_no_update; drop trigger if exists events_no_delete;")
    names = "at, night, loop, task, iteration, kind, data"
    rows = change([list(row) for row in db.execute(f"select {names} from events order by seq")])
    db.execute("delete from events")
    db.execute("delete from sqlite_sequence")
    last = ""
    for row in rows:
        last = chained(last, row)
        db.execute(f"insert into events ({names}, hash) values (?,?,?,?,?,?,?,?)", (*row, last))
    db.commit()
    db.close()


def test_a_night_can_be_verified_by_its_person(project: Project) -> None:
    project.tasks("one")
    project.once()
    assert "the record holds" in project.ralph("verify").stdout
    commit = project.git("rev-parse", "ralph/loop-1")
    assert "the record holds" in project.ralph("verify", "ralph/loop-1").stdout
    (row,) = project.json("evidence", commit)
    log = Path(row["log"].removesuffix(" (unchanged)"))
    log.write_text("all is well")
    done = project.ralph("verify", "--json", code=1)
    ((only,), sound) = (json.loads(done.stdout)[key] for key in ("mismatches", "sound"))
    assert (only["kind"], sound) == ("log", False)
    assert log.name in project.ralph("verify", commit, code=1).stdout
    assert project.json("evidence", commit)[0]["grade"] == "reported"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_honest_night_holds_and_each_forgery_is_found(night: Project, tmp_path: Path) -> None:
    said = night.ralph("verify").stdout
    assert "the record holds" in said
    assert "note:" not in said
    first, refused, second = [event.iteration for event in night.events("began")]
    assert [event.data["outcome"] for event in night.events("ended")] == ["committed", "rejected", "committed"]
    _bytes(night, refused)
    _configuration(night)
    _ledger(night, refused)
    _repository(night, second)
    _missing(night, first)
    assert kinds(night) == set(), "everything was put back"
    _decisions(night)
    _again(night)
    _pull_request(night, tmp_path)


def _bytes(night: Project, iteration: str) -> None:
    run = night.where.run(iteration)
    (ran,) = (
        e.data["execution"] for e in night.events("gate") if e.iteration == iteration and e.data["name"] == "tests"
    )
    log, report = run / ran["log"], run / ran["report"]
    with tampered(log):
        log.write_bytes(log.read_bytes().replace(b"1 failed", b"0 failed"))
        assert kinds(night) == {"log"}
        assert "gate-tests" in night.ralph("verify", code=1).stdout
    with tampered(report):
        report.write_text(report.read_text().replace("failure", "system-out"))
        assert kinds(night) == {"report"}
    with tampered(log):
        log.unlink()
        assert kinds(night) == {"log"}
    stray = run / "gate-tests-again.log"
    stray.write_text("1 failed")
    assert kinds(night) == {"execution"}
    stray.unlink()


def _configuration(night: Project) -> None:
    (name,) = (event.night for event in night.events("night_started"))
    with tampered(night.where.frozen(name)) as path:
        path.write_text(path.read_text().replace("pytest", "true"))
        assert kinds(night) == {"config"}


def _ledger(night: Project, refused: str) -> None:
    ledger = night.where.ledger
    with tampered(ledger):
        db = sqlite3.connect(ledger)
        db.execute("drop trigger events_no_update")
        db.execute("update events set data = replace(data, 'failed', 'passed') where iteration = ?", (refused,))
        db.commit()
        db.close()
        assert "ledger" in kinds(night)

    def lies(rows: list[list[str]]) -> list[list[str]]:
        for row in rows:
            data = json.loads(row[6])
            if row[4] == refused and row[5] == "gate" and data["name"] == "tests":
                row[6] = json.dumps(data | {"verdict": "passed"}, sort_keys=True)
        return rows

    with tampered(ledger):
        rewrite(ledger, lies)
        assert kinds(night) == {"record", "verdict"}, "a chain that was made anew is whole; the rest contradicts it"
        night.git("update-ref", "-d", "refs/ralph/ledger")
        assert kinds(night) == {"record", "verdict"}
    night.git("update-ref", "refs/ralph/ledger", _exported(night))

    with tampered(ledger):
        rewrite(ledger, lambda rows: [row for row in rows if row[4] != refused])
        assert {"record", "attempt"} <= kinds(night), "its run directory, its number and the next attempt's number"
        rewrite(ledger, lambda rows: [row for row in rows if row[5] != "exported"])
        shutil.move(night.where.run(refused), night.outside)
        night.git("update-ref", "-d", "refs/ralph/ledger")
        assert kinds(night) == {"attempt"}
        shutil.move(night.outside / refused, night.where.run(refused))
    night.git("update-ref", "refs/ralph/ledger", _exported(night))

    with tampered(ledger):
        rewrite(ledger, lambda rows: [row for row in rows if row[5] != "guard"])
        assert "guard" in kinds(night)


def _exported(night: Project) -> str:
    return str(night.events("exported")[-1].data["commit"])


def _repository(night: Project, iteration: str) -> None:
    head = night.git("rev-parse", "ralph/loop-1")
    note = night.git("rev-parse", "refs/notes/ralph")
    night.git("notes", "--ref=ralph", "add", "-f", "-m", "all is well", head)
    assert kinds(night) == {"note"} == kinds(night, head)
    night.git("update-ref", "refs/notes/ralph", note)
    message = night.git("log", "-1", "--format=%B", head)
    tree = night.git("rev-parse", "main^{tree}")
    swapped = night.git("commit-tree", tree, "-p", f"{head}^", "-m", message)
    night.git("update-ref", "refs/heads/ralph/loop-1", swapped)
    assert kinds(night) == {"commit"} == kinds(night, swapped)
    assert f"the commit of {iteration} is {head[:12]}" in night.ralph("verify", code=1).stdout
    assert kinds(night, head) == set(), "the one that was made is still what it was"
    assert {row["grade"] for row in night.json("evidence", swapped)} == {"stale"}
    now = {row["iteration"]: row["grade"] for row in night.json("evidence", "two") if row["gate"] == "tests"}
    assert now[iteration] == "stale"
    night.git("update-ref", "refs/heads/ralph/loop-1", head)
    broken = night.git("commit-tree", tree, "-p", f"{head}^", "-m", "by hand")
    assert "not one of ralph's" in night.ralph("verify", broken, code=1).stderr


def _missing(night: Project, iteration: str) -> None:
    run, away = night.where.run(iteration), night.outside / "run"
    shutil.move(run, away)
    assert kinds(night) == {"log", "report"}
    with tampered(night.where.ledger):
        Ledger(night.where.ledger).append("cleaned", {"runs": [iteration]})
        found = night.json("verify")
        assert found["sound"]
        assert any("only the digests are left" in remark for remark in found["remarks"])
        grades = {row["grade"] for row in night.json("evidence", iteration)}
        assert grades == {"observed"}
    shutil.move(away, run)


def _again(night: Project) -> None:
    head = night.git("rev-parse", "ralph/loop-1")
    found = night.json("verify", head, "--rerun")
    assert found["sound"]
    assert found["checked"]["reruns"] == 3, "two gates and the task's check"
    with tampered(night.where.ledger) as ledger:
        rewrite(
            ledger,
            lambda rows: [
                [*row[:6], row[6].replace('"test_one.py::test_one":"passed"', '"test_one.py::test_one":"failed"')]
                for row in rows
            ],
        )
        found = json.loads(night.ralph("verify", head, "--rerun", "--json", code=1).stdout)
        assert {"verdict", "rerun"} <= {one["kind"] for one in found["mismatches"]}
    rows = [row for row in night.json("evidence", head) if row["gate"] == "tests"]
    (ran,) = rows[-1]["executions"]
    assert (rows[-1]["grade"], rows[-1]["commit"], ran["purpose"], ran["counts"]["passed"]) == (
        "verified",
        head,
        "head",
        3,
    )
    assert {"python", "pytest"} <= set(ran["tools"])
    assert ran["log"].endswith("(unchanged)")
    assert ran["report"].endswith("(unchanged)")
    assert "3 passed" in night.ralph("evidence", head, "--log", "tests").stdout
    text = night.ralph("evidence", "two").stdout
    assert "tests: failed (verified)" in text
    assert "proven by test_two.py::test_two" in text
    refused = night.events("began")[1].iteration
    assert f"ralph-attempt/{refused}" in night.ralph("evidence", refused, "--fetch").stdout
    assert "wrong" in night.git("show", f"ralph-attempt/{refused}:two.py")
    assert night.ralph("verify", "nope", code=1).stderr.startswith("ralph: 'nope' is no night and no commit")


def _pull_request(night: Project, tmp_path: Path) -> None:
    head = night.git("rev-parse", "ralph/loop-1")
    (pull,) = night.json("prs")
    body = Path(pull["url"]).read_text()
    path = tmp_path / "body.md"

    def said(text: str, to: str) -> str:
        path.write_text(text)
        return night.ralph("verify", "--pr-body", str(path), "--head", to, code=None).stdout

    assert "the record holds" in said(body, head)
    assert "the record holds" in said(body.replace("\n", "\r\n"), "ralph/loop-1")
    parent = night.git("rev-parse", f"{head}^")
    assert f"body binds {head[:12]}, head is {parent[:12]}" in said(body, parent)
    assert "the body says something else of" in said(
        body.replace("tests: passed (verified)", "tests: passed (proven)"), head
    )
    assert "the body's nights" in said(body.replace('"nights": ["2', '"nights": ["1'), head)
    assert "no attestation" in said(body.replace("ralph-attestation", "json"), head)
    assert night.ralph("verify", "--pr-body", str(path), code=2)
    night.where.ledger.rename(tmp_path / "elsewhere")
    assert "the record holds" in said(body, head), "by the notes alone"
    night.git("notes", "--ref=ralph", "add", "-f", "-m", "all is well", head)
    assert "evidence note is not the one" in said(body, head)


def _decisions(night: Project) -> None:
    rows = night.json(
        "query", "select kind, task, why from decisions where kind in ('began', 'night_ended') order by seq"
    )
    assert [row["why"] for row in rows] == [
        "priority 100; first of 2 ready",
        "priority 100; the only one ready",
        "priority 100; the only one ready; this loop has its earlier work",
        "nothing is left to do",
    ]
    lines = night.git("show", "refs/ralph/ledger:nights/" + night.events("began")[0].night + ".jsonl").splitlines()
    assert [json.loads(line)["kind"] for line in lines][-1] == "reported"
