"""What an edit of a row means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.domain import Status, Task, TaskResult
from ralph.memory.task_merge import FINISHED, View, Wish, decide, merge

NEW = View()
RUNNING = View(Status.IN_PROGRESS, 1, TaskResult(None, "n.l.1", None))
DONE = View(Status.COMPLETED, 1, TaskResult("c" * 40, "n.l.1", None))
FAILED = View(Status.FAILED, 3, TaskResult(None, "n.l.3", "red"))
STUCK = View(Status.NEEDS_HUMAN, 2, TaskResult(None, "n.l.2", "stuck"))
CANCELLED = View(Status.CANCELLED, 1, None)


def edited(view: View, status: Status) -> View:
    return replace(view, status=status)


@pytest.mark.parametrize("before", [DONE, FAILED, STUCK, CANCELLED])
def test_pending_on_a_finished_task_is_a_retry_until_the_view_follows(before: View) -> None:
    seen = edited(before, Status.PENDING)
    decision = decide(seen, [before], before)
    assert (decision.wish, decision.shown.status, decision.reverted) == (Wish.RETRY, Status.PENDING, ())
    again = decide(decision.shown, [decision.base], before)
    assert again == decision
    followed = decide(decision.shown, [decision.base], NEW)
    assert (followed.wish, followed.shown, followed.base, followed.reverted) == (Wish.NONE, NEW, NEW, ())


def test_a_retry_that_ran_meanwhile_is_not_told_again() -> None:
    wish = decide(edited(FAILED, Status.PENDING), [FAILED], FAILED)
    failed_again = View(Status.FAILED, 1, TaskResult(None, "n.l.9", "red"))
    after = decide(wish.shown, [wish.base], failed_again)
    assert (after.wish, after.shown, after.reverted) == (Wish.NONE, failed_again, ())


@pytest.mark.parametrize("before", [NEW, RUNNING, FAILED, STUCK, DONE])
def test_cancelled_is_a_cancel(before: View) -> None:
    decision = decide(edited(before, Status.CANCELLED), [before], before)
    assert (decision.wish, decision.shown.status) == (Wish.CANCEL, Status.CANCELLED)
    assert decide(decision.shown, [decision.base], edited(before, Status.CANCELLED)).wish is Wish.NONE


def test_a_task_that_completes_while_it_is_cancelled_stays_completed() -> None:
    decision = decide(edited(RUNNING, Status.CANCELLED), [RUNNING], DONE)
    assert (decision.wish, decision.shown, decision.reverted) == (Wish.NONE, DONE, ("status",))


@pytest.mark.parametrize("now", [NEW, RUNNING, FAILED])
@pytest.mark.parametrize("to", [Status.COMPLETED, Status.NEEDS_HUMAN])
def test_other_edits_are_undone_and_told(now: View, to: Status) -> None:
    decision = decide(edited(now, to), [now], now)
    assert (decision.wish, decision.shown, decision.reverted) == (Wish.NONE, now, ("status",))


def test_edits_of_attempts_and_result_are_undone() -> None:
    seen = View(Status.FAILED, 0, None)
    assert decide(seen, [FAILED], FAILED).reverted == ("attempts", "result")


def test_a_row_without_daemon_fields_gets_them_back() -> None:
    decision = decide(NEW, [FAILED], FAILED, said=False)
    assert (decision.wish, decision.shown) == (Wish.NONE, FAILED)
    assert decision.reverted == ("status", "attempts", "result")


def test_a_stale_buffer_does_not_redo_finished_work() -> None:
    decision = decide(NEW, [DONE], DONE)
    assert (decision.wish, decision.shown) == (Wish.NONE, DONE)
    assert "status" in decision.reverted
    assert decide(NEW, [FAILED], FAILED).wish is Wish.RETRY


def test_news_of_the_daemon_is_no_edit() -> None:
    assert decide(NEW, [NEW], RUNNING).reverted == ()
    assert decide(RUNNING, [RUNNING], DONE) == decide(DONE, [RUNNING], DONE)


def test_a_write_cut_off_in_between_makes_no_edit_of_either_state() -> None:
    for in_the_file in (RUNNING, DONE):
        decision = decide(in_the_file, [RUNNING, DONE], DONE)
        assert (decision.wish, decision.shown, decision.reverted) == (Wish.NONE, DONE, ())


def test_rows_the_daemon_has_never_seen() -> None:
    assert decide(NEW, [], None) == decide(NEW, [NEW], None)
    assert decide(DONE, [], None).wish is Wish.ADOPT
    assert decide(DONE, [DONE], None).wish is Wish.ADOPT
    assert decide(DONE, [DONE], DONE).wish is Wish.NONE
    assert decide(CANCELLED, [], None).wish is Wish.CANCEL
    running = decide(RUNNING, [], None)
    assert (running.shown.status, running.reverted) == (Status.PENDING, ("status",))
    assert decide(edited(NEW, Status.COMPLETED), [NEW], None).reverted == ("status",)


def test_a_lost_state_file_never_redoes_work_the_ledger_knows() -> None:
    assert decide(NEW, [], DONE).shown == DONE
    assert decide(NEW, [], FAILED).shown == FAILED
    assert decide(NEW, [], CANCELLED).wish is Wish.RETRY


def test_added_removed_and_deleted_rows() -> None:
    a, b, c = (Task(name, name) for name in "abc")
    stood = {"a": a, "b": b}
    merged = merge([a, c], [stood], {"b": RUNNING, "old": DONE})
    assert (merged.added, merged.removed, merged.cancelled_rows) == (("c",), (b,), ("b",))
    assert merge([a], [{"a": a}], {"b": CANCELLED}).cancelled_rows == ()
    assert merge([a], [{"a": a}], {"b": RUNNING}).cancelled_rows == ("b",)


VIEWS = st.sampled_from([NEW, RUNNING, DONE, FAILED, STUCK, CANCELLED])
SEEN = st.builds(replace, VIEWS, status=st.sampled_from(Status))


@given(seen=SEEN, bases=st.lists(VIEWS, max_size=2), now=st.none() | VIEWS, said=st.booleans())
def test_a_decision_settles(seen: View, bases: list[View], now: View | None, said: bool) -> None:
    """Whatever was found, the same again finds the same and undoes nothing."""
    first = decide(seen, bases, now, said)
    second = decide(first.shown, [first.base], now)
    assert (second.shown, second.base, second.wish) == (first.shown, first.base, first.wish)
    assert second.reverted == ()
    if first.wish is Wish.NONE and now is not None:
        assert first.shown == now


@given(seen=SEEN, base=VIEWS, now=VIEWS)
def test_a_wish_ends_when_the_view_follows(seen: View, base: View, now: View) -> None:
    first = decide(seen, [base], now)
    follows = {Wish.RETRY: View(Status.PENDING, 0, None), Wish.CANCEL: edited(now, Status.CANCELLED)}
    if first.wish in follows:
        second = decide(first.shown, [first.base], follows[first.wish])
        assert (second.wish, second.shown, second.reverted) == (Wish.NONE, follows[first.wish], ())
    if first.wish is Wish.RETRY:
        assert base.status in FINISHED and now.status in FINISHED
