"""What Claude Code says on its event stream: tokens as they are spent, and why it ended.

Events are JSON objects, one a line, in no fixed key order; whatever is unknown is passed over. Tokens are counted
from partial-message events by message id: ``assistant`` events repeat the usage of the start once for every
content block and are never summed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ralph.agents.program import Tail
from ralph.domain import Usage

_MOST = 10**12
Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One model call that is over, or was cut off."""

    id: str
    model: str
    usage: Usage
    """Without a price."""
    raw: Raw
    """The same numbers as the API gave them, with the kinds of cache writes."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The CLI waits by itself before it asks the API again."""

    seconds: float
    status: int | None
    error: str
    attempt: int
    most: int


@dataclass(frozen=True, slots=True)
class Ending:
    """The last ``result`` event."""

    ok: bool
    """``is_error`` is false; ``subtype`` says "success" also for failures."""
    text: str
    terminal: str
    """Why the turn ended, in the CLI's words: completed, api_error, prompt_too_long, max_turns, ..."""
    status: int | None
    code: str
    """``api_error_code`` or ``api_error``: enforced_spend_limit_reached, usage_limit_reached, connection_failed."""
    stop: str
    totals: Mapping[str, Usage]
    """Per model over the whole run, sub-agents too, with the dollars as reported."""
    dollars: float | None
    """What the CLI says that the run cost."""


@dataclass
class Reader:
    """Reads the stream line by line. ``said``, ``error``, ``limit`` and ``ending`` hold the newest of each."""

    said: str = ""
    """Last text of the model or of the CLI itself."""
    error: str = ""
    """Kind of error in the CLI's own (synthetic) message: rate_limit, authentication_failed, server_error, ..."""
    limit: Raw | None = None
    """The last ``rate_limit_event``."""
    ending: Ending | None = None
    model: str = ""
    plain: Tail = field(default_factory=Tail)
    """The last lines that were no JSON object."""
    _open: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    _current: dict[str, str] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def feed(self, line: bytes) -> Call | Retry | None:
        """Take one line; return the model call that it completed, or the pause that it announced."""
        if not line.strip():
            return None
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            self.plain.add(line)
            return None
        match event.get("type"):
            case "stream_event":
                return self._partial(_mapping(event.get("event")), str(event.get("parent_tool_use_id")), event)
            case "assistant":
                self._assistant(event)
            case "rate_limit_event":
                self.limit = event
            case "result":
                self.ending = _ending(event, self.ending)
            case "system":
                return self._system(event)
        return None

    def live(self) -> Usage:
        """Tokens of calls that have begun and are not yet over."""
        return sum((usage_of(raw) for _, raw in self._open.values()), Usage(dollars=None))

    def rest(self) -> list[Call]:
        """Calls that never ended: what they had used when the stream broke off."""
        cut = [Call(id, model, usage_of(raw), raw) for id, (model, raw) in self._open.items()]
        self._open.clear()
        return cut

    def _partial(self, event: Raw, thread: str, outer: Raw) -> Call | None:
        match event.get("type"):
            case "message_start":
                message = _mapping(event.get("message"))
                id = str(message.get("id") or outer.get("uuid"))
                if id not in self._done:
                    self._open[id] = (str(message.get("model") or self.model), dict(_mapping(message.get("usage"))))
                    self._current[thread] = id
            case "message_delta":
                if entry := self._open.get(self._current.get(thread, "")):
                    _raise_to(entry[1], _mapping(event.get("usage")))
            case "message_stop":
                return self._over(self._current.pop(thread, ""))
        return None

    def _over(self, id: str) -> Call | None:
        entry = self._open.pop(id, None)
        if entry is None:
            return None
        self._done.add(id)
        return Call(id, entry[0], usage_of(entry[1]), entry[1])

    def _assistant(self, event: Raw) -> None:
        message = _mapping(event.get("message"))
        if text := _texts(message.get("content")):
            self.said = text
        error = event.get("error")
        self.error = error if isinstance(error, str) else ""

    def _system(self, event: Raw) -> Retry | None:
        match event.get("subtype"):
            case "init":
                self.model = str(event.get("model") or "")
            case "api_retry":
                status = event.get("error_status")
                return Retry(
                    seconds=count(event.get("retry_delay_ms")) / 1000,
                    status=status if isinstance(status, int) else None,
                    error=str(event.get("error") or "unknown"),
                    attempt=count(event.get("attempt")),
                    most=count(event.get("max_retries")),
                )
        return None


def usage_of(raw: Raw) -> Usage:
    """The tokens of one ``usage`` object of the Messages API; whatever is no count is 0."""
    return Usage(
        input_tokens=count(raw.get("input_tokens")),
        cache_write_tokens=count(raw.get("cache_creation_input_tokens")),
        cache_read_tokens=count(raw.get("cache_read_input_tokens")),
        output_tokens=count(raw.get("output_tokens")),
        dollars=None,
        calls=1,
    )


def missing(total: Usage, seen: Usage) -> Usage:
    """What a run's total holds beyond the calls that were seen; never negative."""
    return Usage(
        input_tokens=max(0, total.input_tokens - seen.input_tokens),
        cache_write_tokens=max(0, total.cache_write_tokens - seen.cache_write_tokens),
        cache_read_tokens=max(0, total.cache_read_tokens - seen.cache_read_tokens),
        output_tokens=max(0, total.output_tokens - seen.output_tokens),
        dollars=None,
    )


def count(value: object) -> int:
    """A count out of foreign data; 0 for whatever is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value <= _MOST else 0


def _ending(event: Raw, before: Ending | None) -> Ending:
    status, errors = event.get("api_error_status"), event.get("errors")
    text = event.get("result")
    if not isinstance(text, str):
        text = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
    totals = {model: _total(_mapping(entry)) for model, entry in _mapping(event.get("modelUsage")).items()}
    dollars = _dollars(event.get("total_cost_usd"))
    if before:  # a second result never lowers what the first one said
        totals = {**before.totals, **totals}
        dollars = max((known for known in (before.dollars, dollars) if known is not None), default=None)
    return Ending(
        ok=event.get("is_error") is False,
        text=text,
        terminal=str(event.get("terminal_reason") or event.get("subtype") or ""),
        status=status if isinstance(status, int) else None,
        code=str(event.get("api_error_code") or event.get("api_error") or ""),
        stop=str(event.get("stop_reason") or ""),
        totals=totals,
        dollars=dollars,
    )


def _total(entry: Raw) -> Usage:
    return Usage(
        input_tokens=count(entry.get("inputTokens")),
        cache_write_tokens=count(entry.get("cacheCreationInputTokens")),
        cache_read_tokens=count(entry.get("cacheReadInputTokens")),
        output_tokens=count(entry.get("outputTokens")),
        dollars=None,
        reported_dollars=_dollars(entry.get("costUSD")),
    )


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= _MOST else None


def _raise_to(raw: dict[str, Any], newer: Raw) -> None:
    """Numbers of a running call only grow; a later event that says less is not believed."""
    for key, value in newer.items():
        if isinstance(value, Mapping) or key not in raw or count(value) > count(raw[key]):
            raw[key] = value


def _texts(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks: Iterable[object] = content if isinstance(content, list) else ()
    texts = (_mapping(block).get("text") for block in blocks if _mapping(block).get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))


def _mapping(value: object) -> Raw:
    return value if isinstance(value, Mapping) else {}
