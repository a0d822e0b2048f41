"""Which task a loop takes next: pure, so that every rule can be tested without a clock or a disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ralph.domain import Status, Task

LANDED = ""
"""Holder of work that is already in the base: any loop can build on it."""


class Idle(StrEnum):
    """Why there is nothing for this loop."""

    DONE = "done"
    """Nothing can become ready for it any more."""
    WAIT = "wait"
    """Something that runs elsewhere may make a task ready."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the decision rests on."""

    tasks: Sequence[Task]
    holders: Mapping[str, str]
    """Loop that holds the commit of a completed task; LANDED where the base has it."""
    running: Mapping[str, str]
    """Task id to the loop that works on it now."""
    kept: Mapping[str, str]
    """Task id to the loop that keeps the tree of its last attempt."""
    pinned: Mapping[str, str]
    """Task id to the loop it was sent to after a conflict."""
    claimed: Collection[str]
    """Ids of tasks whose files another loop holds."""
    parked: Collection[str]
    """Ids that are not picked again tonight (budget nearly used, waiting for an account)."""
    loops: Collection[str]
    """Loops that may still work tonight."""
    busy: Collection[str]
    """Loops that work on something now."""


@dataclass(frozen=True, slots=True)
class Pick:
    task: Task
    merge: tuple[str, ...] = ()
    """Loops whose commits have to be merged in first, in order of the dependencies."""
    why: str = field(default="", compare=False)
    """Why this one, in a few words for the record."""


def blocked_by(task: Task, tasks: Mapping[str, Task]) -> tuple[str, ...]:
    """Ids of the dependencies that are not completed."""
    return tuple(d for d in task.depends_on if d not in tasks or tasks[d].status is not Status.COMPLETED)


def pick(scene: Scene, loop: str, role: str = "") -> Pick | Idle:
    """The best ready task for ``loop``: lower priority number first, then the order of the file.

    Tasks that continue this loop's work (its kept tree, its dependencies' commits) come before
    tasks that would need another loop's work merged in.
    """
    by_id = {task.id: task for task in scene.tasks}
    best: tuple[tuple[int, int, int], Pick] | None = None
    hope, ready = False, 0
    for place, task in enumerate(scene.tasks):
        if not _open(task, scene) or (role and task.role != role):
            continue
        if blocked_by(task, by_id):
            hope = hope or _may_unblock(task, by_id, scene)
            continue
        found = _for_loop(task, scene, loop)
        if found is None:
            hope = hope or bool(set(scene.busy) - {loop})
            continue
        ready += 1
        rank = (1 if found.merge else 0, task.priority, place)
        if best is None or rank < best[0]:
            best = (rank, found)
    if best:
        return replace(best[1], why=_why(best[1], scene, loop, ready))
    return Idle.WAIT if hope or (set(scene.running) and set(scene.busy) - {loop}) else Idle.DONE


def _why(found: Pick, scene: Scene, loop: str, ready: int) -> str:
    task = found.task
    said = [f"priority {task.priority}", f"first of {ready} ready" if ready > 1 else "the only one ready"]
    if scene.pinned.get(task.id) == loop:
        said.append("was sent to this loop after a conflict")
    elif scene.kept.get(task.id) == loop:
        said.append("this loop has its earlier work")
    if task.depends_on and not found.merge:
        said.append(f"{', '.join(task.depends_on[:5])} done and here")
    if found.merge:
        said.append(f"no better loop is free; merges {', '.join(found.merge)}")
    return "; ".join(said)


def _open(task: Task, scene: Scene) -> bool:
    open_status = task.status in (Status.PENDING, Status.IN_PROGRESS)
    return open_status and task.id not in scene.running and task.id not in scene.parked


def _for_loop(task: Task, scene: Scene, loop: str) -> Pick | None:
    if task.id in scene.claimed:
        return None
    home = scene.pinned.get(task.id) or scene.kept.get(task.id)
    if home and home != loop and home in scene.loops:
        return None
    holders = [scene.holders.get(dependency, LANDED) for dependency in task.depends_on]
    elsewhere = tuple(dict.fromkeys(h for h in holders if h not in (LANDED, loop)))
    if not elsewhere:
        return Pick(task)
    someone_better = any(h in scene.loops and h not in scene.busy for h in elsewhere)
    if someone_better and task.id not in scene.pinned and loop not in holders:
        return None
    return Pick(task, elsewhere)


def _may_unblock(task: Task, by_id: Mapping[str, Task], scene: Scene) -> bool:
    """True while every missing dependency is still being worked on or can be."""
    seen: set[str] = set()
    queue = list(blocked_by(task, by_id))
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        if current not in by_id:
            return False
        status = by_id[current].status
        if status not in (Status.PENDING, Status.IN_PROGRESS) or current in scene.parked:
            return False
        queue.extend(blocked_by(by_id[current], by_id))
    return bool(scene.running)
