"""The night's money and time: who may spend how much, in one place for every scope."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ralph.config import Config
from ralph.config.limits import LoopLimits
from ralph.core.limits import Caps, Decision, Hit, Measure, Reservations, Scope, Spent, check, near
from ralph.domain import Cause, Outcome, Task, Usage
from ralph.memory.ledger import Event

REVIEWER = "reviewer"
"""The role whose limits hold for reviews."""
LOST = (Outcome.ABANDONED, Outcome.INFRASTRUCTURE)
"""Ends of an iteration after which nobody knows whether a call that was under way was charged."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes that one iteration spends on."""

    iteration: str
    task: str
    role: str
    loop: str
    night: str = "night"

    def names(self) -> tuple[str, ...]:
        return (self.iteration, self.task, self.role, self.loop, self.night)


class Budget:
    """Reservations over iteration, task, role, loop and night, rebuilt from the ledger at a start.

    A reservation that was never settled (the daemon died in between) counts as spent.
    """

    KINDS = ("began", "reserved", "settled", "agent_ended", "review_ended", "ended", "task", "resumed")
    """Events that it is rebuilt from."""

    def __init__(self, config: Config, events: Iterable[Event], night: str) -> None:
        self._config = config
        self._book = Reservations()
        self._book.open("night", self._night_caps())
        self._settled = asyncio.Event()
        self._rebuild(events, night)

    def scopes(self, iteration: str, task: Task, loop: str) -> Scopes:
        """Make the iteration's scopes known and name them."""
        limits, own = self._config.limits, task.budget
        names = Scopes(f"iteration {iteration}", f"task {task.id}", f"role {task.role}", f"loop {loop}")
        self._book.open(names.iteration, self._iteration_caps())
        self._book.open(
            names.task,
            Caps(
                seconds=(own.minutes or limits.task_minutes) * 60,
                tokens=own.tokens or limits.task_tokens,
                dollars=own.dollars or limits.task_dollars,
            ),
        )
        role = self._config.roles.get(task.role)
        self._book.open(names.role, _caps(role.limits) if role else Caps())
        self._book.open(names.loop, self._loop_caps(loop))
        return names

    def review_scopes(self, scopes: Scopes) -> Scopes:
        """The scopes of the review of an iteration: the caps of an iteration for itself, and the reviewer's role."""
        own = f"review {scopes.iteration.removeprefix('iteration ')}"
        self._book.open(own, self._iteration_caps())
        role = self._config.roles.get(REVIEWER)
        self._book.open(f"role {REVIEWER}", _caps(role.limits) if role else Caps())
        return replace(scopes, iteration=own, role=f"role {REVIEWER}")

    def begin_review(self, scopes: Scopes) -> None:
        """Count one review, for the role alone: it is no iteration of anybody else's."""
        self._book.charge("", Spent(iterations=1), [scopes.role])

    def task_cap(self, task: Task) -> int:
        return task.budget.iterations or self._config.limits.task_iterations

    def begin(self, scopes: Scopes) -> None:
        """Count one iteration."""
        self._spend(scopes, Spent(iterations=1))

    async def ask(self, id: str, scopes: Scopes, tokens: int, dollars: float | None) -> Hit | None:
        """Reserve; waits while others hold what is missing. None: granted, else the cap in the way."""
        while True:
            answer = self._book.ask(id, scopes.names(), tokens, dollars)
            if answer.decision is Decision.GRANT:
                return None
            if answer.decision is Decision.DENY:
                return answer.hit
            self._settled.clear()
            await self._settled.wait()

    def settle(self, id: str, scopes: Scopes, usage: Usage) -> None:
        """Book a call and give back the rest of what was reserved for it."""
        self._book.settle(id, Spent.of_usage(usage), scopes.names())
        self._settled.set()

    def charge(self, id: str, scopes: Scopes, usage: Usage) -> None:
        """Book one of several calls that were reserved together; the rest stays reserved."""
        self._book.charge(id, Spent.of_usage(usage), scopes.names())

    def worked(self, scopes: Scopes, seconds: float) -> None:
        """Book the wall time of an agent."""
        self._spend(scopes, Spent(seconds=seconds))

    def close(self, ids: Iterable[str], orderly: bool = True) -> None:
        """The iteration is over; what its asks still hold is given back, or spent where its worker died over it."""
        for id in ids:
            (self._book.release if orderly else self._book.forfeit)(id)
        self._settled.set()

    def left(self, scopes: Scopes) -> tuple[float, int, float]:
        """Seconds, tokens and dollars that remain for an iteration in its tightest scope; 0 = no cap."""
        seconds, tokens, dollars = (
            self._tightest(scopes, measure) for measure in (Measure.SECONDS, Measure.TOKENS, Measure.DOLLARS)
        )
        return seconds, math.ceil(tokens), dollars

    def _tightest(self, scopes: Scopes, measure: Measure) -> float:
        rests = [
            max(cap - (self._book.used(scope.name).of(measure) or 0.0), 1e-6)
            for scope in self._known(scopes)
            if (cap := scope.caps.of(measure)) > 0
        ]
        return min(rests, default=0.0)

    def tightest(self, names: Sequence[str], cause: Cause) -> Hit | None:
        """The capped scope with the least left of what ran out: the one that a refusal was about."""
        measure = {Cause.TOKENS: Measure.TOKENS, Cause.DOLLARS: Measure.DOLLARS, Cause.TIMEOUT: Measure.SECONDS}.get(
            cause
        )
        if measure is None:
            return None
        capped = [
            Hit(scope.name, measure, cap, scope.spent.of(measure) or 0.0)
            for scope in self._book.scopes()
            if scope.name in names and (cap := scope.caps.of(measure)) > 0
        ]
        return min(capped, key=lambda hit: hit.cap - hit.used, default=None)

    def hit(self, scopes: Scopes) -> Hit | None:
        """The first cap that is reached, if any."""
        return check(self._known(scopes))

    def nearly(self, scopes: Scopes) -> tuple[Hit, ...]:
        """Caps of which the share ``pause_at`` is used. Counts of iterations act at the cap, not before."""
        found = near(self._known(scopes), self._config.limits.pause_at)
        return tuple(hit for hit in found if hit.cause is not Measure.ITERATIONS)

    def standing(self, name: str) -> Hit | None:
        """The cap that keeps a loop, a role or the night from starting anything, at ``pause_at`` of it."""
        if not self._book.known(name):
            return None
        scope = self._book.scope(name)
        reached = check([scope])
        share = near([scope], self._config.limits.pause_at)
        return reached or next((hit for hit in share if hit.cause is not Measure.ITERATIONS), None)

    def used(self, name: str) -> Spent:
        return self._book.used(name)

    def ensure_loop(self, loop: str) -> None:
        self._book.open(f"loop {loop}", self._loop_caps(loop))

    def lift(self, name: str) -> None:
        """A person resumed a paused scope: it gets its cap once more on top of what is used."""
        if self._book.known(name):
            self._book.open(name, self._book.scope(name).caps, Spent())
            self._settled.set()

    def night_seconds(self, seconds: float) -> Hit | None:
        """Judge the night's wall time, which runs whether or not an agent works."""
        cap = self._config.limits.night_minutes * 60
        return check([Scope("night", Caps(seconds=cap), Spent(seconds=seconds))])

    def _known(self, scopes: Scopes) -> list[Scope]:
        return [self._book.scope(name) for name in scopes.names()]

    def _spend(self, scopes: Scopes, spent: Spent) -> None:
        self._book.charge("", spent, scopes.names())

    def _iteration_caps(self) -> Caps:
        limits = self._config.limits
        return Caps(
            seconds=limits.iteration_minutes * 60, tokens=limits.iteration_tokens, dollars=limits.iteration_dollars
        )

    def _night_caps(self) -> Caps:
        limits = self._config.limits
        return Caps(iterations=limits.night_iterations, tokens=limits.night_tokens, dollars=limits.night_dollars)

    def _loop_caps(self, loop: str) -> Caps:
        limits = self._config.limits
        own = next((entry.limits for entry in self._config.loops if entry.name == loop), LoopLimits())
        return Caps(
            iterations=own.iterations or limits.loop_iterations,
            seconds=(own.minutes or limits.loop_minutes) * 60,
            tokens=own.tokens or limits.loop_tokens,
            dollars=own.dollars or limits.loop_dollars,
        )

    def _rebuild(self, events: Iterable[Event], night: str) -> None:
        roles: dict[str, str] = {}
        whole: set[str] = set()
        held: dict[str, dict[int, tuple[Event, Spent]]] = {}
        for event in events:
            match event.kind:
                case "began":
                    roles[event.iteration] = event.data.get("role", "")
                    if self._reserves_the_whole_run(event.data.get("agent", "")):
                        whole.add(event.iteration)
                    self._replay(event, roles, night, Spent(iterations=1))
                case "reserved":
                    data = event.data
                    spent = Spent(tokens=data["tokens"], dollars=data["dollars"])
                    held.setdefault(event.iteration, {})[data["id"]] = (event, spent)
                case "settled":
                    spent, id = _spent(event.data["usage"]), event.data.get("id", 0)
                    mine = held.get(event.iteration, {})
                    if id in mine and self._is_whole(mine[id][0], whole):
                        mine[id] = (mine[id][0], _rest(mine[id][1], spent))
                    else:
                        mine.pop(id, None)
                    self._replay(event, roles, night, spent)
                case "ended" if event.data["outcome"] not in LOST:
                    held.pop(event.iteration, None)
                case "agent_ended":
                    self._replay(event, roles, night, Spent(seconds=event.data.get("seconds", 0)))
                case "review_ended":
                    self._replay(event, roles, night, Spent(seconds=event.data.get("seconds", 0)))
                    if event.night == night:
                        self._book.charge("", Spent(iterations=1), [f"role {REVIEWER}"])
                case "task" if event.data.get("by") == "person" and event.data["status"] == "pending":
                    self._book.open(f"task {event.task}", Caps(), Spent())
                case "resumed" if event.night == night and event.data.get("lifted"):
                    scope = event.data["scope"]
                    self._book.open(scope if scope.startswith("role ") else f"loop {scope}", Caps(), Spent())
        for left in held.values():
            for event, spent in left.values():
                self._replay(event, roles, night, spent)

    def _reserves_the_whole_run(self, agent: str) -> bool:
        """True where one ask stands for many calls; the built-in agent asks before each."""
        return agent in self._config.agents and self._config.agents[agent].kind != "api"

    def _is_whole(self, reserved: Event, whole: set[str]) -> bool:
        """Whether what was reserved stands for many calls; a review names its own agent."""
        reviewer = reserved.data.get("agent")
        return self._reserves_the_whole_run(reviewer) if reviewer else reserved.iteration in whole

    def _replay(self, event: Event, roles: Mapping[str, str], night: str, spent: Spent) -> None:
        names = [f"task {event.task}"]
        if event.night == night:
            role = event.data.get("role", roles.get(event.iteration, ""))
            names += [f"role {role}", f"loop {event.loop}", "night"]
            names.append(f"iteration {event.iteration}")
        for name in names:
            if not self._book.known(name):
                self._book.open(name, Caps())
        self._book.charge("", spent, names)


def _spent(usage: Mapping[str, float | int | None]) -> Spent:
    tokens = sum(int(usage.get(key) or 0) for key in ("input_tokens", "cache_write_tokens", "output_tokens"))
    dollars = usage.get("dollars")
    return Spent(tokens=tokens, dollars=None if dollars is None else float(dollars))


def _rest(held: Spent, spent: Spent) -> Spent:
    dollars = None if held.dollars is None else max(0.0, held.dollars - (spent.dollars or 0.0))
    return Spent(tokens=max(0, held.tokens - spent.tokens), dollars=dollars)


def _caps(limits: LoopLimits) -> Caps:
    return Caps(limits.iterations, limits.minutes * 60, limits.tokens, limits.dollars)
