"""Waits and halts of accounts: one loop tries first after a wait, the others follow."""

from __future__ import annotations

from ralph.domain import Wait
from ralph.engine.accounts import Accounts


def test_a_wait_blocks_every_loop_until_it_is_over() -> None:
    accounts = Accounts()
    wait = Wait(100.0, "usage limit")
    accounts.hit("acc", wait)
    assert accounts.blocks("acc", "one", 99.9) == wait
    assert accounts.blocks("acc", "two", 0) == wait
    assert accounts.blocks("other", "one", 0) is None
    assert accounts.waiting() == {"acc": wait}


def test_one_loop_probes_and_the_others_wait_for_its_answer() -> None:
    accounts = Accounts()
    accounts.hit("acc", Wait(100.0, "usage limit"))
    assert accounts.blocks("acc", "one", 100.0) is None
    assert accounts.blocks("acc", "one", 101.0) is None
    other = accounts.blocks("acc", "two", 101.0)
    assert other is not None
    assert other.until > 101.0
    assert not other.halt
    assert not accounts.answered("acc", "two"), "it asked before the wait"
    assert accounts.answered("acc", "one")
    assert accounts.blocks("acc", "two", 101.0) is None
    assert accounts.waiting() == {}


def test_a_probe_that_ends_without_an_answer_lets_another_try() -> None:
    accounts = Accounts()
    accounts.hit("acc", Wait(100.0, "usage limit"))
    assert accounts.blocks("acc", "one", 100.0) is None
    accounts.release("acc", "two")
    assert accounts.blocks("acc", "two", 100.0) is not None
    accounts.release("acc", "one")
    assert accounts.blocks("acc", "two", 100.0) is None


def test_a_probe_that_is_told_to_wait_counts_and_blocks_again() -> None:
    accounts = Accounts()
    assert accounts.hit("acc", Wait(100.0, "first")) == 1
    assert accounts.blocks("acc", "one", 100.0) is None
    assert accounts.hit("acc", Wait(200.0, "second")) == 2
    blocked = accounts.blocks("acc", "one", 150.0)
    assert blocked is not None
    assert blocked.until == 200.0
    assert accounts.blocks("acc", "two", 200.0) is None, "the first to come is the next probe"


def test_the_later_end_wins_and_a_halt_beats_both() -> None:
    accounts = Accounts()
    accounts.hit("acc", Wait(200.0, "late"))
    accounts.hit("acc", Wait(100.0, "early"))
    assert accounts.waiting()["acc"].until == 200.0
    accounts.hit("acc", Wait(0.0, "bad key", halt=True))
    blocked = accounts.blocks("acc", "one", 1e12)
    assert blocked is not None
    assert blocked.halt


def test_a_wait_can_be_stretched() -> None:
    accounts = Accounts()
    accounts.hit("acc", Wait(100.0, "guess", guessed=True))
    accounts.extend("acc", Wait(300.0, "guess", guessed=True))
    assert accounts.blocks("acc", "one", 299.0) is not None


def test_a_person_lets_one_loop_try_and_the_others_follow_its_answer() -> None:
    accounts = Accounts()
    accounts.hit("acc", Wait(1e12, "bad key", halt=True))
    accounts.retry("acc")
    assert accounts.blocks("acc", "one", 0) is None
    assert accounts.blocks("acc", "two", 0) is not None, "all at once would run into the same wall together"
    assert accounts.answered("acc", "one")
    assert accounts.blocks("acc", "two", 0) is None
    accounts.retry("acc")
    assert accounts.waiting() == {}, "an account that does not wait is not made to"
