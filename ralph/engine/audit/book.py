"""A night's rows put in order for an audit: verdicts as values, what began and ended, what was intended and made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from ralph.domain import Execution, GateResult, GuardResult, Verdict
from ralph.engine.messages import adapter
from ralph.memory.ledger import Event, Ledger

KINDS = ("began", "ended", "gate", "guard", "intends", "committed", "preflight", "night_started", "configured")


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict as it was recorded."""

    event: Event
    result: GateResult

    @property
    def tree(self) -> str:
        return str(self.event.data.get("tree", ""))

    @property
    def name(self) -> str:
        return f"{self.event.iteration or 'the base'} {self.result.name}"

    def executions(self) -> Iterator[tuple[str, Execution]]:
        """Everything that was executed for it, each with its place in words."""
        runs = {(run.execution.run, run.execution.log) for run in self.result.runs}
        if (own := self.result.execution) and (own.run, own.log) not in runs:
            yield self.name, own
        for run in self.result.runs:
            yield f"{self.name} ({run.execution.purpose} {run.execution.attempt})", run.execution


class Book:
    """The rows of one night, and what of other nights bears on them."""

    def __init__(self, ledger: Ledger, night: str) -> None:
        self.ledger, self.night = ledger, night
        self.events = list(ledger.events(night=night))
        self.by_kind: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            self.by_kind[event.kind].append(event)
        self.began = {event.iteration: event for event in self.by_kind["began"]}
        self.ended = {event.iteration: event for event in self.by_kind["ended"]}
        self.committed = {event.iteration: event for event in self.by_kind["committed"]}
        self.intends = {event.iteration: event for event in self.by_kind["intends"]}
        self.unreadable: list[tuple[Event, str]] = []
        self.told = [told for event in self.by_kind["gate"] if (told := self._told(event))]
        self.on_the_base = [told for event in self.by_kind["preflight"] for told in self._examined(event)]
        self.cleaned = {name for event in ledger.events(kinds=("cleaned",)) for name in event.data.get("runs", ())}

    def of(self, iteration: str) -> list[Told]:
        return [told for told in self.told if told.event.iteration == iteration]

    def guards_of(self, iteration: str) -> list[tuple[Event, GuardResult]]:
        rows = [event for event in self.by_kind["guard"] if event.iteration == iteration]
        return [(event, adapter(GuardResult).validate_python(without_tree(event.data))) for event in rows]

    def preflight(self, before: int) -> Event | None:
        """The base as it was found last before a row."""
        rows = [event for event in self.by_kind["preflight"] if event.seq < before]
        return rows[-1] if rows else None

    def on_base(self, told: Told, tree: str) -> GateResult | None:
        """The result of the same command on ``tree``, as it stood when ``told`` was reached."""
        ran = told.result.execution
        return next((one for one in self._results_on(tree, told) if ran and _same_command(one, ran)), None)

    def _results_on(self, tree: str, told: Told) -> Iterator[GateResult]:
        """Newest first: of gate rows, then of the base's examination, in any night."""
        name = told.result.name
        sql = (
            "select seq, night from events where kind = 'gate' and seq < ? and json_extract(data, '$.tree') = ?"
            " and json_extract(data, '$.name') = ? order by seq desc"
        )
        for seq, night in self.ledger.rows(sql, (told.event.seq, tree, name)):
            event = next(self.ledger.events(night=night, kinds=("gate",), after=seq - 1))
            if found := self._told(event):
                yield found.result
        for event in reversed(list(self.ledger.events(kinds=("preflight",)))):
            if event.seq < told.event.seq and event.data.get("tree") == tree:
                gates = adapter(tuple[GateResult, ...]).validate_python(event.data["gates"])
                yield from (gate for gate in gates if gate.name == name)

    def _examined(self, event: Event) -> list[Told]:
        """The gates on the night's base."""
        try:
            gates = adapter(tuple[GateResult, ...]).validate_python(event.data.get("gates", ()))
        except ValidationError as error:
            self.unreadable.append((event, str(error.errors()[0]["msg"])))
            return []
        return [Told(event, gate) for gate in gates]

    def _told(self, event: Event) -> Told | None:
        try:
            return Told(event, adapter(GateResult).validate_python(without_tree(event.data)))
        except ValidationError as error:
            self.unreadable.append((event, str(error.errors()[0]["msg"])))
            return None


def without_tree(data: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key != "tree"}


def _same_command(found: GateResult, ran: Execution) -> bool:
    there = found.execution
    return (
        there is not None
        and there.argv == ran.argv
        and there.environment in ("", ran.environment)
        and found.verdict in (Verdict.PASSED, Verdict.FAILED)
    )
