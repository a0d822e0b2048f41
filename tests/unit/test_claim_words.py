from __future__ import annotations

import pytest

from ralph.core.claim_words import compared, words


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, ""),
        ({"proof": None, "strength": None, "review": None}, ""),
        ({"proof": {"grade": "proven", "tests": {"t::a": "proven", "t::b": "import_only"}}}, "proven by t::a"),
        (
            {"proof": {"grade": "proven", "tests": {"t::a": "proven"}, "turned": ["check-1", "t::z"]}},
            "proven by t::a and 2 more",
        ),
        ({"proof": {"grade": "proven", "turned": ["check-1"]}}, "proven by check-1"),
        (
            {"proof": {"grade": "not_discriminating", "tests": {"t::a": "not_discriminating"}}},
            "not discriminating (t::a)",
        ),
        ({"proof": {"grade": "not_provable", "tests": {}}}, "not provable"),
        ({"strength": {"changed": 0, "covered": 0, "mutants": []}}, ""),
        (
            {"strength": {"changed": 4, "covered": 3, "mutants": [{"fate": "killed"}]}},
            "none of 1 mutants survived, 3 of 4 changed lines ran",
        ),
        (
            {
                "strength": {
                    "changed": 0,
                    "covered": 0,
                    "stopped": "time",
                    "mutants": [{"fate": fate} for fate in ("killed", "survived", "survived", "timeout", "untested")],
                }
            },
            "2 of 4 mutants survived, 1 timed out, 1 not tried, on lines that no test runs, not all were tried",
        ),
        (
            {"strength": {"changed": 2, "covered": 2, "mutants": [{"fate": "survived", "before": "", "after": "x"}]}},
            "1 mutant survived the mutation command, 2 of 2 changed lines ran",
        ),
        (
            {
                "verdict": "passed",
                "counts": {"passed": 5, "failed": 2},
                "flaky": ["t::f"],
                "comparison": {"still_failing": ["t::f", "t::r"]},
            },
            "5 passed, 1 flaky: t::f, 1 red on the base too: t::r",
        ),
        ({"verdict": "failed", "counts": {"passed": 5}, "comparison": {"still_failing": ["t::r"]}}, ""),
        ({"review": {"accepted": True, "agent": "api", "reasons": ["fine"]}}, "reviewed by api: accepted"),
        ({"review": {"accepted": False, "agent": "api", "reasons": ["a", "b"]}}, "reviewed by api: refused, a"),
        ({"review": {"accepted": False}}, "reviewed: refused"),
        ({"proof": "?", "strength": [1], "review": 3}, ""),
    ],
)
def test_a_phrase_for_each_and_nothing_for_what_is_not_understood(row: dict[str, object], said: str) -> None:
    assert words(row) == said


def test_a_comparison_names_what_differs_only() -> None:
    assert compared({}) == ""
    assert compared({"comparison": {"base_tree": "x", "newly_failing": [], "died": False}}) == ""
    found = {"newly_failing": ["a", "b"], "still_failing": ["c"], "died": True}
    assert compared({"comparison": found}) == "2 newly failing, 1 red on the base too, the run ended early"
