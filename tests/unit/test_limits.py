import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.limits import Caps, Decision, Hit, Measure, Reservations, Scope, Spent, check, exceeded, near
from ralph.domain import Cause, Usage


@pytest.mark.parametrize(
    ("cap", "used", "stops"),
    [(0, 0, False), (0, 10**9, False), (5, 4, False), (5, 5, True), (5, 6, True), (0.5, 0.49, False), (0.5, 0.5, True)],
)
def test_a_cap_stops_when_it_is_reached_and_zero_never_does(cap, used, stops):
    assert exceeded(cap, used) is stops


def test_check_names_scope_measure_cap_and_use():
    scopes = [
        Scope("task", Caps(tokens=100), Spent(tokens=99), "T1"),
        Scope("loop", Caps(seconds=60, dollars=1), Spent(seconds=61, dollars=2), "loop-2"),
        Scope("night", Caps(iterations=1), Spent(iterations=5)),
    ]
    hit = check(scopes)
    assert hit == Hit("loop", Measure.SECONDS, 60, 61, "loop-2")
    assert str(hit) == "loop loop-2: 61 of 60 seconds"
    assert hit.cause.cause is Cause.TIMEOUT
    assert check(scopes[:1]) is None


def test_near_gives_each_scope_once_at_the_share():
    at = Scope("task", Caps(tokens=100, dollars=1), Spent(tokens=85, dollars=0.9), "T1")
    below = Scope("night", Caps(tokens=100), Spent(tokens=84))
    assert near([at, below], 0.85) == (Hit("task", Measure.TOKENS, 100, 85, "T1"),)


def test_unknown_dollars_reach_no_cap_but_known_ones_stay_counted():
    assert check([Scope("night", Caps(dollars=1), Spent(dollars=None))]) is None
    assert (Spent(dollars=2.0) + Spent(dollars=None)).dollars == 2.0
    assert (Spent(dollars=None) + Spent(dollars=None)).dollars is None


def test_cache_reads_are_not_counted():
    usage = Usage(input_tokens=1, cache_write_tokens=2, cache_read_tokens=1000, output_tokens=4, dollars=0.5)
    assert Spent.of_usage(usage) == Spent(tokens=7, dollars=0.5)


def book(**caps) -> Reservations:
    made = Reservations()
    for scope, cap in caps.items():
        made.open(scope, cap)
    return made


def test_waits_while_others_hold_and_is_denied_when_none_do():
    desk = book(night=Caps(tokens=100))
    assert desk.ask("a", ["night"], 70).decision is Decision.GRANT
    waits = desk.ask("b", ["night"], 40)
    assert waits.decision is Decision.WAIT
    assert waits.hit == Hit("night", Measure.TOKENS, 100, 70)
    desk.settle("a", Spent(tokens=10))
    assert desk.ask("b", ["night"], 40).decision is Decision.GRANT
    desk.settle("b", Spent(tokens=40))
    assert desk.ask("c", ["night"], 51).decision is Decision.DENY
    assert desk.ask("c", ["night"], 50).decision is Decision.GRANT
    desk.settle("c", Spent(tokens=50))
    assert desk.ask("d", ["night"], 0).decision is Decision.DENY


def test_waiting_for_what_can_never_fit_is_a_denial_at_once():
    desk = book(night=Caps(tokens=100))
    desk.ask("a", ["night"], 10)
    desk.charge("a", Spent(tokens=5))
    assert desk.ask("b", ["night"], 96).decision is Decision.DENY


def test_one_full_scope_reserves_nothing_in_the_others():
    desk = book(night=Caps(tokens=1000), task=Caps(dollars=1))
    answer = desk.ask("a", ["night", "task"], 10, 1.5)
    assert (answer.decision, answer.hit) == (Decision.DENY, Hit("task", Measure.DOLLARS, 1, 0))
    assert desk.held("night", Measure.TOKENS) == 0


