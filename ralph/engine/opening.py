"""How an iteration begins: its head, its spec, its `began` event, and the worker started ahead of need."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ralph.core.claim_words import on_base
from ralph.core.pick import Pick
from ralph.domain import Feedback, GateResult, GuardResult, IterationSpec, Outcome, Reflection, Task
from ralph.engine import flakes
from ralph.engine.budget import Scopes
from ralph.engine.executor import Link
from ralph.engine.loop_state import LoopState
from ralph.engine.messages import adapter
from ralph.engine.night import Night
from ralph.engine.words import merge_message
from ralph.errors import RalphError
from ralph.memory import knowledge
from ralph.memory.progress import tail

FIRST_PORT = 20_000
PORTS_PER_LOOP = 100


class Conflict(RalphError):
    """The dependencies' branches do not merge; ``paths`` conflict."""

    def __init__(self, holder: str, paths: list[str]) -> None:
        super().__init__(f"conflict with {holder} in {', '.join(paths[:5])}")
        self.holder = holder
        self.paths = paths


class NoWorker(RalphError):
    """The machine gives no process for a worker."""


def begin(
    night: Night, loop: LoopState, task: Task, start: tuple[str, str, bool], who: tuple[str, Link], why: str = ""
) -> tuple[IterationSpec, Scopes]:
    """Fix everything about the iteration and write `began` and `worker`, before the worker is told anything.

    ``start`` is what ``heads`` said, ``who`` the agent's name and the worker, ``why`` the reason of the pick.
    """
    _, head_tree, _ = start
    agent, link = who
    scopes = night.budget.scopes(next_id(night, loop), task, loop.name)
    with night.ledger.together():
        spec = _spec(night, loop, task, (agent, link.tag), start, scopes)
        _began(night, loop, spec, head_tree, why)
        if link.ready:
            ready = {"pid": link.ready.pid, "create_time": link.ready.create_time, "boot_id": link.ready.boot_id}
            night.record("worker", ready, loop=loop.name, task=task.id, iteration=spec.iteration)
    night.budget.begin(scopes)
    return spec, scopes


def began_unstarted(night: Night, loop: LoopState, task: Task, agent: str) -> IterationSpec:
    """Write `began` for an iteration that can't start, because the heads it needs can't be had."""
    scopes = night.budget.scopes(next_id(night, loop), task, loop.name)
    spec = _spec(night, loop, task, (agent, ""), (loop.head, loop.head_tree, False), scopes)
    _began(night, loop, spec, loop.head_tree)
    return spec


def _spec(
    night: Night, loop: LoopState, task: Task, who: tuple[str, str], start: tuple[str, str, bool], scopes: Scopes
) -> IterationSpec:
    state = night.board.state(task.id)
    iteration = scopes.iteration.removeprefix("iteration ")
    seconds, tokens, dollars = night.budget.left(scopes)
    start_tree = _carried(night, loop, task, start[0])
    known = knowledge.read(lambda path: night.mirror.read(night.base, path), task.files)
    return IterationSpec(
        night=night.id,
        iteration=iteration,
        loop=loop.name,
        task=task,
        attempt=state.attempts + 1,
        tag=who[1],
        run_dir=str(night.layout.run(iteration)),
        loop_dir=str(night.layout.loop(loop.name)),
        mirror=str(night.layout.mirror),
        checkout=str(night.layout.repo),
        head=start[0],
        head_tree=start[1],
        start_tree=start_tree,
        validate_only=state.paid and start_tree is not None,
        start_refused=state.refused and start_tree == state.kept_tree,
        gate_base=start[2],
        agent=who[0],
        config=str(night.layout.frozen(night.id)),
        tracked_by_base=night.red_base,
        advisory_gates=night.advisory,
        tools=night.tools,
        uncanaried=night.uncanaried,
        quarantined=flakes.in_force(night),
        flake_rates=night.flake_rates,
        feedback=feedback(night, task),
        handoffs={d: night.board.state(d).handoff for d in task.depends_on if night.board.state(d).handoff},
        agents_md=known.root,
        nested=known.near,
        knowledge_cut=known.cut,
        repository_map=night.outline,
        progress_tail=_progress_tail(night),
        tokens_left=tokens,
        dollars_left=dollars,
        seconds_left=seconds,
        port_base=FIRST_PORT + loop.number * PORTS_PER_LOOP,
        shared_files=_shared(night, loop, task),
        sandbox=night.sandbox.name,
        weak_files=tuple(sorted(night.prober.weak)) if night.prober else (),
    )


def _carried(night: Night, loop: LoopState, task: Task, head: str) -> str | None:
    """The tree the attempt goes on from: the kept work, brought over to ``head`` where that is another commit now.

    The kept tree itself lacks what came in between, and committing it would take that back.
    """
    state = night.board.state(task.id)
    if state.kept_tree is None or state.kept_loop != loop.name:
        return None
    tree, conflicts = loop.workspace.carry(state.kept_tree, state.kept_head or head, head)
    if tree is None:
        reason = f"the kept work conflicts with what was committed since: {', '.join(conflicts[:5])}"
        night.record("clean_start", {"reason": reason}, loop=loop.name, task=task.id)
    return tree


