"""What happens to a commit while the next agent already works: delivery, note, push, pull request, progress."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ralph.core.secrets import Redactor
from ralph.domain import Task
from ralph.engine import opening
from ralph.engine.audit import attested
from ralph.engine.faults import point
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.engine.note import note_of
from ralph.errors import GitError, RalphError
from ralph.forge.base import Forge, Proposal
from ralph.memory.ledger import Event, Ledger
from ralph.vcs import delivery, user
from ralph.vcs.workspace import Workspace
from ralph.verify import attest

NOTES = "refs/notes/ralph"
ROOM_SECONDS = 0.5
"""How long a loop's next agent may take to start before what the last one did is sent."""

log = logging.getLogger("ralph")


@dataclass(frozen=True, slots=True)
class _Parcel:
    loop: LoopState
    commit: str
    task: Task


def unpublished(ledger: Ledger) -> list[Event]:
    """Commits that came after the last one of their branch for which the pull request was brought up to date."""
    told = {event.data.get("head") for event in ledger.events(kinds=("pull_request",))}
    waiting: dict[str, list[Event]] = {}
    for event in ledger.events(kinds=("committed",)):
        branch = waiting.setdefault(event.data["branch"], [])
        if event.data["commit"] in told:
            branch.clear()
        else:
            branch.append(event)
    return [event for branch in waiting.values() for event in branch]


