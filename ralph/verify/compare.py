"""Compare the test ids of a run with those of the same command on the base. Pure.

Only sets of ids and outcomes decide: a red that stands on the base is listed and never blocks, whatever anybody says.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ralph.domain import Comparison

_RAN = frozenset({"passed", "failed"})
_SILENT = frozenset({"skipped", "xfailed"})


@dataclass(frozen=True, slots=True)
class BaseResult:
    """What is known of the same gate on the base."""

    red: frozenset[str] = frozenset()
    """Ids of the tests that fail there."""
    advisory: bool = False
    """The gate is red there and named no tests: it can't tell whose fault a failure is."""
    outcomes: Mapping[str, str] | None = None
    """Per test id there; None where no run with ids is known."""
    tree: str = ""
    declared: frozenset[str] = frozenset()
    """What the task may do to tests: delete-test, skip-test."""


def compare(base: BaseResult, here: Mapping[str, str], died: bool) -> Comparison | None:
    """Ids by what became of them; None where the base is not known by ids. ``died``: the run did not go to its end."""
    if base.outcomes is None:
        return None
    there = base.outcomes
    gone = [identity for identity in there if identity not in here]
    moved = _moved(gone, [identity for identity in here if identity not in there])
    now = {identity: here.get(moved.get(identity, identity), "") for identity in there}
    known = set(there) | set(moved.values())
    return Comparison(
        base_tree=base.tree,
        newly_failing=_ids(i for i in there if there[i] != "failed" and now[i] == "failed"),
        newly_passing=_ids(i for i in there if there[i] == "failed" and now[i] == "passed"),
        vanished=_ids(i for i in gone if i not in moved),
        newly_skipped=_ids(i for i in there if there[i] in _RAN and now[i] in _SILENT),
        absent_to_red=_ids(i for i in here if i not in known and here[i] == "failed"),
        still_failing=_ids(i for i in there if there[i] == "failed" and now[i] == "failed"),
        moved=dict(sorted(moved.items())),
        died=died,
    )


def objections(found: Comparison, declared: Collection[str]) -> list[str]:
    """Why a run without a new failure still can't pass: tests of the base that are gone or silent, undeclared."""
    said: list[str] = []
    if found.vanished and "delete-test" not in declared:
        said.append(f"{_some(found.vanished)} of the base no longer ran; restore, or have the task allow 'delete-test'")
    if found.newly_skipped and not {"skip-test", "delete-test"} & set(declared):
        said.append(f"{_some(found.newly_skipped)} now skipped; let it run, or have the task allow 'skip-test'")
    return said


def _moved(gone: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """Old id to the new one that takes its place: the same test in another file or class, or with cases of its own.

    A test with fewer cases than before leaves the missing ones without a successor.
    """
    by_leaf: dict[str, list[str]] = defaultdict(list)
    by_name: dict[str, list[str]] = defaultdict(list)
    for identity in new:
        by_leaf[_leaf(identity)].append(identity)
        by_name[_name(identity)].append(identity)
    found: dict[str, str] = {}
    rest: list[str] = []
    for identity in gone:
        if candidates := by_leaf[_leaf(identity)]:
            found[identity] = candidates.pop(0)
        else:
            rest.append(identity)
    taken = set(found.values())
    for identity in rest:
        if successor := next((one for one in by_name[_name(identity)] if one not in taken), None):
            found[identity] = successor
            taken.add(successor)
    return found


def _leaf(identity: str) -> str:
    return identity.rsplit("::", 1)[-1] if "[" not in identity else _name(identity) + "[" + identity.partition("[")[2]


def _name(identity: str) -> str:
    """The test's own name, without file, class and case."""
    return re.sub(r"\[.*", "", identity, flags=re.DOTALL).rsplit("::", 1)[-1]


def _ids(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found))


def _some(ids: tuple[str, ...]) -> str:
    more = f" and {len(ids) - 2} more" if len(ids) > 2 else ""
    return ", ".join(ids[:2]) + more
