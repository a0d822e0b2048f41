"""The attestation in a pull request's body: what was executed for which commits, bound to one head. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

VERSION = 1
MOST_BYTES = 4_000
"""Of the JSON; a longer list of commits is left out and only its digest stays."""
_FENCE = re.compile(r"^```json ralph-attestation\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Attested:
    """One commit with its verdicts."""

    commit: str
    tree: str
    task: str
    iteration: str
    checks: tuple[str, ...]
    """``name: verdict (grade)`` of each check on exactly this tree."""
    evidence: str
    """SHA-256 of its evidence note."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is attested of a branch."""

    head: str
    tree: str
    base: str
    branch: str
    nights: tuple[str, ...]
    commits: tuple[Attested, ...]
    ledger_event: int
    ledger_hash: str
    """Hash of that event: it covers everything recorded before."""

    def as_data(self) -> dict[str, Any]:
        """Plain JSON data, the same for the same statement; commits are left out where they are too many."""
        commits = [asdict(one) for one in self.commits]
        data: dict[str, Any] = {
            "ralph": VERSION,
            "head": self.head,
            "tree": self.tree,
            "base": self.base,
            "branch": self.branch,
            "nights": list(self.nights),
            "ledger": {"event": self.ledger_event, "hash": self.ledger_hash},
            "evidence": digest(commits),
            "commits": _plain(commits),
        }
        if len(_text(data)) > MOST_BYTES:
            data["commits"] = len(commits)
        return data


def section(statement: Statement) -> str:
    """The last section of a body."""
    return (
        "\n## Attestation\n\n"
        f"Bound to head `{statement.head}`. Whoever has the ledger or the notes can check it: "
        "`ralph verify --pr-body FILE --head COMMIT`.\n\n"
        f"```json ralph-attestation\n{_text(statement.as_data())}\n```\n"
    )


def read(body: str) -> dict[str, Any] | None:
    """The attestation in a body, the last one where words before it imitate one; None where there is none."""
    blocks = _FENCE.findall(body.replace("\r\n", "\n"))
    if not blocks:
        return None
    try:
        found = json.loads(blocks[-1])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def unbound(found: Mapping[str, Any], head: str) -> str:
    """Why the attestation is not about ``head``; empty where it is."""
    bound = str(found.get("head", ""))
    return "" if bound == head else f"body binds {bound[:12] or 'nothing'}, head is {head[:12]}"


def differences(found: Mapping[str, Any], statement: Statement) -> list[str]:
    """Where the attestation says something else than the record, one line each."""
    wanted = statement.as_data()
    said = [
        f"the body's {key} is {_brief(found.get(key))}, the record's {_brief(value)}"
        for key, value in wanted.items()
        if key != "commits" and found.get(key) != value
    ]
    if found.get("commits") != wanted["commits"]:
        said.append(_first_other(found.get("commits"), wanted["commits"]))
    extra = sorted(set(found) - set(wanted))
    return [*said, *(f"the body adds {key}" for key in extra)]


def digest(commits: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 over the commits with their verdicts."""
    return hashlib.sha256(json.dumps(list(commits), sort_keys=True).encode()).hexdigest()


def _first_other(found: object, wanted: object) -> str:
    if not isinstance(found, list) or not isinstance(wanted, list):
        return "the body's commits are not the record's"
    for here, there in zip(found, wanted, strict=False):
        if here != there:
            keys = [key for key in there if not isinstance(here, dict) or here.get(key) != there[key]]
            return f"the body says something else of {there['commit'][:12]}: {', '.join(keys)}"
    return f"the body names {len(found)} commits, the record {len(wanted)}"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _text(data: Mapping[str, Any]) -> str:
    rows = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items())
    return f"{{\n{rows}\n}}"


def _brief(value: object) -> str:
    return json.dumps(value)[:80]
