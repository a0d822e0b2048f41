"""Where things stand in the text of a JSON document, and edits that leave every other character alone.

All functions take text that a JSON parser has already accepted.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

Document = dict[str, object]

_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\r\n]*")
_WIDE = 100


class Member(NamedTuple):
    """One ``"key": value`` of an object, as offsets into the text."""

    key: str
    key_at: int
    at: int
    end: int


class Edit(NamedTuple):
    at: int
    end: int
    text: str


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def members(text: str, at: int) -> list[Member]:
    """The members of the object that opens at ``at``."""
    found = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, end = _DECODER.raw_decode(text, at)
        value_at = _skip(text, _skip(text, end) + 1)
        value_end = _DECODER.raw_decode(text, value_at)[1]
        found.append(Member(key, at, value_at, value_end))
        at = _skip(text, value_end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def elements(text: str, at: int) -> list[tuple[int, int]]:
    """Start and end of each element of the array that opens at ``at``."""
    found = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        found.append((at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def position(text: str, place: tuple[str | int, ...]) -> tuple[int, int]:
    """Line and column (from 1) of the key or element at ``place``, or of the nearest thing around it that exists."""
    at = shown = _skip(text, 0)
    for step in place:
        if isinstance(step, int) and text[at] == "[":
            inside = elements(text, at)
            if step >= len(inside):
                break
            at = shown = inside[step][0]
        elif isinstance(step, str) and text[at] == "{":
            member = next((one for one in members(text, at) if one.key == step), None)
            if member is None:
                break
            at, shown = member.at, member.key_at
        else:
            break
    return text.count("\n", 0, shown) + 1, shown - text.rfind("\n", 0, shown)


def respell(text: str, old: Document, new: Document) -> str:
    """``text``, which says ``old``, changed so that it says ``new``; what is equal keeps its spelling."""
    edits: list[Edit] = []
    _change_object(text, _skip(text, 0), old, new, edits)
    newline = "\r\n" if "\r\n" in text else "\n"
    pieces, at = [], 0
    for edit in sorted(edits):
        pieces += [text[at : edit.at], edit.text.replace("\n", newline)]
        at = edit.end
    return "".join([*pieces, text[at:]])


def _change_object(text: str, at: int, old: Document, new: Document, edits: list[Edit]) -> None:
    stood = members(text, at)
    indent = _indent(text, stood[0].key_at) if stood else None
    if not stood or old.keys() - new.keys():
        edits.append(Edit(at, _DECODER.raw_decode(text, at)[1], spell(new, _indent(text, at))))
        return
    for member in stood:
        _change_value(text, member.at, member.end, old[member.key], new[member.key], indent, edits)
    added = [key for key in new if key not in old]
    comma = ", " if indent is None else ",\n" + indent
    tail = "".join(f"{comma}{json.dumps(key, ensure_ascii=False)}: {spell(new[key], indent)}" for key in added)
    if tail:
        edits.append(Edit(stood[-1].end, stood[-1].end, tail))


def _change_value(
    text: str, at: int, end: int, old: object, new: object, indent: str | None, edits: list[Edit]
) -> None:
    if type(old) is type(new) and old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        _change_object(text, at, old, new, edits)
    elif isinstance(old, list) and isinstance(new, list) and old and _same_rows(old, new):
        _change_rows(text, at, old, new, edits)
    else:
        edits.append(Edit(at, end, spell(new, indent)))


def _same_rows(old: list[object], new: list[object]) -> bool:
    """Whether ``new`` is the rows of ``old`` (by id, in order) with others after them."""
    both = zip(old, new, strict=False)
    return len(new) >= len(old) and all(
        isinstance(one, dict) and isinstance(other, dict) and one.get("id") == other.get("id") for one, other in both
    )


def _change_rows(text: str, at: int, old: list[object], new: list[object], edits: list[Edit]) -> None:
    stood = elements(text, at)
    for (start, end), one, other in zip(stood, old, new, strict=False):
        _change_value(text, start, end, one, other, None, edits)
    indent = _indent(text, stood[0][0])
    comma = ", " if indent is None else ",\n" + indent
    tail = "".join(comma + spell(row, indent) for row in new[len(old) :])
    if tail:
        edits.append(Edit(stood[-1][1], stood[-1][1], tail))


def _indent(text: str, at: int) -> str | None:
    """The white space before ``at`` if nothing else stands before it on its line; None means one-line style."""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return before if "\n" in text[:at] and not before.strip() else None


def spell(value: object, indent: str | None = "") -> str:
    """JSON for ``value``: indented by two under ``indent``, short lists on one line; None: all on one line."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if indent is None or not isinstance(value, dict | list) or not value or _is_short(value, flat, indent):
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        rows = [inner + spell(one, inner) for one in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    rows = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {spell(one, inner)}" for key, one in value.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def _is_short(value: dict[str, object] | list[object], flat: str, indent: str) -> bool:
    if isinstance(value, list):
        return len(indent) + len(flat) + 20 <= _WIDE and not any(isinstance(one, dict | list) for one in value)
    return all(isinstance(one, int | float) for one in value.values())
