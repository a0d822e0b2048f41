from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core import globs
from ralph.core.claims import Claim, conflicts
from ralph.domain import Task

TRACKED = ["src/a.py", "src/b.py", "src/api/c.py", "docs/x.md"]
FILES = st.lists(
    st.sampled_from(["src/**", "src/a.py", "src/*.py", "docs/", "*.md", "new/z.py", "new/", "!src/b.py"]), max_size=3
)


def task(*files: str, id: str = "t") -> Task:
    return Task(id=id, title=id, files=files)


@pytest.mark.parametrize(
    ("files", "held", "expected"),
    [
        (["src/*.py"], Claim("other", "o", ("src/a.py",)), True),
        (["docs/**"], Claim("other", "o", ("src/**",)), False),
        (["new/z.py"], Claim("other", "o", ("new/**",)), True),
        (["new/z.py"], Claim("other", "o", ("new/z.py",)), True),
        (["src/**"], Claim("other", "o", (), frozenset({"src/just_made.py"})), True),
        (["docs/**"], Claim("other", "o", (), frozenset({"src/just_made.py"})), False),
        (["src/**"], Claim("mine", "o", ("src/**",)), False),
        ([], Claim("other", "o", ("**",)), False),
    ],
)
def test_a_claim_of_another_loop_is_in_the_way(files: list[str], held: Claim, expected: bool) -> None:
    assert conflicts(task(*files), [held], "mine", TRACKED) == (held if expected else None)


def test_a_task_is_never_in_its_own_way() -> None:
    assert conflicts(task("src/**"), [Claim("other", "t", ("src/**",))], "mine", TRACKED) is None


@given(FILES, FILES, st.sets(st.sampled_from([*TRACKED, "new/z.py"])))
def test_two_tasks_without_conflict_never_own_a_common_path(
    mine: list[str], theirs: list[str], paths: set[str]
) -> None:
    held = Claim("other", "o", tuple(theirs), frozenset(paths))
    if conflicts(task(*mine), [held], "mine", TRACKED) is None and mine:
        for path in [*TRACKED, "new/z.py"]:
            assert not (globs.matches(mine, path) and (globs.matches(theirs, path) or path in paths))


def test_two_thousand_paths_and_fifty_claims_are_quick() -> None:
    tracked = frozenset(f"src/pkg{n % 40}/mod{n}.py" for n in range(2_000))
    claims = [Claim("other", f"o{n}", (f"src/pkg{n % 20}/*.py", f"tests/{n}/**")) for n in range(50)]
    started = time.perf_counter()
    for n in range(50):
        conflicts(task(f"src/pkg{20 + n % 20}/**", id=f"t{n}"), claims, "mine", tracked)
    assert time.perf_counter() - started < 3
