"""What an audit comes to: what does not hold, what can't be said any more, and how much was looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that does not hold."""

    kind: str
    """ledger, record, config, log, report, verdict, guard, attempt, execution, commit, message, note, body, rerun."""
    where: str
    """Night, iteration, gate or commit that it is about."""
    said: str
    """One line a person understands."""


@dataclass
class Findings:
    """What was found so far."""

    mismatches: list[Mismatch] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What is no contradiction, but can't be checked: logs past their keeping time, a branch that was deleted."""
    checked: Counter[str] = field(default_factory=Counter)

    def wrong(self, kind: str, where: str, said: str) -> None:
        self.mismatches.append(Mismatch(kind, where, said))

    def remark(self, said: str) -> None:
        if said not in self.remarks:
            self.remarks.append(said)

    @property
    def first_of_each(self) -> list[tuple[Mismatch, int]]:
        """The first mismatch of each kind, with how many more there are of it."""
        counts = Counter(one.kind for one in self.mismatches)
        seen: dict[str, Mismatch] = {}
        for one in self.mismatches:
            seen.setdefault(one.kind, one)
        return [(one, counts[kind] - 1) for kind, one in seen.items()]
