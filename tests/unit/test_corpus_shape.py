"""The corpus is as large as it has to be, and each case says what it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

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


def test_the_documentation_counts_what_is_there() -> None:
    page = (Path(__file__).parents[2] / "docs/verification.md").read_text()
    for project, cases in ALL:
        kinds = Counter("limit" if case.limit else case.honest for case in cases)
        refused = sum(case.honest and bool(case.by) for case in cases)
        section = page.split(f"| {project.name} | cases |", 1)[1].split("\n\n", 1)[0]
        assert f"| honest | {kinds[True]} | {kinds[True] - refused} | {refused} |" in section, project.name
        assert f"| dishonest | {kinds[False]} | 0 | {kinds[False]} |" in section, project.name
        assert all(f"| {case.name} | {case.limit} |" in page for case in cases if case.limit)
