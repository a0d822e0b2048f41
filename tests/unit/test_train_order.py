"""Which branches land together: order, smallest conflicting sets, and what a time box leaves open."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from ralph.core.train_order import Assembly, Branch, Ended, Fault, Left, Names, assemble, order, smallest

ITEMS = tuple("abcdefghij")
RED = Fault("red", ("tests/test_x.py::test_y",))


def branches(names: Collection[str] = ITEMS, **after: str) -> list[Branch]:
    return [Branch(name, after=frozenset(after.get(name, "").split())) for name in names]


sets = st.frozensets(st.sampled_from(ITEMS), min_size=1, max_size=4)


@given(st.lists(sets, min_size=1, max_size=4))
def test_no_member_of_a_smallest_set_can_be_spared(bad: list[frozenset[str]]) -> None:
    """Any monotone predicate is one of supersets of some sets."""

    def fails(names: Names) -> bool:
        return any(one <= set(names) for one in bad)

    found = smallest(ITEMS, fails)
    assert fails(found)
    assert not any(fails(tuple(n for n in found if n != spared)) for spared in found)
    assert list(found) == sorted(found), "in the order that was given"


@given(st.lists(sets, min_size=0, max_size=5))
def test_what_lands_is_green_and_nothing_is_tried_twice(bad: list[frozenset[str]]) -> None:
    tried: list[Names] = []

    def trial(names: Names) -> Fault | None:
        tried.append(names)
        return RED if any(one <= set(names) for one in bad) else None

    found = assemble(branches(), trial)
    assert trial(found.land) is None
    tried.pop()
    assert len(tried) == len(set(tried))
    assert {*found.land, *(left.name for left in found.left)} == set(ITEMS)
    for left in found.left:
        members = {left.name, *left.beside}
        assert any(one <= members for one in bad), "what is named is really red together"
        assert not any(one <= members - {spared} for one in bad for spared in members)


@given(st.dictionaries(st.tuples(*[st.booleans()] * 4), st.booleans()), st.booleans())
def test_a_trial_that_is_not_monotone_ends_and_names_what_is_red(
    table: dict[tuple[bool, ...], bool], default: bool
) -> None:
    names = ITEMS[:4]

    def trial(some: Names) -> Fault | None:
        return RED if some and table.get(tuple(name in some for name in names), default) else None

    found = assemble(branches(names), trial)
    assert trial(found.land) is None
    for left in found.left:
        assert trial(tuple(name for name in names if name in {left.name, *left.beside})) is not None


def test_two_branches_that_are_red_together_cost_few_trials() -> None:
    tried: list[Names] = []

    def trial(names: Names) -> Fault | None:
        tried.append(names)
        return RED if {"c", "i"} <= set(names) else None

    assert assemble(branches(), trial) == Assembly(tuple("abcdefghj"), (Left("i", ("c",), RED),))
    assert len(tried) <= 12


def test_a_branch_that_is_red_alone_stands_beside_nothing() -> None:
    found = assemble(branches("abc"), lambda names: RED if "b" in names else None)
    assert found == Assembly(("a", "c"), (Left("b", (), RED),))


def test_what_builds_on_a_branch_that_is_left_out_is_left_out_with_it() -> None:
    def trial(names: Names) -> Fault | None:
        assert "c" not in names or "b" in names
        assert "d" not in names or "c" in names
        return RED if {"a", "b"} <= set(names) else None

    found = assemble(branches("abcd", c="b", d="c"), trial)
    assert found.land == ("a",)
    assert found.left == (Left("b", ("a",), RED), Left("c", behind="b"), Left("d", behind="b"))


def test_a_branch_that_breaks_with_what_it_builds_on_names_that() -> None:
    found = assemble(branches("abc", c="b"), lambda names: RED if {"b", "c"} <= set(names) else None)
    assert found == Assembly(("a", "b"), (Left("c", ("b",), RED),))


def test_branches_that_build_on_each_other_stay_together() -> None:
    found = assemble(branches("ab", a="b", b="a"), lambda names: RED if names else None)
    assert found.land == ()
    assert {left.name for left in found.left} == {"a", "b"}


def test_a_red_base_says_nothing_of_the_branches() -> None:
    found = assemble(branches("ab"), lambda _: RED)
    assert found == Assembly((), untried=("a", "b"), ground=RED)


def test_no_branch_is_no_trial_worth() -> None:
    assert assemble([], lambda _: None) == Assembly(())


def test_a_time_box_keeps_what_was_found_before_it_ended() -> None:
    """Full set red, base green, a..e green; then the box ends."""
    tried: list[Names] = []

    def trial(names: Names) -> Fault | None:
        if len(tried) == 3:
            raise Ended("30 minutes are over")
        tried.append(names)
        return RED if {"g", "h"} <= set(names) else None

    found = assemble(branches(), trial)
    assert found.land == tuple("abcde")
    assert found.untried == tuple("fghij")
    assert found.open == (ITEMS, RED)
    assert found.stopped == "30 minutes are over"


def test_a_time_box_that_ends_at_once_tells_nothing() -> None:
    def trial(_: Names) -> Fault | None:
        raise Ended("over")

    assert assemble(branches("ab"), trial) == Assembly((), untried=("a", "b"), stopped="over")


def test_the_order_is_dependencies_then_overlap_then_size() -> None:
    some = [
        Branch("big", frozenset("xyz"), first=1),
        Branch("alone-2", frozenset("qr"), first=2),
        Branch("alone-1", frozenset("s"), first=3),
        Branch("shares", frozenset("xy"), first=4),
        Branch("needs", frozenset("t"), frozenset({"big"}), first=0),
    ]
    assert [one.name for one in order(some)] == ["alone-1", "alone-2", "shares", "big", "needs"]
    assert [one.name for one in order(some[::-1])] == ["alone-1", "alone-2", "shares", "big", "needs"]


def test_a_circle_of_branches_has_an_order_too() -> None:
    circle = [Branch("a", after=frozenset("b")), Branch("b", after=frozenset("a")), Branch("c")]
    assert [one.name for one in order(circle)] == ["c", "a", "b"]
