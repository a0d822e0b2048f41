"""Caps that stop: what was spent, which cap it reached, and how much may still be reserved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ralph.domain import Cause, Usage


def exceeded(cap: float, used: float) -> bool:
    """The one place where a cap is judged; a cap of 0 never stops anything."""
    return 0 < cap <= used


class Measure(StrEnum):
    """What a cap counts."""

    ITERATIONS = "iterations"
    SECONDS = "seconds"
    TOKENS = "tokens"
    DOLLARS = "dollars"

    @property
    def cause(self) -> Cause | None:
        """The cause under which a running process is ended; None: a count of iterations ends none."""
        return _CAUSES.get(self)


_CAUSES = {Measure.SECONDS: Cause.TIMEOUT, Measure.TOKENS: Cause.TOKENS, Measure.DOLLARS: Cause.DOLLARS}


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps of one scope; 0 = no cap."""

    iterations: int = 0
    seconds: float = 0
    tokens: int = 0
    dollars: float = 0

    def of(self, measure: Measure) -> float:
        return float(getattr(self, measure.value))


@dataclass(frozen=True, slots=True)
class Spent:
    """What one scope has used. ``dollars`` is the priced part; None where no part of it has a price."""

    iterations: int = 0
    seconds: float = 0
    tokens: int = 0
    dollars: float | None = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            iterations=self.iterations + other.iterations,
            seconds=self.seconds + other.seconds,
            tokens=self.tokens + other.tokens,
            dollars=_known(self.dollars, other.dollars),
        )

    @classmethod
    def of_usage(cls, usage: Usage) -> Spent:
        return cls(tokens=usage.counted, dollars=usage.dollars)

    def of(self, measure: Measure) -> float | None:
        value = getattr(self, measure.value)
        return None if value is None else float(value)


