"""How long a worker may take in all before it is killed: the sum of everything that it is allowed to do."""

from __future__ import annotations

from ralph.config import Config
from ralph.config.schema import Gate
from ralph.domain import Task
from ralph.engine.judge.flaky import APART
from ralph.engine.keep import SETUP_SECONDS

OVERTIME = 690
"""Seconds past all limits: laying trees, guards, a machine that is short of breath."""
UNLIMITED = 7 * 24 * 3600
"""What an agent without any cap on its time is given."""
SETUPS = 4
"""Of the base, of a merge and of the change; and another loop's, which holds the lock on a kept folder."""
PASSES = 9
"""Times that every gate may run: on a merge, the change (its own tests first, a failing one beside them) and the base,
and for the proof on the base's source, with the base's tests, on stubs and in other words."""

STRENGTH = 7
"""Times a test gate's limit that measuring may take: three for a run with every line counted, one for the change's,
three for the first mutant."""
LONGEST_BOX = 60
"""Time box of mutants where none is set."""


def patience(config: Config, task: Task, seconds_left: float) -> float:
    """Seconds until a worker has to be broken; ``seconds_left`` is what its agent may take, 0 without a cap."""
    check = Gate(name="check", command="true").timeout
    once = sum(gate.timeout for gate in config.gates) + len(task.checks) * check
    setup = SETUPS * SETUP_SECONDS if config.workspace.setup else 0
    again = 2 * (config.verify.flaky_runs * APART + 1)
    reviewed = any(config.reviewers(loop) for loop in config.loop_list())
    reviewer = 2 * (config.limits.iteration_minutes * 60 or UNLIMITED) if reviewed else 0  # until one is free, its work
    measured = (
        0 if config.verify.strength == "off" else once * STRENGTH + 2 * (config.verify.mutation_seconds or LONGEST_BOX)
    )
    return (seconds_left or UNLIMITED) + setup + once * (PASSES + again) + measured + reviewer + OVERTIME
