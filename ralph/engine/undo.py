"""Take one task's commit out again, on a branch of its own: gated, delivered, never pushed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ralph.config import Config
from ralph.domain import GateResult
from ralph.engine.judge.bench import Bench
from ralph.engine.messages import plain
from ralph.engine.train.by_hand import BY_HAND, Standing, at_work, record, standing
from ralph.engine.train.couplings import Couplings
from ralph.engine.train.gather import plan_of
from ralph.engine.train.trials import Say, Trials, fault_in
from ralph.engine.train.values import Plan
from ralph.engine.words import undo_message
from ralph.errors import RalphError
from ralph.host.paths import Layout
from ralph.vcs import delivery, user
from ralph.vcs.objects import RALPH
from ralph.vcs.store import Store

BRANCH = "ralph-undo/"
TRAILER = "Ralph-Undo"


@dataclass(frozen=True, slots=True)
class Target:
    """A commit that is to be taken out, and what it is taken out of."""

    task: str
    title: str
    commit: str
    parent: str
    onto: str
    """Name of the branch that has it: the base's where it has landed."""
    head: str
    landed: bool
    source: tuple[tuple[Path, str], ...]
    """Git directories and the commits that are needed of them."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of it."""

    task: str
    commit: str
    """The one that was taken out."""
    onto: str
    how: Literal["ref", "unchanged", "parked", "refused"]
    """refused: it is red without the commit, and lies in ``attempt``."""
    branch: str = ""
    revert: str = ""
    red: tuple[str, ...] = ()
    """Tests, or gates without test ids, that are red without the commit."""
    detail: str = ""
    attempt: str = ""
    """Git directory and ref of what was refused."""
    recorded: bool = True
    gates: tuple[str, ...] = ()
    """What was executed, a line each."""

    @property
    def next(self) -> str:
        """The command that a person types next; empty where there is none."""
        if self.how == "refused":
            return f"ralph undo {self.task} --force"
        name = self.branch.removeprefix("refs/heads/")
        return f"git switch {self.onto} && git merge {name}"


def undo(where: Layout, config: Config, task: str, force: bool, say: Say) -> Undone:
    """Make ``ralph-undo/<task>``. Raises RalphError where there is nothing to take out or others build on it."""
    with standing(where, config) as here:
        target = _target(here, task)
        names = (target.onto, target.head, target.head)
        plan = plan_of(where, BY_HAND, here.frozen, here.box, names, (), 0, "undo")
        with at_work(here, plan, target.source) as bench:
            tree = _without(here, bench.workspace, target)
            results = _gated(here, bench, target, tree, say)
            found = _delivered(here, bench, plan, target, tree, results, force)
        data = {key: value for key, value in plain(found).items() if key != "recorded"}
        recorded = record(here, plan.spec.iteration, "undone", data, task)
        return replace(found, recorded=recorded)


def _target(here: Standing, task: str) -> Target:
    state = here.board.tasks.get(task)
    rows = [event for event in here.ledger.events(kinds=("committed",)) if event.task == task]
    if state is None or not rows:
        raise RalphError(f"nothing was ever committed for {task!r}", "`ralph tasks list` shows what there is")
    made = next((event for event in rows if event.data["commit"] == state.commit), rows[-1])
    commit, parent, ref = made.data["commit"], made.data["parents"][0], made.data["branch"]
    loop = Store(here.where.loop(made.loop) / "git", here.where.mirror)
    if not loop.git_dir.is_dir() or not loop.knows(commit):
        raise RalphError(f"the commit {commit[:12]} of {task} is not kept any more", f"try `git revert {commit[:12]}`")
    title = next((row.title for row in here.rows if row.id == task), task)
    common = user.git_dirs(here.where.repo)[1]
    own = (loop.git_dir, commit)
    if not state.loop or loop.contains(here.base, commit):
        name = here.config.night.base.removeprefix("origin/")
        return Target(task, title, commit, parent, name, here.base, True, (own,))
    theirs = delivery.existing_branch(here.where.repo, ref)
    known = theirs if theirs and _has(here.where.repo, theirs, commit) else None
    head = known or loop.ref(ref)
    if head is None or (known is None and not loop.contains(head, commit)):
        raise RalphError(f"no branch has the commit {commit[:12]} of {task}", "`git log` on its branch shows why")
    source = (own, (common if known else loop.git_dir, head))
    return Target(task, title, commit, parent, ref.removeprefix("refs/heads/"), head, False, source)


