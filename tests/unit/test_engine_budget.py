"""The night's budget over restarts, dead workers and retries; and that its cost does not grow with the past."""

from __future__ import annotations

import time
from typing import Any

from ralph.config import Config
from ralph.core.limits import Measure
from ralph.domain import Task, Usage
from ralph.engine.budget import Budget, Scopes
from ralph.memory.ledger import Event

TASK = Task("t", "T")
USAGE = {"input_tokens": 10, "output_tokens": 10, "dollars": 0.5}


def budget(limits: dict[str, Any] | None = None, events: list[Event] | None = None) -> Budget:
    agents = {"claude": {"kind": "claude-code"}, "api": {"kind": "api", "model": "claude-sonnet-5-5"}}
    return Budget(Config.model_validate({"limits": limits or {}, "agents": agents}), events or [], "n1")


def event(kind: str, data: dict[str, Any], night: str = "n1", iteration: str = "i1", task: str = "t") -> Event:
    return Event(1, "", night, "one", task, iteration, kind, data)


def begun(book: Budget, name: str) -> Scopes:
    scopes = book.scopes(name, TASK, "one")
    book.begin(scopes)
    return scopes


def crashed(agent: str, outcome: str = "") -> Budget:
    """One call settled, the rest of the reservation open when the daemon died."""
    events = [
        event("began", {"role": "implementer", "agent": agent}),
        event("reserved", {"id": 1, "tokens": 100, "dollars": None}),
        event("settled", {"id": 1, "model": "m", "usage": USAGE}),
    ]
    return budget(events=[*events, event("ended", {"outcome": outcome})] if outcome else events)


def test_waits_and_restarts_do_not_use_up_a_task() -> None:
    """Iterations that consume no attempt never count against the task; core.retry counts those that do."""
    book = budget({"task_iterations": 3})
    for number in range(5):
        begun(book, f"i{number}")
    assert book.standing("task t") is None


def test_a_reservation_for_a_whole_run_is_spent_to_its_end_when_the_daemon_dies() -> None:
    assert crashed("claude").used("night").tokens == 100
    assert crashed("claude", "abandoned").used("night").tokens == 100
    assert crashed("api").used("night").tokens == 20


def test_what_an_orderly_end_gave_back_stays_given_back_after_a_restart() -> None:
    assert crashed("claude", "rejected").used("night").tokens == 20


def test_what_a_dead_worker_held_is_spent() -> None:
    import asyncio

    book = budget()
    scopes = begun(book, "i1")
    assert asyncio.run(book.ask("a", scopes, 70, 0.5)) is None
    book.close(["a"], orderly=False)
    assert (book.used("night").tokens, book.used("night").dollars) == (70, 0.5)
    assert asyncio.run(book.ask("b", scopes, 70, 0.5)) is None
    book.close(["b"])
    assert book.used("night").tokens == 70


def test_nothing_left_is_not_no_cap() -> None:
    """0 tokens would tell the worker that there is no cap at all."""
    book = budget({"task_tokens": 100})
    scopes = begun(book, "i1")
    book.settle("a", scopes, Usage(input_tokens=100))
    assert book.left(scopes)[1] == 1


def test_ten_thousand_events_of_a_thousand_tasks_are_read_at_once() -> None:
    events = [
        event("settled", {"id": 1, "usage": USAGE}, f"n{number // 100}", f"i{number}", f"t{number % 1000}")
        for number in range(10_000)
    ]
    began = time.process_time()
    assert budget(events=events).used("task t7").of(Measure.TOKENS) == 200
    assert time.process_time() - began < 2


def test_a_review_has_an_iteration_of_its_own_and_the_reviewers_role() -> None:
    book = Budget(
        Config.model_validate(
            {"limits": {"iteration_tokens": 100}, "roles": {"reviewer": {"limits": {"iterations": 2, "tokens": 500}}}}
        ),
        [],
        "n1",
    )
    scopes = begun(book, "i1")
    book.charge("", scopes, Usage(output_tokens=100))
    review = book.review_scopes(scopes)
    assert book.left(review)[1] == 100
    book.begin_review(review)
    book.charge("", review, Usage(output_tokens=40))
    assert (book.used("role reviewer").tokens, book.used("role reviewer").iterations) == (40, 1)
    assert (book.used("task t").tokens, book.used("task t").iterations) == (140, 1)
    assert book.used("role implementer").tokens == 100
    assert book.standing("role reviewer") is None
    book.begin_review(review)
    assert str(book.standing("role reviewer")) == "role reviewer: 2 of 2 iterations"


def test_a_restart_knows_what_reviews_took() -> None:
    who = {"role": "reviewer", "agent": "api"}
    events = [
        event("began", {"role": "implementer", "agent": "claude"}),
        event("reserved", {"id": 1, "tokens": 100, "dollars": None}),
        event("settled", {"id": 1, "model": "m", "usage": USAGE}),
        event("reserved", {"id": 2, "tokens": 50, "dollars": None, **who}),
        event("settled", {"id": 2, "model": "m", "usage": USAGE, **who}),
        event("review_ended", {"seconds": 7.0, **who}),
    ]
    book = budget(events=events)
    reviewer = book.used("role reviewer")
    assert (reviewer.tokens, reviewer.seconds, reviewer.iterations) == (20, 7.0, 1)
    assert book.used("role implementer").tokens == 100, "the rest of what was reserved for the whole run is lost"
    assert book.used("task t").tokens == 120
