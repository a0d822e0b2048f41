"""Whether a test in any of these languages still claims what it claimed."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from ralph.verify.guards.tampering.trees.model import CASE, EQUAL, Said
from ralph.verify.guards.tampering.trees.reader import is_literal

_STRONGER = {
    "like": {EQUAL},
    "loosely": {EQUAL},
    "same": {EQUAL},
    "toHaveBeenCalled": {
        "toHaveBeenCalledTimes",
        "toHaveBeenCalledWith",
        "toHaveBeenCalledOnce",
        "toHaveBeenCalledExactlyOnceWith",
    },
    "toHaveBeenCalledWith": {"toHaveBeenCalledExactlyOnceWith"},
    "NotNil": {EQUAL},
    "Error": {"ErrorIs", "ErrorContains", "EqualError", "ErrorAs"},
    "truthy": {EQUAL},
    "isNotNull": {EQUAL},
    "assertNotNull": {EQUAL},
}
_UPWARD = re.compile(r"(?:toBeGreaterThan(?:OrEqual)?|isGreaterThan\w*|Greater(?:OrEqual)?)$")
_DOWNWARD = re.compile(r"(?:toBeLessThan(?:OrEqual)?|isLessThan\w*|Less(?:OrEqual)?)$")
_OPEN = re.compile(
    r"expect \. (?:anything|any|objectContaining|arrayContaining|stringContaining|stringMatching)|mock \. Anything"
)


@dataclass(frozen=True, slots=True)
class Names:
    """What the change does to the product's names."""

    gone: Set[str] = frozenset()
    came: Set[str] = frozenset()
    resigned: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Less:
    line: int
    message: str
    snapshot: bool = False


def weaker(old: Sequence[Said], new: Sequence[Said], names: Names, elsewhere: Sequence[Said]) -> list[Less]:
    """What is claimed less than before, each old claim for itself; empty where nothing is."""
    real = [one for one in new if not one.hollow]
    pool = [one for one in elsewhere if not one.hollow]
    before = {one.key for one in old}
    spare = [one for one in new if one.key not in before]
    found = []
    for one in old:
        if one.hollow:
            continue
        less = _missing(one, real, spare, names)
        if less is not None and _missing(one, pool, [], names) is not None:
            found.append(less)
    return found


def holds(one: Said, pool: Sequence[Said], names: Names) -> bool:
    return bool(one.hollow) or _missing(one, [each for each in pool if not each.hollow], [], names) is None


def _missing(one: Said, real: Sequence[Said], spare: Sequence[Said], names: Names) -> Less | None:
    best: Less | None = None
    for other in real:
        if _same(one, other, names):
            less = _less(one, other)
            if less is None:
                return None
            best = best or less
        elif _stronger(one, other, names) and not [guard for guard in other.guards if guard not in one.guards]:
            return None
    return best or _described(one, spare, names)


def _same(one: Said, other: Said, names: Names) -> bool:
    if one.relation != other.relation:
        return False
    if one.relation == CASE:
        return set(one.subject.split("\n")) <= set(other.subject.split("\n"))
    if (one.subject, one.expected) == (other.subject, other.expected):
        return True
    return _like(one.subject, other.subject, names) and _like(one.expected, other.expected, names)


def _like(a: str, b: str, names: Names) -> bool:
    """Equal apart from what the change renames, and from arguments that a new signature asks for."""
    if a == b:
        return True
    left, right = _renamed(a, names), _renamed(b, names)
    if left == right:
        return True
    called = [name for name in names.resigned if f"{name} (" in left and f"{name} (" in right]
    if not called:
        return False
    fewer, more = sorted((left.split(), right.split()), key=len)
    return all(fewer.count(word) <= more.count(word) for word in set(fewer) - {","})


def _renamed(words: str, names: Names) -> str:
    return " ".join("§" if word in names.gone or word in names.came else word for word in words.split(" "))


def _less(one: Said, other: Said) -> Less | None:
    if more := [guard for guard in other.guards if guard not in one.guards]:
        return Less(other.line, f"the assertion now runs only under a condition ({more[0][:60]}): {other.text}")
    if one.tolerance != other.tolerance and not _tighter(one, other):
        return Less(other.line, f"the tolerance is wider: {other.text}")
    return None


def _tighter(one: Said, other: Said) -> bool:
    old, new = _number(one.tolerance), _number(other.tolerance)
    if old is None or new is None:
        return not other.tolerance
    return new >= old if one.relation.endswith("toBeCloseTo") else new <= old


def _number(words: str) -> float | None:
    try:
        return float(words.replace(" ", "").replace("_", "").rstrip("fFdDL"))
    except ValueError:
        return None


def _stronger(one: Said, other: Said, names: Names) -> bool:
    if not _like(one.subject, other.subject, names) or _OPEN.search(other.expected):
        return False
    if other.relation in _STRONGER.get(one.relation, ()):
        return one.relation not in ("like", "loosely", "same") or one.expected == other.expected
    if other.relation == one.relation:
        old, new = _number(one.expected), _number(other.expected)
        if old is not None and new is not None:
            return bool(_UPWARD.search(one.relation) and new >= old) or bool(
                _DOWNWARD.search(one.relation) and new <= old
            )
        return not one.expected and one.relation.split(".")[-1] in (
            "toThrow",
            "toThrowError",
            "should_panic",
            "rejects",
        )
    exact = other.relation in (EQUAL, "like") and is_literal(other.expected)
    return exact and one.relation not in (EQUAL, "like", "loosely", "same", CASE)


def _described(one: Said, spare: Sequence[Said], names: Names) -> Less:
    if one.relation == CASE:
        return Less(0, f"a case was removed or changed: {' '.join(one.subject.split())[:80]}")
    for other in spare:
        if other.relation == one.relation and _like(one.subject, other.subject, names):
            inline = "InlineSnapshot" in one.relation
            return Less(other.line, f"the expected value changed: {one.text} became {other.text}", inline)
    for other in spare:
        if one.subject and (one.subject == other.subject or one.subject in other.subject):
            why = f" ({other.hollow})" if other.hollow else ""
            return Less(other.line, f"the assertion is weaker{why}: {one.text} became {other.text}")
    for other in spare:
        if other.relation == one.relation and one.expected and other.expected == one.expected:
            return Less(other.line, f"what is tested changed: {one.text} became {other.text}")
    return Less(0, f"the assertion is gone: {one.text}")
