"""What changes did to tests and to what configures checks, and the places in them to look at first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ralph.core import claim_words
from ralph.domain import Verdict
from ralph.memory.ledger import Event
from ralph.report import read
from ralph.report.model import SpotLine, TaskLine, TouchLine


def touched(events: Sequence[Event], tasks: Sequence[TaskLine]) -> tuple[TouchLine, ...]:
    """What landed because a task declares it, then what was refused because none did."""
    trees = {task.tree: task for task in tasks if task.outcome == "landed"}
    declared: dict[str, TouchLine] = {}
    refused: dict[str, TouchLine] = {}
    for event in events:
        if event.kind != "guard":
            continue
        task = trees.get(read.text(event.data, "tree"))
        if task and event.task == task.id and (places := claim_words.declared(event.data)):
            before = declared[task.id].places if task.id in declared else ()
            declared[task.id] = TouchLine(task.id, tuple(dict.fromkeys((*before, *places))), task.commit or "")
        if places := list(_blocking(event)):
            refused[event.task] = TouchLine(event.task, tuple(places))
    return (*declared.values(), *refused.values())


def _blocking(event: Event) -> Iterator[str]:
    """Findings that say that checks were made to see less; other protected paths are a matter of scope."""
    verdict = read.word(Verdict, event.data.get("verdict"), Verdict.PASSED)
    name = read.text(event.data, "name")
    for row in read.rows(event.data, "findings") if verdict.blocks else []:
        if not row.get("note") and (name == "tampering" or read.text(row, "rule") == "config"):
            yield f"{claim_words.place(row)}: {read.text(row, 'message')}"


def unnoticed(events: Iterable[Event], tasks: Sequence[TaskLine]) -> tuple[SpotLine, ...]:
    """Per task that landed the first planted fault that nothing noticed; the task with most of them first."""
    trees = {task.tree: task.id for task in tasks if task.outcome == "landed"}
    found: dict[str, list[str]] = {}
    for event in events:
        if event.kind == "gate" and (task := trees.get(read.text(event.data, "tree"))):
            found[task] = claim_words.survivors(event.data) or found.get(task, [])
    most = sorted(((task, alive) for task, alive in found.items() if alive), key=lambda one: -len(one[1]))
    return tuple(_spot(task, alive) for task, alive in most)


def leftovers(events: Iterable[Event], tasks: Sequence[TaskLine]) -> tuple[SpotLine, ...]:
    """What guards named in the changes that landed without objecting: prints and breakpoints."""
    trees = {task.tree: task.id for task in tasks if task.outcome == "landed"}
    found = {
        (task, said)
        for event in events
        if event.kind == "guard" and trees.get(read.text(event.data, "tree")) == (task := event.task)
        for said in claim_words.named(event.data)
    }
    return tuple(SpotLine(*_split(said), (task,)) for task, said in sorted(found))


def _split(said: str) -> tuple[str, int, str]:
    place, _, what = said.partition(": ")
    return place, 0, what


def _spot(task: str, alive: Sequence[str]) -> SpotLine:
    place, line, what = _split(alive[0])
    more = f", and {len(alive) - 1} more" if len(alive) > 1 else ""
    why = what if what == "no test runs it" else f"no test notices a fault planted here: {what}"
    return SpotLine(place, line, why + more, (task,))
