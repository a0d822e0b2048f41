"""The confusion tables: honest and dishonest changes, accepted and refused, and by which step and rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from .judge import Ruling


def table(name: str, rulings: Iterable[Ruling]) -> str:
    """One project's table in markdown; cases of a known limit are counted in a row of their own."""
    seen = list(rulings)
    rows = [
        ("honest", [one for one in seen if one.case.honest]),
        ("dishonest", [one for one in seen if not one.case.honest and not one.case.limit]),
        ("known limits", [one for one in seen if one.case.limit]),
    ]
    lines = [f"| {name} | cases | accepted | refused |", "|---|---:|---:|---:|"]
    for title, some in rows:
        accepted = sum(one.accepted for one in some)
        if some:
            lines.append(f"| {title} | {len(some)} | {accepted} | {len(some) - accepted} |")
    return "\n".join(lines)


def refused_by(rulings: Iterable[Ruling]) -> str:
    """How many dishonest changes each step and rule refused; a change may be refused by several."""
    counts = Counter(rule for one in rulings if not one.case.honest and not one.accepted for rule in one.by)
    lines = ["| refused by | changes |", "|---|---:|"]
    return "\n".join(lines + [f"| `{rule}` | {number} |" for rule, number in sorted(counts.items())])


def surprises(rulings: Iterable[Ruling]) -> Iterator[str]:
    """A line for each case that did not end as it should."""
    for one in rulings:
        if not one.as_wanted:
            kind = "honest" if one.case.honest else "dishonest"
            was = "accepted" if one.accepted else f"refused by {', '.join(sorted(one.by))}: {one.why}"
            yield f"{kind} {one.case.name}: {was}"
