from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from ralph.errors import LedgerError
from ralph.memory import ledger_export
from ralph.memory.ledger import Ledger
from ralph.memory.ledger_schema import DOCUMENTED, SCHEMA, VIEWS

NIGHT = "2026-01-01-1"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.append("night_started", {"base": "main"}, night="2025-12-31-1")
    ledger.append("began", {"title": "ü\u2028\x00é"}, night=NIGHT, loop="one", task="a", iteration=f"{NIGHT}.one.1")
    ledger.append("cleaned", {"runs": []})
    ledger.append("ended", {"outcome": "committed"}, night=NIGHT, iteration=f"{NIGHT}.one.1")
    ledger.append("night_ended", {}, night=NIGHT)
    return ledger


def test_an_export_holds_exactly_the_nights_rows_with_their_links(ledger: Ledger) -> None:
    text = ledger_export.write(ledger_export.lines(ledger, NIGHT))
    rows = ledger_export.read(text)
    assert [row.seq for row in rows] == [2, 4, 5]
    assert rows == list(ledger_export.lines(ledger, NIGHT))
    assert rows[2].before == rows[1].hash == ledger.hash_of(4)
    assert json.loads(rows[0].data) == {"title": "ü\u2028\x00é"}
    assert text == ledger_export.write(ledger_export.lines(ledger, NIGHT))


def test_an_edited_a_dropped_and_a_foreign_line_are_found(ledger: Ledger) -> None:
    text = ledger_export.write(ledger_export.lines(ledger, NIGHT))
    with pytest.raises(LedgerError, match="event 4 was changed"):
        ledger_export.read(text.replace("committed", "rejected"))
    first, second, third = text.rstrip("\n").split("\n")
    with pytest.raises(LedgerError, match="event 4 does not follow"):
        ledger_export.read("\n".join([first, third, second]))
    with pytest.raises(LedgerError, match="line 2"):
        ledger_export.read(f"{first}\n[1, 2]\n{third}")
    forged = json.loads(third) | {"before": "0" * 64}
    with pytest.raises(LedgerError, match="event 5 was changed"):
        ledger_export.read("\n".join([second, json.dumps(forged)]))


def test_a_ledger_of_the_version_before_gets_the_new_views_and_keeps_its_events(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    Ledger(path).append("one", {})
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("drop view executions; drop view decisions; pragma user_version = 1;")
    db.close()
    again = Ledger(path)
    assert again.query("select count(*) from executions")[1] == [(0,)]
    assert again.verify() == 1


def test_every_view_is_documented_and_dropped_before_it_is_made_again(tmp_path: Path) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA + VIEWS)
    views = {row[0] for row in db.execute("select name from sqlite_master where type = 'view'")}
    assert views | {"events"} == set(DOCUMENTED)
    ledger = Ledger(tmp_path / "x.db")
    run = {"execution": {"purpose": "base", "attempt": 2, "log": "gate-b.log"}, "counts": {"collected": 3}}
    data = {"name": "tests", "execution": {"purpose": "head", "log": "gate-a.log"}, "runs": [run]}
    ledger.append("gate", data, night=NIGHT)
    ledger.append("gate", {"name": "never", "execution": None}, night=NIGHT)
    rows = ledger.query("select gate, purpose, attempt, collected, log from executions")[1]
    assert rows == [("tests", "head", None, None, "gate-a.log"), ("tests", "base", 2, 3, "gate-b.log")]
    ledger.append("parked", {"scope": "task", "cause": "tokens"}, night=NIGHT, task="a")
    assert ledger.query("select kind, task, why, by from decisions")[1] == [("parked", "a", "tokens", "daemon")]
