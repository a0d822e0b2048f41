"""Which cases run each time and which with the slow tests: what a guard refuses costs little, of the rest some run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .case import Case

_EXECUTED = ("proof", "tests", "check-")
"""Steps that run something, by the start of their names."""


def params(cases: Sequence[Case], every: int) -> list[object]:
    """All cases as parameters; of those that have something executed, one in ``every`` is not slow."""
    number, found = 0, []
    for case in cases:
        dear = case.honest or bool(case.limit) or any(rule.startswith(_EXECUTED) for rule in case.by)
        number += dear
        slow = bool(case.limit) or (dear and bool(number % every))
        found.append(pytest.param(case, id=case.name, marks=[pytest.mark.slow] if slow else []))
    return found


def plain_params(cases: Sequence[Case], every: int) -> list[object]:
    """The dishonest cases, of which one in ``every`` is not slow; without those that start on a red base."""
    some = [case for case in cases if not case.honest and not case.red_base]
    return [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if number % every else [])
        for number, case in enumerate(some)
    ]
