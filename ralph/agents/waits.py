"""Usage limits: how long an account has to wait, read from events and from an agent's own last words.

Three tiers: an event with a reset time, a text with one, else a guess that gets longer when it repeats.
Text is believed only where the program itself speaks (its error result, its last lines), never in the
middle of a transcript, in files or in quoted tool output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from ralph.agents.resets import Moment, stated_moment
from ralph.domain import Wait

MIN_WAIT = 60.0
MAX_WAIT = 6 * 3600.0
MAX_WEEKLY = 8 * 86_400.0
FIRST_GUESS = 1800.0
MAX_GUESS = 4 * 3600.0
SHORT = 60.0
"""First guess for a limit per minute and for a server that is down."""
TAIL_LINES = 10
"""So many last lines of a program that failed may hold the message."""
QUIET_LINES = 30
"""A program that ends with exit code 0 and the message must have said no more than this."""

_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ`´"), "'")
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u2007"), " ")
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")

_NAMED = (
    r"(?:\d+[- ]?h(?:ou)?rs?|five[- ]hour|session|daily|weekly|seven[- ]day|monthly"
    r"|usage|plan|opus|sonnet|haiku|fable|rate)"
)
_LIMIT = re.compile(
    r"you(?:'ve| have)(?: already)? (?:hit|reached|exceeded|used up|exhausted)\s+(?:all of )?(?:your|the)\b"
    r"[^.\n|]{0,60}?\b(?:limits?|quota|usage|capacity)\b"
    r"|you(?:'re| are) out of (?:extra )?(?:usage|credits|quota)"
    rf"|(?:claude(?: ai| code| max| pro)? |codex |gemini )?{_NAMED}(?: {_NAMED})* limit "
    r"(?:was |has been |is )?(?:reached|exceeded|hit|exhausted)"
    r"|limit reached\b(?=[^\n]{0,60}\breset)"
    r"|you exceeded your current quota|quota (?:has been )?(?:exceeded|exhausted)|resource has been exhausted"
    r"|rate limit reached for\b",
    re.I,
)
_BURST = re.compile(r"request rejected \(429\)|\b429 too many requests\b|last status: 429\b|\brate_limit_error\b", re.I)
_HALT = re.compile(
    r"credit balance is too low|specified api usage limits|enforced_spend_limit_reached|insufficient_quota"
    r"|(?:monthly|organization|org's|api) (?:spend|spending) (?:limit|cap)|monthly usage limit"
    r"|(?:quota exceeded\.|you exceeded your current quota, please) check your plan and billing"
    r"|invalid api key|not logged in|please run /login|failed to authenticate|401 unauthorized|authentication_error",
    re.I,
)
_NO_LIMIT = re.compile(
    r"\b(?:approaching|close to|nearing|before|until|unless|when|once|if)\b[^.\n]{0,40}$",
    re.I,
)
_WEEKLY = re.compile(r"\bweekly\b|\bseven[- _]day\b|\b7[- ]day\b", re.I)
_AI_EPOCH = re.compile(r"limit reached\|(\d{10}|\d{13})\b", re.I)
_SPEAKER = re.compile(
    r"[\s■⚠✖✗✘×⎿●•›❯!️]*"
    r"(?:\[[^\]\n]{1,40}\][\s■⚠✖✗✘×️]*)?"
    r"(?:(?:claude|codex|gemini|opencode|aider|pi|cursor|copilot|amp|qwen)(?: (?:code|cli))?:\s*)?"
    r"(?:(?:api |stream |request |fatal )?(?:error|failed|failure|fatal|warning)(?: \d{3})?\s*[:!·-]\s*)*",
    re.I,
)


def from_text(text: str, now: datetime, zone: tzinfo | None = None, jitter: float = 0.0) -> Wait | None:
    """Read a message in which a CLI says that its account is at a limit; None where it says no such thing.

    ``now`` is aware; a time without a zone is meant in ``zone`` (None: this machine's). ``jitter`` is added
    in seconds. A message without a time gives a guess; one about money or the key a halt.
    """
    text = _plain(text)
    halt, limit = _HALT.search(text), _first_limit(text)
    moment = _moment(text[limit.start() :], now, zone) if limit else None
    if halt and (moment is None or moment.at > now.timestamp() + MAX_WEEKLY):
        return Wait(0.0, _reason(text, halt.start()), halt=True)
    if limit is None:
        burst = _BURST.search(text)
        return _guess(now, SHORT, _reason(text, burst.start()), jitter) if burst else None
    reason = _reason(text, limit.start())
    if moment is None:
        return _guess(now, FIRST_GUESS, reason, jitter)
    weekly = moment.dated or bool(_WEEKLY.search(text, limit.start()))
    return Wait(clamp(moment.at, now, weekly, jitter), reason)


def from_rate_limit_event(event: Mapping[str, Any], now: datetime, jitter: float = 0.0) -> Wait | None:
    """Read a ``rate_limit_event`` of Claude Code; None unless requests are rejected."""
    info = event.get("rate_limit_info", event)
    if not isinstance(info, Mapping) or info.get("status") != "rejected":
        return None
    if info.get("overageStatus") in ("allowed", "allowed_warning") or info.get("isUsingOverage") is True:
        return None
    kind = str(info.get("rateLimitType") or "usage").replace("_", " ")
    reason = f"{kind} limit reached"
    at = info.get("resetsAt")
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not 0 < at < 1e14:
        return _guess(now, FIRST_GUESS, reason, jitter)
    seconds = at / 1000 if at > 1e11 else float(at)
    return Wait(clamp(seconds, now, weekly=kind.startswith("seven day"), jitter=jitter), reason)


def from_tail(
    output: str, exit_code: int | None, now: datetime, zone: tzinfo | None = None, jitter: float = 0.0
) -> Wait | None:
    """Judge the end of what any program printed: did it stop for a limit?

    The message must begin a line (after a mark, a tag or "Error:"), so that a sentence which quotes it does
    not count. A program that failed may have it within its last lines. One that ended with 0 must have it
    as its very last line after little other output, and money or key trouble is then not believed at all:
    a wrong guess costs a wait, a wrong halt the night.
    """
    lines = [line for line in _plain(output).splitlines() if line.strip()]
    if exit_code == 0 and len(lines) > QUIET_LINES:
        return None
    for line in reversed(lines[-1:] if exit_code == 0 else lines[-TAIL_LINES:]):
        start = _SPEAKER.match(line)
        said = line[start.end() if start else 0 :]
        if not any(pattern.match(said) for pattern in (_LIMIT, _HALT, _BURST)):
            continue
        after = lines[lines.index(line) + 1 :]
        wait = from_text("\n".join([said, *after[:2]]), now, zone, jitter)
        if wait and not (wait.halt and exit_code == 0):
            return wait
    return None


def clamp(until: float, now: datetime, weekly: bool = False, jitter: float = 0.0) -> float:
    """Keep a reset time between one minute and six hours from now (eight days for a weekly limit)."""
    start = now.timestamp()
    return min(max(until, start + MIN_WAIT), start + (MAX_WEEKLY if weekly else MAX_WAIT)) + jitter


def fallback(attempt: int, now: datetime, jitter: float = 0.0) -> float:
    """Until when to wait where nobody said: 30 minutes, doubling with each attempt (from 1) up to 4 hours."""
    return now.timestamp() + min(FIRST_GUESS * 2.0 ** min(max(attempt, 1) - 1, 16), MAX_GUESS) + jitter


def stretched(wait: Wait, attempt: int, now: datetime) -> Wait:
    """Make a guessed wait longer when it is the ``attempt``-th in a row; stated ones stay as they are."""
    if not wait.guessed or wait.halt or attempt <= 1:
        return wait
    length = max(wait.until - now.timestamp(), MIN_WAIT) * 2.0 ** min(attempt - 1, 16)
    return replace(wait, until=now.timestamp() + min(length, MAX_GUESS))


def shortly(reason: str, now: datetime, jitter: float = 0.0) -> Wait:
    """The first wait for a server that is overloaded or can't be reached."""
    return _guess(now, SHORT, reason, jitter)


def _guess(now: datetime, length: float, reason: str, jitter: float) -> Wait:
    return Wait(now.timestamp() + length + jitter, reason, guessed=True)


def _first_limit(text: str) -> re.Match[str] | None:
    for match in _LIMIT.finditer(text):
        if not _NO_LIMIT.search(text[max(0, match.start() - 60) : match.start()]):
            return match
    return None


def _moment(text: str, now: datetime, zone: tzinfo | None) -> Moment | None:
    if epoch := _AI_EPOCH.search(text):
        return stated_moment(f"resets {epoch[1]}", now, zone)
    return stated_moment(text[:600], now, zone)


def _plain(text: str) -> str:
    return _ANSI.sub("", text).translate(_APOSTROPHES).translate(_SPACES)


def _reason(text: str, start: int) -> str:
    line = text[start:].splitlines()[0] if text[start:] else ""
    return " ".join(line.split())[:200]
