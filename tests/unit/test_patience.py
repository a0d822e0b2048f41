"""How long a worker may take: never less than what it is allowed to do."""

from __future__ import annotations

from typing import Any

from ralph.config import Config
from ralph.domain import Task
from ralph.engine.keep import SETUP_SECONDS
from ralph.engine.patience import UNLIMITED, patience

TASK = Task("a", "a")


def config(**tables: Any) -> Config:
    return Config.model_validate({"gates": [{"name": "t", "command": "true", "timeout": 100}], **tables})


def test_a_setup_that_takes_as_long_as_it_may_is_waited_for() -> None:
    plain, slow = config(), config(workspace={"setup": "make", "keep": ["deps"]})
    assert patience(slow, TASK, 60) - patience(plain, TASK, 60) >= 3 * SETUP_SECONDS


def test_each_check_of_the_task_is_given_its_time() -> None:
    """On the base, on the change, and once more for the proof."""
    some = Task("a", "a", checks=("one", "two"))
    assert patience(config(), some, 60) - patience(config(), TASK, 60) >= 3 * 2 * 600


def test_re_runs_of_flaky_tests_count_on_both_trees() -> None:
    many = config(verify={"flaky_runs": 10})
    assert patience(many, TASK, 60) - patience(config(verify={"flaky_runs": 1}), TASK, 60) >= 9 * 2 * 100


def test_the_agents_own_time_comes_on_top() -> None:
    assert patience(config(), TASK, 3600) - patience(config(), TASK, 60) == 3540
    assert patience(config(), TASK, 0) > UNLIMITED


def test_a_reviewer_is_waited_for_and_then_given_its_time() -> None:
    agents = {"agents": {"one": {"kind": "api"}}, "limits": {"iteration_minutes": 10}}
    reviewed = config(**agents, routes={"reviewer": ["one"]})
    assert patience(reviewed, TASK, 60) - patience(config(**agents), TASK, 60) == 2 * 600
