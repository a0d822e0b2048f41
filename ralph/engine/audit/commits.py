"""Commits against the record: tree, parents and message as they were intended, the note, the branch, green verdicts."""

from __future__ import annotations

from pathlib import Path

from ralph.domain import Verdict
from ralph.engine.audit.book import Book
from ralph.engine.audit.findings import Findings
from ralph.engine.note import note_of
from ralph.errors import RalphError
from ralph.host.paths import Layout
from ralph.memory.ledger import Event
from ralph.vcs import delivery, user
from ralph.vcs.git import Git, text
from ralph.vcs.reading import Made, made

TRAILER = "Ralph-Iteration"


def check(where: Layout, book: Book, event: Event, found: Findings) -> None:
    """One `committed` row: the commit is what was intended, stood on green verdicts, and its note says the same."""
    commit = str(event.data["commit"])
    found.checked["commits"] += 1
    _green(book, event, found)
    there = _read(where, event.loop, commit)
    if there is None:
        found.wrong("commit", commit[:12], "it is in neither the repository nor its loop's git directory")
        return
    _as_intended(book, event, there, found)
    _note(where, book, event, found)


def branches(where: Layout, book: Book, base: str, found: Findings) -> None:
    """No commit on ralph's branches carries this night's trailers without being one that the night made."""
    recorded = {str(event.data["commit"]): event for event in book.by_kind["committed"]}
    git = user.open_repository(where.repo)
    for name in dict.fromkeys(str(event.data["branch"]) for event in recorded.values()):
        head = delivery.existing_branch(where.repo, name)
        if head is None:
            found.remark(f"{name.removeprefix('refs/heads/')} is no longer in the repository")
            continue
        for commit, iteration in _signed(git, base, head):
            own = book.began.get(iteration)
            if own and commit not in recorded:
                real = book.committed.get(iteration)
                is_ = f"is {str(real.data['commit'])[:12]}" if real else "does not exist"
                what = f"says that {iteration} made it, but the commit of {iteration} {is_}"
                found.wrong("commit", commit[:12], f"{what} (on {name.removeprefix('refs/heads/')})")


def iteration_of(repo: Path, commit: str) -> str:
    """The iteration that a commit's message names; empty where it names none."""
    out = user.open_repository(repo).run("show", "-s", f"--format=%(trailers:key={TRAILER},valueonly)", commit)
    lines = [line for line in text(out).splitlines() if line]
    return lines[-1] if lines else ""


def _signed(git: Git, base: str, head: str) -> list[tuple[str, str]]:
    """(commit, iteration that it names) from ``base`` to ``head``, newest first."""
    form = f"--format=%H%x00%(trailers:key={TRAILER},valueonly,separator=%x01)"
    try:
        rows = text(git.run("log", form, f"{base}..{head}")).splitlines()
    except RalphError:
        return []
    pairs = [row.split("\0", 1) for row in rows if "\0" in row]
    return [(commit, names.split("\1")[-1]) for commit, names in pairs if names]


def _read(where: Layout, loop: str, commit: str) -> Made | None:
    own = where.loop(loop) / "git"
    for git in (user.open_repository(where.repo), *([Git(own)] if own.is_dir() else [])):
        if found := made(git, commit):
            return found
    return None


def _as_intended(book: Book, event: Event, there: Made, found: Findings) -> None:
    commit, data = str(event.data["commit"])[:12], event.data
    intended = book.intends.get(event.iteration)
    if there.tree != data["tree"]:
        found.wrong("commit", commit, f"its tree is {there.tree[:12]}, but what was gated is {str(data['tree'])[:12]}")
    if list(there.parents) != list(data.get("parents", there.parents)):
        found.wrong("commit", commit, "its parents are not the ones on record")
    if intended is None:
        found.wrong("commit", commit, f"{event.iteration} never said that it intends a commit")
        return
    if intended.data["commit"] != data["commit"]:
        found.wrong("commit", commit, f"{event.iteration} intended {str(intended.data['commit'])[:12]}")
    if there.message.rstrip() != str(intended.data["message"]).rstrip():
        found.wrong("message", commit, "its message is not the one on record")
    wanted = {"Task": event.task, "Iteration": event.iteration, "Night": event.night, "Loop": event.loop}
    for name, value in wanted.items():
        if there.trailers.get(f"Ralph-{name}") != value:
            said = there.trailers.get(f"Ralph-{name}", "nothing")
            found.wrong("message", commit, f"its trailer Ralph-{name} says {said}, the record {value}")


def _note(where: Layout, book: Book, event: Event, found: Findings) -> None:
    commit = str(event.data["commit"])
    note = delivery.read_note(where.repo, commit)
    if note is None:
        found.remark(f"{commit[:12]} has no evidence note in refs/notes/ralph")
    elif note != note_of(book.ledger, event):
        found.wrong("note", commit[:12], "its evidence note is not what the ledger says")


def _green(book: Book, event: Event, found: Findings) -> None:
    """The last word of every check on the committed tree let it through, and there was one."""
    tree, where = event.data["tree"], f"{event.iteration} {str(event.data['commit'])[:12]}"
    gates = {one.result.name: one.result for one in book.of(event.iteration) if one.tree == tree}
    guards = {result.name: result for row, result in book.guards_of(event.iteration) if row.data.get("tree") == tree}
    executed = [one for one in gates.values() if one.execution and one.verdict is Verdict.PASSED]
    if not gates:
        found.wrong("verdict", where, "it was committed, but no gate on its tree is on record")
    elif not executed:
        found.remark(f"{where}: no gate that was executed passed on its tree")
    if not guards:
        found.wrong("guard", where, "it was committed, but no guard on its tree is on record")
    for name, gate in gates.items():
        if gate.blocks:
            found.wrong("verdict", where, f"it was committed although {name} is {gate.verdict.value}: {gate.reason}")
    for name, guard in guards.items():
        if guard.verdict.blocks:
            found.wrong("guard", where, f"it was committed although guard {name} is {guard.verdict.value}")
