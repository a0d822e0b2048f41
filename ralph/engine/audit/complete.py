"""Whether anything is missing: iterations, attempts, executions. What was dropped leaves a gap in a count."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from ralph.domain import Outcome
from ralph.engine.audit.book import Book, Told
from ralph.engine.audit.findings import Findings
from ralph.engine.board import Board
from ralph.host.paths import Layout
from ralph.memory.ledger import Ledger

_CUT_OFF = frozenset({Outcome.ABANDONED, Outcome.INFRASTRUCTURE, Outcome.STOPPED})
"""Outcomes of iterations whose last executions may have had nobody to tell."""


def iterations(book: Book, running: bool, found: Findings) -> None:
    """Every iteration has a beginning and an end, and each loop counts its own without a gap."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for name, began in book.began.items():
        found.checked["iterations"] += 1
        if name not in book.ended and not running:
            found.wrong("attempt", name, "it began, but its end is not on record")
        number = name.removeprefix(f"{book.night}.{began.loop}.")
        if number.isdigit():
            numbers[began.loop].append(int(number))
    trains = _trains(book, "train_began", "train")
    for name in sorted({*book.ended, *(told.event.iteration for told in book.told)} - set(book.began) - trains - {""}):
        found.wrong("attempt", name, "there are rows of it, but its beginning is not on record")
    for loop, seen in numbers.items():
        for missing in sorted(set(range(1, max(seen) + 1)) - set(seen)):
            found.wrong("attempt", f"{book.night}.{loop}.{missing}", "this iteration is not on record")


def attempts(ledger: Ledger, book: Book, found: Findings) -> None:
    """The number of each attempt follows from the ones before it."""
    board = Board()
    for event in ledger.events(kinds=Board.KINDS):
        if event.kind == "began" and event.night == book.night:
            expected, said = board.state(event.task).attempts + 1, int(event.data.get("attempt", 0))
            if said != expected:
                what = f"it was attempt {said} of {event.task}, but {expected - 1} before it are on record"
                found.wrong("attempt", event.iteration, what)
        board.apply(event)


def run_directories(where: Layout, book: Book, found: Findings) -> None:
    """What lies in the run directories is on record: an iteration, and the log of each command."""
    runs = where.root / "runs"
    own = re.compile(rf"{re.escape(book.night)}\.(.+)\.(\d+)$")
    known, trains = _named(book), _trains(book, "train_began", "train")
    loops = {began.loop for began in book.began.values()} | {name.split(".")[-2] for name in trains}
    loops |= {name for start in book.by_kind["night_started"] for name in start.data.get("loops", ())}
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        match = own.match(folder.name)
        if not match or match.group(1) not in loops:
            continue
        if folder.name not in book.began and folder.name not in trains:
            found.wrong("attempt", folder.name, "its run directory is there, but it is not on record")
            continue
        if _cut_off(book, folder.name):
            continue
        for log in sorted(folder.glob("gate-*.log")):
            if (folder.name, log.name) not in known:
                found.wrong("execution", folder.name, f"{log.name} was written, but what was executed is not on record")


def executions(told: Iterable[Told], found: Findings) -> None:
    """Of several executions of one command on one tree for one verdict none is missing."""
    for one in told:
        groups: dict[tuple[object, ...], set[int]] = defaultdict(set)
        for _, ran in one.executions():
            if ran.purpose == "rerun":
                groups[ran.argv, ran.tree, ran.environment].add(ran.attempt)
        for group, seen in groups.items():
            first = min(seen)
            if first > 2 or set(range(first, max(seen) + 1)) != seen:
                numbers = ", ".join(str(number) for number in sorted(seen))
                found.wrong("execution", one.name, f"re-runs {numbers} of `{group[0]}` are on record: some are missing")


def _trains(book: Book, *kinds: str) -> set[str]:
    return {event.iteration for kind in kinds for event in book.by_kind[kind]}


def _cut_off(book: Book, iteration: str) -> bool:
    if iteration not in book.began:
        return iteration not in _trains(book, "train")
    ended = book.ended.get(iteration)
    return ended is None or Outcome(ended.data["outcome"]) in _CUT_OFF


def _named(book: Book) -> set[tuple[str, str]]:
    return {(ran.run, ran.log) for told in book.told for _, ran in told.executions()}
