"""What is attested of a branch, from the ledger; and a pull request's body checked against it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from ralph.domain import Verdict
from ralph.engine.audit.findings import Findings
from ralph.engine.note import note_of
from ralph.errors import LedgerError
from ralph.host.paths import Layout
from ralph.memory.ledger import Event, Ledger
from ralph.report.verdicts import gate_line
from ralph.vcs import delivery, user
from ralph.vcs.git import text
from ralph.vcs.reading import made
from ralph.verify import attest
from ralph.verify.attest import Attested, Statement


def statement(ledger: Ledger, head: str, base: str, branch: str, brings: Collection[str]) -> Statement | None:
    """``brings``: the commits of the branch beyond ``base``; None where none of them is a night's."""
    rows = [event for event in ledger.events(kinds=("committed",)) if event.data["commit"] in brings]
    if not rows:
        return None
    last = rows[-1]
    return Statement(
        head=head,
        tree=str(next((row.data["tree"] for row in rows if row.data["commit"] == head), last.data["tree"])),
        base=base,
        branch=branch.removeprefix("refs/heads/"),
        nights=tuple(dict.fromkeys(row.night for row in rows)),
        commits=tuple(_attested(ledger, row) for row in rows),
        ledger_event=last.seq,
        ledger_hash=ledger.hash_of(last.seq),
    )


def check_body(where: Layout, body: str, head: str) -> Findings:
    """Check the attestation in ``body`` against the head (an id or a name) and whatever record there is here."""
    found = Findings()
    head = _resolved(where, head)
    data = attest.read(body)
    if data is None:
        found.wrong("body", head[:12], "there is no attestation in it")
        return found
    found.checked["attestations"] = 1
    if why := attest.unbound(data, head):
        found.wrong("body", head[:12], why)
        return found
    there = made(user.open_repository(where.repo), head)
    if there is None:
        found.remark(f"{head[:12]} is not in this repository, so its tree can't be looked at")
    elif there.tree != data.get("tree"):
        found.wrong("body", head[:12], f"body binds tree {str(data.get('tree'))[:12]}, the head's is {there.tree[:12]}")
    _against_the_record(where, data, head, found)
    return found


def _against_the_record(where: Layout, data: dict[str, Any], head: str, found: Findings) -> None:
    try:
        ledger = Ledger.read_only(where.ledger)
    except LedgerError:
        _against_the_notes(where, data, found)
        return
    base, branch = str(data.get("base", "")), str(data.get("branch", ""))
    code, out, _ = user.open_repository(where.repo).status("rev-list", head, f"^{base}")
    wanted = statement(ledger, head, base, branch, set(text(out).split())) if code == 0 else None
    if wanted is None:
        found.wrong("body", head[:12], "the ledger here has none of its commits")
    else:
        for said in attest.differences(data, wanted):
            found.wrong("body", head[:12], said)
    ledger.close()


def _against_the_notes(where: Layout, data: dict[str, Any], found: Findings) -> None:
    """Without a ledger: each commit's evidence note, where the notes were fetched."""
    commits = data.get("commits")
    for one in commits if isinstance(commits, list) else []:
        note = delivery.read_note(where.repo, str(one.get("commit")))
        if note is None:
            found.remark("there is no ledger here and not every commit has a note: only the head was checked")
        elif hashlib.sha256(note.encode()).hexdigest() != one.get("evidence"):
            found.wrong("note", str(one.get("commit"))[:12], "its evidence note is not the one that is attested")


def _resolved(where: Layout, head: str) -> str:
    git = user.open_repository(where.repo)
    code, out, _ = git.status("rev-parse", "--verify", "--quiet", "--end-of-options", f"{head}^{{commit}}")
    return text(out).strip() if code == 0 else head


def _attested(ledger: Ledger, row: Event) -> Attested:
    tree = row.data["tree"]
    gates = {
        event.data["name"]: gate_line(event)
        for event in ledger.events(iteration=row.iteration, kinds=("gate",))
        if event.data.get("tree") == tree
    }
    checks = tuple(
        f"{name}: {line.verdict.value} ({line.grade.value})"
        for name, line in gates.items()
        if line.verdict is not Verdict.NOT_APPLICABLE
    )
    note = note_of(ledger, row)
    evidence = hashlib.sha256(note.encode("utf-8", "replace")).hexdigest()
    return Attested(row.data["commit"], tree, row.task, row.iteration, checks, evidence)
