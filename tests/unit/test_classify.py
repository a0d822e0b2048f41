"""What one test's outcome on another source says."""

from __future__ import annotations

import pytest

from ralph.domain import Proof
from ralph.verify.proof.classify import broke, on_base, on_stubs


@pytest.mark.parametrize(
    ("outcome", "message", "proof"),
    [
        ("passed", "", Proof.NOT_DISCRIMINATING),
        ("failed", "AssertionError: assert 1 == 2", Proof.PROVEN),
        ("failed", "ValueError: not a duration: '2d'", Proof.PROVEN),
        ("failed", "ImportError: cannot import name 'days' from 'tally'", None),
        ("failed", "fixture 'shelf' not found", Proof.INCONCLUSIVE),
        ("skipped", "", Proof.INCONCLUSIVE),
        (None, "No module named 'tally.days'", None),
        (None, "test failed", None),
    ],
)
def test_on_the_base(outcome: str | None, message: str, proof: Proof | None) -> None:
    assert on_base(outcome, message) is proof


@pytest.mark.parametrize(
    ("outcome", "message", "proof"),
    [
        ("passed", "", Proof.NOT_DISCRIMINATING),
        ("failed", "NotImplementedError", Proof.PROVEN),
        ("failed", "collection failure", Proof.IMPORT_ONLY),
        (None, "No module named 'tally.days'", Proof.IMPORT_ONLY),
        (None, "test failed", Proof.INCONCLUSIVE),
    ],
)
def test_on_stubs(outcome: str | None, message: str, proof: Proof) -> None:
    assert on_stubs(outcome, message) is proof


def test_an_original_that_dies_for_a_name_that_went_has_nothing_to_say() -> None:
    assert not broke("ImportError: cannot import name 'spread' from 'tally.stats'", {"spread"})
    assert broke("ImportError: cannot import name 'spread' from 'tally.stats'", {"other"})
    assert broke("assert 3 == 4", {"spread"})
