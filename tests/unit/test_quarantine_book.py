"""The list of flaky tests: what is in force on a day, and what happens to it over time."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from ralph.memory.quarantine import Entry, active, add, read, until

DAY = date(2026, 3, 1)


def entry(test: str = "t.py::a", since: date = DAY, days: int = 14) -> Entry:
    return Entry(
        test=test,
        gate="tests",
        owner="Ada <a@example.org>",
        iteration="n.l.1",
        failed=1,
        runs=4,
        since=since,
        expires=until(since, days),
    )


def test_a_test_gates_again_when_its_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    assert add(path, [entry()], DAY) == (entry(),)
    assert active(read(path), DAY) == {"tests": {"t.py::a": "2026-03-01"}}
    assert active(read(path), date(2026, 3, 14)) and not active(read(path), date(2026, 3, 15))


def test_what_is_held_already_is_not_prolonged(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    add(path, [entry()], DAY)
    assert add(path, [entry(since=date(2026, 3, 5))], date(2026, 3, 5)) == ()
    assert [one.since for one in read(path)] == [DAY]


def test_what_has_expired_can_come_again_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    add(path, [entry(), entry("t.py::old", date(2025, 1, 1))], DAY)
    later = date(2026, 3, 20)
    assert add(path, [entry(since=later)], later)
    assert [(one.test, one.since) for one in read(path)] == [("t.py::a", later)]


def test_a_list_that_cannot_be_read_quarantines_nothing(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    assert read(path) == ()
    for text in ("", "{", '{"version": 1, "entries": [{"test": "x"}]}', "[]"):
        path.write_text(text)
        assert read(path) == ()
