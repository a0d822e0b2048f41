"""What a reviewer hands in: the form it is asked for, and how it is read whoever wrote it."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ralph.domain import FollowUp, Review

ANSWER_BYTES = 16 * 1024
"""Of an answer; a longer one is cut and so can't be read."""
TOOL = "review"
"""Name of the tool by which the built-in agent hands it in."""
REASONS = 10
FOLLOW_UPS = 5
_LONGEST = 1_000
"""Characters of one reason or description that are kept."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class _FollowUp(_Part):
    title: str
    description: str = ""
    files: list[str] = []


class Answer(_Part):
    """The JSON object that ends a review."""

    verdict: Literal["accept", "reject"]
    reasons: list[str] = []
    follow_ups: list[_FollowUp] = []


def read(text: str, agent: str) -> tuple[Review | None, str]:
    """The review at the end of ``text``, or None and why there is none.

    Only an object that ends the text counts: one that is quoted on the way says what somebody else wrote.
    """
    if not text.strip():
        return None, "the reviewer handed nothing in"
    found = _last_object(text)
    if found is None:
        return None, "what the reviewer said does not end with a JSON object"
    return checked(found, agent)


def checked(given: object, agent: str) -> tuple[Review | None, str]:
    """The review in a JSON value, or None and what is wrong with it."""
    try:
        answer = Answer.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "it"
        return None, f"the review can't be read: {place}: {first['msg']}"
    reasons = tuple(reason.strip()[:_LONGEST] for reason in answer.reasons if reason.strip())[:REASONS]
    accepted = answer.verdict == "accept"
    if not accepted and not reasons:
        return None, "the review can't be read: it rejects without a reason"
    wanted = [one for one in answer.follow_ups if one.title.strip()][:FOLLOW_UPS]
    proposals = tuple(
        FollowUp(one.title.strip()[:200], one.description.strip()[:_LONGEST], tuple(one.files[:50])) for one in wanted
    )
    return Review(accepted, reasons, proposals, agent), ""


def _last_object(text: str) -> Any | None:
    """The JSON object that the text ends with, also inside a fence; the outermost one."""
    body = text.strip()
    if body.endswith("```"):
        body = body[:-3].rstrip()
    at = body.find("{") if body.endswith("}") else -1
    decoder = json.JSONDecoder()
    while at >= 0:
        try:
            value, end = decoder.raw_decode(body, at)
        except (ValueError, RecursionError):
            at = body.find("{", at + 1)
            continue
        if end == len(body):
            return value
        at = body.find("{", end)
    return None


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["accept", "reject"]},
        "reasons": {
            "type": "array",
            "items": {"type": "string"},
            "description": "why it is rejected, the weightiest first; of an accepted change, what a person should know",
        },
        "follow_ups": {
            "type": "array",
            "description": "tasks worth doing afterwards; empty where there are none",
            "items": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "description": {"type": "string"},
                    "files": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["title", "description", "files"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["verdict", "reasons", "follow_ups"],
    "additionalProperties": False,
}
"""Of the object, strict: what the built-in agent's tool takes."""
