"""Where every task stands, folded from the ledger; tasks.json is written from this, never the other way round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ralph.core import retry
from ralph.domain import Outcome, Status, TaskResult, Usage
from ralph.engine.messages import adapter
from ralph.memory.ledger import Event


@dataclass(frozen=True, slots=True)
class Attempt:
    """One ended iteration on a task."""

    iteration: str
    number: int
    outcome: Outcome
    summary: str
    agent: str
    loop: str
    fingerprint: str
    tree: str | None
    changed: bool
    repeating: bool


@dataclass(frozen=True, slots=True)
class Earlier:
    """A commit that a person had done again: while its branch has it, its files stay with that branch."""

    commit: str
    loop: str
    branch: str
    paths: tuple[str, ...]


@dataclass(slots=True)
class TaskState:
    """The daemon's knowledge of one task."""

    status: Status = Status.PENDING
    reason: str = ""
    attempts: int = 0
    """Attempts that counted, since the last retry by a person."""
    history: list[Attempt] = field(default_factory=list)
    """Ended iterations since the last retry by a person."""
    agent: str = ""
    """Agent it was reassigned to; empty: the first of its route."""
    kept_tree: str | None = None
    """Tree the next attempt goes on from."""
    kept_head: str = ""
    """Commit that ``kept_tree`` was made on."""
    kept_loop: str = ""
    paid: bool = False
    """``kept_tree`` is finished agent work whose validation was cut off."""
    refused: bool = False
    """``kept_tree`` was validated and did not pass."""
    pinned: str = ""
    commit: str | None = None
    loop: str = ""
    """Loop whose branch holds the commit; empty where the base has the work."""
    branch: str = ""
    """Ref that the commit was made on."""
    paths: tuple[str, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    handoff: str = ""
    iteration: str = ""
    """The running or last iteration."""
    seconds: float = 0
    usage: Usage = Usage()
    iterations: int = 0
    """All iterations ever begun, for unique numbering."""

    @property
    def result(self) -> TaskResult | None:
        if self.commit or self.reason or self.iteration:
            return TaskResult(self.commit, self.iteration or None, self.reason or None)
        return None

    def facts(self) -> list[retry.Attempt]:
        """The history as ``core.retry`` wants it."""
        return [retry.Attempt(a.agent, a.outcome, a.fingerprint, a.changed, a.repeating) for a in self.history]

    def drop_kept(self) -> None:
        self.kept_tree, self.kept_head, self.kept_loop, self.paid, self.refused = None, "", "", False, False


class Board:
    """All task states; ``apply`` is the only thing that changes them, one ledger event at a time."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.tasks: dict[str, TaskState] = {}
        self._began: dict[str, dict[str, Any]] = {}
        for event in events:
            self.apply(event)

    KINDS = (
        "began",
        "ended",
        "committed",
        "task",
        "reassigned",
        "settled",
        "agent_ended",
        "snapshot",
        "pinned",
        "clean_start",
        "landed",
        "environment",
    )

    def state(self, task: str) -> TaskState:
        return self.tasks.setdefault(task, TaskState())

    def apply(self, event: Event) -> None:
        if not event.task:
            return
        state = self.state(event.task)
        match event.kind:
            case "began":
                self._began[event.iteration] = {**event.data, "loop": event.loop}
                state.status, state.iteration = Status.IN_PROGRESS, event.iteration
                state.iterations += 1
            case "snapshot":
                if event.iteration in self._began:
                    self._began[event.iteration]["snapshot"] = event.data["tree"]
            case "agent_ended":
                state.seconds += float(event.data.get("seconds", 0))
                clean = not event.data.get("error") and not event.data.get("cause") and not event.data.get("wait")
                self._began.get(event.iteration, {})["agent_clean"] = clean
            case "settled":
                state.usage += adapter(Usage).validate_python(event.data["usage"])
            case "committed":
                self._committed(state, event)
            case "ended":
                self._ended(state, event)
            case "environment":
                self._pardoned(state, event)
            case "reassigned":
                state.agent = event.data["to"]
                state.drop_kept()
            case "clean_start":
                state.drop_kept()
            case "landed":
                state.loop = ""
            case "pinned":
                state.pinned = event.data["loop"]
            case "task":
                self._moved(state, event.data)

    @staticmethod
    def _committed(state: TaskState, event: Event) -> None:
        state.commit, state.loop, state.branch = event.data["commit"], event.loop, event.data.get("branch", "")
        state.paths = tuple(change["path"] for change in event.data.get("changes", ()))
        shared = state.branch.startswith("refs/heads/ralph/")  # else the branch was made anew for the task
        state.earlier = tuple(one for one in state.earlier if shared or one.branch != state.branch)

    def _ended(self, state: TaskState, event: Event) -> None:
        began, data = self._began.pop(event.iteration, {}), event.data
        outcome = Outcome(data["outcome"])
        start = began.get("start_tree") or began.get("head_tree")
        tree = data.get("tree") or began.get("snapshot")
        state.history.append(
            Attempt(
                iteration=event.iteration,
                number=int(data.get("attempt", 0)),
                outcome=outcome,
                summary=data.get("summary", ""),
                agent=began.get("agent", ""),
                loop=event.loop,
                fingerprint=data.get("fingerprint", ""),
                tree=tree,
                changed=bool(tree) and tree != start,
                repeating=bool((data.get("reflection") or {}).get("repeating")),
            )
        )
        state.attempts += outcome.consumes_attempt
        if state.status is Status.IN_PROGRESS:
            state.status = Status.COMPLETED if outcome is Outcome.COMMITTED else Status.PENDING
        self._keep(state, outcome, began, tree, event.loop)
        if data.get("handoff"):
            state.handoff = data["handoff"]

    @staticmethod
    def _keep(state: TaskState, outcome: Outcome, began: dict[str, Any], tree: str | None, loop: str) -> None:
        interrupted = outcome in (Outcome.ABANDONED, Outcome.INFRASTRUCTURE, Outcome.STOPPED)
        finished = began.get("snapshot") and began.get("agent_clean")
        state.paid = bool(interrupted and (finished or began.get("validate_only")))
        state.refused = outcome is Outcome.REJECTED or (outcome is Outcome.NO_CHANGE and state.refused)
        clean_start = outcome in (Outcome.COMMITTED, Outcome.CONFLICT, Outcome.QUARANTINED)
        if clean_start:
            state.drop_kept()
        elif tree and tree != began.get("head_tree"):
            state.kept_tree, state.kept_head, state.kept_loop = tree, began.get("head", ""), loop

    @staticmethod
    def _pardoned(state: TaskState, event: Event) -> None:
        """The iteration failed as one of another loop did: that is the environment's fault, and consumes no attempt."""
        for number, attempt in enumerate(state.history):
            if attempt.iteration == event.iteration and attempt.outcome.consumes_attempt:
                state.history[number] = replace(attempt, outcome=Outcome.INFRASTRUCTURE)
                state.attempts -= 1

    @staticmethod
    def _moved(state: TaskState, data: dict[str, Any]) -> None:
        state.status, state.reason = Status(data["status"]), data.get("reason", "")
        if data.get("by") == "person" and state.status is Status.PENDING:
            if state.commit and state.loop:
                state.earlier += (Earlier(state.commit, state.loop, state.branch, state.paths),)
            state.attempts, state.history, state.agent = 0, [], ""
            state.commit, state.pinned = None, ""
            state.drop_kept()
