"""Which live branches would conflict with each other: looked at after each commit, beside everything else."""

from __future__ import annotations

import asyncio
import logging
from itertools import combinations
from typing import TYPE_CHECKING

from ralph.errors import RalphError
from ralph.host.files import own_directory
from ralph.vcs.store import Store

if TYPE_CHECKING:
    from ralph.engine.night import Night

Pair = tuple[str, str]

log = logging.getLogger("ralph")


class Forecast:
    """The conflicts of one night. Merges are made in a store of its own that borrows every loop's objects."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.clashes: dict[Pair, tuple[str, ...]] = {}
        """Per pair of branches the paths in which they conflict now."""
        self._seen: dict[Pair, tuple[str, str]] = {}
        """Per pair the heads that were merged last."""
        self._store: Store | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = False
        for event in night.ledger.events(night=night.id, kinds=("forecast",)):
            one, other = event.data["branches"]
            self.clashes[one, other] = tuple(event.data["paths"])

    def soon(self) -> None:
        """Look at the branches as they are now, in the background."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def finish(self) -> None:
        """Wait until nothing is left to look at."""
        if self._task:
            await self._task

    def shown(self) -> list[dict[str, list[str]]]:
        """Pairs that conflict, for the status."""
        return [{"branches": [*pair], "paths": [*paths]} for pair, paths in sorted(self.clashes.items()) if paths]

    async def _work(self) -> None:
        while self._again:
            self._again = False
            try:
                heads = self._heads()
                found = await asyncio.to_thread(self._merged, heads)
            except (RalphError, OSError) as error:
                log.warning("the forecast could not be made: %s", error)
                return
            self._record(found, heads)

    def _heads(self) -> dict[str, str]:
        """Per branch of tonight its head, where there is something on it."""
        night = self.night
        if night.config.night.branch_per == "loop":
            live = {f"ralph/{loop.name}": loop.head for loop in night.loops.values()}
        else:
            live = {
                state.branch.removeprefix("refs/heads/"): state.commit
                for id, state in night.board.tasks.items()
                if state.commit and state.branch and state.loop in night.loops and id not in night.landed
            }
        return {branch: head for branch, head in live.items() if head != night.base}

    def _merged(self, heads: dict[str, str]) -> dict[Pair, tuple[str, ...]]:
        """Paths per pair that has a new head; milliseconds each."""
        store = self._store = self._store or self._laid()
        found: dict[Pair, tuple[str, ...]] = {}
        for one, other in combinations(sorted(heads), 2):
            both = heads[one], heads[other]
            if self._seen.get((one, other)) != both:
                found[one, other] = tuple(store.merge(*both)[1])
                self._seen[one, other] = both
        return found

    def _record(self, found: dict[Pair, tuple[str, ...]], heads: dict[str, str]) -> None:
        """Only what is new: a conflict, other paths of one, or its end."""
        gone = {pair: () for pair in self.clashes if not set(pair) <= heads.keys()}
        for pair, paths in {**found, **gone}.items():
            if paths != self.clashes.get(pair, ()):
                self.clashes[pair] = paths
                self.night.record("forecast", {"branches": list(pair), "paths": list(paths)})

    def _laid(self) -> Store:
        root = self.night.layout.root / "forecast"
        own_directory(root)
        store = Store(root / "git", self.night.layout.mirror)
        store.lay_git_dir()
        with (store.objects / "info/alternates").open("a", encoding="utf-8") as file:
            file.writelines(f"{loop.workspace.objects}\n" for loop in self.night.loops.values())
        return store
