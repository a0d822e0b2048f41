"""Guards judged again on the diff that the trees give; values of secrets are not kept, so those may only be missed."""

from __future__ import annotations

from ralph.config import Config
from ralph.domain import Finding, GuardResult, Kind, Task, Verdict
from ralph.engine.audit.book import Book
from ralph.engine.audit.findings import Findings
from ralph.engine.judge.gates import BLOB_LIMIT
from ralph.errors import RalphError
from ralph.host.paths import Layout
from ralph.memory.ledger import Event
from ralph.vcs.store import Store
from ralph.verify import guards as rules


def check(where: Layout, book: Book, iteration: str, config: Config, found: Findings) -> None:
    """Run the guards of one iteration again and compare verdicts and findings."""
    recorded = {result.name: (row, result) for row, result in book.guards_of(iteration)}
    began = book.began[iteration]
    if not recorded or "files" not in began.data:
        return
    tree = str(next(iter(recorded.values()))[0].data["tree"])
    try:
        again = _again(where, began, tree, config)
    except RalphError:
        found.remark(f"{iteration}: its tree is gone, so its guards can't be run again")
        return
    for result in again:
        if result.name in recorded:
            found.checked["guards"] += 1
            _compare(iteration, recorded[result.name][1], result, found)
        else:
            found.wrong("guard", iteration, f"guard {result.name} is not on record")


def _again(where: Layout, began: Event, tree: str, config: Config) -> list[GuardResult]:
    data = began.data
    store = Store(where.loop(began.loop) / "git", where.mirror)
    task = Task(
        began.task,
        str(data.get("title", "")),
        files=tuple(data["files"]),
        allow=tuple(data.get("allow", ())),
        checks=tuple(data.get("checks", ())),
        kind=Kind(data["kind"]),
    )
    return rules.check(
        task,
        store.changes(str(data["head_tree"]), tree),
        read_blob=lambda blob: store.blob(blob, BLOB_LIMIT),
        tracked=store.paths(str(data["head"])),
        config=config,
        shared_files=tuple(data.get("shared_files", ())),
    )


def _compare(iteration: str, recorded: GuardResult, again: GuardResult, found: Findings) -> None:
    before, now = _seen(recorded), _seen(again)
    missed = now - before
    if recorded.name == "secrets" and recorded.verdict is Verdict.FAILED and not missed:
        return
    if recorded.verdict is not again.verdict or before != now:
        said = f"{recorded.verdict.value} on record, {again.verdict.value} when run again"
        first = next(iter(sorted(missed or before - now)), None)
        what = f" ({first[1]}: {first[0]})" if first else ""
        found.wrong("guard", iteration, f"guard {recorded.name}: {said}{what}")


def _seen(result: GuardResult) -> set[tuple[str, str]]:
    return {_key(finding) for finding in result.findings}


def _key(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.path
