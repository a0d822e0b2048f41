"""Pytest plugin that tries one fault after another, each in a fork of a process in which pytest has already started.

The project is not imported yet at that point. What it says is a first look: survivors are run once more as trees.
"""

# ruff: noqa: PTH108, PTH118 (older interpreters, and a start that must be fast)
from __future__ import annotations

import json
import os
import signal
import sys
import time
import warnings
from typing import Any

import pytest

_ENDS = {0: "survived", 1: "killed", 2: "killed", 3: "killed"}
"""By pytest's exit code; 2 is an error while tests were collected. Others: no test ran."""

_forked = ""
"""What is planted in this process."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    name = os.environ.pop("RALPH_STRENGTH_MUTANTS", "")
    if not name:
        return
    with open(name, encoding="utf-8") as file:
        told = json.load(file)
    loaded = [getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values())]
    known = {os.path.realpath(path) for path in loaded if isinstance(path, str)}
    over = time.monotonic() + told["box"]
    fates = set()
    for number, mutant in enumerate(told["mutants"]):
        left = min(told["each"], over - time.monotonic())
        if number and left <= 0:
            break
        place = os.path.realpath(os.path.join(told["root"], mutant["path"]))
        if place in known:
            continue
        child = _fork()
        if child == 0:
            _become(place, mutant)
            return
        fate = _wait(child, max(left, 1.0), left < told["each"])
        fates.add(fate)
        _note(told["results"], mutant["number"], fate)
    if fates - {"survived"}:
        child = _fork()
        if child == 0:
            _become(os.path.realpath(os.path.join(told["root"], told["control"]["path"])), told["control"])
            return
        if _wait(child, told["each"], False) != "survived":
            os.unlink(told["results"])  # what fails without a fault says nothing about faults
    os._exit(0)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of plugins: the fork only has to come as far as its tests
        return os.fork()


def _become(place: str, mutant: Any) -> None:
    """Go on as a test run of its own, in which one file is another one."""
    global _forked
    import ralph_planted  # type: ignore[import-not-found]

    _forked = mutant["label"]
    os.setpgid(0, 0)
    ralph_planted.plant(place, mutant["file"])
    os.environ["RALPH_STRENGTH_PLANTED"] = place + "\n" + mutant["file"]
    if mutant["select"]:
        os.environ["RALPH_STRENGTH_SELECT"] = mutant["select"]


def _wait(child: int, seconds: float, limited: bool) -> str:
    over = time.monotonic() + seconds
    pause = 0.002
    while time.monotonic() < over:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            _end(child)
            return _ENDS.get(os.WEXITSTATUS(status), "untested") if os.WIFEXITED(status) else "killed"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    _end(child)
    os.waitpid(child, 0)
    return "untested" if limited else "timeout"


def _end(group: int) -> None:
    for ended in (os.killpg, os.kill):
        try:
            ended(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _note(name: str, number: int, fate: str) -> None:
    with open(name, "a", encoding="utf-8") as file:
        file.write(f"{number} {fate}\n")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    if "RALPH_STRENGTH_PLANTED" in os.environ:
        config.option.xmlpath = None  # the report is the first process's, which has none


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: Any) -> None:
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    if _forked and terminal is not None:
        terminal.write_line("\n" + _forked)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    """Nobody reads the summary of a first look, and it may cost more than its tests."""
    if _forked:
        os._exit(int(exitstatus))
