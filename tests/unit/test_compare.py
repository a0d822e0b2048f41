"""Test ids of a change beside those of its base."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.domain import Comparison
from ralph.verify.compare import BaseResult, compare, objections

P, F, S, X = "passed", "failed", "skipped", "xfailed"


def beside(there: dict[str, str], here: dict[str, str]) -> Comparison:
    found = compare(BaseResult(outcomes=there, tree="t"), here, died=False)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("there", "here", "field", "ids"),
    [
        ({"a::x": P}, {"a::x": F}, "newly_failing", ("a::x",)),
        ({"a::x": S}, {"a::x": F}, "newly_failing", ("a::x",)),
        ({"a::x": F}, {"a::x": P}, "newly_passing", ("a::x",)),
        ({"a::x": F}, {"a::x": F}, "still_failing", ("a::x",)),
        ({"a::x": P}, {}, "vanished", ("a::x",)),
        ({"a::x": F}, {}, "vanished", ("a::x",)),
        ({"a::x": P}, {"a::x": S}, "newly_skipped", ("a::x",)),
        ({"a::x": F}, {"a::x": X}, "newly_skipped", ("a::x",)),
        ({}, {"a::x": F}, "absent_to_red", ("a::x",)),
        ({"a::x[1]": P, "a::x[2]": P}, {"a::x[1]": P}, "vanished", ("a::x[2]",)),
        ({"a::x": P}, {"b::x": F}, "newly_failing", ("a::x",)),
    ],
)
def test_what_became_of_an_id(there: dict[str, str], here: dict[str, str], field: str, ids: tuple[str, ...]) -> None:
    found = beside(there, here)
    assert getattr(found, field) == ids
    others = ("newly_failing", "newly_passing", "vanished", "newly_skipped", "absent_to_red", "still_failing")
    assert all(getattr(found, other) == () for other in others if other != field)


@pytest.mark.parametrize(
    ("there", "here", "moved"),
    [
        ({"a::x": P}, {"b::x": P}, {"a::x": "b::x"}),
        ({"a::x": P}, {"a::C::x": P}, {"a::x": "a::C::x"}),
        ({"a::x": P}, {"a::x[1]": P, "a::x[2]": P}, {"a::x": "a::x[1]"}),
        ({"a::x[1]": P, "a::x[2]": P}, {"b::x[1]": P, "b::x[2]": P}, {"a::x[1]": "b::x[1]", "a::x[2]": "b::x[2]"}),
        ({"a::x[p::q]": P}, {"b::x[p::q]": P}, {"a::x[p::q]": "b::x[p::q]"}),
    ],
)
def test_a_moved_test_has_not_vanished(there: dict[str, str], here: dict[str, str], moved: dict[str, str]) -> None:
    found = beside(there, here)
    assert (found.moved, found.vanished) == (moved, ())


def test_one_new_test_takes_the_place_of_one_old_one_only() -> None:
    assert beside({"a::x": P, "b::x": P}, {"c::x": P}).vanished == ("b::x",)


def test_gone_and_silent_tests_are_objections_until_the_task_declares_them() -> None:
    found = beside({"a::x": P, "a::y": P}, {"a::y": S})
    gone, silent = objections(found, ())
    assert "a::x" in gone and "delete-test" in gone
    assert "a::y" in silent and "skip-test" in silent
    assert objections(found, {"delete-test"}) == []
    assert objections(found, {"skip-test"}) == [gone]
    assert objections(found, {"weaken-test"}) == [gone, silent]


def test_a_base_without_ids_compares_with_nothing() -> None:
    assert compare(BaseResult(frozenset({"a"})), {"a": P}, died=False) is None


IDS = st.sampled_from([f"{file}::{test}" for file in "ab" for test in ("x", "y", "y[1]", "y[2]")])
OUTCOMES = st.dictionaries(IDS, st.sampled_from([P, F, S]))


@given(OUTCOMES, OUTCOMES)
def test_every_id_of_the_base_is_accounted_for(there: dict[str, str], here: dict[str, str]) -> None:
    found = beside(there, here)
    assert set(found.vanished) | set(found.moved) == set(there) - set(here)
    assert len(set(found.moved.values())) == len(found.moved)
    assert set(found.moved.values()) <= set(here) - set(there)
