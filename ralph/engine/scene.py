"""What picking a task rests on: who holds which files, and where each task has to go on."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ralph.core import globs, pick
from ralph.core.claims import Claim, conflicts
from ralph.core.pick import Scene
from ralph.core.retry import first_agent
from ralph.domain import Status
from ralph.engine.board import Earlier
from ralph.engine.loop_state import LoopState

if TYPE_CHECKING:
    from ralph.engine.night import Night


def scene(night: Night, loop: LoopState, besides: Collection[str] = (), *, waits: bool = False) -> Scene:
    """The night as ``loop`` sees it; the tasks ``besides`` are left out.

    ``waits``: it would have to wait for an account itself, so that others that wait are no worse off than it is.
    """
    tasks, states = night.current_tasks(), night.board.tasks
    others = [claim for claim in claims(night) if claim.loop != loop.name]
    taken = [t.id for t in tasks if t.files and conflicts(t, others, loop.name, night.tracked)]
    active = [other for other in night.loops.values() if not other.over and not other.paused]
    halted = [t.id for t in tasks if first_agent(night.route(t, loop), night.halted()) is None]
    return Scene(
        tasks=tasks,
        holders={id: pick.LANDED if id in night.landed else s.loop for id, s in states.items() if s.commit},
        running={other.task: other.name for other in night.loops.values() if other.task},
        kept=homes(night),
        pinned={id: state.pinned for id, state in states.items() if state.pinned},
        claimed=taken,
        parked=night.parked | set(besides) | set(halted) | {t.id for t in tasks if t.role in night.paused_roles},
        loops={other.name for other in active} | {loop.name},
        busy={other.name for other in night.loops.values() if (other.task if waits else other.busy)},
    )


def claims(night: Night) -> list[Claim]:
    """Files that loops hold: what running tasks own, and what unlanded commits touched."""
    tasks = {task.id: task for task in night.rows}
    running = [(loop, tasks[loop.task]) for loop in night.loops.values() if loop.task in tasks]
    return [Claim(loop.name, task.id, task.files) for loop, task in running if task.files] + held(night)


def held(night: Night) -> list[Claim]:
    """What commits touched, also those that are being done again, for as long as their branches have not landed."""
    found: list[Claim] = []
    for id, state in night.board.tasks.items():
        places = [(one.loop, one.paths) for one in state.earlier if _stands(night, one)]
        if state.commit and state.status is Status.COMPLETED and id not in night.landed and state.loop in night.loops:
            places.append((state.loop, state.paths))
        found += [Claim(loop, id, tuple(globs.literal(path) for path in paths)) for loop, paths in places]
    return found


def homes(night: Night) -> dict[str, str]:
    """Per task the loop that it goes on in: its kept work lies there, or the commit that is done again.

    Not where another branch has got its files meanwhile: then the work that was kept is of no use.
    """
    found: dict[str, str] = {}
    tasks, sticky = {task.id: task for task in night.rows}, held(night)
    for id, state in night.board.tasks.items():
        shared = (one for one in state.earlier if one.branch == f"refs/heads/ralph/{one.loop}")
        before = next((one.loop for one in shared if _stands(night, one)), "")
        home = state.kept_loop or before
        if home and not (id in tasks and conflicts(tasks[id], sticky, home, night.tracked)):
            found[id] = home
    return found


def _stands(night: Night, earlier: Earlier) -> bool:
    """Whether a branch of tonight still has the commit, and the base does not."""
    loop = night.loops.get(earlier.loop)
    if loop is None:
        return False
    if earlier.commit not in night.standing:
        space, head = loop.workspace, loop.workspace.ref(earlier.branch)
        here = bool(head) and space.knows(earlier.commit) and space.contains(head or "", earlier.commit)
        night.standing[earlier.commit] = here and not space.contains(night.base, earlier.commit)
    return night.standing[earlier.commit]
