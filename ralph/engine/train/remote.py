"""The train as the daemon runs it: in a worker of its own, recorded as it goes, stopped with the agents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ralph.domain import Cause, GateResult
from ralph.engine import messages
from ralph.engine.executor import Link
from ralph.engine.faults import point
from ralph.engine.messages import Tell, adapter, plain
from ralph.engine.train.gather import base_now, candidates, plan_of
from ralph.engine.train.values import Candidate, Plan, Train
from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.engine.night import Night

SPARE_SECONDS = 120
"""What the worker gets beyond the time box and the gate that runs at its end."""


class Conductor:
    """Runs the trains of one night; the last one counts."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.step = ""
        """What is being tried; empty: no train runs."""
        self.link: Link | None = None
        """The line to its worker, while one runs: who stops the night's workers stops this one as well."""
        self.last: Train | None = None
        self._made_of: tuple[str, ...] = ()
        self._early: asyncio.Task[None] | None = None

    def early(self, closes: datetime) -> None:
        """Have a first train before the window closes, while loops may still work."""
        minutes = self.night.config.night.train_minutes
        if minutes:
            self._early = asyncio.create_task(self._before(closes - timedelta(minutes=minutes)))

    async def run(self, leaving: str) -> None:
        """Run the train over what the night came to, unless the last one was of the same branches.

        ``leaving``: why a person wants the daemon to end; then nothing new begins.
        """
        early, self._early = self._early, None
        if early:
            if leaving or not (self.link and await self._same()):
                early.cancel()
            await asyncio.gather(early, return_exceptions=True)
        await self._ride(leaving)

    def refused(self) -> list[str]:
        """Branches that were tried and do not land: a person has to look at them."""
        return [one.branch for one in self.last.left if one.why in ("red", "conflict")] if self.last else []

    async def _before(self, moment: datetime) -> None:
        while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
            await asyncio.sleep(min(left, 60))
        await self._ride(self.night.stopping)

    async def _same(self) -> bool:
        base, some = await self._look()
        return _key(base, some) == self._made_of

    async def _ride(self, stopped: str) -> None:
        """Gather and run; a train that can't be run is a warning, never the end of a night."""
        night = self.night
        if not night.config.night.train_minutes:
            return
        try:
            base, some = await self._look()
            if not some or self._made_of == _key(base, some):
                return
            plan = self._plan(base, some)
            if stopped:
                self._record(plan, _not_run(plan, f"the night was stopped before it ({stopped})"))
                return
            self._made_of = _key(base, some)
            heads = {one.branch: one.head for one in some}
            night.record("train_began", {"base_commit": base, "heads": heads}, iteration=plan.spec.iteration)
            self._record(plan, await self._driven(plan))
        except (RalphError, OSError, ValueError) as error:  # a full disk, or a worker that says what is no train
            night.record("warning", {"text": f"the train could not be run: {str(error)[:500]}"})

    async def _look(self) -> tuple[str, tuple[Candidate, ...]]:
        """The base as it is now, and the branches."""
        night = self.night
        states = {id: replace(state) for id, state in night.board.tasks.items()}  # loops may still work

        def found() -> tuple[str, tuple[Candidate, ...]]:
            base = base_now(night.mirror, night.config.night.base, night.base)
            return base, candidates(night.layout, states, night.rows, base, set(night.landed))

        return await asyncio.to_thread(found)

    def _plan(self, base: str, some: tuple[Candidate, ...]) -> Plan:
        night = self.night
        table = night.config.night
        frozen = night.layout.frozen(night.id)
        names = (table.base, base, night.base)
        return plan_of(night.layout, night.id, frozen, night.sandbox.name, names, some, table.train_minutes)

    def _record(self, plan: Plan, found: Train) -> None:
        self.last = found
        self.night.record("train", plain(found), iteration=plan.spec.iteration)
        point("train")

    async def _driven(self, plan: Plan) -> Train:
        night = self.night
        link = await night.executor.start(plan.spec.config)
        longest = max((gate.timeout for gate in night.config.gates), default=0)
        clock = asyncio.get_running_loop().call_later(plan.minutes * 60 + longest + SPARE_SECONDS, link.kill)
        self.link, self.step = link, "merging"
        try:
            return await self._conversation(link, plan)
        finally:
            clock.cancel()
            self.link, self.step = None, ""
            await link.close()

    async def _conversation(self, link: Link, plan: Plan) -> Train:
        before = self.night.stopping  # the end of the grace stops agents, not what comes after them
        if not isinstance(await link.hear(), messages.Ready):
            return _not_run(plan, "its worker did not start")
        link.tell(messages.RunTrain(plan))
        if self.night.stopping != before:
            link.tell(Tell(self.night.stopping, stop=True, cause=Cause.STOPPED))
        while (message := await link.hear()) is not None:
            match message:
                case messages.Step():
                    self.step = message.detail
                case messages.Snapshot():
                    link.tell(messages.Known(self.night.verdicts_of(message.tree)))
                case messages.Judged():
                    self._judged(plan, message.tree, message.gates)
                case messages.TrainRan():
                    return read(message.found)
                case messages.Broken():
                    return _not_run(plan, f"it broke: {message.reason}")
                case _:
                    pass
        return _not_run(plan, f"it was stopped: {self.night.stopping}" if self.night.stopping else "its worker died")

    def _judged(self, plan: Plan, tree: str, gates: Sequence[GateResult]) -> None:
        with self.night.ledger.together():
            for gate in gates:
                self.night.record("gate", {"tree": tree, **plain(gate)}, iteration=plan.spec.iteration)
        self.night.remember(tree, tuple(gates))
        point("train-judged")


def read(data: object) -> Train:
    found: Train = adapter(Train).validate_python(data)
    return found


def _not_run(plan: Plan, why: str) -> Train:
    return Train(plan.base, plan.spec.head, plan.spec.head != plan.pinned, (), stopped=why)


def _key(base: str, some: Sequence[Candidate]) -> tuple[str, ...]:
    return (base, *(f"{one.branch} {one.head}" for one in some))
