"""What the daemon holds in its own hands over its nights: the policy, and the keys that it names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ralph.engine.daemon import Daemon, Options
from ralph.engine.windows import Windows

ONE = """
[agents.one]
kind = "api"
model = "m"
api_key_env = "KEY_ONE"
"""
TWO = ONE.replace("one", "two").replace("KEY_ONE", "KEY_TWO")


@pytest.fixture
def daemon(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A daemon that has read a policy with one agent, and was started with the keys of two."""
    for name, value in {"KEY_ONE": "1", "KEY_TWO": "2", "OTHER": "3", "RALPH_HARMLESS": "4"}.items():
        monkeypatch.setenv(name, value)
    for name in list(os.environ):
        monkeypatch.setenv(name, os.environ[name])  # what the daemon drops comes back
    (git_repo / "ralph.toml").write_text(ONE)
    daemon = Daemon(Options(git_repo, "window"))
    daemon.read_policy()
    return daemon


def test_no_child_inherits_a_key(daemon: Daemon) -> None:
    assert daemon.secrets == {"KEY_ONE": "1"}
    assert not {"KEY_ONE", "KEY_TWO", "OTHER"} & set(os.environ)
    assert {"PATH", "RALPH_HARMLESS"} <= set(os.environ)


def test_an_agent_that_was_added_between_two_nights_gets_its_key(daemon: Daemon) -> None:
    (daemon.layout.repo / "ralph.toml").write_text(ONE + TWO)
    Windows(daemon)._reload()
    assert daemon.secrets == {"KEY_ONE": "1", "KEY_TWO": "2"}


def test_a_policy_that_cannot_be_read_leaves_the_keys_alone(daemon: Daemon) -> None:
    (daemon.layout.repo / "ralph.toml").write_text("[agents.one]\nkind = 7\n")
    Windows(daemon)._reload()
    assert daemon.secrets == {"KEY_ONE": "1"}
    assert "one" in daemon.config.agents
