"""Branches merged one after another onto the base, without a work tree; each combination is made once."""

from __future__ import annotations

from collections.abc import Mapping

from ralph.core.train_order import Fault, Names
from ralph.vcs.objects import RALPH
from ralph.vcs.store import Store


class Couplings:
    """Commits of combinations in ``store``, which holds all heads. Objects are written, no ref moves."""

    def __init__(self, store: Store, base: str, heads: Mapping[str, str]) -> None:
        self.store, self.base, self.heads = store, base, heads
        self._made: dict[Names, str | Fault] = {(): base}

    def of(self, names: Names) -> str | Fault:
        """The commit of these branches merged in this order, or the paths that conflict."""
        if names not in self._made:
            before = self.of(names[:-1])
            self._made[names] = before if isinstance(before, Fault) else self._merged(before, names[-1])
        return self._made[names]

    def conflict(self, names: Names) -> Fault | None:
        made = self.of(names)
        return made if isinstance(made, Fault) else None

    def brings(self, name: str) -> bool:
        """Whether a branch would change the base at all: what was squashed into it brings nothing."""
        made = self.of((name,))
        return isinstance(made, Fault) or self.store.tree_of(made) != self.store.tree_of(self.base)

    def _merged(self, ours: str, name: str) -> str | Fault:
        store, theirs = self.store, self.heads[name]
        if store.contains(ours, theirs):
            return ours
        if store.contains(theirs, ours):
            return theirs
        tree, paths = store.merge(ours, theirs)
        if tree is None:
            return Fault("conflict", tuple(paths))
        date = max(store.date_of(ours), store.date_of(theirs)) + 1
        return store.commit_object(tree, [ours, theirs], f"Merge {name}\n", RALPH, RALPH, date)
