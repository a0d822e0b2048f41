"""The evidence of one commit as JSON lines, as its git note carries it: what the ledger has on exactly its tree."""

from __future__ import annotations

import json

from ralph.memory.ledger import Event, Ledger


def note_of(ledger: Ledger, made: Event) -> str:
    """Guards, gates and the commit itself, one JSON object a line; ``made`` is the `committed` row."""
    rows = ledger.events(iteration=made.iteration, kinds=("guard", "gate", "committed"))
    own = (row for row in rows if row.data["tree"] == made.data["tree"])
    return "".join(json.dumps({"event": row.kind, **row.data}, sort_keys=True) + "\n" for row in own)
