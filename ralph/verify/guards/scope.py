"""Guard ``scope``: only files that the task owns, tests where it may add them, nothing that another loop holds."""

from __future__ import annotations

from ralph.config import Config
from ralph.core import globs
from ralph.domain import Finding, Kind
from ralph.verify.guards.diff import Diff

TEST_FILES: dict[str, tuple[str, ...]] = {
    "python": ("test_*.py", "*_test.py", "conftest.py", "tests/", "test/"),
    "javascript": (
        "*.test.[jt]s*",
        "*.test.[cm][jt]s",
        "*.spec.[jt]s*",
        "*.spec.[cm][jt]s",
        "__tests__/",
        "__snapshots__/",
        "__mocks__/",
    ),
    "go": ("*_test.go", "testdata/"),
    "rust": ("tests/", "benches/"),
    "java": ("src/test/", "*/src/test/", "*Test.java", "*Tests.java", "*IT.java", "*Test.kt"),
    "ruby": ("spec/", "*_spec.rb"),
    "any": ("golden/", "goldens/", "test_data/", "test-data/", "__fixtures__/"),
}
"""Globs of test files per language: what counts where ``[verify] tests`` is empty."""

_DEFAULT = tuple(glob for globs_of in TEST_FILES.values() for glob in globs_of)
_MAY_ADD_TESTS = frozenset({Kind.FIX, Kind.FEATURE, Kind.TEST, Kind.REFACTOR})


def is_test(path: str, config: Config) -> bool:
    """Whether ``path`` is a test file by ``[verify] tests`` or the defaults."""
    return globs.matches(tuple(config.verify.tests) or _DEFAULT, path)


def findings(diff: Diff, shared: tuple[str, ...]) -> list[Finding]:
    """``shared``: paths or globs that other loops hold."""
    found: list[Finding] = []
    may_test = diff.task.kind in _MAY_ADD_TESTS
    for change in diff.changes:
        path = change.path
        if path in shared or globs.matches(shared, path):
            found.append(Finding("held", path, "another loop holds this file tonight"))
        elif (
            diff.task.files
            and not globs.matches(diff.task.files, path)
            and not (may_test and is_test(path, diff.config))
        ):
            owned = ", ".join(diff.task.files[:6])
            found.append(Finding("not-owned", path, f"the task owns {owned}"))
    return found
