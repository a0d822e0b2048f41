"""The night's budget: reservations over all scopes, rebuilt from the ledger, never under-counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ralph.config import Config
from ralph.core.limits import Measure
from ralph.domain import Cause, Task, Usage
from ralph.domain.task import Budget as TaskBudget
from ralph.engine.budget import Budget, Scopes
from ralph.memory.ledger import Event

TASK = Task("t", "T")


def budget(limits: dict[str, Any] | None = None, events: list[Event] | None = None, **tables: Any) -> Budget:
    return Budget(Config.model_validate({"limits": limits or {}, **tables}), events or [], "n1")


def opened(book: Budget, name: str = "i1", task: Task = TASK, loop: str = "one") -> Scopes:
    scopes = book.scopes(name, task, loop)
    book.begin(scopes)
    return scopes


def ask(book: Budget, id: str, scopes: Scopes, tokens: int, dollars: float | None = None) -> Any:
    return asyncio.run(asyncio.wait_for(book.ask(id, scopes, tokens, dollars), 2))


def event(kind: str, data: dict[str, Any], night: str = "n1", iteration: str = "i1", task: str = "t") -> Event:
    return Event(1, "", night, "one", task, iteration, kind, data)


@pytest.mark.parametrize(
    ("limits", "scope"),
    [
        ({"iteration_tokens": 100}, "iteration i1"),
        ({"iteration_tokens": 0, "task_tokens": 100}, "task t"),
        ({"iteration_tokens": 0, "loop_tokens": 100}, "loop one"),
        ({"iteration_tokens": 0, "night_tokens": 100}, "night"),
    ],
)
def test_every_scope_refuses_by_its_name(limits: dict[str, Any], scope: str) -> None:
    book = budget(limits)
    scopes = opened(book)
    assert ask(book, "a", scopes, 60) is None
    book.settle("a", scopes, Usage(input_tokens=60))
    hit = ask(book, "b", scopes, 60)
    assert (hit.scope, hit.cause, hit.cap) == (scope, Measure.TOKENS, 100)
    assert ask(book, "c", scopes, 40) is None


def test_a_role_has_its_own_caps() -> None:
    book = budget({"iteration_tokens": 0}, roles={"backend": {"limits": {"dollars": 1.0}}})
    backend = opened(book, task=Task("t", "T", role="backend"))
    other = opened(book, "i2", Task("u", "U"))
    assert ask(book, "a", backend, 1, 1.5).scope == "role backend"
    assert ask(book, "b", other, 1, 1.5) is None


def test_a_task_and_a_loop_may_have_caps_of_their_own() -> None:
    book = budget({"task_iterations": 8, "task_tokens": 10}, loops=[{"name": "one", "limits": {"tokens": 50}}])
    own = Task("t", "T", budget=TaskBudget(iterations=2, tokens=30))
    assert (book.task_cap(own), book.task_cap(TASK)) == (2, 8)
    scopes = opened(book, task=own)
    assert ask(book, "a", scopes, 31).scope == "task t"
    assert ask(book, "b", scopes, 29) is None
    assert ask(book, "c", opened(book, "i2", Task("u", "U", budget=TaskBudget(tokens=99))), 51).scope == "loop one"


def test_it_waits_while_others_hold_and_gets_what_they_give_back() -> None:
    async def story() -> None:
        book = budget({"night_tokens": 100, "iteration_tokens": 0})
        one, two = opened(book, "i1"), opened(book, "i2", Task("u", "U"), "two")
        assert await book.ask("a", one, 80, None) is None
        waiting = asyncio.create_task(book.ask("b", two, 60, None))
        await asyncio.sleep(0)
        assert not waiting.done()
        book.settle("a", one, Usage(output_tokens=30))
        assert await asyncio.wait_for(waiting, 2) is None
        refused = asyncio.create_task(book.ask("c", one, 20, None))
        await asyncio.sleep(0)
        assert not refused.done()
        book.settle("b", two, Usage(output_tokens=60))
        hit = await asyncio.wait_for(refused, 2)
        assert hit is not None
        assert (hit.scope, hit.used) == ("night", 90)

    asyncio.run(story())


def test_an_iteration_that_dies_gives_back_what_it_held() -> None:
    async def story() -> None:
        book = budget({"night_tokens": 100, "iteration_tokens": 0})
        one, two = opened(book, "i1"), opened(book, "i2", Task("u", "U"), "two")
        assert await book.ask("a", one, 80, None) is None
        waiting = asyncio.create_task(book.ask("b", two, 60, None))
        await asyncio.sleep(0)
        book.close(["a"])
        assert await asyncio.wait_for(waiting, 2) is None

    asyncio.run(story())


def test_several_calls_of_one_reservation() -> None:
    book = budget({"iteration_tokens": 100})
    scopes = opened(book)
    assert ask(book, "a", scopes, 90) is None
    book.charge("a", scopes, Usage(input_tokens=20))
    book.charge("a", scopes, Usage(input_tokens=20))
    assert book.used("iteration i1").tokens == 40
    book.close(["a"])
    assert ask(book, "b", scopes, 60) is None


def test_what_is_left_is_the_tightest_scope() -> None:
    book = budget({"iteration_minutes": 1, "task_minutes": 2, "iteration_tokens": 100, "night_tokens": 150})
    scopes = opened(book)
    assert book.left(scopes) == (60, 100, 0)
    book.worked(scopes, 90)
    book.settle("a", scopes, Usage(input_tokens=90))
    second = opened(book, "i2")
    assert book.left(second) == (30, 60, 0)
    assert book.left(scopes)[0] == pytest.approx(0, abs=1e-5), "no cap and nothing left must not look the same"


def test_the_share_at_which_ralph_acts() -> None:
    book = budget({"loop_tokens": 100, "iteration_tokens": 0, "pause_at": 0.8, "night_iterations": 1})
    scopes = opened(book)
    assert book.standing("loop one") is None
    book.settle("a", scopes, Usage(input_tokens=79))
    assert book.standing("loop one") is None
    book.settle("b", scopes, Usage(input_tokens=1))
    hit = book.standing("loop one")
    assert hit is not None
    assert (hit.cap, hit.used) == (100, 80)
    assert [hit.scope for hit in book.nearly(scopes)] == ["loop one"]
    at_cap = book.standing("night")
    assert at_cap is not None
    assert at_cap.cause is Measure.ITERATIONS
    assert book.standing("loop unknown") is None


def test_a_resume_gives_a_scope_its_cap_once_more() -> None:
    book = budget({"loop_tokens": 100, "iteration_tokens": 0})
    scopes = opened(book)
    book.settle("a", scopes, Usage(input_tokens=95))
    assert book.standing("loop one")
    book.lift("loop one")
    assert book.standing("loop one") is None
    assert ask(book, "b", scopes, 90) is None


def test_which_scope_a_refusal_was_about() -> None:
    book = budget({"iteration_tokens": 100, "task_tokens": 120, "iteration_minutes": 10})
    scopes = opened(book)
    book.settle("a", scopes, Usage(input_tokens=70))
    second = opened(book, "i2")
    hit = book.tightest(second.names(), Cause.TOKENS)
    assert hit is not None
    assert (hit.scope, hit.used) == ("task t", 70)
    assert book.tightest(second.names(), Cause.STALL) is None
    assert book.tightest(second.names(), Cause.DOLLARS) is None


def test_the_nights_wall_time() -> None:
    book = budget({"night_minutes": 1})
    assert book.night_seconds(59) is None
    assert book.night_seconds(60) is not None
    assert budget().night_seconds(1e9) is None


def test_the_ledger_gives_everything_back_after_a_restart() -> None:
    usage = {"input_tokens": 10, "cache_write_tokens": 5, "output_tokens": 5, "cache_read_tokens": 99, "dollars": 0.5}
    events = [
        event("began", {"role": "implementer"}),
        event("reserved", {"id": 1, "tokens": 30, "dollars": 1.0}),
        event("settled", {"id": 1, "model": "m", "usage": usage}),
        event("reserved", {"id": 2, "tokens": 30, "dollars": 1.0}),
        event("agent_ended", {"seconds": 12.0}),
        event("began", {"role": "implementer"}, night="n0", iteration="i0"),
        event("settled", {"id": 1, "model": "m", "usage": usage}, night="n0", iteration="i0"),
    ]
    book = budget({"task_tokens": 100}, events)
    night, task = book.used("night"), book.used("task t")
    assert (night.tokens, night.dollars, night.iterations, night.seconds) == (50, 1.5, 1, 12)
    assert (task.tokens, task.dollars, task.iterations) == (70, 2.0, 2)
    assert book.used("loop one").tokens == 50
    assert book.used("role implementer").tokens == 50
    scopes = opened(book, "i2")
    assert ask(book, "a", scopes, 31).scope == "task t"
    assert ask(book, "b", scopes, 30) is None


def test_a_persons_retry_gives_the_task_its_budget_again() -> None:
    usage = {"input_tokens": 90}
    events = [
        event("began", {"role": "implementer"}),
        event("settled", {"id": 1, "model": "m", "usage": usage}),
        event("task", {"status": "pending", "by": "person"}, iteration=""),
    ]
    book = budget({"task_tokens": 100}, events)
    assert book.used("task t").tokens == 0
    assert book.used("night").tokens == 90
    assert ask(book, "a", opened(book, "i2"), 95) is None


def test_an_unknown_price_never_counts_as_nothing_reserved() -> None:
    book = budget({"night_dollars": 1.0})
    scopes = opened(book)
    assert ask(book, "a", scopes, 10, None) is None
    book.settle("a", scopes, Usage(input_tokens=10, dollars=None))
    assert ask(book, "b", scopes, 10, 0.9) is None
    assert ask(book, "c", scopes, 10, 1.1).cause is Measure.DOLLARS