class Publisher:
    """One queue for the whole night: parcels leave one by one, the newest commit of a branch last."""

    def __init__(self, night: Night, forge: Forge) -> None:
        self._night, self._forge = night, forge
        self._queue: asyncio.Queue[_Parcel | Callable[[], None] | None] = asyncio.Queue()
        self._unsent: dict[str, _Parcel] = {}
        """Per branch the last parcel that could not be sent."""
        self._left: list[_Parcel] = []
        self._task = asyncio.create_task(self._work())

    def publish(self, loop: LoopState, commit: str, task: Task) -> None:
        self._put(_Parcel(loop, commit, task))

    def left(self) -> list[str]:
        """Branches that are still to be sent, the one under way first."""
        refs = (opening.branch_ref(self._night, parcel.loop, parcel.task) for parcel in self._left)
        return list(dict.fromkeys(ref.removeprefix("refs/heads/") for ref in refs))

    def _put(self, parcel: _Parcel) -> None:
        self._left.append(parcel)
        self._queue.put_nowait(parcel)

    def later(self, work: Callable[[], None]) -> None:
        """Run something small after what is queued (the progress log)."""
        self._queue.put_nowait(work)

    async def finish(self) -> None:
        """Send what is queued, try once more what could not be sent, and stop."""
        await self._queue.join()
        for parcel in list(self._unsent.values()):
            self._put(parcel)
        self._queue.put_nowait(None)
        await self._task

    async def _work(self) -> None:
        while (parcel := await self._queue.get()) is not None:
            try:
                if isinstance(parcel, _Parcel):
                    await self._send(parcel)
                else:
                    parcel()
            except Exception as error:  # noqa: BLE001 - one parcel that can't be sent must not hold up the others
                self._failed(parcel, error)
            finally:
                if isinstance(parcel, _Parcel):
                    self._left.remove(parcel)
                self._queue.task_done()

    def _failed(self, parcel: _Parcel | Callable[[], None], error: Exception) -> None:
        if not isinstance(error, (RalphError, OSError)):
            log.exception("publishing broke", exc_info=error)
        if isinstance(parcel, _Parcel):
            branch = opening.branch_ref(self._night, parcel.loop, parcel.task)
            self._unsent[branch] = parcel
            hint = getattr(error, "hint", "")
            reason = f"{error}; {hint}" if hint else str(error)
            self._night.record("delivery_failed", {"branch": branch, "reason": reason})
        else:
            self._night.record("warning", {"text": f"the progress log or tasks.json can't be written: {error}"})

    async def _send(self, parcel: _Parcel) -> None:
        night, loop = self._night, parcel.loop
        branch = opening.branch_ref(night, loop, parcel.task)
        where = {"loop": loop.name, "task": parcel.task.id}
        await _next_at_work(loop)
        point("delivering")
        (known, order), head = await self._known(branch, parcel), parcel.commit
        if known and order is _Order.BELOW:
            outcome, head = delivery.Delivery("unchanged", branch, "already below the branch's head"), known
        else:
            outcome = await asyncio.to_thread(
                delivery.deliver, night.layout.repo, loop.workspace.git_dir, branch, head, known
            )
            night.delivered[branch] = head if outcome.how != "parked" else night.delivered[branch]
        data = {"branch": branch, "commit": parcel.commit, "how": outcome.how, "detail": outcome.detail}
        night.record("delivered", data, **where)
        point("delivered")
        await asyncio.to_thread(delivery.write_note, night.layout.repo, parcel.commit, _note(night, parcel))
        point("noted")
        if night.config.forge.kind != "local":
            await self._push(loop, branch, head, where)
        await self._propose(loop, branch, replace(parcel, commit=head))
        self._unsent.pop(branch, None)
        point("proposed")

    async def _known(self, branch: str, parcel: _Parcel) -> tuple[str | None, _Order]:
        """Commit that the user's branch has from us; a head that the new commit does not stand on goes to the attic."""
        night, repo = self._night, self._night.layout.repo
        if branch not in night.delivered:
            there = await asyncio.to_thread(delivery.existing_branch, repo, branch)
            night.delivered[branch] = there if there in self._ours(branch, "ref", "unchanged") else None
        known, space = night.delivered[branch], parcel.loop.workspace
        order = await asyncio.to_thread(_order, space, parcel.commit, known) if known else _Order.APART
        if known and order is _Order.APART:
            if known not in self._ours(branch, "ref", "unchanged"):
                return None, order  # somebody rewrote the branch: ours is parked beside it
            await asyncio.to_thread(delivery.attic, repo, branch, known)
        return known, order

    def _ours(self, branch: str, *how: str) -> set[str]:
        """Commits that went to a branch in any night."""
        rows = (event.data for event in self._night.ledger.events(kinds=("delivered",)))
        return {row["commit"] for row in rows if row["branch"] == branch and row["how"] in how}

    async def _push(self, loop: LoopState, branch: str, commit: str, where: dict[str, str]) -> None:
        night, remote = self._night, self._night.config.forge.remote
        git_dir = loop.workspace.git_dir
        url = await asyncio.to_thread(user.remote_url, night.layout.repo, remote)
        expected = night.pushed.get(branch)
        if expected is None:
            expected = await asyncio.to_thread(delivery.remote_branch, night.layout.repo, git_dir, url, branch)
            space = loop.workspace
            known = expected in (None, *self._ours(branch, "pushed"))
            known = known or expected == commit
            if not known and await asyncio.to_thread(_order, space, commit, expected or "") is not _Order.ABOVE:
                what = f"{branch} at {remote} has commits of somebody else ({(expected or '')[:12]})"
                name = branch.removeprefix("refs/heads/")
                raise GitError(what, f"`git fetch {remote} {name}` and merge it into {name} here, or remove it there")
        done = await asyncio.to_thread(delivery.push, night.layout.repo, git_dir, url, branch, commit, expected)
        if done.how == "rejected":
            raise GitError(f"push of {branch} to {remote} was refused: {done.detail}", "look at the branch there")
        night.pushed[branch] = commit
        if night.config.forge.push_notes:
            await self._push_notes(git_dir, url)
        night.record("delivered", {"branch": branch, "commit": commit, "how": "pushed", "detail": remote}, **where)

    async def _push_notes(self, git_dir: Path, url: str) -> None:
        """Push refs/notes/ralph from the user's repository, where the notes are."""
        repo = self._night.layout.repo
        head = await asyncio.to_thread(delivery.existing_branch, repo, NOTES)
        there = await asyncio.to_thread(delivery.remote_branch, repo, git_dir, url, NOTES)
        if head and head != there:
            await asyncio.to_thread(delivery.push, repo, user.git_dirs(repo)[1], url, NOTES, head, there)

    def _events(self, parcel: _Parcel, brings: Collection[str]) -> list[Event]:
        """What bears on the commits that the branch has beyond the base, and how long ago does not matter."""
        night, ledger = self._night, self._night.ledger
        commits = list(ledger.events(kinds=("committed",)))
        mine = [event for event in commits if event.data["commit"] in brings]
        tasks, gone = {event.task for event in mine}, {e.seq for e in commits} - {e.seq for e in mine}
        branch = opening.branch_ref(night, parcel.loop, parcel.task)
        kinds = ("began", "agent_ended", "review_ended", "settled", "committed", "night_started")
        rows = [
            event
            for one in {event.night for event in mine} | {night.id}
            for event in ledger.events(night=one, kinds=kinds)
            if event.task in tasks or event.kind in ("night_started", "committed")
            if event.seq not in gone or event.data["branch"] != branch
        ]
        for event in mine:
            rows += ledger.events(iteration=event.iteration, kinds=("gate",))
        return sorted(rows, key=lambda event: event.seq)

    def _attestation(self, branch: str, head: str, brings: list[str]) -> str:
        """What stands at the end of the body: which verdicts hold for which commits, bound to this head."""
        told = attested.statement(self._night.ledger, head, self._night.base, branch, brings)
        return attest.section(told) if told else ""

    async def _propose(self, loop: LoopState, branch: str, parcel: _Parcel) -> None:
        from ralph.forge.body import compose

        night = self._night
        redact = Redactor(night.secrets.values()).text
        brings = await asyncio.to_thread(loop.workspace.since, night.base, parcel.commit)
        diff = await asyncio.to_thread(loop.workspace.diff, night.base, parcel.commit, 400_000)
        tasks = {task.id: task for task in night.current_tasks()}
        title, body = compose(self._events(parcel, set(brings)), branch, night.config, tasks, redact)
        body += self._attestation(branch, parcel.commit, brings)
        proposal = Proposal(
            branch=branch.removeprefix("refs/heads/"),
            base=night.config.night.base.removeprefix("origin/"),
            head=parcel.commit,
            base_commit=night.base,
            title=title,
            body=body,
            draft=night.config.forge.draft,
            diff=diff,
        )
        found = await asyncio.to_thread(self._forge.publish, proposal)
        data = {"branch": proposal.branch, "number": found.number, "url": found.url, "state": found.state}
        night.record("pull_request", {**data, "draft": found.draft, "head": parcel.commit}, loop=loop.name)


class _Order(Enum):
    """How a commit lies to another one."""

    ABOVE = "above"
    """It stands on the other."""
    BELOW = "below"
    """It is the other, or part of it."""
    APART = "apart"
    """Neither, or one of them is not known here."""


def _order(space: Workspace, commit: str, other: str) -> _Order:
    if not (space.knows(other) and space.knows(commit)):
        return _Order.APART
    if commit != other and space.contains(commit, other):
        return _Order.ABOVE
    return _Order.BELOW if space.contains(other, commit) else _Order.APART


async def _next_at_work(loop: LoopState) -> None:
    """Let the loop's next agent start first; at most half a second, where nothing more is to be done."""
    end = time.monotonic() + ROOM_SECONDS
    while loop.step in ("idle", "prepare") and not loop.detail and time.monotonic() < end:
        await asyncio.sleep(0.01)


def _note(night: Night, parcel: _Parcel) -> str:
    """The evidence of the parcel's commit."""
    made = next(e for e in night.ledger.events(kinds=("committed",)) if e.data["commit"] == parcel.commit)
    return note_of(night.ledger, made)
