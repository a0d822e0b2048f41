"""What was executed to support a claim, read for a person: every run, its bytes, and the grade that is left of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.core.claim_words import compared, words
from ralph.domain import Grade
from ralph.engine.audit import commits
from ralph.engine.audit.stored import Files, Kept
from ralph.errors import RalphError
from ralph.host.paths import Layout
from ralph.memory.ledger import Event, Ledger
from ralph.report.verdicts import gate_line
from ralph.vcs import delivery, user
from ralph.vcs.git import text
from ralph.vcs.reading import made


@dataclass(frozen=True, slots=True)
class Executed:
    """One command that was run, with what is left of its bytes."""

    data: Mapping[str, Any]
    """The execution as recorded."""
    counts: Mapping[str, Any] | None
    log: Path | None
    log_state: Kept
    report: Path | None
    report_state: Kept


@dataclass(frozen=True, slots=True)
class Claim:
    """One verdict and everything that was executed for it."""

    event: Event
    grade: Grade
    commit: str
    """The commit that has this tree; empty where none of this iteration has."""
    runs: tuple[Executed, ...]
    """The verdict's own execution first."""

    @property
    def data(self) -> Mapping[str, Any]:
        return self.event.data

    @property
    def said(self) -> str:
        """Proof, strength, review and comparison in a phrase; empty where there is nothing to say."""
        return "; ".join(part for part in (words(self.data), compared(self.data)) if part)


class Claims:
    """Finds the claims about a task, an iteration, a commit or a night."""

    def __init__(self, where: Layout, ledger: Ledger) -> None:
        self.where, self.ledger = where, ledger
        cleaned = {name for event in ledger.events(kinds=("cleaned",)) for name in event.data.get("runs", ())}
        self.files = Files(where, cleaned)
        self.made = list(ledger.events(kinds=("committed",)))
        self._now: dict[str, str] = {}

    def of_night(self, night: str) -> Iterator[Claim]:
        yield from (self._claim(event) for event in self.ledger.events(kinds=("gate",), night=night))

    def of(self, what: str) -> list[Claim]:
        """Claims about a task, an iteration or a commit (an id, its beginning, a branch). Raises RalphError."""
        landed = [event for event in self.made if len(what) >= 4 and str(event.data.get("commit", "")).startswith(what)]
        rows = self._rows(
            lambda event: what in (event.task, event.iteration) or any(_is_about(one, event) for one in landed)
        )
        if rows:
            return [self._claim(event) for event in rows]
        commit, tree = self._in_git(what)
        landed = [event for event in self.made if event.data.get("commit") == commit]
        iteration = commits.iteration_of(self.where.repo, commit) if commit and not landed else ""
        rows = self._rows(
            lambda event: any(_is_about(one, event) for one in landed) or (iteration and event.iteration == iteration)
        )
        if not rows and not self.guards(what):
            raise RalphError(f"nothing was executed for {what!r}", "`ralph evidence` lists the last night")
        return [self._claim(event, tree) for event in rows]

    def guards(self, what: str) -> list[Event]:
        """What guards found in the changes of a task, an iteration or a commit, in order."""
        landed = [event for event in self.made if len(what) >= 4 and str(event.data.get("commit", "")).startswith(what)]
        return [
            event
            for event in self.ledger.events(kinds=("guard",))
            if event.data.get("findings")
            and (what in (event.task, event.iteration) or any(_is_about(one, event) for one in landed))
        ]

    def _rows(self, wanted: Any) -> list[Event]:
        return [event for event in self.ledger.events(kinds=("gate",)) if wanted(event)]

    def _in_git(self, what: str) -> tuple[str, str]:
        """Full id and tree of a commit of the user's repository; empty where it has none of that name."""
        git = user.open_repository(self.where.repo)
        code, out, _ = git.status("rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}")
        commit = text(out).strip() if code == 0 else ""
        there = made(git, commit) if commit else None
        return commit, there.tree if there else ""

    def _claim(self, event: Event, tree: str = "") -> Claim:
        rows = event.data.get("runs") or ()
        own = [self._executed(event, event.data.get("execution"), event.data.get("counts"))]
        own += [self._executed(event, run.get("execution"), run.get("counts")) for run in rows]
        runs = tuple({run.log or number: run for number, run in enumerate(own) if run}.values())
        landed = next((made for made in self.made if _is_about(made, event)), None)
        now = tree or (self._tree_now(landed) if landed else "")
        commit = str(landed.data["commit"]) if landed else ""
        return Claim(event, _grade(event, runs, now), commit, runs)

    def _executed(self, event: Event, ran: Mapping[str, Any] | None, counts: Any) -> Executed | None:
        if not ran:
            return None
        run = str(ran.get("run") or event.iteration)
        log, report = str(ran.get("log") or ""), str(ran.get("report") or "")
        folder = self.where.run(run) if run else None
        return Executed(
            ran,
            counts,
            folder / log if folder and log else None,
            self.files.state(run, log, str(ran.get("log_sha256", ""))),
            folder / report if folder and report else None,
            self.files.state(run, report, str(ran.get("report_sha256", ""))),
        )

    def _tree_now(self, landed: Event) -> str:
        """Tree of the commit, or of its branch's head where somebody made the branch go without it."""
        commit, branch = str(landed.data["commit"]), str(landed.data.get("branch", ""))
        if commit not in self._now:
            self._now[commit] = str(landed.data.get("tree", ""))
            head = delivery.existing_branch(self.where.repo, branch) if branch else None
            git = user.open_repository(self.where.repo)
            if head and git.status("merge-base", "--is-ancestor", commit, head)[0] == 1:
                there = made(git, head)
                self._now[commit] = there.tree if there else ""
        return self._now[commit]


def _is_about(landed: Event, event: Event) -> bool:
    return landed.iteration == event.iteration and landed.data.get("tree") == event.data.get("tree")


def _grade(event: Event, runs: tuple[Executed, ...], tree_now: str) -> Grade:
    """What the record earned, less what has become of it: no bytes, changed bytes, another tree."""
    grade = gate_line(event).grade
    if grade in (Grade.NOT_RUN, Grade.REPORTED) or not runs:
        return grade
    if tree_now and event.data.get("tree") != tree_now:
        return Grade.STALE
    states = {state for run in runs for state in (run.log_state, run.report_state)}
    if states & {Kept.CHANGED, Kept.GONE, Kept.LOST}:
        return Grade.REPORTED
    return Grade.OBSERVED if Kept.REMOVED in states else grade
