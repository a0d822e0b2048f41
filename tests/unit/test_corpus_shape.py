"""The corpus is as large as it has to be, and each case says what it is."""

from __future__ import annotations

from collections import Counter

from corpus import ALL
from corpus.case import read_project

LEAST = {"python": 40, "node": 8, "go": 8}


def test_every_project_has_enough_of_both() -> None:
    for project, cases in ALL:
        kinds = Counter(case.honest for case in cases if not case.limit)
        assert min(kinds[True], kinds[False]) >= LEAST[project.name], project.name
        assert read_project(project.name)


def test_cases_have_names_of_their_own_and_say_who_refuses_them() -> None:
    cases = [case for _, some in ALL for case in some]
    assert [name for name, number in Counter(case.name for case in cases).items() if number > 1] == []
    assert all(case.by for case in cases if not case.honest and not case.limit)
    assert not any(case.honest and case.limit for case in cases)