def test_a_run_reserved_as_a_whole_is_charged_call_by_call():
    desk = book(night=Caps(tokens=100))
    desk.ask("run", ["night"], 60, None)
    desk.charge("run", Spent(tokens=20, dollars=None))
    assert desk.held("night", Measure.TOKENS) == 40
    desk.charge("run", Spent(tokens=50))
    assert (desk.held("night", Measure.TOKENS), desk.used("night").tokens) == (0, 70)
    desk.release("run")
    assert desk.ask("next", ["night"], 30).decision is Decision.GRANT


def test_money_spent_without_a_reservation_still_counts():
    desk = book(night=Caps(tokens=10))
    desk.settle("late", Spent(tokens=25), ["night"])
    assert check([Scope("night", Caps(tokens=10), desk.used("night"))]) is not None


def test_refuses_negative_amounts_and_double_use_of_an_id():
    desk = book(night=Caps())
    with pytest.raises(ValueError, match="negative"):
        desk.ask("a", ["night"], -1)
    desk.ask("a", ["night"], 1)
    with pytest.raises(ValueError, match="already"):
        desk.ask("a", ["night"], 1)


SCOPES = ("iteration", "task", "role", "loop", "night")
CAP = st.sampled_from((0, 60, 100, 200))


@given(
    caps=st.fixed_dictionaries({name: st.tuples(CAP, CAP) for name in SCOPES}),
    steps=st.lists(
        st.tuples(
            st.integers(0, 7),
            st.sampled_from(["ask", "charge", "settle", "release"]),
            st.integers(0, 80),
            st.one_of(st.none(), st.integers(0, 80)),
            st.sets(st.sampled_from(SCOPES), min_size=1),
        ),
        min_size=12,
        max_size=60,
    ),
)
def test_used_plus_held_never_passes_a_cap(caps, steps):
    desk = book(**{name: Caps(tokens=tokens, dollars=dollars / 64) for name, (tokens, dollars) in caps.items()})
    holding: dict[str, tuple[int, float]] = {}
    for number, step, tokens, raw, scopes in steps:
        id, dollars = f"call-{number}", None if raw is None else raw / 64
        if step == "ask" and id not in holding:
            if desk.ask(id, sorted(scopes), tokens, dollars).decision is Decision.GRANT:
                holding[id] = (tokens, dollars or 0.0)
        elif step in ("charge", "settle") and id in holding:
            left = holding[id]
            took = (min(tokens, left[0]), min(dollars or 0.0, left[1]))
            (desk.charge if step == "charge" else desk.settle)(id, Spent(tokens=took[0], dollars=took[1]))
            holding[id] = (left[0] - took[0], left[1] - took[1])
            if step == "settle":
                del holding[id]
        elif step == "release":
            desk.release(id)
            holding.pop(id, None)
        for name, (cap_tokens, cap_dollars) in caps.items():
            used = desk.used(name)
            if cap_tokens:
                assert used.tokens + desk.held(name, Measure.TOKENS) <= cap_tokens
            if cap_dollars:
                assert (used.dollars or 0) + desk.held(name, Measure.DOLLARS) <= cap_dollars / 64


@given(st.integers(1, 100), st.lists(st.integers(0, 60), max_size=20))
def test_a_request_that_waits_fits_once_the_others_are_gone(cap, amounts):
    desk = book(night=Caps(tokens=cap))
    for number, amount in enumerate(amounts):
        answer = desk.ask(str(number), ["night"], amount)
        if answer.decision is Decision.WAIT:
            for other in range(number):
                desk.release(str(other))
            assert desk.ask(str(number), ["night"], amount).decision is Decision.GRANT
            return


def test_what_is_only_held_is_near_no_cap():
    desk = book(iteration=Caps(tokens=100))
    desk.ask("run", ["iteration"], 100)
    assert near(desk.scopes(), 0.85) == ()
    desk.charge("run", Spent(tokens=90))
    assert near(desk.scopes(), 0.85) == (Hit("iteration", Measure.TOKENS, 100, 90),)
