"""The Messages API on the wire: requests checked, answers as JSON and as server-sent events, usage from bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ralph.modelserver.script import Call, Error, Turn

USUAL = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
PIECE = 1000
"""Characters in one delta event."""
REFUSED = ("temperature", "top_p", "top_k")


def fault(body: dict[str, Any]) -> str | None:
    """Why the API would refuse a request, None where it would not."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or messages[0].get("role") != "user":
        return "messages: first message must use the user role"
    if not isinstance(body.get("max_tokens"), int):
        return "max_tokens: Field required"
    if gone := [name for name in REFUSED if name in body]:
        return f"{gone[0]}: Extra inputs are not permitted"
    for at, message in enumerate(messages):
        blocks = _blocks(message)
        if not blocks and at < len(messages) - 1:
            return f"messages.{at}: all messages must have non-empty content"
        if any(block.get("signature") != sign(block["thinking"]) for block in blocks if block["type"] == "thinking"):
            return f"messages.{at}: thinking blocks cannot be modified"
        if missing := _unanswered(messages, at):
            return f"messages.{at}: `tool_use` ids were found without `tool_result` blocks: {', '.join(missing)}"
    return None


def _unanswered(messages: list[Any], at: int) -> list[str]:
    calls = [block["id"] for block in _blocks(messages[at]) if block["type"] == "tool_use"]
    follow = _blocks(messages[at + 1]) if at + 1 < len(messages) else []
    answered = {block.get("tool_use_id") for block in follow if block["type"] == "tool_result"}
    return [call for call in calls if call not in answered]


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or []


def prompt(body: dict[str, Any]) -> str:
    """Text of the first user message."""
    return "\n".join(block.get("text", "") for block in _blocks(body["messages"][0]) if block["type"] == "text")


def answers(body: dict[str, Any]) -> int:
    """How many times the model has spoken in this conversation: its turn."""
    return sum(message.get("role") == "assistant" for message in body["messages"])


def sign(thinking: str) -> str:
    """The signature of a thinking block, so that one that comes back altered is refused."""
    return hashlib.sha256(thinking.encode()).hexdigest()[:32]


def message(turn: Turn, body: dict[str, Any], name: str) -> dict[str, Any]:
    """The whole answer as the API's JSON."""
    number = answers(body)
    content: list[dict[str, Any]] = []
    if turn.thinking:
        content.append({"type": "thinking", "thinking": turn.thinking, "signature": sign(turn.thinking)})
    if turn.text:
        content.append({"type": "text", "text": turn.text})
    calls = _calls(turn, {tool.get("name", "") for tool in body.get("tools") or []})
    for index, call in enumerate(calls):
        content.append({"type": "tool_use", "id": f"toolu_{number}_{index}", "name": call.name, "input": call.input})
    return {
        "id": "msg_" + hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:24],
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": content,
        "stop_reason": turn.stop_reason or ("tool_use" if calls else "end_turn"),
        "stop_sequence": None,
        "stop_details": turn.stop_details,
        "usage": None if turn.usage is None else {**_usage(body, content), **turn.usage},
    }


def _calls(turn: Turn, offered: set[str]) -> list[Call]:
    calls = list(turn.tools) if offered else []
    shell = "Bash" if "Bash" in offered else "bash"
    for path, text in turn.write.items():
        if "str_replace_based_edit_tool" in offered:
            command = {"command": "create", "path": path, "file_text": text}
            calls.append(Call(name="str_replace_based_edit_tool", input=command))
        elif shell in offered:
            script = f"mkdir -p \"$(dirname '{path}')\" && cat > '{path}' <<'END_OF_FILE'\n{text.rstrip()}\nEND_OF_FILE"
            calls.append(Call(name=shell, input={"command": script}))
    if shell in offered:
        calls += [Call(name=shell, input={"command": command}) for command in turn.run]
    return calls


def tokens(value: object) -> int:
    """Tokens of a part of a request: bytes / 4, rounded up."""
    return -(-len(json.dumps(value, ensure_ascii=False).encode()) // 4) if value else 0


def _usage(body: dict[str, Any], content: list[dict[str, Any]]) -> dict[str, Any]:
    """Usage as with a cache that always hits: all that was sent before is read, the rest is written."""
    last = max((at for at, one in enumerate(body["messages"]) if one.get("role") == "assistant"), default=-1)
    before = tokens(body.get("system")) + tokens(body.get("tools")) + tokens(body["messages"][:last])
    fresh = tokens(body["messages"][max(last, 0) :])
    cached = "cache_control" in json.dumps(body)
    read, write = (before, fresh) if last >= 0 else (0, before + fresh)
    return {
        "input_tokens": 3 if cached else before + fresh,
        "cache_creation_input_tokens": write if cached else 0,
        "cache_read_input_tokens": read if cached else 0,
        "output_tokens": max(1, tokens(content)),
    }


def error(one: Error) -> dict[str, Any]:
    """The API's JSON of an error."""
    kind = one.type or USUAL.get(one.status, "api_error" if one.status >= 500 else "invalid_request_error")
    inner: dict[str, Any] = {"type": kind, "message": one.message}
    if one.error_code:
        inner["details"] = {"error_code": one.error_code}
    return {"type": "error", "error": inner, "request_id": "req_scripted"}


def events(whole: dict[str, Any]) -> Iterator[bytes]:
    """The answer as server-sent events."""
    usage = whole["usage"]
    head = {**whole, "content": [], "stop_reason": None, "stop_details": None}
    if usage is not None:
        head["usage"] = {**usage, "output_tokens": min(1, usage.get("output_tokens") or 0)}
    yield event("message_start", {"message": head})
    for index, block in enumerate(whole["content"]):
        empty, deltas = _streamed(block)
        yield event("content_block_start", {"index": index, "content_block": empty})
        for delta in deltas:
            yield event("content_block_delta", {"index": index, "delta": delta})
        yield event("content_block_stop", {"index": index})
    end: dict[str, Any] = {
        "delta": {key: whole[key] for key in ("stop_reason", "stop_sequence", "stop_details")},
        "usage": {} if usage is None else {key: usage[key] for key in ("output_tokens",) if key in usage},
    }
    yield event("message_delta", end)
    yield event("message_stop", {})


def _streamed(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in _cut(block["text"])]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": part} for part in _cut(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {"type": "thinking", "thinking": "", "signature": ""}, deltas
        case _:
            text = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in _cut(text)]


def _cut(text: str) -> list[str]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def event(kind: str, data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()
