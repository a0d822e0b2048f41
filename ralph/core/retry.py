"""What comes next for a task after an iteration, as a value that the daemon applies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ralph.core.limits import exceeded
from ralph.core.stuck import is_stuck
from ralph.domain import Outcome

BROKEN_IN_A_ROW = 3
"""So many crashes of the machinery in a row on one task, and a person has to look at it."""


class Action(StrEnum):
    """What to do with the task."""

    DONE = "done"
    RETRY = "retry"
    """Once more with the same agent."""
    REASSIGN = "reassign"
    """Once more with another agent of the route, from a clean start."""
    MOVE = "move"
    """Not on this loop: the branches do not merge, so it goes to the loop that holds the dependency."""
    WAIT = "wait"
    """Nothing until the account answers again."""
    NEEDS_HUMAN = "needs_human"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One iteration of the task, as far as the decision needs it."""

    agent: str
    outcome: Outcome
    fingerprint: str = ""
    changed: bool = True
    """Whether the agent changed the tree that it got."""
    repeating: bool = False
    """Its reflection says that it repeats the same approach."""


@dataclass(frozen=True, slots=True)
class Next:
    action: Action
    reason: str
    agent: str = ""
    """Who works on it next; empty where nobody does."""
    clean: bool = False
    """Start from the head's tree instead of the kept work."""


def decide(history: Sequence[Attempt], route: Sequence[str], cap: int, halted: Collection[str] = ()) -> Next:
    """Say what follows the last entry of ``history`` (oldest first, all iterations of one task in this night).

    ``cap`` is the number of attempts allowed, 0 = no cap; iterations that consume no attempt do not count.
    ``halted`` names agents whose account needs a person. Raises ValueError for an empty history or route.
    """
    if not history or not route:
        raise ValueError("nothing to decide: no iteration or no agent")
    last = history[-1]
    match last.outcome:
        case Outcome.COMMITTED:
            return Next(Action.DONE, "committed")
        case Outcome.WAITING:
            return Next(Action.WAIT, "the account has to wait", last.agent)
        case Outcome.HALTED:
            return _after_halt(last, route, halted)
        case Outcome.CONFLICT:
            return Next(Action.MOVE, "the dependencies' branches do not go together here", last.agent, clean=True)
        case Outcome.STOPPED:
            return Next(Action.RETRY, "stopped; goes on where it was", last.agent)
        case Outcome.INFRASTRUCTURE | Outcome.ABANDONED:
            return _after_breakdown(history)
        case Outcome.REJECTED | Outcome.NO_CHANGE | Outcome.AGENT_FAILED | Outcome.LIMIT | Outcome.QUARANTINED:
            return _after_failure(history, route, cap, halted)


def attempts(history: Sequence[Attempt]) -> int:
    """How many attempts were consumed."""
    return sum(entry.outcome.consumes_attempt for entry in history)


def first_agent(route: Sequence[str], halted: Collection[str] = ()) -> str | None:
    """The agent that a new task starts with; None while every account of the route is halted."""
    return next((agent for agent in route if agent not in halted), None)


def _after_failure(history: Sequence[Attempt], route: Sequence[str], cap: int, halted: Collection[str]) -> Next:
    last, used = history[-1], attempts(history)
    if exceeded(cap, used):
        return Next(Action.FAILED, f"{used} of {cap} attempts used")
    own = _current_streak(history)
    if is_stuck([entry.fingerprint for entry in own], [entry.changed for entry in own]):
        why = "no change in the last attempts" if not own[-1].changed else "the same failure again and again"
        following = _next_rung(last.agent, route, halted)
        if following is None:
            return Next(Action.NEEDS_HUMAN, f"stuck: {why}, and no other agent is left")
        return Next(Action.REASSIGN, f"stuck: {why}", following, clean=True)
    if last.agent in halted:
        return _after_halt(last, route, halted)
    if last.repeating:
        return Next(Action.RETRY, "the agent says that it repeats itself", last.agent, clean=True)
    if last.outcome is Outcome.QUARANTINED:
        return Next(Action.RETRY, "the branch had moved", last.agent, clean=True)
    return Next(Action.RETRY, "failed, goes on from its kept work", last.agent)


def _after_halt(last: Attempt, route: Sequence[str], halted: Collection[str]) -> Next:
    following = _next_rung(last.agent, route, {*halted, last.agent}) or first_agent(route, {*halted, last.agent})
    if following is None:
        return Next(Action.WAIT, "the account needs a person")
    return Next(Action.REASSIGN, "the account needs a person", following, clean=True)


def _after_breakdown(history: Sequence[Attempt]) -> Next:
    broken = (Outcome.INFRASTRUCTURE, Outcome.ABANDONED)
    tail = history[-BROKEN_IN_A_ROW:]
    if len(tail) == BROKEN_IN_A_ROW and all(entry.outcome in broken for entry in tail):
        return Next(Action.NEEDS_HUMAN, f"the machinery broke {BROKEN_IN_A_ROW} times in a row on this task")
    return Next(Action.RETRY, "not the agent's fault; goes on where it was", history[-1].agent)


def _current_streak(history: Sequence[Attempt]) -> list[Attempt]:
    """The consumed attempts of the agent that worked last, since the task came to it."""
    streak: list[Attempt] = []
    for entry in reversed(history):
        if entry.agent != history[-1].agent:
            break
        if entry.outcome.consumes_attempt:
            streak.append(entry)
    return streak[::-1]


def _next_rung(agent: str, route: Sequence[str], halted: Collection[str]) -> str | None:
    """The next agent down the ladder that may work; an agent that left the route starts at its top."""
    rest = route[route.index(agent) + 1 :] if agent in route else route
    return next((name for name in rest if name not in halted and name != agent), None)
