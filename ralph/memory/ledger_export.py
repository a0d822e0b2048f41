"""A night's events as JSON lines that can be checked without the ledger: each line carries its link in the chain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ralph.errors import LedgerError
from ralph.memory.ledger import Ledger, chained

COLUMNS = ("at", "night", "loop", "task", "iteration", "kind", "data")
"""What a row's hash covers, in this order, after the hash of the row before it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is exported. ``data`` is the text that was hashed, ``before`` the hash of the row before it."""

    seq: int
    at: str
    night: str
    loop: str
    task: str
    iteration: str
    kind: str
    data: str
    before: str
    hash: str

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(str(getattr(self, name)) for name in COLUMNS)


def lines(ledger: Ledger, night: str) -> Iterator[Line]:
    """The events of a night, in order."""
    for row in ledger.links(night):
        yield Line(*row)


def write(found: Iterable[Line]) -> str:
    """JSON lines; the same events always give the same text."""
    rows = ({"seq": line.seq, **dict(zip(COLUMNS, line.values, strict=True))} | _links(line) for line in found)
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def read(text: str) -> list[Line]:
    """The events of an export, their hashes checked. Raises LedgerError naming the first line that is not sound."""
    found: list[Line] = []
    for number, said in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        try:
            line = Line(**json.loads(said))
        except (ValueError, TypeError):
            raise LedgerError(f"line {number} of the export is not an event", _HINT) from None
        if chained(line.before, line.values) != line.hash:
            raise LedgerError(f"event {line.seq} was changed in the export", _HINT)
        if found and (line.seq <= found[-1].seq or (line.seq == found[-1].seq + 1 and line.before != found[-1].hash)):
            raise LedgerError(f"event {line.seq} does not follow event {found[-1].seq} in the export", _HINT)
        found.append(line)
    return found


_HINT = "the export can't be trusted; the ledger itself may still be whole"


def _links(line: Line) -> dict[str, str]:
    return {"before": line.before, "hash": line.hash}
