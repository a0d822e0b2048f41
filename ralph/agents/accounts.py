"""Who pays for an agent, and what an error of the model API means for the account: retry, wait, halt or give up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from ralph import config
from ralph.agents import waits
from ralph.domain import Wait

HALTING_CODES = frozenset(
    {
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "organization_on_hold",
    }
)
TOO_LONG = (
    "prompt is too long",
    "input is too long",
    "exceed context limit",
    "context window",
    "maximum context length",
)


REFUSED = ("invalid_request_error", "not_found_error")


class Kind(StrEnum):
    """What an error calls for."""

    RETRY = "retry"
    """The account or the line: try again soon, then let the daemon wait."""
    HALT = "halt"
    """Money or the key: nothing until a person acts, and never a second call."""
    SHRINK = "shrink"
    """The conversation is too long for the model."""
    FAIL = "fail"
    """This request will never work."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How the API refused, as plain data. ``status`` None: no answer came; 200: an error inside a stream."""

    status: int | None
    type: str = ""
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        what = " ".join(str(part) for part in (self.status, self.type, self.code) if part and part != 200)
        return f"{what}: {self.message}"[:300] if what else self.message[:300]


@dataclass(frozen=True, slots=True)
class Trouble:
    """The meaning of a Reply."""

    kind: Kind
    reason: str
    tries: int = 0
    """Short retries that make sense before the daemon takes over."""
    base: float = 2.0
    """First back-off in seconds where the server named none."""
    after: float | None = None
    """Seconds that the server asked for."""
    wait: Wait | None = None
    """A wait that its text or code states."""


def classify(reply: Reply, now: datetime) -> Trouble:
    """Say what an error means. ``now`` is aware."""
    reason, status = str(reply), reply.status
    if (
        status in (401, 402, 403)
        or reply.code in HALTING_CODES
        or reply.type in ("billing_error", "authentication_error")
    ):
        return _halt(reason)
    stated = waits.from_text(reply.message, now) if status in (400, 429) else None
    if stated and stated.halt:
        return _halt(reason)
    if stated and not stated.guessed:
        return Trouble(Kind.RETRY, reason, wait=stated)
    if (
        status == 413
        or reply.type == "request_too_large"
        or (status == 400 and any(text in reply.message.lower() for text in TOO_LONG))
    ):
        return Trouble(Kind.SHRINK, reason)
    after = retry_after(reply.headers, now)
    final = reply.headers.get("x-should-retry") == "false"
    if status == 429 or reply.type == "rate_limit_error":
        return Trouble(Kind.RETRY, reason, tries=0 if final else 4, base=5.0, after=after)
    if status in (503, 529) or reply.type == "overloaded_error":
        return Trouble(Kind.RETRY, reason, tries=0 if final else 1, base=20.0, after=after)
    if status is None:
        return Trouble(Kind.RETRY, reason, tries=3)
    if reply.type not in REFUSED and (status in (200, 408, 409) or status >= 500):
        return Trouble(Kind.RETRY, reason, tries=0 if final else 2, after=after)
    return Trouble(Kind.FAIL, reason)


def _halt(reason: str) -> Trouble:
    return Trouble(Kind.HALT, reason, wait=Wait(0.0, reason, halt=True))


def paused(trouble: Trouble, now: datetime, jitter: float) -> Wait:
    """The wait that the daemon takes over when short retries did not help."""
    if trouble.wait is not None:
        return trouble.wait
    if trouble.after is None:
        return waits.shortly(trouble.reason, now, jitter)
    return Wait(waits.clamp(now.timestamp() + trouble.after, now, jitter=jitter), trouble.reason)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a server asks for, from seconds, milliseconds or a date; None where it says nothing sensible."""
    if (millis := _number(headers.get("retry-after-ms"))) is not None:
        return millis / 1000
    text = headers.get("retry-after") or ""
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def account(name: str, agent: config.Agent, secrets: Mapping[str, str]) -> str:
    """A stable id of who pays: agents with the same one share waits and halts. Holds no secret."""
    if agent.account:
        return agent.account
    if agent.kind in ("command", "scripted"):
        return name
    key = secrets.get(agent.api_key_env, "")
    where = agent.base_url or secrets.get("ANTHROPIC_BASE_URL", "")
    digest = hashlib.sha256(f"{where}\0{key}".encode()).hexdigest()[:12]
    return f"{agent.kind}-{digest}"