def _known(left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return left if right is None else right
    return left + right


@dataclass(frozen=True, slots=True)
class Scope:
    """Something that has caps of its own: an iteration, a task, a role, a loop or the night."""

    name: str
    """iteration, task, role, loop or night."""
    caps: Caps
    spent: Spent
    key: str = ""
    """Which one: the task's id, the loop's name."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A cap that was reached, or nearly."""

    scope: str
    cause: Measure
    cap: float
    used: float
    key: str = ""

    def __str__(self) -> str:
        whose = f"{self.scope} {self.key}" if self.key else self.scope
        return f"{whose}: {self.used:g} of {self.cap:g} {self.cause}"


def check(scopes: Iterable[Scope]) -> Hit | None:
    """The first cap that is reached, in the order of the scopes."""
    return next(_hits(scopes, 1.0), None)


def near(scopes: Iterable[Scope], pause_at: float) -> tuple[Hit, ...]:
    """Every cap of which the share ``pause_at`` (0..1] is used; one measure at most for each scope."""
    first: dict[tuple[str, str], Hit] = {}
    for hit in _hits(scopes, pause_at):
        first.setdefault((hit.scope, hit.key), hit)
    return tuple(first.values())


def _hits(scopes: Iterable[Scope], share: float) -> Iterator[Hit]:
    for scope in scopes:
        for measure in Measure:
            cap, used = scope.caps.of(measure), scope.spent.of(measure)
            if used is not None and exceeded(cap * share, used):
                yield Hit(scope.name, measure, cap, used, scope.key)


class Decision(StrEnum):
    """Answer to a request for budget."""

    GRANT = "grant"
    WAIT = "wait"
    """It would fit if others gave back what they hold."""
    DENY = "deny"
    """It would not fit even then."""


@dataclass(frozen=True, slots=True)
class Answer:
    decision: Decision
    hit: Hit | None = None
    """The cap that stands in the way."""


@dataclass(slots=True)
class _Held:
    scopes: tuple[str, ...]
    tokens: int
    dollars: float


class Reservations:
    """Budget of several scopes at once: what is used plus what is held never passes a cap by a grant.

    A model call asks first, is charged for what it really took, and gives the rest back.
    """

    def __init__(self) -> None:
        self._caps: dict[str, Caps] = {}
        self._used: dict[str, Spent] = {}
        self._held: dict[str, _Held] = {}

    def open(self, scope: str, caps: Caps, spent: Spent | None = None) -> None:
        """Make a scope known, or give it new caps; ``spent`` (where given) replaces what is booked on it."""
        self._caps[scope] = caps
        if spent is not None or scope not in self._used:
            self._used[scope] = spent or Spent()

    def ask(self, id: str, scopes: Sequence[str], tokens: int, dollars: float | None = 0.0) -> Answer:
        """Reserve in all scopes or in none. Dollars of None (no price known) reserve no dollars.

        Raises ValueError for a negative amount and for an id that holds something already.
        """
        if tokens < 0 or (dollars or 0) < 0:
            raise ValueError(f"a reservation can't be negative: {tokens} tokens, {dollars} dollars")
        if id in self._held:
            raise ValueError(f"{id!r} holds a reservation already")
        waits: Hit | None = None
        for scope in scopes:
            for measure, amount in ((Measure.TOKENS, tokens), (Measure.DOLLARS, dollars or 0.0)):
                cap, used = self._caps[scope].of(measure), self.used(scope).of(measure) or 0.0
                held = self.held(scope, measure)
                if cap <= 0 or (not exceeded(cap, used + held) and math.fsum((used, held, amount)) <= cap):
                    continue
                hit = Hit(scope, measure, cap, used + held)
                if exceeded(cap, used) or used + amount > cap:
                    return Answer(Decision.DENY, hit)
                waits = waits or hit
        if waits:
            return Answer(Decision.WAIT, waits)
        self._held[id] = _Held(tuple(scopes), tokens, dollars or 0.0)
        return Answer(Decision.GRANT)

    def charge(self, id: str, spent: Spent, scopes: Sequence[str] = ()) -> None:
        """Book what one call took: it comes off what ``id`` holds and is used for good.

        ``scopes`` says where it counts if ``id`` holds nothing; a charge is never refused, money is spent.
        """
        held = self._held.get(id)
        if held:
            held.tokens = max(0, held.tokens - spent.tokens)
            held.dollars = max(0.0, held.dollars - (spent.dollars or 0.0))
        for scope in held.scopes if held else scopes:
            self._used[scope] = self.used(scope) + spent

    def release(self, id: str) -> None:
        """Give back what ``id`` still holds; nothing happens where it holds nothing."""
        self._held.pop(id, None)

    def forfeit(self, id: str) -> None:
        """Book what ``id`` still holds as used: nobody can say any more what became of it."""
        held = self._held.pop(id, None)
        if held:
            for scope in held.scopes:
                self._used[scope] = self.used(scope) + Spent(tokens=held.tokens, dollars=held.dollars)

    def settle(self, id: str, spent: Spent, scopes: Sequence[str] = ()) -> None:
        """Charge and release in one go: the end of one model call."""
        self.charge(id, spent, scopes)
        self.release(id)

    def used(self, scope: str) -> Spent:
        return self._used.get(scope, Spent())

    def held(self, scope: str, measure: Measure) -> float:
        """Tokens or dollars that are held in a scope at this moment."""
        mine = (held for held in self._held.values() if scope in held.scopes)
        return math.fsum(held.tokens if measure is Measure.TOKENS else held.dollars for held in mine)

    def known(self, scope: str) -> bool:
        return scope in self._caps

    def scope(self, name: str) -> Scope:
        """One known scope. Raises KeyError for an unknown one."""
        return Scope(name, self._caps[name], self.used(name))

    def scopes(self) -> tuple[Scope, ...]:
        """The known scopes as values for ``check`` and ``near``. Only what is used counts there: who holds
        budget has not spent it, and a run that reserves its whole cap is not near that cap."""
        return tuple(Scope(name, caps, self.used(name)) for name, caps in self._caps.items())
