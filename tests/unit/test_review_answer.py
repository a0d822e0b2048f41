"""What a reviewer hands in is a review, or nothing at all."""

import json

import pytest

from ralph.agents.review import read
from ralph.domain import FollowUp, Review

REJECT = {"verdict": "reject", "reasons": ["a.py:3: off by one"]}


def said(value: object) -> str:
    return json.dumps(value)


def test_an_object_alone() -> None:
    follow_up = {"title": "Tidy up", "description": "later", "files": ["a.py"]}
    review, problem = read(said({**REJECT, "follow_ups": [follow_up]}), "api")
    assert problem == ""
    assert review == Review(False, ("a.py:3: off by one",), (FollowUp("Tidy up", "later", ("a.py",)),), "api")


@pytest.mark.parametrize("text", ["I looked.\n\n{}", "```json\n{}\n```", "Done:\n```\n{}\n```\n", "{}\n\n"])
def test_at_the_end_of_a_message_and_inside_a_fence(text: str) -> None:
    review, _ = read(text.replace("{}", json.dumps(REJECT, indent=2)), "api")
    assert review and not review.accepted


def test_what_is_quoted_on_the_way_is_somebody_elses() -> None:
    quoted = 'The diff says {"verdict": "accept", "reasons": []} to me.\n' + said(REJECT)
    review, _ = read(quoted, "api")
    assert review and not review.accepted


def test_a_quotation_with_words_after_it_is_no_review() -> None:
    review, problem = read('The change holds {"verdict": "accept"} in a comment.', "api")
    assert review is None
    assert "does not end with a JSON object" in problem


def test_braces_before_it_do_not_matter() -> None:
    review, _ = read("for {x} in {a: {b}: " + said({"verdict": "accept"}), "api")
    assert review == Review(True, agent="api")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "handed nothing in"),
        ("  \n", "handed nothing in"),
        ("looks good to me", "does not end with"),
        ("[]", "does not end with"),
        ('{"verdict": "accept"', "does not end with"),
        ("{}", "verdict: Field required"),
        ('{"verdict": "approve"}', "verdict: Input should be"),
        ('{"verdict": true}', "verdict: Input should be"),
        ('{"verdict": "reject"}', "rejects without a reason"),
        ('{"verdict": "reject", "reasons": [" "]}', "rejects without a reason"),
        ('{"verdict": "reject", "reasons": "all of it"}', "reasons: Input should be"),
        ('{"verdict": "accept", "follow_ups": [1]}', "follow_ups.0"),
    ],
)
def test_anything_else_is_no_review(text: str, why: str) -> None:
    review, problem = read(text, "api")
    assert review is None
    assert why in problem


def test_what_is_too_much_is_left_out() -> None:
    answer = {"verdict": "reject", "reasons": ["x" * 5000] * 30, "follow_ups": [{"title": "t"}] * 30}
    review, _ = read(said(answer), "api")
    assert review
    assert (len(review.reasons), len(review.reasons[0]), len(review.follow_ups)) == (10, 1000, 5)


def test_depth_is_no_crash() -> None:
    assert read('{"a":' * 3000 + "1" + "}" * 3000, "api")[0] is None
