"""What the train and the forecast say of the night's branches: read from their rows, and put into sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ralph.memory.ledger import Event
from ralph.report import read
from ralph.report.model import ClashLine, LeftLine, RemovalLine, TrainLine

Ink = Callable[[str], str]
_MOST = 2
"""Tests or paths named in one sentence."""


def last_train(events: Iterable[Event]) -> TrainLine | None:
    """The last train of the night; None where none ran."""
    rows = [event for event in events if event.kind == "train"]
    return train_line(rows[-1].data) if rows else None


def train_line(data: Mapping[str, Any]) -> TrainLine:
    """``data``: the row's, as the engine wrote it."""
    return TrainLine(
        base=read.text(data, "base"),
        base_commit=read.text(data, "base_commit"),
        moved=bool(data.get("moved")),
        land=tuple(read.text(row, "branch") for row in read.rows(data, "land")),
        left=tuple(_left(row) for row in read.rows(data, "left")),
        removals=tuple(_removal(row) for row in read.rows(data, "removals")),
        skipped=read.text(data, "skipped"),
        stopped=read.text(data, "stopped"),
        ground=read.text(data, "ground"),
        flaky=read.strings(data, "flaky"),
        trials=read.integer(data, "trials"),
        seconds=read.number(data, "seconds"),
    )


def last_forecast(events: Iterable[Event]) -> tuple[ClashLine, ...]:
    """Pairs of branches that conflicted when the last commit was made."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for event in events:
        if event.kind == "forecast":
            found[read.strings(event.data, "branches")] = read.strings(event.data, "paths")
    return tuple(ClashLine(branches, paths) for branches, paths in sorted(found.items()) if paths)


def sentences(train: TrainLine, name: Ink = str, words: Ink = str) -> Iterator[str]:
    """What to do in the morning, the most important first. ``name`` and ``words`` make foreign text inert."""
    if train.stopped and not train.land and not train.left:
        yield f"What lands together was not tried: {words(train.stopped)}; {name('ralph train')} tries it."
        return
    yield f"{_landing(train, name)}{''.join(f'; {left_words(one, train.base, name, words)}' for one in train.left)}."
    if train.moved:
        yield f"{name(train.base)} has moved since the night began; this is said of {name(train.base_commit[:10])}."
    if train.ground:
        yield f"{name(train.base)} itself is red, without any branch: {words(train.ground)}."
    if train.skipped:
        yield f"Not run together: {words(train.skipped)}."
    if train.stopped:
        yield f"Not everything was tried: {words(train.stopped)}; {name('ralph train')} tries again."
    if train.flaky:
        yield f"Failed once and passed when run again: {_some(train.flaky, name)}."


def _landing(train: TrainLine, name: Ink) -> str:
    branches = ", ".join(name(branch) for branch in train.land)
    if not train.land:
        return "Nothing is known to land" if train.left else "There is nothing to land"
    return f"Land {branches}{' in this order' if len(train.land) > 1 else ''}"


def left_words(left: LeftLine, base: str, name: Ink = str, words: Ink = str) -> str:
    """Why one branch does not land: with which others, and where it shows."""
    branch, others = name(left.branch), _list([name(other) for other in left.beside])
    match left.why:
        case "red":
            where = f" at {_some(left.at, name)}"
            return f"{branch} breaks with {others}{where}" if others else f"{branch} is red on {name(base)}{where}"
        case "conflict":
            return f"{branch} conflicts with {others or name(base)} in {_some(left.at, name)}"
        case "behind":
            return f"{branch} builds on {others}"
    known = f"; with {others} it is red at {_some(left.at, name)}" if left.at else ""
    return f"{branch} was not tried ({words(left.reason)}){known}"


def removal_words(removal: RemovalLine, name: Ink = str) -> str:
    """Whether one task's commit comes out again."""
    verb = "builds" if len(removal.builders) == 1 else "build"
    builders = f"{_list([name(one) for one in removal.builders])} {verb} on it" if removal.builders else ""
    match removal.how:
        case "proven":
            return f"comes out again: {name(f'ralph undo {removal.task}')}"
        case "conflict" | "needed":
            return f"stays in: {builders or f'{_some(removal.at, name)} was changed further'}"
        case "red":
            return f"stays in: without it {_some(removal.at, name)} is red"
        case "gone":
            return "nothing is left of it"
    return "not tried whether it comes out again"


def _some(names: Sequence[str], name: Ink) -> str:
    more = len(names) - _MOST
    return ", ".join(name(one) for one in names[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else ""


def _left(row: Mapping[str, Any]) -> LeftLine:
    return LeftLine(
        read.text(row, "branch"),
        read.text(row, "why"),
        read.strings(row, "beside"),
        read.strings(row, "at"),
        read.text(row, "reason"),
        read.strings(row, "tasks"),
    )


def _removal(row: Mapping[str, Any]) -> RemovalLine:
    return RemovalLine(
        read.text(row, "task"),
        read.text(row, "commit"),
        read.text(row, "how"),
        read.strings(row, "at"),
        read.strings(row, "builders"),
    )
