"""Opens the record for the commands that only read it, while a night may still run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.host.paths import Layout
    from ralph.memory.ledger import Ledger


@contextmanager
def opened() -> Iterator[tuple[Layout, Ledger]]:
    """Where this repository's state is, and its ledger. Raises LedgerError before the first night."""
    from ralph.host.paths import find_repo, layout
    from ralph.memory.ledger import Ledger

    found = layout(find_repo(Path.cwd()))
    ledger = Ledger.read_only(found.ledger)
    try:
        yield found, ledger
    finally:
        ledger.close()


def nights(ledger: Ledger) -> list[str]:
    """Ids of all nights, oldest first."""
    return list(dict.fromkeys(event.night for event in ledger.events(kinds=("night_started",))))


def night_named(ledger: Ledger, wanted: str | None) -> str:
    """The id of a night, the last of a date, or the last there was. Raises RalphError."""
    known = nights(ledger)
    if not known:
        raise RalphError("no night has run here yet", "run `ralph start`, or `ralph demo` to see one")
    matching = [night for night in known if wanted is None or night == wanted or night.startswith(f"{wanted}-")]
    if not matching:
        raise RalphError(f"there was no night {wanted!r}", f"the last ones: {', '.join(known[-5:])}")
    return matching[-1]
