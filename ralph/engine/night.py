"""One night: what all its loops share, and the only place that writes the ledger while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ralph import agents
from ralph.agents import waits
from ralph.config import Config
from ralph.core import pick
from ralph.core.claims import Claim
from ralph.core.pick import Idle, Pick
from ralph.core.retry import first_agent
from ralph.core.states import is_open
from ralph.domain import Cause, GateResult, Status, Task, Verdict, Wait
from ralph.engine import scene
from ralph.engine.accounts import Accounts
from ralph.engine.board import Board
from ralph.engine.budget import Budget
from ralph.engine.executor import Executor, Link
from ralph.engine.faults import point
from ralph.engine.loop_state import LoopState
from ralph.engine.messages import Tell
from ralph.host.paths import Layout
from ralph.host.sandbox import Sandbox
from ralph.memory.ledger import Event, Ledger
from ralph.memory.tasks import TaskFile, View
from ralph.notify.base import Notice, Notifier
from ralph.vcs.mirror import Mirror

VERDICTS = 50
"""Trees whose verdicts are remembered; one may have tens of thousands of tests."""

if TYPE_CHECKING:
    from ralph.engine.environment import Alike
    from ralph.engine.forecast import Forecast
    from ralph.engine.gate_strength import Prober
    from ralph.engine.publish import Publisher
    from ralph.engine.train.remote import Conductor


@dataclass
class Night:
    """The shared state of a night's loops."""

    id: str
    config: Config
    layout: Layout
    ledger: Ledger
    board: Board
    tasks_file: TaskFile
    executor: Executor
    sandbox: Sandbox
    mirror: Mirror
    notifier: Notifier
    base: str
    """Commit id the night is pinned to."""
    occurrence: str
    """window, now or once."""
    secrets: Mapping[str, str]
    budget: Budget
    author: tuple[str, str]
    tracked: list[str] = field(default_factory=list)
    """Paths of the base's tree."""
    outline: str = ""
    """The repository map for prompts."""
    red_base: dict[str, list[str]] = field(default_factory=dict)
    advisory: tuple[str, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    """Program to version, of those that gates start."""
    uncanaried: tuple[str, ...] = ()
    flake_rates: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Per gate and test: how often it failed on the base in idle time, of how many runs."""
    alike: list[Alike] = field(default_factory=list)
    """Failures of tonight by their fingerprints."""
    looked_at: set[str] = field(default_factory=set)
    """Fingerprints with which the base has been looked at again."""
    looking: asyncio.Task[None] | None = None
    held: dict[str, str] = field(default_factory=dict)
    """Loops that pick nothing while the base is looked at again, with the reason."""
    blocked_gates: dict[str, str] = field(default_factory=dict)
    """Gates that can't even start, with the reason: no agent is paid for while there are any."""
    loops: dict[str, LoopState] = field(default_factory=dict)
    accounts: Accounts = field(default_factory=Accounts)
    rows: tuple[Task, ...] = ()
    """tasks.json in force: the person's fields."""
    parked: set[str] = field(default_factory=set)
    """Tasks that are not picked again tonight."""
    cancel_wanted: set[str] = field(default_factory=set)
    """Running tasks that a person cancelled."""
    paused_roles: dict[str, str] = field(default_factory=dict)
    """Role to the reason why none of its tasks are picked."""
    draining: str = ""
    """Why nothing new is picked; empty: loops pick."""
    stopping: str = ""
    """Why running agents are being ended."""
    landed: set[str] = field(default_factory=set)
    """Completed tasks whose commits the base contains."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    started: float = field(default_factory=time.monotonic)
    delivered: dict[str, str | None] = field(default_factory=dict)
    """Per branch ref the commit that the user's repository has from us."""
    pushed: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, dict[str, GateResult]] = field(default_factory=dict)
    """Per tree and gate what was executed on it tonight."""
    _seen: tuple[int, ...] = ()
    standing: dict[str, bool] = field(default_factory=dict)
    """Per commit that is done again whether a branch of tonight has it."""
    problem: str = ""
    """What is wrong with tasks.json at the moment."""
    publish: Callable[[LoopState, str, Task], None] = lambda _loop, _commit, _task: None
    progress: Callable[[str], None] = lambda _iteration: None
    publisher: Publisher | None = None
    review_slots: asyncio.Semaphore | None = None
    """Reviewers that are free; ``reviews.slots`` makes it."""
    train: Conductor | None = None
    forecast: Forecast | None = None
    prober: Prober | None = None

    def record(
        self, kind: str, data: Mapping[str, Any], *, loop: str = "", task: str = "", iteration: str = ""
    ) -> None:
        """Write an event and let the board follow it."""
        seq = self.ledger.append(kind, data, night=self.id, loop=loop, task=task, iteration=iteration)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.board.apply(Event(seq, now, self.id, loop, task, iteration, kind, dict(data)))

    def tell(self, event: str, title: str, text: str = "") -> None:
        """Notify a person, without waiting for it."""
        self.record("notice", {"event": event, "title": title})
        asyncio.get_running_loop().run_in_executor(None, self.notifier.send, Notice(event, title, text or title))

    def running(self) -> list[Link]:
        """The lines to all workers that are at work."""
        others = [one for one in (self.train, self.prober) if one]
        links = [one.link for one in (*self.loops.values(), *others)]
        return [link for link in links if link]

    async def wake(self) -> None:
        """Something changed that may give an idle loop work."""
        async with self.changed:
            self.changed.notify_all()

    def move(self, task: str, status: Status, reason: str = "", by: str = "daemon") -> None:
        self.record("task", {"status": status.value, "reason": reason, "by": by}, task=task)

    def remember(self, tree: str, gates: tuple[GateResult, ...]) -> None:
        """Keep verdicts that were executed on a tree, so that the same is never executed twice."""
        known = self.verdicts.setdefault(tree, {})
        for gate in gates:
            if (gate.execution or gate.review) and gate.verdict in (Verdict.PASSED, Verdict.FAILED):
                known[gate.name] = gate
        self.verdicts[tree] = self.verdicts.pop(tree)
        while len(self.verdicts) > VERDICTS:
            del self.verdicts[next(iter(self.verdicts))]

    def verdicts_of(self, tree: str) -> tuple[GateResult, ...]:
        """What was executed on a tree; asking for it keeps it from being forgotten."""
        if tree not in self.verdicts:
            return ()
        self.verdicts[tree] = self.verdicts.pop(tree)
        return tuple(self.verdicts[tree].values())

    def look_at_tasks(self) -> None:
        """Take a person's edits in before a pick, where tasks.json has changed since it was last looked at."""
        if self._stamp() != self._seen:
            self.sync_tasks()

    def save_soon(self) -> None:
        """Write the view into tasks.json while the agents work, not while they wait."""
        if self.publisher:
            self.publisher.later(self.sync_tasks)

    def _stamp(self) -> tuple[int, ...]:
        try:
            info = self.tasks_file.path.lstat()
        except OSError:
            return ()
        return info.st_mtime_ns, info.st_size, info.st_ino

    def sync_tasks(self) -> None:
        """Bring tasks.json and the board together: a person's edits in, the daemon's view out."""
        synced = self.tasks_file.sync(
            {id: View(state.status, state.attempts, state.result) for id, state in self.board.tasks.items()}
        )
        if synced.problem and synced.problem != self.problem:
            self.record("warning", {"text": synced.problem})
        self.problem = synced.problem or ""
        running = {loop.task for loop in self.loops.values() if loop.task}
        for id in synced.retried:
            self.parked.discard(id)
            self.cancel_wanted.discard(id)
            self.budget.lift(f"task {id}")
            self.move(id, Status.PENDING, "retry", by="person")
        for id in synced.cancelled:
            if id in running:
                self.cancel_wanted.add(id)
                self._stop_task(id)
            else:
                self.move(id, Status.CANCELLED, "cancelled", by="person")
        for id in synced.adopted:
            row = next(task for task in synced.tasks if task.id == id)
            self.move(id, row.status, "finished before ralph knew it", by="person")
        for id, name in synced.reverted:
            self.record("warning", {"text": f"tasks.json: {name} of {id} was edited by hand and set back"}, task=id)
        self.rows = synced.tasks
        self._seen = self._stamp()
        point("tasks-saved")

    def _stop_task(self, id: str) -> None:
        for loop in self.loops.values():
            if loop.task == id and loop.link:
                loop.link.tell(Tell("the task was cancelled", stop=True, cause=Cause.STOPPED))

    def current_tasks(self) -> list[Task]:
        """The tasks with the board's status, in file order."""
        from dataclasses import replace

        return [
            replace(task, status=state.status, attempts=state.attempts)
            if (state := self.board.tasks.get(task.id))
            else task
            for task in self.rows
        ]

    def nothing_open(self) -> bool:
        """Whether no task is left that anybody could work on."""
        return not any(is_open(task.status) for task in self.current_tasks())

    def task(self, id: str) -> Task | None:
        return next((task for task in self.current_tasks() if task.id == id), None)

    def pick(self, loop: LoopState) -> Pick | Idle:
        """The next task for a loop: one whose account has to wait only where no other is ready."""
        if self.draining:
            return Idle.DONE
        waits = self._waiting_tasks(loop)
        if waits:
            choice = pick.pick(scene.scene(self, loop, waits), loop.name, loop.config.role)
            if isinstance(choice, Pick):
                return choice
        return pick.pick(scene.scene(self, loop, waits=bool(waits)), loop.name, loop.config.role)

    def _waiting_tasks(self, loop: LoopState) -> set[str]:
        """Tasks whose turn it is on an account that ``loop`` can't use now."""
        if not self.accounts.waiting():
            return set()
        now = time.time()
        agents = {n for n in self.config.agents if self.accounts.wait_of(self.account(n), loop.name, now)}
        return {task.id for task in self.rows if self.agent_for(task, loop) in agents}

    def claims(self) -> list[Claim]:
        """Files that loops hold: what running tasks own, and what unlanded commits touched."""
        return scene.claims(self)

    def route(self, task: Task, loop: LoopState) -> list[str]:
        return self.config.route(task.role, loop.config)

    def halted(self) -> set[str]:
        """Agents whose account nothing more runs on before a person acts."""
        halted = {name for name, wait in self.accounts.waiting().items() if wait.halt}
        return {name for name in self.config.agents if self.account(name) in halted}

    def account(self, agent: str) -> str:
        return agents.account(agent, self.config.agents[agent], dict(self.secrets))

    def agent_for(self, task: Task, loop: LoopState) -> str | None:
        """The agent whose turn it is; None while every account of the route is halted."""
        route, halted = self.route(task, loop), self.halted()
        assigned = self.board.state(task.id).agent
        if assigned and assigned in self.config.agents and assigned not in halted:
            return assigned
        return first_agent(route, halted)

    def account_answered(self, agent: str, loop: LoopState) -> None:
        """The agent got an answer on ``loop``: where that was the try after a wait, the wait is over for all."""
        account = self.account(agent)
        if self.accounts.answered(account, loop.name):
            self.record("resumed", {"account": account})

    def hit_account(self, agent: str, wait: Wait) -> None:
        """Let every loop on the agent's account wait; an end that nobody stated grows with each repetition."""
        account = self.account(agent)
        repeats = self.accounts.hit(account, wait)
        if wait.guessed and not wait.halt:
            wait = waits.stretched(wait, repeats, datetime.now(UTC))
            self.accounts.extend(account, wait)
        kind = "halted" if wait.halt else "waiting"
        self.record(kind, {"account": account, "agent": agent, "until": wait.until, "reason": wait.reason})
        if wait.halt:
            self.tell("needs_human", f"{agent}: {wait.reason}")

    def pause(self, loop: LoopState, reason: str, *, by: str = "daemon") -> None:
        if not loop.paused:
            loop.paused = reason
            self.record("paused", {"scope": loop.name, "reason": reason, "by": by}, loop=loop.name)
            if by == "daemon":
                self.tell("paused", f"{loop.name} paused: {reason}", "`ralph resume` lets it go on")

    def pause_role(self, role: str, reason: str) -> None:
        if role not in self.paused_roles:
            self.paused_roles[role] = reason
            self.record("paused", {"scope": f"role {role}", "reason": reason, "by": "daemon"})
            self.tell("paused", f"role {role} paused: {reason}", "`ralph resume` lets it go on")

    def resume(self, name: str = "") -> list[str]:
        """A person lets paused loops (all, or the named one) and roles go on; returns what was resumed."""
        lifted: dict[str, bool] = {}
        for loop in self.loops.values():
            if loop.paused and name in ("", loop.name):
                lifted[loop.name] = loop.paused.startswith("limit")
                if lifted[loop.name]:
                    self.budget.lift(f"loop {loop.name}")
                loop.paused = ""
        if not name:
            for role in list(self.paused_roles):
                self.budget.lift(f"role {role}")
                del self.paused_roles[role]
                lifted[f"role {role}"] = True
            for account in self.accounts.waiting():
                self.accounts.retry(account)
                lifted[account] = False
        for scope, cap in lifted.items():
            self.record("resumed", {"scope": scope, "by": "person", "lifted": cap})
        return list(lifted)

    def outcome_counts(self) -> dict[str, int]:
        counts = dict.fromkeys(Status, 0)
        for task in self.current_tasks():
            counts[task.status] += 1
        return {status.value: count for status, count in counts.items()}
