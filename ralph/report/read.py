"""Read fields of ledger rows: a row of an older version, or one cut by a crash, is never a reason to fail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)


def text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else "" if value is None else str(value)


def branch(data: Mapping[str, Any]) -> str:
    """Name of a branch, whether the row says ``ralph/x`` or ``refs/heads/ralph/x``."""
    return text(data, "branch").removeprefix("refs/heads/")


def moment(data: Mapping[str, Any], key: str) -> str:
    """ISO 8601 in UTC of a moment that may be written as epoch seconds."""
    value = data.get(key)
    if not isinstance(value, int | float):
        return text(data, key)
    try:
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


def number(data: Mapping[str, Any], key: str) -> float:
    value = data.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def integer(data: Mapping[str, Any], key: str) -> int:
    return int(number(data, key))


def table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def rows(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = data.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def strings(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key)
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def word(kind: type[E], value: Any, default: E) -> E:
    """The member of an enum, or ``default`` for a word this version does not know."""
    try:
        return kind(value)
    except ValueError:
        return default


def seconds_between(earlier: str, later: str) -> float:
    """Seconds between two ISO moments; 0 where one is missing or unreadable."""
    try:
        return round((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds(), 3)
    except (ValueError, TypeError):
        return 0.0
