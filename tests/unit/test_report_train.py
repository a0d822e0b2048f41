"""The landing section: what lands in which order, what does not and why, what comes out again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recorded_night import NIGHT, RecordedNight

from ralph import report
from ralph.report.train import removal_words, sentences, train_line

LAND = [{"branch": f"ralph/{name}", "head": name * 40, "tasks": [name]} for name in "abd"]


def left(why: str, *beside: str, at: tuple[str, ...] = (), reason: str = "") -> dict[str, Any]:
    return {"branch": "ralph/c", "head": "c" * 40, "tasks": ["c"], "why": why, "beside": list(beside), "at": list(at),
            "reason": reason}  # fmt: skip


def row(**data: Any) -> dict[str, Any]:
    return {"base": "main", "base_commit": "b" * 40, "moved": False, "land": LAND, "left": [], **data}


def said(**data: Any) -> str:
    return " ".join(sentences(train_line(row(**data))))


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (left("red", "ralph/b", at=("tests/x.py::test_y",)), "ralph/c breaks with ralph/b at tests/x.py::test_y"),
        (left("red", at=("t1", "t2", "t3")), "ralph/c is red on main at t1, t2 and 1 more"),
        (left("conflict", "ralph/a", "ralph/b", at=("a.py",)), "ralph/c conflicts with ralph/a and ralph/b in a.py"),
        (left("conflict", at=("a.py",)), "ralph/c conflicts with main in a.py"),
        (left("behind", "ralph/b"), "ralph/c builds on ralph/b"),
        (left("untried", reason="the box ended"), "ralph/c was not tried (the box ended)"),
        (
            left("untried", "ralph/b", at=("t1",), reason="the box ended"),
            "ralph/c was not tried (the box ended); with ralph/b it is red at t1",
        ),
    ],
)
def test_what_is_left_is_said_with_its_reason(one: dict[str, Any], words: str) -> None:
    assert said(left=[one]) == f"Land ralph/a, ralph/b, ralph/d in this order; {words}."


def test_what_else_a_person_has_to_know() -> None:
    assert said(land=LAND[:1]) == "Land ralph/a."
    assert said(land=[]) == "There is nothing to land."
    assert said(land=[], left=[left("red", at=("t",))]).startswith("Nothing is known to land; ralph/c is red on main")
    assert "main has moved since the night began; this is said of bbbbbbbbbb." in said(moved=True)
    assert "main itself is red, without any branch: tests: exit 1." in said(ground="tests: exit 1")
    assert "Not everything was tried: it was stopped; ralph train tries again." in said(stopped="it was stopped")
    assert said(land=[], stopped="ralph stop") == "What lands together was not tried: ralph stop; ralph train tries it."
    assert "Failed once and passed when run again: t1." in said(flaky=["t1"])
    assert "Not run together: only one branch." in said(skipped="only one branch")


@pytest.mark.parametrize(
    ("how", "at", "builders", "words"),
    [
        ("proven", [], [], "comes out again: ralph undo a"),
        ("conflict", ["x.py"], ["b", "c"], "stays in: b and c build on it"),
        ("conflict", ["x.py"], [], "stays in: x.py was changed further"),
        ("needed", [], ["b"], "stays in: b builds on it"),
        ("red", ["t1"], [], "stays in: without it t1 is red"),
        ("gone", [], [], "nothing is left of it"),
        ("untried", [], [], "not tried whether it comes out again"),
    ],
)
def test_whether_a_task_comes_out_again(how: str, at: list[str], builders: list[str], words: str) -> None:
    out = {"task": "a", "commit": "1", "how": how, "at": at, "builders": builders}
    (line,) = train_line(row(removals=[out])).removals
    assert removal_words(line) == words


@pytest.fixture
def night(tmp_path: Path) -> RecordedNight:
    made = RecordedNight(tmp_path / "ledger.db")
    made.land("a", "a", paths=("1", "2", "3"))
    made.land("b", "b", paths=("1",))
    made.land("c", "c", paths=("4",))
    return made


def test_the_train_leads_the_landing_section(night: RecordedNight) -> None:
    out = {"task": "a", "commit": "1", "how": "proven", "at": [], "builders": []}
    stays = {"task": "b", "commit": "2", "how": "conflict", "at": ["1"], "builders": ["a"]}
    night.row("train", **row(land=[], left=[], stopped="it was stopped"))
    one = left("red", "ralph/b", at=("tests/x.py::test_y",))
    night.row("train", **row(land=LAND[:2], left=[one], removals=[out, stays]))
    found = report.collect(night.ledger, NIGHT)
    assert [line.branch for line in found.review] == ["ralph/a", "ralph/b", "ralph/c"], "in the order of the train"
    text = report.render_markdown(found)
    section = text.split("## Landed, in the order to review")[1].strip().splitlines()
    assert section[0].replace("`", "") == (
        "Land ralph/a, ralph/b in this order; ralph/c breaks with ralph/b at tests/x.py::test_y."
    )
    assert text.count("ralph undo") == 1
    assert "`ralph undo a`" in text
    assert [(need.code, need.why) for need in found.needs] == [
        ("train", "it breaks with ralph/b at tests/x.py::test_y")
    ]
    data = json.loads(report.render_json(found))
    assert data["train"]["left"][0]["at"] == ["tests/x.py::test_y"]
    assert data["train"]["removals"][1]["builders"] == ["a"]


def test_without_a_train_the_last_forecast_is_shown(night: RecordedNight) -> None:
    night.row("forecast", branches=["ralph/a", "ralph/b"], paths=["1"])
    night.row("forecast", branches=["ralph/a", "ralph/c"], paths=["4"])
    night.row("forecast", branches=["ralph/a", "ralph/c"], paths=[])
    found = report.collect(night.ledger, NIGHT)
    assert [(one.branches, one.paths) for one in found.forecast] == [(("ralph/a", "ralph/b"), ("1",))]
    assert "`ralph/a` and `ralph/b` conflict in `1`." in report.render_markdown(found)
