"""Where each loop's branch starts tonight: it goes on while its pull request is open, else at the base."""

from __future__ import annotations

from collections.abc import Collection

from ralph.domain import Status
from ralph.engine.board import TaskState
from ralph.engine.night import Night
from ralph.errors import ForgeError, GitError
from ralph.forge.base import Forge
from ralph.forge.local import LocalForge
from ralph.vcs import delivery
from ralph.vcs.workspace import Workspace

OF_A_TASK = "refs/heads/ralph-task/"
TURNED_DOWN = "its pull request was closed without a merge"


def is_open(night: Night, pulls: Forge, loop: str) -> bool:
    """Whether the branch of a loop that tonight does not have waits to be merged."""
    if not (night.layout.loop(loop) / "git").is_dir():
        return False
    return _pull_state(night, pulls, f"ralph/{loop}", loop) in ("open", "unknown")


def _pull_state(night: Night, pulls: Forge, branch: str, loop: str) -> str:
    """open, merged or closed; empty where there is none, "unknown" where the forge does not answer."""
    try:
        found = pulls.find(branch)
    except ForgeError as error:
        night.record("warning", {"text": f"{branch} goes on unasked: {error.message}"}, loop=loop)
        return "unknown"
    return found.state if found else ""


def in_base(night: Night, commit: str) -> bool:
    return any(
        loop.workspace.knows(commit) and loop.workspace.contains(night.base, commit) for loop in night.loops.values()
    )


def start_of(night: Night, pulls: Forge, name: str, workspace: Workspace, ours: bool) -> str:
    """Where the loop's branch starts tonight.

    The branch of an open pull request goes on, with the base merged in; so does one that is ``ours`` alone, because
    a crash came before its pull request. After a merge or a close it moves to the base and its old head is kept in
    the attic.
    """
    if night.config.night.branch_per == "task":
        return night.base
    ref = f"refs/heads/ralph/{name}"
    old, theirs = workspace.ref(ref), delivery.existing_branch(night.layout.repo, ref)
    night.delivered[ref] = theirs
    if old is None and theirs is None:
        _start_at(workspace, ref, night.base, None)
        return night.base
    if theirs and theirs != old:
        night.mirror.fetch([ref])
    current = _newest(workspace, old, theirs)
    state = _pull_state(night, pulls, f"ralph/{name}", name)
    merged = workspace.contains(night.base, current)
    here_only = isinstance(pulls, LocalForge)  # then a deleted branch is the person's word on the pull request
    closed = state in ("merged", "closed") or (theirs is None and (here_only or not state))
    if merged or (closed and not ours):
        if isinstance(pulls, LocalForge):
            pulls.close(f"ralph/{name}", "merged" if merged else "closed")
        if not merged:
            delivery.attic(night.layout.repo, ref, current, workspace.git_dir)
            _settle_tasks(night, workspace, name, merged=state == "merged")
        _start_at(workspace, ref, night.base, old)
        return night.base
    head = _with_base(night, workspace, name, current)
    _start_at(workspace, ref, head, old)
    return head


def has_its_own(state: TaskState) -> bool:
    """Whether the task's commit is on a branch of the task alone."""
    return state.branch.startswith(OF_A_TASK)


def settle_own(night: Night, pulls: Forge, unsent: Collection[str]) -> None:
    """Say what a person did with the branches of single tasks: merged, also squashed, or turned down.

    ``unsent`` names refs that nobody can have seen, because a crash came before their pull request.
    """
    for id, state in list(night.board.tasks.items()):
        if not (state.commit and state.loop and has_its_own(state) and state.status is Status.COMPLETED):
            continue
        place = night.layout.loop(state.loop)
        if (place / "git").is_dir():
            _settle_one(night, pulls, id, Workspace(place, night.layout.mirror), seen=state.branch not in unsent)


def _settle_one(night: Night, pulls: Forge, id: str, workspace: Workspace, *, seen: bool) -> None:
    state = night.board.state(id)
    commit, name, where = state.commit or "", state.branch.removeprefix("refs/heads/"), {"loop": state.loop, "task": id}
    said = _pull_state(night, pulls, name, state.loop)
    theirs = delivery.existing_branch(night.layout.repo, state.branch)
    below = workspace.contains(night.base, commit)
    landed = below or said == "merged" or _absorbed(workspace, night.base, commit, state.paths)
    gone = theirs is None and (isinstance(pulls, LocalForge) or not said)
    if not landed and not (seen and (gone or said == "closed")):
        return
    if isinstance(pulls, LocalForge):
        pulls.close(name, "merged" if landed else "closed")
    if not below and theirs != commit:
        delivery.attic(night.layout.repo, state.branch, commit, workspace.git_dir)
    _start_at(workspace, state.branch, night.base, workspace.ref(state.branch))
    if landed:
        night.record("landed", {"branch": name, "commit": commit}, **where)
    else:
        night.record("task", {"status": "needs_human", "reason": TURNED_DOWN, "by": "daemon"}, **where)


def _settle_tasks(night: Night, workspace: Workspace, loop: str, merged: bool) -> None:
    """The branch is done with, and the base does not hold its commits: squashed, or turned down.

    Work that the base has under other commits has landed; a task whose work a person turned down waits for a word.
    """
    for id, state in list(night.board.tasks.items()):
        elsewhere = state.loop != loop or has_its_own(state)
        if state.commit is None or elsewhere or workspace.contains(night.base, state.commit):
            continue
        if merged or _absorbed(workspace, night.base, state.commit, state.paths):
            night.record("landed", {"branch": f"ralph/{loop}", "commit": state.commit}, loop=loop, task=id)
        elif state.status is Status.COMPLETED:
            night.record("task", {"status": "needs_human", "reason": TURNED_DOWN, "by": "daemon"}, loop=loop, task=id)


def _absorbed(workspace: Workspace, base: str, commit: str, paths: tuple[str, ...]) -> bool:
    """Whether the base has the commit's version of every path that the task changed."""
    there, ours = dict(workspace.blobs(base)), dict(workspace.blobs(commit))
    return all(there.get(path) == ours.get(path) for path in paths)


def _newest(workspace: Workspace, old: str | None, theirs: str | None) -> str:
    """The user's branch where it moved on from ours (a person pushed to it), else the loop's own head."""
    if old is None or theirs is None:
        return old or theirs or ""
    return theirs if workspace.contains(theirs, old) else old


def _with_base(night: Night, workspace: Workspace, name: str, current: str) -> str:
    if workspace.contains(current, night.base):
        return current
    tree, conflicts = workspace.merge(current, night.base)
    if tree is None:
        text = f"ralph/{name} does not merge with {night.config.night.base}: {', '.join(conflicts[:3])}"
        night.record("warning", {"text": f"{text}; it goes on without"}, loop=name)
        return current
    date = max(workspace.date_of(current), workspace.date_of(night.base)) + 1
    message = f"Merge {night.config.night.base} into ralph/{name}\n"
    return workspace.commit_object(
        tree, [current, night.base], message, night.author, ("ralph", "ralph@localhost"), date
    )


def _start_at(workspace: Workspace, ref: str, commit: str, old: str | None) -> None:
    if old != commit and not workspace.advance(ref, commit, old or ""):
        raise GitError(f"{ref} of the loop moved while the night was set up", "start again")
