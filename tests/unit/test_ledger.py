import sqlite3
from pathlib import Path

import pytest

from ralph.errors import LedgerError
from ralph.memory.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.db")


def fill(ledger: Ledger) -> None:
    ledger.append("began", {"attempt": 1, "agent": "a"}, night="n", loop="l", task="t", iteration="i1")
    ledger.append("gate", {"name": "tests", "verdict": "passed"}, night="n", loop="l", task="t", iteration="i1")
    ledger.append("ended", {"outcome": "committed"}, night="n", loop="l", task="t", iteration="i1")


def test_events_come_back_in_order_and_filtered(ledger: Ledger) -> None:
    fill(ledger)
    ledger.append("began", {"attempt": 1}, night="m", iteration="i2")
    assert [e.kind for e in ledger.events(night="n")] == ["began", "gate", "ended"]
    assert [e.seq for e in ledger.events(kinds=["began"])] == [1, 4]
    assert [e.kind for e in ledger.events(after=2, night="n")] == ["ended"]


def test_rows_can_be_neither_changed_nor_deleted(ledger: Ledger) -> None:
    fill(ledger)
    for sql in ("update events set kind = 'x' where seq = 1", "delete from events where seq = 2"):
        with pytest.raises(LedgerError, match="append-only"):
            ledger.query(sql)
    assert ledger.verify() == 3


@pytest.mark.parametrize("sql", ["update events set data = '{}' where seq = 2", "delete from events where seq = 2"])
def test_an_edit_behind_its_back_is_found(ledger: Ledger, sql: str) -> None:
    fill(ledger)
    with sqlite3.connect(ledger.path) as db:
        db.execute("drop trigger events_no_update")
        db.execute("drop trigger events_no_delete")
        db.execute(sql)
    db.close()
    with pytest.raises(LedgerError, match="event 2"):
        ledger.verify()


def test_together_is_all_or_nothing(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.together():
        ledger.append("a", {})
        raise RuntimeError
    with ledger.together():
        ledger.append("b", {})
        ledger.append("c", {})
    assert [e.kind for e in ledger.events()] == ["b", "c"]
    assert ledger.verify() == 2


def test_together_inside_together_is_one_write(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.together():
        with ledger.together():
            ledger.append("a", {})
        raise RuntimeError
    assert list(ledger.events()) == []


def test_a_reader_beside_the_writer_sees_what_is_written_and_cannot_write(ledger: Ledger) -> None:
    fill(ledger)
    reader = Ledger.read_only(ledger.path)
    assert reader.query("select outcome from iterations")[1] == [("committed",)]
    with pytest.raises(LedgerError, match="readonly"):
        reader.query(
            "insert into events (at,night,loop,task,iteration,kind,data,hash) values ('','','','','','','','')"
        )


def test_reopened_chain_goes_on(ledger: Ledger) -> None:
    fill(ledger)
    ledger.close()
    again = Ledger(ledger.path)
    again.append("more", {})
    assert again.verify() == 4


def test_a_newer_format_is_refused(ledger: Ledger) -> None:
    ledger._db.execute("pragma user_version = 99")
    ledger.close()
    with pytest.raises(LedgerError, match="newer ralph"):
        Ledger(ledger.path)


def test_not_a_database_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"hello world, certainly not sqlite" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger(tmp_path / "x.db")