def _has(repo: Path, head: str, commit: str) -> bool:
    git = user.open_repository(repo)
    return git.status("merge-base", "--is-ancestor", commit, head)[0] == 0


def _without(here: Standing, space: Store, target: Target) -> str:
    """The tree of the target's head without what its commit brought."""
    whole = space.tree_of(target.head)
    tree, paths = space.carry(whole, target.commit, target.parent)
    if tree is None:
        others = _builders(here, target, paths)
        hint = f"undo {', '.join(others)} first" if others else f"`git revert {target.commit[:12]}` lets you decide"
        raise RalphError(f"{target.task} can't be taken out: {', '.join(paths[:5])} was changed further", hint)
    if tree == whole:
        raise RalphError(f"nothing of {target.task} is left on {target.onto}", "it was taken out or replaced already")
    return tree


def _builders(here: Standing, target: Target, paths: Sequence[str]) -> list[str]:
    tasks = here.board.tasks.items()
    later = [id for id, one in tasks if one.commit and id != target.task and set(one.paths) & set(paths)]
    return [id for id in later if here.board.tasks[id].branch == here.board.tasks[target.task].branch]


def _gated(here: Standing, bench: Bench, target: Target, tree: str, say: Say) -> tuple[GateResult, ...]:
    """All gates, and the checks of the other tasks on that branch; only what is newly red counts."""
    trials = Trials(bench, Couplings(bench.workspace, target.head, {}), {}, here.known, say, 0)
    checks = _checks(here, target)
    results = trials.gates(tree, checks, f"{target.onto} without {target.task}")
    if fault_in(results) is None:
        return results
    whole = bench.workspace.tree_of(target.head)
    before = trials.gates(whole, checks, target.onto)
    if fault_in(before) is None:
        return results
    if not trials.tolerate(whole, before):
        return results
    return trials.gates(tree, checks, f"{target.onto} without {target.task}")


def _checks(here: Standing, target: Target) -> tuple[str, ...]:
    done = {id for id, one in here.board.tasks.items() if one.commit and id != target.task}
    mine = here.board.tasks[target.task].branch
    beside = {id for id in done if target.landed or here.board.tasks[id].branch == mine}
    return tuple(dict.fromkeys(check for row in here.rows if row.id in beside for check in row.checks))


def _delivered(
    here: Standing,
    bench: Bench,
    plan: Plan,
    target: Target,
    tree: str,
    results: Sequence[GateResult],
    force: bool,
) -> Undone:
    space, fault = bench.workspace, fault_in(results)
    shown = tuple(f"{one.name}: {one.reason}" for one in results)
    if fault and not force:
        ref = space.keep_attempt(plan.spec.iteration, tree, target.head)
        kept = f"{space.git_dir} {ref}"
        return Undone(target.task, target.commit, target.onto, "refused", red=fault.at, attempt=kept, gates=shown)
    message = undo_message(target.task, target.title, target.commit, results, here.night)
    author = user.user_identity(here.where.repo)
    date = space.date_of(target.head) + 1
    revert = space.commit_object(tree, [target.head], message, author, RALPH, date)
    sent = _send(here.where.repo, space, branch_of(target.task), revert)
    red = fault.at if fault else ()
    return Undone(target.task, target.commit, target.onto, sent.how, sent.branch, revert, red, sent.detail, gates=shown)


def _send(repo: Path, space: Store, branch: str, revert: str) -> delivery.Delivery:
    """To the user's repository; a branch of an earlier undo moves, its head goes to the attic; any other stays."""
    there = delivery.existing_branch(repo, branch)
    ours = bool(there) and f"\n{TRAILER}: " in user.open_repository(repo).line("show", "-s", "--format=%B", there or "")
    if there and ours and there != revert:
        delivery.attic(repo, branch, there)
    return delivery.deliver(repo, space.git_dir, branch, revert, there if ours else None)


def branch_of(task: str) -> str:
    """Full ref of the branch on which a task is undone; what git forbids in a name is escaped."""
    return f"refs/heads/{BRANCH}" + re.sub(r"^\.|\.(?=\.|$|lock$)", "%2E", task)
