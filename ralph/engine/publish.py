"""What happens to a commit while the next agent already works: delivery, note, push, pull request, progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ralph.core.secrets import Redactor
from ralph.domain import Task
from ralph.engine import opening
from ralph.engine.faults import point
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.errors import GitError, RalphError
from ralph.forge.base import Forge, Proposal
from ralph.memory.ledger import Event, Ledger
from ralph.vcs import delivery, user

NOTES = "refs/notes/ralph"


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
        self._task = asyncio.create_task(self._work())

    def publish(self, loop: LoopState, commit: str, task: Task) -> None:
        self._queue.put_nowait(_Parcel(loop, commit, task))

    def later(self, work: Callable[[], None]) -> None:
        """Run something small after what is queued (the progress log)."""
        self._queue.put_nowait(work)

    async def finish(self) -> None:
        """Send what is queued and stop."""
        self._queue.put_nowait(None)
        await self._task

    async def _work(self) -> None:
        while (parcel := await self._queue.get()) is not None:
            try:
                if isinstance(parcel, _Parcel):
                    await self._send(parcel)
                else:
                    parcel()
            except (RalphError, OSError) as error:
                branch = (
                    opening.branch_ref(self._night, parcel.loop, parcel.task) if isinstance(parcel, _Parcel) else ""
                )
                self._night.record("delivery_failed", {"branch": branch, "reason": str(error)})

    async def _send(self, parcel: _Parcel) -> None:
        night, loop = self._night, parcel.loop
        branch = opening.branch_ref(night, loop, parcel.task)
        where = {"loop": loop.name, "task": parcel.task.id}
        point("delivering")
        known = night.delivered.get(branch)
        outcome = await asyncio.to_thread(
            delivery.deliver, night.layout.repo, loop.workspace.git_dir, branch, parcel.commit, known
        )
        night.delivered[branch] = parcel.commit if outcome.how != "parked" else known
        data = {"branch": branch, "commit": parcel.commit, "how": outcome.how, "detail": outcome.detail}
        night.record("delivered", data, **where)
        point("delivered")
        await asyncio.to_thread(delivery.write_note, night.layout.repo, parcel.commit, _note(night, parcel))
        point("noted")
        if night.config.forge.kind != "local":
            await self._push(loop, branch, parcel.commit, where)
        await self._propose(loop, branch, parcel)
        point("proposed")

    async def _push(self, loop: LoopState, branch: str, commit: str, where: dict[str, str]) -> None:
        night, remote = self._night, self._night.config.forge.remote
        git_dir = loop.workspace.git_dir
        url = await asyncio.to_thread(user.remote_url, night.layout.repo, remote)
        expected = night.pushed.get(branch)
        if expected is None:
            expected = await asyncio.to_thread(delivery.remote_branch, night.layout.repo, git_dir, url, branch)
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

    def _events(self, branch: str) -> list[Event]:
        """Everything that bears on a branch: this night, and earlier ones in which it got commits."""
        ledger = self._night.ledger
        nights = {event.night for event in ledger.events(kinds=("committed",)) if event.data["branch"] == branch}
        return [event for event in ledger.events() if event.night in nights | {self._night.id}]

    async def _propose(self, loop: LoopState, branch: str, parcel: _Parcel) -> None:
        from ralph.forge.body import compose

        night = self._night
        redact = Redactor(night.secrets.values()).text
        diff = await asyncio.to_thread(loop.workspace.diff, night.base, parcel.commit, 400_000)
        tasks = {task.id: task for task in night.current_tasks()}
        title, body = compose(self._events(branch), branch, night.config, tasks, redact)
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


def _note(night: Night, parcel: _Parcel) -> str:
    """Evidence of one commit as JSON lines: the guards and gates of exactly its tree, as the ledger has them."""
    import json

    made = next(e for e in night.ledger.events(kinds=("committed",)) if e.data["commit"] == parcel.commit)
    rows = night.ledger.events(iteration=made.iteration, kinds=("guard", "gate", "committed"))
    own = (row for row in rows if row.data["tree"] == made.data["tree"])
    return "".join(json.dumps({"event": row.kind, **row.data}, sort_keys=True) + "\n" for row in own)
