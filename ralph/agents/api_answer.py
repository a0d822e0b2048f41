"""An answer of the Messages API put together from its stream, with what it used, also where it broke off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ralph.agents import pricing
from ralph.config import Price
from ralph.domain import Usage

TOKEN_BYTES = 3
"""Bytes of one token where nobody counted: code has 3 to 4, and an estimate should not be too low."""

Block = dict[str, Any]


@dataclass
class Answer:
    """What the model said so far. ``content`` holds the blocks exactly as they must be sent back."""

    content: list[Block] = field(default_factory=list)
    stop_reason: str = ""
    stop_details: Mapping[str, Any] | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    """The raw usage: of ``message_start``, with what ``message_delta`` said over it."""
    begun: bool = False
    complete: bool = False
    broken: dict[str, str] = field(default_factory=dict)
    """Ids of tool calls whose arguments are no JSON object, with what they were."""
    size: int = 0
    """Bytes of output seen."""
    _arguments: list[str] = field(default_factory=list)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in one event of the stream; unknown ones change nothing."""
        match event.get("type"):
            case "message_start":
                self.begun = True
                self.usage.update(_given(event["message"].get("usage")))
            case "content_block_start":
                self.content.append(dict(event["content_block"]))
                self._arguments = []
            case "content_block_delta":
                self._grow(self.content[-1], event["delta"])
            case "content_block_stop":
                self._close(self.content[-1])
            case "message_delta":
                self.stop_reason = event["delta"].get("stop_reason") or self.stop_reason
                self.stop_details = event["delta"].get("stop_details") or self.stop_details
                self.usage.update(_given(event.get("usage")))
            case "message_stop":
                self.complete = True

    def _grow(self, block: Block, delta: Mapping[str, Any]) -> None:
        for kind, key in (("text_delta", "text"), ("thinking_delta", "thinking"), ("input_json_delta", "partial_json")):
            if delta.get("type") == kind:
                self.size += len(delta[key].encode("utf-8", "replace"))
                self._arguments.append(delta[key])
        match delta.get("type"):
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])

    def _close(self, block: Block) -> None:
        grown = "".join(self._arguments)
        self._arguments = []
        if block["type"] in ("text", "thinking"):
            block[block["type"]] = block.get(block["type"], "") + grown
        elif grown:
            block["input"] = self._parsed(block, grown)

    def _parsed(self, block: Block, text: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
        self.broken[str(block.get("id"))] = text[:500]
        return {}

    @property
    def text(self) -> str:
        return "\n".join(block["text"] for block in self.content if block["type"] == "text").strip()

    @property
    def calls(self) -> list[Block]:
        return [block for block in self.content if block["type"] == "tool_use"]

    def priced(self, model: str, sent: int, prices: Mapping[str, Price]) -> Usage:
        """What the call used. ``sent`` is the size of the request in bytes, for where nobody counted.

        A stream that broke off is charged its input and at least the output that was seen.
        """
        raw = {key: value for key, value in self.usage.items() if value is not None}
        told = _total(raw) > 0
        if not told:
            raw = {"input_tokens": -(-sent // TOKEN_BYTES)}
        seen, output = -(-self.size // TOKEN_BYTES), _number(raw.get("output_tokens"))
        guessed = not told or (seen > output and (not self.complete or not output))
        if guessed:
            raw["output_tokens"] = max(seen, output)
        return Usage(
            input_tokens=_number(raw.get("input_tokens")),
            cache_write_tokens=_number(raw.get("cache_creation_input_tokens")),
            cache_read_tokens=_number(raw.get("cache_read_input_tokens")),
            output_tokens=_number(raw.get("output_tokens")),
            dollars=pricing.price(model, raw, prices),
            calls=1,
            estimated=guessed,
        )


def _given(usage: object) -> dict[str, Any]:
    return {key: value for key, value in usage.items() if value is not None} if isinstance(usage, Mapping) else {}


def _total(raw: Mapping[str, Any]) -> int:
    return sum(_number(raw.get(f"{kind}input_tokens")) for kind in ("", "cache_creation_", "cache_read_"))


def _number(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0
