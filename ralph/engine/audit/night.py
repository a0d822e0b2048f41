"""The story of an audit: the chain, the export, the configuration, every verdict, every commit, nothing missing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ralph.config import Config, load
from ralph.domain import Execution
from ralph.engine import frozen
from ralph.engine.audit import commits, complete, guards, proofs, rejudge, stored, strengths
from ralph.engine.audit.book import Book, Told
from ralph.engine.audit.findings import Findings
from ralph.engine.audit.stored import Files
from ralph.engine.messages import adapter
from ralph.errors import LedgerError, RalphError
from ralph.host.paths import Layout
from ralph.memory import ledger_export
from ralph.memory.ledger import Ledger
from ralph.vcs import ledger_ref
from ralph.vcs.store import Store
from ralph.verify.runners import package_scripts


def verify_night(where: Layout, ledger: Ledger, night: str) -> Findings:
    """Check everything that a night claims. What is open is no contradiction while it has not ended."""
    found = Findings()
    book = Book(ledger, night)
    _chain(ledger, night, found)
    _export(where, ledger, night, found)
    steps = [event.kind for event in book.events if event.kind in ("night_started", "began", "night_ended")]
    complete.iterations(book, steps[-1:] != ["night_ended"], found)
    complete.attempts(ledger, book, found)
    complete.run_directories(where, book, found)
    verdicts = _Verdicts(where, book, found)
    verdicts.check([*book.on_the_base, *book.told])
    verdicts.check_rates()
    for event in book.by_kind["committed"]:
        commits.check(where, book, event, found)
    starts = book.by_kind["night_started"]
    commits.branches(where, book, str(starts[-1].data.get("base_commit", "")) if starts else "", found)
    return found


def verify_commit(where: Layout, ledger: Ledger, commit: str) -> Findings:
    """Check what one commit claims, named by its full id: its own iteration, and the record as a whole."""
    found = Findings()
    made = next((e for e in ledger.events(kinds=("committed",)) if e.data["commit"] == commit), None)
    if made is None:
        _stranger(where, ledger, commit, found)
        return found
    book = Book(ledger, made.night)
    _chain(ledger, made.night, found)
    _export(where, ledger, made.night, found)
    complete.attempts(ledger, book, found)
    _Verdicts(where, book, found).check(book.of(made.iteration))
    commits.check(where, book, made, found)
    return found


def _stranger(where: Layout, ledger: Ledger, commit: str, found: Findings) -> None:
    """A commit that no night made: it may only look like one."""
    iteration = commits.iteration_of(where.repo, commit)
    if not iteration:
        raise RalphError(f"{commit[:12]} is not one of ralph's commits", "`ralph evidence` lists what was executed")
    real = next(ledger.events(kinds=("committed",), iteration=iteration), None)
    is_ = f"is {str(real.data['commit'])[:12]}" if real else "does not exist"
    said = f"it says that {iteration} made it, but the commit of {iteration} {is_}"
    found.wrong("commit", commit[:12], said)


def _chain(ledger: Ledger, night: str, found: Findings) -> None:
    try:
        found.checked["events"] = ledger.verify()
    except LedgerError as error:
        found.wrong("ledger", night, error.message)


def _export(where: Layout, ledger: Ledger, night: str, found: Findings) -> None:
    """The night's record in the repository has the same rows."""
    text = ledger_ref.read(where.repo, f"{night}.jsonl")
    if text is None:
        if any(True for _ in ledger.events(night=night, kinds=("exported",))):
            found.wrong("record", night, f"it was exported, but {ledger_ref.REF} does not have it")
        else:
            found.remark(f"night {night} is not in {ledger_ref.REF} yet")
        return
    try:
        there = ledger_export.read(text)
    except LedgerError as error:
        found.wrong("record", night, error.message)
        return
    last = there[-1].seq if there else 0
    here = {line.seq: line for line in ledger_export.lines(ledger, night) if line.seq <= last}
    for line in there:
        if here.pop(line.seq, None) != line:
            found.wrong("record", night, f"event {line.seq} ({line.kind}) is not the same in {ledger_ref.REF}")
    for seq, line in here.items():
        found.wrong("record", night, f"event {seq} ({line.kind}) is missing in {ledger_ref.REF}")


class _Verdicts:
    """Checks verdicts under the configuration that was in force when each was reached."""

    def __init__(self, where: Layout, book: Book, found: Findings) -> None:
        self.where, self.book, self.found = where, book, found
        self.files = Files(where, book.cleaned)
        self.configs: dict[str, Config | None] = {}
        self.scripts = lru_cache(maxsize=64)(self._scripts)

    def check(self, told: list[Told]) -> None:
        for event, why in self.book.unreadable:
            self.found.wrong("verdict", f"{event.iteration} event {event.seq}", f"can't be read: {why}")
        for one in told:
            stored.check(one, self.files, self.found)
            if config := self._config(one.event.seq):
                scripts = self.scripts(one.event.loop, one.tree)
                rejudge.check(one, self.book, config, self.files, scripts, self.found)
                proofs.check(one, self.book, config, self.files, scripts, self.found)
            strengths.check(one, self.found)
        complete.executions(told, self.found)
        for iteration in dict.fromkeys(one.event.iteration for one in told):
            if config := self._config(self.book.began[iteration].seq) if iteration in self.book.began else None:
                guards.check(self.where, self.book, iteration, config, self.found)

    def check_rates(self) -> None:
        """What was executed on the base while loops were idle."""
        for event in self.book.by_kind["flake_rate"]:
            ran = adapter(Execution).validate_python(event.data["execution"])
            stored.check_one(f"{event.iteration} {event.data['gate']}", ran, self.files, self.found)

    def _config(self, seq: int) -> Config | None:
        rows = [*self.book.by_kind["night_started"], *self.book.by_kind["configured"]]
        before = sorted((event for event in rows if event.seq < seq), key=lambda event: event.seq)
        sha256 = str(before[-1].data.get("config_sha256", "")) if before else ""
        if sha256 not in self.configs:
            self.configs[sha256] = self._load(sha256)
        return self.configs[sha256]

    def _load(self, sha256: str) -> Config | None:
        night = self.book.night
        path = frozen.path_of(self.where, night, sha256)
        if path is None:
            where = self.where.frozen(night)
            found = "was changed" if where.exists() else "is missing"
            self.found.wrong("config", night, f"the configuration that the night froze ({where}) {found}")
            return None
        try:
            return load(path)
        except RalphError as error:
            self.found.remark(f"the configuration of night {night} can't be read by this version: {error.message}")
            return None

    def _scripts(self, loop: str, tree: str) -> Mapping[str, str]:
        """package.json's scripts in a tree, where the loop's git directory still has it."""
        git_dir = self.where.loop(loop) / "git" if loop else None
        if git_dir is None or not git_dir.is_dir() or not tree:
            return {}
        try:
            data = Store(git_dir, self.where.mirror).read(tree, "package.json", 1_000_000)
        except RalphError:
            return {}
        return package_scripts(data) if data else {}
