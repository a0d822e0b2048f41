from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core import globs
from ralph.errors import RalphError

NAME = st.text("abc.-_", min_size=1, max_size=5).filter(lambda name: name.strip(".") != "")
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (["*.py"], "src/deep/a.py", True),
        (["/*.py"], "src/a.py", False),
        (["src/"], "src/deep/a.py", True),
        (["src/a.py"], "src/a.py", True),
        (["src/a.py"], "other/src/a.py", False),
        (["src/**/test_*.py"], "src/x/y/test_a.py", True),
        (["src/**", "!src/vendor/**"], "src/vendor/a.py", False),
        (["src/**", "!src/vendor/**"], "src/a.py", True),
        ([], "a", False),
        (["*"], "a/b", True),
        (["[ab].txt"], "b.txt", True),
    ],
)
def test_matches_follows_gitignore_syntax(patterns: list[str], path: str, expected: bool) -> None:
    assert globs.matches(patterns, path) is expected


def test_a_pattern_that_can_not_be_compiled_is_an_error_a_person_can_act_on() -> None:
    with pytest.raises(RalphError, match="glob"):
        globs.check(["src/**", "!"])


@given(PATH)
def test_a_literal_covers_exactly_its_path(path: str) -> None:
    assert globs.matches([globs.literal(path)], path)
    assert not globs.matches([globs.literal(path)], f"z/{path}")


@pytest.mark.parametrize("path", ["a b.txt", "#a", "!a", "x[1].py", "a*b", "q?.md", "back\\slash"])
def test_a_literal_covers_names_with_special_characters(path: str) -> None:
    assert globs.matches([globs.literal(path)], path)


@given(st.lists(PATH, max_size=4), st.lists(PATH, max_size=4), st.lists(PATH, max_size=8))
def test_overlap_is_symmetric_and_sees_every_common_path(a: list[str], b: list[str], tracked: list[str]) -> None:
    common = any(globs.matches(a, path) and globs.matches(b, path) for path in tracked)
    assert globs.overlap(a, b, tracked) == globs.overlap(b, a, tracked)
    if common:
        assert globs.overlap(a, b, tracked)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (["src/new.py"], ["src/*.py"], True),
        (["src/new/"], ["src/new/a.py"], True),
        (["docs/**"], ["src/**"], False),
        (["src/api/*.py"], ["src/api/**"], True),
        (["src/a.py"], ["src/b.py"], False),
        (["src/**", "!src/a.py"], ["src/a.py"], False),
        ([], ["**"], False),
    ],
)
def test_overlap_without_tracked_files(a: list[str], b: list[str], expected: bool) -> None:
    assert globs.overlap(a, b, []) is expected
