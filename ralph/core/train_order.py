"""Which branches land together: their order, and the smallest set of them that does not. Pure; trials are the caller's.

A trial merges some branches and says what is wrong with the result. The search believes that what is wrong with a
set is wrong with every larger one; where that does not hold, what it names is still really wrong, if not the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

Names = tuple[str, ...]


class Ended(Exception):
    """Trials stop here; the words say why. Raised by a trial, never out of ``assemble``."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as far as its place in the order goes."""

    name: str
    files: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    """Names of the branches that it builds on: it can't land without them."""
    first: int = 0
    """Earlier ones come first where nothing else decides."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with some branches together."""

    kind: Literal["conflict", "red"]
    at: Names
    """Paths that conflict; tests, or gates without test ids, that are red."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A branch that does not land, and why."""

    name: str
    beside: Names = ()
    """The other branches of the smallest set that does not land; empty: it does not land alone."""
    fault: Fault | None = None
    """None where it only builds on one that is left, or was not tried."""
    behind: str = ""
    """The branch left out that this one builds on."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """What lands, in this order, and what does not."""

    land: Names
    left: tuple[Left, ...] = ()
    untried: Names = ()
    """Nothing is known of these together with ``land``."""
    open: tuple[Names, Fault] | None = None
    """The smallest set known not to land, where the trials ended before it was narrowed down."""
    ground: Fault | None = None
    """What is wrong without any branch: then nothing can be said of them."""
    stopped: str = ""
    """Why the trials ended early."""


Trial = Callable[[Names], Fault | None]


@dataclass
class _Trials:
    """Trials of sets that were made: none is made twice."""

    branches: Sequence[Branch]
    trial: Trial
    known: dict[Names, Fault | None] = field(default_factory=dict)

    def of(self, names: Collection[str]) -> Fault | None:
        """What is wrong with these and everything that they build on."""
        wanted = _closed(names, self.branches)
        if wanted not in self.known:
            self.known[wanted] = self.trial(wanted)
        return self.known[wanted]


def order(branches: Sequence[Branch]) -> list[Branch]:
    """What others build on first, then those that share the fewest files with others, fewer files, earlier ones."""
    left = {branch.name: branch for branch in branches}
    shared = {one.name: sum(len(one.files & other.files) for other in branches if other is not one) for one in branches}
    ordered: list[Branch] = []
    while left:
        ready = [one for one in left.values() if not one.after & left.keys()] or list(left.values())
        best = min(ready, key=lambda one: (shared[one.name], len(one.files), one.first, one.name))
        ordered.append(left.pop(best.name))
    return ordered


def smallest(items: Sequence[str], fails: Callable[[Names], bool]) -> Names:
    """A part of ``items`` that fails, none of whose members can be spared; ``items`` as a whole is known to fail.

    One binary search for each member: the shortest failing beginning ends in a member that can't be spared, and what
    comes after it can. Empty where nothing at all is needed to fail.
    """
    found: Names = ()
    rest = tuple(items)
    while not fails(found):
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            if fails((*rest[:middle], *found)):
                high = middle
            else:
                low = middle
        found, rest = (rest[high - 1], *found), rest[: high - 1]
    return found


def assemble(branches: Sequence[Branch], trial: Trial) -> Assembly:
    """Try all together; while that fails, leave out the last member of a smallest set that fails.

    ``branches`` are in order. What builds on a branch that is left out is left out with it.
    """
    trials = _Trials(branches, trial)
    land: Names = tuple(branch.name for branch in branches)
    left: list[Left] = []
    try:
        while trials.of(land) is not None:
            members = smallest(land, lambda names: trials.of(names) is not None)
            if not members:
                return Assembly((), tuple(left), untried=land, ground=trials.of(()))
            left += _leave(members, land, trials)
            land = tuple(name for name in land if name not in {one.name for one in left})
    except Ended as ended:
        return _cut_short(trials, land, tuple(left), str(ended))
    return Assembly(land, tuple(left))


def _leave(members: Names, land: Names, trials: _Trials) -> list[Left]:
    out = members[-1]
    beside = members[:-1] or tuple(name for name in _closed(members, trials.branches) if name != out)
    stacked = [name for name in land if name != out and out in _closed([name], trials.branches)]
    return [Left(out, beside, trials.of(members)), *(Left(name, behind=out) for name in stacked)]


def _cut_short(trials: _Trials, land: Names, left: tuple[Left, ...], why: str) -> Assembly:
    """What the trials that were made tell about the branches that are not left out yet."""
    among = {names: fault for names, fault in trials.known.items() if set(names) <= set(land)}
    good = max((names for names, fault in among.items() if fault is None), key=len, default=())
    bad = [(names, fault) for names, fault in among.items() if fault is not None]
    open_ = min(bad, key=lambda one: len(one[0]), default=None)
    return Assembly(good, left, tuple(name for name in land if name not in good), open_, stopped=why)


def _closed(names: Collection[str], branches: Sequence[Branch]) -> Names:
    """These and all that they build on, in the order of ``branches``."""
    after = {branch.name: branch.after for branch in branches}
    wanted: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in after and name not in wanted:
            wanted.add(name)
            todo += after[name]
    return tuple(branch.name for branch in branches if branch.name in wanted)
