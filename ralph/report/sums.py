"""What the night's branches did to the code base, and how much its gates would notice: rows and sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ralph.memory.ledger import Event
from ralph.report import read
from ralph.report.model import SpotLine, SumLine, WeakLine


def last_sums(events: Iterable[Event]) -> SumLine | None:
    """The last sums of the night; None where nothing was committed."""
    rows = [event.data for event in events if event.kind == "totals"]
    if not rows:
        return None
    data = rows[-1]
    return SumLine(
        files=read.integer(data, "files"),
        lines_added=read.integer(data, "lines_added"),
        lines_removed=read.integer(data, "lines_removed"),
        test_lines=read.integer(data, "test_lines"),
        complexity=read.integer(data, "complexity"),
        duplicates=len(read.strings(data, "duplicates")),
        dependencies=read.strings(data, "dependencies"),
        interface_added=read.integer(data, "interface_added"),
        interface_changed=read.strings(data, "interface_changed"),
        infrastructure=read.strings(data, "infrastructure"),
        security=read.strings(data, "security"),
        spots=tuple(
            SpotLine(
                read.text(row, "path"), read.integer(row, "line"), read.text(row, "why"), read.strings(row, "tasks")
            )
            for row in read.rows(data, "spots")
        ),
    )


def gate_strength(events: Iterable[Event]) -> tuple[WeakLine, ...]:
    """Per probed file how many planted faults were caught, the weakest first; a night that went on probes the rest."""
    rows = [event.data for event in events if event.kind == "gate_strength"]
    files = {read.text(row, "path"): row for data in rows for row in read.rows(data, "files")}
    found = [
        WeakLine(
            read.text(row, "path"), read.integer(row, "caught"), read.integer(row, "planted"), bool(row.get("raised"))
        )
        for row in files.values()
    ]
    return tuple(sorted(found, key=lambda one: (one.caught / max(1, one.planted), one.path)))


def sum_words(sums: SumLine) -> str:
    """One sentence of figures."""
    said = [f"{sums.files} files, +{sums.lines_added} -{sums.lines_removed} lines ({sums.test_lines:+d} in tests)"]
    said.append(f"complexity {sums.complexity:+d}")
    if sums.duplicates:
        said.append(f"{sums.duplicates} copied blocks")
    if sums.interface_added or sums.interface_changed:
        said.append(f"{sums.interface_added} public names added, {len(sums.interface_changed)} changed or gone")
    if sums.dependencies:
        said.append(f"new dependencies: {len(sums.dependencies)}")
    return "All branches together: " + "; ".join(said) + "."


def strength_words(files: Sequence[WeakLine], name: Callable[[str], str] = str) -> str:
    """How much the gates would notice where tonight's tasks work; empty where that was not probed."""
    planted, caught = sum(one.planted for one in files), sum(one.caught for one in files)
    if not planted:
        return ""
    weak = [one for one in files if one.raised]
    where = ", ".join(f"{name(one.path)} {one.caught} of {one.planted}" for one in weak[:3])
    more = f" Weak: {where}; changes there have to show more." if weak else ""
    return f"Your gates catch {round(100 * caught / planted)} % of {planted} faults planted in tonight's files.{more}"
