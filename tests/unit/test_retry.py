import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.retry import Action, Attempt, attempts, decide, first_agent
from ralph.domain import Outcome

ROUTE = ["claude", "api"]


def red(agent="claude", print="a", **more) -> Attempt:
    return Attempt(agent, Outcome.REJECTED, print, **more)


def test_a_commit_is_the_end():
    assert decide([red(), Attempt("claude", Outcome.COMMITTED)], ROUTE, 2).action is Action.DONE


def test_a_failure_goes_on_from_the_kept_tree_with_the_same_agent():
    following = decide([red()], ROUTE, 8)
    assert (following.action, following.agent, following.clean) == (Action.RETRY, "claude", False)


def test_an_agent_that_says_it_repeats_itself_starts_clean():
    following = decide([red(repeating=True)], ROUTE, 8)
    assert (following.action, following.agent, following.clean) == (Action.RETRY, "claude", True)


def test_three_equal_failures_go_to_the_next_rung_clean():
    following = decide([red(), red(), red()], ROUTE, 8)
    assert (following.action, following.agent, following.clean) == (Action.REASSIGN, "api", True)


def test_two_attempts_without_change_go_to_the_next_rung_clean():
    still = [Attempt("claude", Outcome.NO_CHANGE, f"{n}", changed=False) for n in range(2)]
    assert decide(still[:1], ROUTE, 8).action is Action.RETRY
    assert decide(still, ROUTE, 8).agent == "api"


def test_the_next_agent_is_not_blamed_for_the_one_before():
    history = [red(), red(), red(), red("api"), red("api")]
    assert decide(history, ROUTE, 8).action is Action.RETRY


def test_stuck_on_the_last_rung_needs_a_person():
    history = [red()] * 3 + [red("api")] * 3
    assert decide(history, ROUTE, 8).action is Action.NEEDS_HUMAN


def test_the_cap_is_not_reset_by_a_reassignment():
    history = [red()] * 3 + [red("api", "b")] * 2
    assert decide(history, ROUTE, 5).action is Action.FAILED
    assert decide(history, ROUTE, 0).action is Action.RETRY


FREE = [Outcome.WAITING, Outcome.HALTED, Outcome.STOPPED, Outcome.INFRASTRUCTURE, Outcome.ABANDONED, Outcome.CONFLICT]


@pytest.mark.parametrize("outcome", FREE)
def test_what_is_not_the_agents_fault_consumes_no_attempt(outcome):
    history = [red(print="b"), *[Attempt("claude", outcome)] * 2]
    assert attempts(history) == 1
    assert decide(history, ["claude"], 2).action not in (Action.FAILED, Action.NEEDS_HUMAN)


def test_a_wait_between_equal_failures_does_not_hide_them():
    history = [red(), Attempt("claude", Outcome.WAITING), red(), red()]
    assert decide(history, ROUTE, 8).action is Action.REASSIGN


def test_a_halted_account_hands_over_and_waits_when_nobody_is_left():
    history = [Attempt("claude", Outcome.HALTED)]
    assert decide(history, ROUTE, 8, halted={"claude"}).agent == "api"
    assert decide(history, ROUTE, 8, halted={"claude", "api"}).action is Action.WAIT
    assert decide([Attempt("api", Outcome.HALTED)], ROUTE, 8, halted={"api"}).agent == "claude"
    assert first_agent(ROUTE, {"claude"}) == "api"
    assert first_agent(ROUTE, ROUTE) is None


def test_a_stuck_task_skips_a_halted_rung():
    assert decide([red()] * 3, ["claude", "api", "codex"], 8, halted={"api"}).agent == "codex"


def test_an_agent_that_left_the_route_hands_over_to_its_top():
    assert decide([red("gone")] * 3, ROUTE, 8).agent == "claude"


def test_a_task_that_breaks_the_machinery_does_not_hold_the_queue():
    broken = [Attempt("claude", Outcome.INFRASTRUCTURE), Attempt("claude", Outcome.ABANDONED)]
    assert decide(broken, ROUTE, 8).action is Action.RETRY
    assert decide([*broken, broken[0]], ROUTE, 8).action is Action.NEEDS_HUMAN


def test_nothing_to_decide_is_an_error():
    with pytest.raises(ValueError, match="nothing to decide"):
        decide([], ROUTE, 8)


@given(
    cap=st.integers(1, 10),
    route=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True),
    draws=st.lists(
        st.tuples(st.sampled_from([Outcome.REJECTED, Outcome.NO_CHANGE, Outcome.AGENT_FAILED, Outcome.LIMIT]),
                  st.sampled_from("xyz"), st.booleans()),
        min_size=30, max_size=30,
    ),
)  # fmt: skip
def test_every_failing_task_ends_within_its_cap_and_down_the_ladder(cap, route, draws):
    history: list[Attempt] = []
    agent = route[0]
    for outcome, print, repeating in draws:
        history.append(Attempt(agent, outcome, print, outcome is not Outcome.NO_CHANGE, repeating))
        following = decide(history, route, cap)
        if following.action in (Action.FAILED, Action.NEEDS_HUMAN):
            break
        if following.action is Action.REASSIGN:
            assert following.clean
            assert route.index(following.agent) == route.index(agent) + 1
        else:
            assert following.agent == agent
        agent = following.agent
    assert following.action in (Action.FAILED, Action.NEEDS_HUMAN)
    assert len(history) <= cap