def _began(night: Night, loop: LoopState, spec: IterationSpec, head_tree: str, why: str = "") -> None:
    began = {
        "title": spec.task.title,
        "why": why,
        "attempt": spec.attempt,
        "agent": spec.agent,
        "role": spec.task.role,
        "kind": spec.task.kind.value,
        "depends_on": list(spec.task.depends_on),
        "allow": list(spec.task.allow),
        "checks": list(spec.task.checks),
        "files": list(spec.task.files),
        "shared_files": list(spec.shared_files),
        "head": spec.head,
        "head_tree": head_tree,
        "start_tree": spec.start_tree,
        "validate_only": spec.validate_only,
        "tag": spec.tag,
    }
    night.record("began", began, loop=loop.name, task=spec.task.id, iteration=spec.iteration)
    loop.iteration, loop.agent, loop.denied = spec.iteration, spec.agent, None
    loop.at("prepare")
    night.save_soon()


def heads(night: Night, loop: LoopState, pick: Pick) -> tuple[str, str, bool]:
    """Commit and tree that the task starts from, and whether that commit is a merge made for it."""
    per_task = night.config.night.branch_per == "task"
    head = night.base if per_task else loop.head
    tree = loop.workspace.tree_of(head) if per_task else loop.head_tree
    merged = False
    for dependency in pick.task.depends_on:
        other = night.board.state(dependency)
        if not other.commit or dependency in night.landed:
            continue
        if not per_task and other.loop == loop.name:
            continue
        source = night.layout.loop(other.loop) / "git"
        if other.loop != loop.name and source.is_dir():
            loop.workspace.fetch_from(source, other.commit)
        if loop.workspace.contains(head, other.commit):
            continue
        if loop.workspace.contains(other.commit, head):
            head, tree = other.commit, loop.workspace.tree_of(other.commit)
            continue
        head, tree = merge(night, loop, head, other.commit, other.loop)
        merged = True
    return head, tree, merged


def merge(night: Night, loop: LoopState, ours: str, theirs: str, holder: str) -> tuple[str, str]:
    """Merge two commits into a deterministic commit without touching a branch. Raises Conflict."""
    tree, conflicts = loop.workspace.merge(ours, theirs)
    if tree is None:
        raise Conflict(holder, conflicts)
    date = max(loop.workspace.date_of(ours), loop.workspace.date_of(theirs)) + 1
    message = merge_message(loop.name, (holder,))
    committer = ("ralph", "ralph@localhost")
    return loop.workspace.commit_object(tree, [ours, theirs], message, night.author, committer, date), tree


def branch_ref(night: Night, loop: LoopState, task: Task) -> str:
    """The ref in the loop's git directory that the task's commit moves."""
    if night.config.night.branch_per == "task":
        return f"refs/heads/ralph-task/{task.id}"
    return f"refs/heads/ralph/{loop.name}"


def feedback(night: Night, task: Task) -> Feedback | None:
    """What went wrong in the last failed attempt, from the ledger."""
    failed = [a for a in night.board.state(task.id).history if a.outcome.is_failure or a.outcome is Outcome.CONFLICT]
    if not failed:
        return None
    last = failed[-1]
    guards: list[GuardResult] = []
    gates: list[GateResult] = []
    reflection = None
    for event in night.ledger.events(iteration=last.iteration, kinds=("guard", "gate", "ended")):
        if event.kind == "guard":
            guards.append(adapter(GuardResult).validate_python(_without_tree(event.data)))
        elif event.kind == "gate" and not on_base(event.data):
            gates.append(adapter(GateResult).validate_python(_without_tree(event.data)))
        elif event.data.get("reflection"):
            reflection = adapter(Reflection).validate_python(event.data["reflection"])
    return Feedback(last.number, last.outcome, last.summary, tuple(guards), tuple(gates), reflection)


def _without_tree(data: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key != "tree"}


def secrets_for(night: Night, agent: str) -> dict[str, str]:
    """The variables that this agent's driver may get."""
    from ralph import agents

    wanted = agents.secret_names(night.config.agents[agent])
    return {name: night.secrets[name] for name in wanted if name in night.secrets}


async def take_worker(night: Night, loop: LoopState) -> Link:
    """The worker that was started ahead of need, or a new one; ``Link.ready`` is None where it did not start.

    Raises NoWorker.
    """
    link = await spare_worker(loop)
    if link and link.ready:
        return link
    if link:
        await link.close()
    return await _ready_worker(night)


async def spare_worker(loop: LoopState) -> Link | None:
    """The worker that was started ahead of need, if there is one: from now on the caller's."""
    spare, loop.spare = loop.spare, None
    try:
        return await spare if spare else None
    except NoWorker:
        return None


def start_spare(night: Night, loop: LoopState) -> None:
    """Start the worker of the next iteration while this one's agent works."""
    if loop.spare is None and not night.draining:
        loop.spare = asyncio.create_task(_ready_worker(night))


async def _ready_worker(night: Night) -> Link:
    """Raises NoWorker where not even a process could be started."""
    try:
        link = await night.executor.start(str(night.layout.frozen(night.id)))
    except (OSError, EOFError) as error:
        raise NoWorker(f"no worker could be started: {error or type(error).__name__}") from error
    await link.greet()
    return link


def next_id(night: Night, loop: LoopState) -> str:
    if not loop.count:
        loop.count = sum(
            1 for event in night.ledger.events(night=night.id, kinds=("began",)) if event.loop == loop.name
        )
    loop.count += 1
    return f"{night.id}.{loop.name}.{loop.count}"


def _shared(night: Night, loop: LoopState, task: Task) -> tuple[str, ...]:
    patterns = [
        p for claim in night.claims() if claim.loop != loop.name and claim.task != task.id for p in claim.patterns
    ]
    return tuple(dict.fromkeys(patterns))


def _progress_tail(night: Night) -> str:
    return tail(night.layout.repo / "progress", 4000)
