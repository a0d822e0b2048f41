"""The board: where every task stands, folded from ledger events and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.domain import Outcome, Status
from ralph.engine.board import Board
from ralph.memory.ledger import Event


class Story:
    """Makes events of task ``t`` one after another and keeps a board that follows them."""

    def __init__(self) -> None:
        self.board = Board()
        self.events: list[Event] = []
        self.count = 0

    def tell(self, kind: str, loop: str = "one", **data: Any) -> Story:
        event = Event(
            len(self.events) + 1, "2026-01-01T00:00:00.000+00:00", "n", loop, "t", f"i{self.count}", kind, data
        )
        self.events.append(event)
        self.board.apply(event)
        return self

    def began(self, loop: str = "one", **data: Any) -> Story:
        self.count += 1
        values = {"agent": "a", "attempt": self.count, "head_tree": "base", "start_tree": None, "validate_only": False}
        return self.tell("began", loop, **{**values, **data})

    def ended(self, outcome: Outcome, tree: str | None = None, loop: str = "one", **data: Any) -> Story:
        return self.tell("ended", loop, outcome=outcome.value, attempt=self.count, tree=tree, **data)

    @property
    def state(self) -> Any:
        return self.board.state("t")


def committed(story: Story) -> Story:
    story.tell("committed", commit="c1", branch="b", changes=[{"status": "A", "path": "x"}])
    return story.ended(Outcome.COMMITTED, "tree", handoff="use x").tell("task", status="completed", by="daemon")


def test_a_commit_completes_and_holds_its_paths() -> None:
    state = committed(Story().began()).state
    assert (state.status, state.commit, state.loop, state.paths) == (Status.COMPLETED, "c1", "one", ("x",))
    assert (state.handoff, state.attempts, state.kept_tree) == ("use x", 1, None)
    assert state.result.commit == "c1"


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.COMMITTED])
def test_only_failures_of_the_task_count(outcome: Outcome) -> None:
    state = Story().began().ended(outcome, "tree").state
    assert state.status is Status.PENDING
    assert state.attempts == int(outcome.consumes_attempt)
    assert outcome.consumes_attempt == (outcome.is_failure or outcome is Outcome.QUARANTINED)
    assert len(state.history) == 1


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.LIMIT, Outcome.STOPPED, Outcome.ABANDONED])
def test_work_is_kept_on_its_loop(outcome: Outcome) -> None:
    state = Story().began("two").ended(outcome, "work", "two").state
    assert (state.kept_tree, state.kept_loop) == ("work", "two")
    assert state.refused == (outcome is Outcome.REJECTED)


@pytest.mark.parametrize("outcome", [Outcome.CONFLICT, Outcome.QUARANTINED])
def test_work_on_a_head_that_is_gone_is_not_kept(outcome: Outcome) -> None:
    story = Story().began().ended(Outcome.REJECTED, "work").began(start_tree="work").ended(outcome, "more")
    assert story.state.kept_tree is None


def test_an_unchanged_tree_is_not_kept() -> None:
    state = Story().began().ended(Outcome.NO_CHANGE, "base").state
    assert state.kept_tree is None
    assert not state.history[0].changed


@pytest.mark.parametrize("outcome", [Outcome.ABANDONED, Outcome.INFRASTRUCTURE, Outcome.STOPPED])
def test_finished_work_is_paid_until_it_is_validated(outcome: Outcome) -> None:
    story = Story().began().tell("agent_ended", seconds=2.0, error=None).tell("snapshot", tree="work").ended(outcome)
    assert (story.state.kept_tree, story.state.paid, story.state.seconds) == ("work", True, 2.0)
    story.began(start_tree="work", validate_only=True).tell("snapshot", tree="work").ended(outcome)
    assert story.state.paid, "a validation that was cut off as well changes nothing"
    story.began(start_tree="work", validate_only=True).ended(outcome)
    assert (story.state.kept_tree, story.state.paid) == ("work", True)
    story.began(start_tree="work", validate_only=True).tell("snapshot", tree="work").ended(Outcome.REJECTED, "work")
    assert not story.state.paid
    assert story.state.refused


@pytest.mark.parametrize("bad", [{"error": "exit 1"}, {"cause": "timeout"}, {"wait": {"until": 1, "reason": "r"}}])
def test_work_of_an_agent_that_did_not_finish_is_not_paid(bad: dict[str, Any]) -> None:
    story = Story().began().tell("agent_ended", seconds=1.0, **bad).tell("snapshot", tree="work")
    state = story.ended(Outcome.ABANDONED).state
    assert (state.kept_tree, state.paid) == ("work", False)


def test_unchanged_work_stays_refused() -> None:
    story = Story().began().ended(Outcome.REJECTED, "work").began(start_tree="work").ended(Outcome.NO_CHANGE, "work")
    assert story.state.refused
    story.began(start_tree="work").ended(Outcome.LIMIT, "more")
    assert not story.state.refused


def test_a_reassignment_starts_clean() -> None:
    story = Story().began().ended(Outcome.REJECTED, "work").tell("reassigned", **{"from": "a", "to": "b"})
    assert (story.state.agent, story.state.kept_tree, story.state.attempts) == ("b", None, 1)


def test_a_persons_retry_forgets_the_past() -> None:
    story = Story()
    for _ in range(3):
        story.began().ended(Outcome.REJECTED, "work")
    story.tell("reassigned", **{"from": "a", "to": "b"}).tell("task", status="failed", reason="r", by="daemon")
    story.tell("task", status="pending", reason="retry", by="person")
    state = story.state
    assert (state.status, state.attempts, state.history, state.agent) == (Status.PENDING, 0, [], "")
    assert (state.kept_tree, state.iterations) == (None, 3)


def test_a_move_by_the_daemon_keeps_the_past() -> None:
    story = Story().began().ended(Outcome.REJECTED, "work").tell("task", status="pending", by="daemon")
    assert (story.state.attempts, story.state.kept_tree) == (1, "work")


def test_usage_adds_up_and_an_unknown_price_stays_unknown() -> None:
    story = Story().began()
    story.tell("settled", id=1, model="m", usage={"input_tokens": 3, "output_tokens": 2, "dollars": 0.5})
    story.tell("settled", id=2, model="m", usage={"input_tokens": 1, "dollars": None})
    assert (story.state.usage.counted, story.state.usage.dollars) == (6, None)


def test_a_task_is_in_progress_after_a_crash() -> None:
    story = Story().began().ended(Outcome.REJECTED, "work").began()
    assert story.state.status is Status.IN_PROGRESS


def test_events_without_a_task_change_nothing() -> None:
    board = Board([Event(1, "", "n", "", "", "", "night_started", {"base": "main"})])
    assert board.tasks == {}


steps = st.lists(
    st.tuples(
        st.sampled_from([o for o in Outcome if o is not Outcome.COMMITTED]), st.sampled_from([None, "base", "x", "y"])
    )
    | st.sampled_from(["reassigned", "clean_start", "person", "commit"]),
    max_size=12,
)


@given(steps)
def test_replay_gives_the_same_board_and_sums_hold(steps: list[Any]) -> None:
    story = Story()
    for step in steps:
        match step:
            case "reassigned":
                story.tell("reassigned", **{"from": "a", "to": "b"})
            case "clean_start":
                story.tell("clean_start", reason="r")
            case "person":
                story.tell("task", status="pending", by="person")
            case "commit":
                committed(story.began())
            case (outcome, tree):
                story.began(start_tree=story.state.kept_tree).ended(outcome, tree)
    assert Board(story.events).tasks == story.board.tasks
    state = story.state
    assert state.attempts == sum(attempt.outcome.consumes_attempt for attempt in state.history)
    assert state.iterations == story.count
    assert state.kept_tree != "base"
    assert not (state.paid and state.kept_tree is None)
    assert bool(state.kept_tree) == bool(state.kept_loop)
