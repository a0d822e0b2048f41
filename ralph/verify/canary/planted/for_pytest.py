"""A pytest plugin with failing tests, which are reported like any other and change nothing else about the run.

Its text is copied under a random name beside the tree and may run under any Python and pytest that a project has.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

TEST = "test_planted"
HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (nothing more is imported than has to be)


def _forget_me() -> None:
    """What tests start themselves must not inherit the plugin."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", HERE)]
    options = os.environ.get("PYTEST_ADDOPTS", "").replace("-p " + __name__, "").strip()
    for name, value in (
        ("PYTHONPATH", os.pathsep.join(paths)),
        ("PYTEST_ADDOPTS", options),
    ):
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)


_forget_me()


def planted() -> None:
    expected, found = 1, 2
    assert found == expected, "planted: this test has to fail"


class Canary(pytest.Function):
    """A failing test in the file of another, without the fixtures that would prepare something for it."""

    beside: pytest.Item

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.beside.reportinfo()[0], 0, self.name


def _canaries(session: pytest.Session) -> list[Any]:
    """One for each directory with tests: each may have hooks of its own."""
    from _pytest.fixtures import FuncFixtureInfo

    places = list({item.path.parent: item for item in session.items}.values())
    made = []
    for number, beside in enumerate(places, start=1):
        none: Any = FuncFixtureInfo((), (), [], {})
        name = f"{TEST}_{number}_{len(places)}"
        canary: Any = Canary.from_parent(session, name=name, callobj=planted, fixtureinfo=none)
        canary.beside, canary.path = beside, beside.path
        canary._nodeid = beside.nodeid.split("::")[0] + "::" + name
        if hasattr(canary, "_id"):  # since pytest 9.2
            canary._id = canary._id.parse(canary._nodeid)
        made.append(canary)
    return made


def _is(nodeid: str) -> bool:
    return ("::" + TEST + "_") in nodeid


class Plugin:
    """Runs them after all others: in this process, or in one of xdist's workers."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.session: Any = None
        self.worker = hasattr(config, "workerinput")
        self.planted = 0

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """A worker says here which tests it has; it must be the same in all of them."""
        if self.worker and session.items and not self.config.option.collectonly:
            session.items.extend(_canaries(session))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, None]:
        outcome = yield
        over = outcome.excinfo is None or issubclass(outcome.excinfo[0], (session.Failed, session.Interrupted))
        if over and session.items and not self.worker and not self.config.option.collectonly:
            for canary in _canaries(session):
                _run(canary)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not isinstance(item, Canary):
            return None
        _run(item)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """What the last real test leaves is torn down on its account, not on the canary's."""
        if isinstance(nextitem, Canary) and not isinstance(item, Canary):
            item.session._setupstate.teardown_exact(None)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, Any, None]:
        """Count it in no total that decides anything: exit code, thresholds, --maxfail."""
        names: Any = self.config.pluginmanager
        if names.hasplugin("dsession") and self.planted:  # its controller took them for tests that it waits for
            self.session.testscollected -= self.planted
            self.planted = 0
        if _is(report.nodeid) and report.failed:
            self.session.testsfailed -= 1
            if hasattr(names.getplugin("dsession"), "countfailures"):
                names.getplugin("dsession").countfailures -= 1
        yield
        if _is(report.nodeid):
            shown = getattr(names.getplugin("terminalreporter"), "stats", {}).get("", [])
            shown[:] = [one for one in shown if one is not report]
            for identity in (report.nodeid, getattr(report, "id", "")):
                getattr(names.getplugin("lfplugin"), "lastfailed", {}).pop(identity, None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.planted = sum(map(_is, ids))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Shown nowhere on the terminal, like a setup that passed."""
        return ("", "", "") if _is(getattr(report, "nodeid", "")) else None


def _run(item: Canary) -> None:
    from _pytest.runner import runtestprotocol

    runtestprotocol(item, nextitem=None)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Plugin(config), __name__ + "-planted")
