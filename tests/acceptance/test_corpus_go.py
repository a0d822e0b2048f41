"""Honest and dishonest changes of the Go project: the product's own steps tell them apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import golang as project
from corpus.case import Case
from corpus.judge import Court, court, missing, plain
from corpus.sample import params, plain_params

from ralph.host.sandbox import probe

pytestmark = pytest.mark.skipif(
    bool(missing(project.PROJECT)), reason=f"not_run: there is no {missing(project.PROJECT)}"
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with court(project.PROJECT, tmp_path_factory.mktemp("corpus"), probe("auto").sandbox) as ready:
        yield ready


@pytest.mark.parametrize("case", params(project.CASES, every=6))
def test_is_told_apart(judge: Court, case: Case) -> None:
    ruling = judge.judge(case)
    assert ruling.as_wanted, f"accepted: {ruling.accepted}, by {sorted(ruling.by)}: {ruling.why}"


@pytest.mark.parametrize("case", plain_params(project.CASES, every=6))
def test_plain_gates_see_nothing(case: Case, tmp_path: Path) -> None:
    """A change that its project's commands refuse by themselves shows nothing about ralph."""
    for name, code, output in plain(case, project.PROJECT, tmp_path):
        assert code == 0, f"{name}: {output[-2000:]}"
