"""The conversation as it is sent: its messages, what of them is new, and how many tokens they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ralph.agents.api_answer import TOKEN_BYTES

MAX_RESULTS = 400_000
"""Characters of tool results in one message; later ones of the same message are cut."""
FIRST_CUT, LAST_CUT = 300, 4_000
"""Characters that stay of a tool result when the conversation has become too long: of older ones, of the newest."""

Message = dict[str, Any]


class History:
    """Messages in the order they are sent. What the model said is kept unchanged; only tool results are ever cut."""

    def __init__(self, system: str, tools: Sequence[Mapping[str, Any]], prompt: str) -> None:
        self._fixed: dict[str, Any] = {"tools": list(tools)}
        if system:
            self._fixed["system"] = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]
        self._messages: list[Message] = []
        self._notes: list[str] = []
        self._sent = 0
        self._known = 0
        self._cached = False
        self._new_bytes = _size(self._fixed)
        self.size = self._new_bytes
        """Bytes of the whole request."""
        self.say([{"type": "text", "text": prompt}])

    def request(self) -> dict[str, Any]:
        """The parameters ``tools``, ``system`` and ``messages``."""
        return {**self._fixed, "messages": self._messages}

    def unsent(self) -> list[Message]:
        """The user's messages that came since the last time, for the transcript."""
        new, self._sent = self._messages[self._sent :], len(self._messages)
        return [message for message in new if message["role"] == "user"]

    def note(self, text: str) -> None:
        """Keep a word of the daemon for the next message to the model."""
        self._notes.append(text)

    def say(self, blocks: Sequence[dict[str, Any]]) -> None:
        """Add the user's side of a turn, with the notes that wait."""
        notes = [{"type": "text", "text": f"A note from the daemon: {note}"} for note in self._notes]
        self._notes.clear()
        self._add({"role": "user", "content": [*_capped(blocks), *notes]})

    def heard(self, content: list[dict[str, Any]]) -> None:
        """Add what the model said, unchanged; an answer without any content can't be sent back and is left out."""
        if content:
            self._add({"role": "assistant", "content": content})

    def counted(self, usage: Mapping[str, Any]) -> None:
        """Take in the real numbers of the call that was just made; empty: nobody counted."""
        parts = [usage.get(f"{kind}input_tokens") for kind in ("", "cache_creation_", "cache_read_")]
        numbers = [part if isinstance(part, int) and part > 0 else 0 for part in parts]
        if sum(numbers):
            self._known, self._new_bytes = sum(numbers), 0
            self._cached = sum(numbers[1:]) > 0

    def estimate(self, cached: bool) -> tuple[int, int]:
        """Tokens of the next request, and how many of them count against limits.

        ``cached``: what was sent before may still be in the provider's cache, and then does not count.
        """
        new = -(-self._new_bytes // TOKEN_BYTES)
        return self._known + new, new if cached and self._cached else self._known + new

    def shrink(self) -> bool:
        """Cut old tool results, then the newest ones. False where there was nothing left to cut."""
        done = _cut(self._messages[:-1], FIRST_CUT) or _cut(self._messages, LAST_CUT)
        if done:
            self.size = self._new_bytes = _size(self._fixed) + _size(self._messages)
            self._known, self._cached = 0, False
        return done

    def _add(self, message: Message) -> None:
        last = self._messages[-1] if self._messages else None
        size = _size(message)
        if last is not None and last["role"] == message["role"] == "user":
            last["content"].extend(message["content"])
        else:
            self._messages.append(message)
        self._new_bytes += size
        self.size += size


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _capped(blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    room, kept = MAX_RESULTS, []
    for block in blocks:
        if block["type"] == "tool_result" and len(block["content"]) > max(room, FIRST_CUT):
            block = {**block, "content": _short(block["content"], max(room, FIRST_CUT))}
        room -= len(block.get("content", ""))
        kept.append(block)
    return kept


def _cut(messages: Sequence[Message], limit: int) -> bool:
    done = False
    for message in messages:
        for block in message["content"] if message["role"] == "user" else ():
            if block["type"] == "tool_result" and len(block["content"]) > 2 * limit:
                block["content"] = _short(block["content"], limit)
                done = True
    return done


def _short(text: str, limit: int) -> str:
    return f"{text[:limit]}\n[... cut: {len(text) - limit} characters did not fit ...]"
