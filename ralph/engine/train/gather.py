"""Which branches a train is made of: what was committed, where git still has it and the base does not."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ralph.domain import IterationSpec, Task
from ralph.engine.board import TaskState
from ralph.engine.train.values import Candidate, Part, Plan
from ralph.errors import GitError
from ralph.host.files import own_directory
from ralph.host.paths import Layout
from ralph.vcs.mirror import Mirror
from ralph.vcs.store import Store

NAME = "train"


@dataclass(frozen=True, slots=True)
class Found:
    """A branch of a loop as git has it."""

    store: Store
    ref: str
    head: str
    since: tuple[str, ...]
    """Its commits that the base does not have, newest first."""


def candidates(
    where: Layout, states: Mapping[str, TaskState], rows: Sequence[Task], base: str, landed: Collection[str] = ()
) -> tuple[Candidate, ...]:
    """Branches with completed tasks that the commit ``base``, which the mirror has, does not hold.

    In the order of their first rows: what lands must not hang on who looked at ``states`` before.
    """
    tasks = {task.id: task for task in rows}
    found = {one.ref: one for one in _branches(where, states, base, landed)}
    parts: dict[str, list[Part]] = defaultdict(list)
    for id, state in states.items():
        one = found.get(state.branch)
        if one and state.commit in one.since and id not in landed:
            parts[state.branch].append(_part(one, id, state, tasks.get(id)))
    homes = {part.task: ref for ref, mine in parts.items() for part in mine}
    commits = {part.commit: ref for ref, mine in parts.items() for part in mine}
    made = [
        Candidate(
            branch=_short(ref),
            head=found[ref].head,
            git_dir=str(found[ref].store.git_dir),
            parts=tuple(sorted(mine, key=lambda part: -found[ref].since.index(part.commit))),
            after=_after(ref, mine, found[ref], homes, commits),
        )
        for ref, mine in parts.items()
    ]
    rank = {task.id: number for number, task in enumerate(rows)}
    made.sort(key=lambda one: (min(rank.get(part.task, len(rank)) for part in one.parts), one.branch))
    return tuple(replace(one, first=number) for number, one in enumerate(made))


def base_now(mirror: Mirror, name: str, pinned: str) -> str:
    """Commit that the base ``name`` is at; where nobody answers (no network, no such branch), the night's own."""
    try:
        return mirror.resolve(name)
    except GitError:
        return pinned


def plan_of(
    where: Layout,
    night: str,
    config: Path,
    box: str,
    base: tuple[str, str, str],
    some: tuple[Candidate, ...],
    minutes: float,
    place: str = "loop",
) -> Plan:
    """``base``: its name, the commit to land on, and the night's own. ``place``: the directory to work in."""
    name, commit, pinned = base
    loop = where.root / NAME / place
    own_directory(where.root / NAME)
    own_directory(loop)
    iteration = _fresh(where, night)
    own_directory(where.run(iteration))
    spec = IterationSpec(
        night=night,
        iteration=iteration,
        loop=NAME,
        task=Task(NAME, "The night's train"),
        attempt=0,
        tag=secrets.token_hex(16),
        run_dir=str(where.run(iteration)),
        loop_dir=str(loop),
        mirror=str(where.mirror),
        checkout=str(where.repo),
        head=commit,
        start_tree=None,
        validate_only=True,
        gate_base=False,
        agent="",
        config=str(config),
        sandbox=box,
    )
    return Plan(spec, name, pinned, some, minutes)


def _fresh(where: Layout, night: str) -> str:
    """A name whose run directory does not exist yet: the logs of a train that was killed stay as they are."""
    number = 1
    while where.run(f"{night}.{NAME}.{number}").exists():
        number += 1
    return f"{night}.{NAME}.{number}"


def _branches(where: Layout, states: Mapping[str, TaskState], base: str, landed: Collection[str]) -> Iterator[Found]:
    open_ = [state for id, state in states.items() if state.commit and state.loop and id not in landed]
    places = {state.branch: state.loop for state in open_ if state.branch}
    for ref, loop in places.items():
        store = Store(where.loop(loop) / "git", where.mirror)
        head = store.ref(ref) if store.git_dir.is_dir() else None
        if head and store.knows(base) and not store.contains(base, head):
            yield Found(store, ref, head, tuple(store.since(base, head)))


def _part(one: Found, id: str, state: TaskState, task: Task | None) -> Part:
    commit = state.commit or ""
    return Part(
        task=id,
        commit=commit,
        parent=one.store.git.line("rev-parse", "--verify", f"{commit}^1"),
        paths=state.paths,
        checks=task.checks if task else (),
        needs=task.depends_on if task else (),
    )


def _after(
    ref: str, mine: Sequence[Part], one: Found, homes: Mapping[str, str], commits: Mapping[str, str]
) -> tuple[str, ...]:
    needed = {homes[need] for part in mine for need in part.needs if need in homes}
    inside = {commits[commit] for commit in one.since if commit in commits}
    return tuple(sorted(_short(other) for other in needed | inside if other != ref))


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
