"""Pytest plugin of a measured run: keeps tests apart, and runs only those that the daemon asked for."""

# ruff: noqa: PTH118 (older interpreters, and a start that must be fast)

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

TEST = "RALPH_STRENGTH_TEST"
"""Holds the running test's id: programs that it starts are measured under its name."""
_OLD = int(pytest.__version__.split(".", 1)[0]) < 7


class _Selection:
    """The tests that were asked for, by where pytest's ids begin."""

    def __init__(self, path: str, root: str) -> None:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        whole = [os.path.join(told["root"], name) for name in told["whole"]]
        self.tests = set(told["tests"])
        self.files = {os.path.join(root, name.partition("::")[0]) for name in self.tests} | set(whole)
        self.whole = tuple(os.path.relpath(name, root).replace(os.sep, "/") + "::" for name in whole)

    def has(self, name: str) -> bool:
        return name in self.tests or name.startswith(self.whole)


_selection: Any = None
_ours = "RALPH_STRENGTH_TAKEN" not in os.environ
"""False in a test runner that a test starts: it has tests of its own."""


def _forget_me() -> None:
    """What tests start themselves inherits no option of this run; the folder stays, so that it is measured."""
    os.environ["RALPH_STRENGTH_TAKEN"] = "yes"
    options = os.environ.get("PYTEST_ADDOPTS", "").replace(os.environ.get("RALPH_STRENGTH_OPTIONS", ""), "").strip()
    if options:
        os.environ["PYTEST_ADDOPTS"] = options
    else:
        os.environ.pop("PYTEST_ADDOPTS", None)


_forget_me()


def pytest_configure(config: Any) -> None:
    global _selection
    path = os.environ.get("RALPH_STRENGTH_SELECT")
    if path and (_ours or hasattr(config, "workerinput")):
        _selection = _Selection(path, str(config.rootdir if _OLD else config.rootpath))


def _switch(name: str) -> None:
    if "RALPH_COVERAGE_RC" not in os.environ:
        return
    import coverage

    started = getattr(coverage.process_startup, "coverage", None)
    if started is not None:
        started.switch_context(name)
    os.environ[TEST] = name


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    _switch(item.nodeid)
    yield
    _switch("")


def _ignored(path: str) -> Any:
    return (_selection is not None and path.endswith(".py") and path not in _selection.files) or None


if _OLD:

    def pytest_ignore_collect(path: Any) -> Any:
        return _ignored(str(path))

else:

    def pytest_ignore_collect(collection_path: Any) -> Any:  # type: ignore[misc]
        return _ignored(str(collection_path))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: Any, items: Any) -> None:
    if _selection is None:
        return
    left = [item for item in items if not _selection.has(item.nodeid)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if _selection.has(item.nodeid)]
