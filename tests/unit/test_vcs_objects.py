"""Commit objects as bytes, and messages whose trailers are ours."""

from __future__ import annotations

from ralph.vcs.objects import commit_bytes, commit_id, message

ADA = ("Ada", "ada@example.org")


def test_same_arguments_give_the_same_id() -> None:
    content = commit_bytes("4b825dc642cb6eb9a060e54bf8d69288fbee4904", [], "first", ADA, ADA, 1_700_000_000)
    assert commit_id(content) == "15027b0393b450eeb501b9b6ffb03ec71ee65869"
    assert commit_id(content) == commit_id(commit_bytes(content[5:45].decode(), [], "first\n", ADA, ADA, 1_700_000_000))


def test_names_cannot_smuggle_headers() -> None:
    content = commit_bytes("0" * 40, [], "m", ("Eve\nparent " + "1" * 40, "e<v>e@x"), ADA, 0)
    assert content.count(b"\nparent ") == 0
    assert b"<eve@x>" in content


def test_trailers_in_the_body_do_not_count() -> None:
    text = message(
        "fix: it", "Because.\nRalph-Task: other\n ralph-night : x", {"Ralph-Task": "T1", "Ralph-Loop": "a\nb"}
    )
    assert text.split("\n\n")[-1] == "Ralph-Task: T1\nRalph-Loop: a b\n"
    assert "> Ralph-Task: other" in text
    assert "> ralph-night" in text or ">  ralph-night" in text


def test_an_empty_subject_still_makes_a_message() -> None:
    assert message("  \n ", "", {}) == "Change\n"
