"""A reviewer's word in the report: said with its strength, first where it was overruled, and never a grade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recorded_night import NIGHT, Iteration, RecordedNight

from ralph import report
from ralph.domain import Grade
from ralph.memory.proposals import Proposal, proposals
from ralph.report import NightReport

ACCEPT: dict[str, Any] = {"accepted": True, "reasons": [], "follow_ups": [], "agent": "critic"}
REJECT: dict[str, Any] = {**ACCEPT, "accepted": False, "reasons": ["a.py:1: wrong"]}


@pytest.fixture
def night(tmp_path: Path) -> RecordedNight:
    return RecordedNight(tmp_path / "ledger.db")


def landed(night: RecordedNight, task: str, verdict: str, review: dict[str, Any] | None, **more: Any) -> None:
    step: Iteration = night.began(task)
    step.agent_ends()
    step.gate()
    plain = {"execution": None, "counts": None, "grade": "reported", "review": review}
    step.gate("review", "review", verdict, **{**plain, **more})
    step.commits()


def found(night: RecordedNight) -> NightReport:
    return report.collect(night.ledger, NIGHT)


def doubts(night: RecordedNight) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {doubt.code: (doubt.text, doubt.tasks) for doubt in found(night).not_verified}


def test_an_acceptance_makes_nothing_stronger_or_weaker(night: RecordedNight) -> None:
    landed(night, "t1", "passed", ACCEPT, reason="accepted by critic")
    assert found(night).tasks[0].grade is Grade.VERIFIED
    assert not {"no_review", "not_reviewed", "objected", "reported", "advisory"} & set(doubts(night))


def test_an_acceptance_alone_is_no_grade(night: RecordedNight) -> None:
    step = night.began("t1")
    step.gate("review", "review", execution=None, counts=None, grade="reported", review=ACCEPT)
    step.commits()
    assert found(night).tasks[0].grade is None
    assert doubts(night)["no_gate"][1] == ("t1",)


def test_who_was_overruled_comes_first(night: RecordedNight) -> None:
    night.row("halted", account="critic", reason="no key", until=0.0)
    night.row("paused", scope="loop-2", reason="limit")
    landed(night, "t1", "failed", REJECT, advisory=True, reason="critic still objects: a.py:1: wrong")
    first = found(night).needs[0]
    assert (first.code, first.subject, first.command) == ("objection", "t1", "ralph evidence t1")
    assert first.why == "critic still objects: a.py:1: wrong"
    assert doubts(night)["objected"][1] == ("t1",)
    assert "advisory" not in doubts(night)


def test_a_review_that_did_not_come_about_is_said(night: RecordedNight) -> None:
    landed(night, "t1", "not_run", None, advisory=True, grade="not_run", reason="not reviewed: critic: 5-hour limit")
    assert doubts(night)["not_reviewed"] == ("Not reviewed: critic: 5-hour limit", ("t1",))
    assert not {"not_run", "advisory", "objected"} & set(doubts(night))
    assert found(night).needs == ()


def test_proposals_are_listed_once_in_their_last_wording(night: RecordedNight) -> None:
    def asks(description: str) -> dict[str, Any]:
        return {**ACCEPT, "follow_ups": [{"title": "Tidy up", "description": description, "files": ["a.py"]}]}

    landed(night, "t1", "failed", {**asks("old"), "accepted": False}, reason="critic rejects it")
    landed(night, "t1", "passed", asks("new"))
    wanted = (Proposal("t1", "critic", "Tidy up", "new", ("a.py",), NIGHT),)
    assert found(night).proposals == wanted == proposals(night.ledger.events())
    assert "- Tidy up (beside `t1`)" in report.render_markdown(found(night))


def test_a_reviewer_without_a_meter_makes_the_cost_incomplete(night: RecordedNight) -> None:
    step = night.began("t1")
    step.spends(dollars=0.5)
    step.agent_ends()
    assert found(night).totals.spend.complete
    step.row("review_ended", agent="critic", role="reviewer", metered=False, usage={}, seconds=1.0)
    assert not found(night).totals.spend.complete
