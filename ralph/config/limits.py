"""The caps of ralph.toml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ralph.config.table import Cap, Count, Table


class Limits(Table):
    """Caps that stop. 0 = no cap."""

    iteration_minutes: Cap = 45
    """Wall time of one iteration's agent."""
    iteration_tokens: Count = 400_000
    """Uncached input, cache writes and output of one iteration."""
    iteration_dollars: Cap = 0
    """US dollars of one iteration."""
    task_iterations: Count = 8
    """Attempts on one task before it is failed; a reassignment does not reset it."""
    task_minutes: Cap = 0
    """Wall time of all attempts on one task."""
    task_tokens: Count = 0
    """Tokens of all attempts on one task."""
    task_dollars: Cap = 0
    """US dollars of all attempts on one task."""
    loop_iterations: Count = 0
    """Iterations of one loop in a night."""
    loop_minutes: Cap = 0
    """Agent time of one loop in a night."""
    loop_tokens: Count = 0
    """Tokens of one loop in a night."""
    loop_dollars: Cap = 0
    """US dollars of one loop in a night."""
    night_iterations: Count = 0
    """Iterations of the whole night."""
    night_minutes: Cap = 0
    """Wall time of the night from its start."""
    night_tokens: Count = 0
    """Tokens of the whole night."""
    night_dollars: Cap = 0
    """US dollars of the whole night."""
    stall_minutes: Cap = 10
    """No output, no change in the work tree and no CPU time for this long ends the agent."""
    memory_mb: Count = 4096
    """Proportional set size (PSS) of an agent or gate with all its children."""
    output_mb: Count = 200
    """Output of one agent or gate."""
    disk_free_mb: Count = 1024
    """Loops pause while less than this is free."""
    pause_at: Annotated[float, Field(gt=0, le=1)] = 0.85
    """Share of a budget at which ralph acts before the cap is reached."""
    strict_dollars: bool = False
    """Refuse to start with a dollar cap and an agent whose price is unknown."""


class LoopLimits(Table):
    """Caps of one loop, over the general [limits] loop_* ones. 0 = no cap."""

    iterations: Count = 0
    """Iterations of this loop in a night."""
    minutes: Cap = 0
    """Agent time of this loop in a night."""
    tokens: Count = 0
    """Tokens of this loop in a night."""
    dollars: Cap = 0
    """US dollars of this loop in a night."""


class RoleLimits(LoopLimits):
    """Caps of one role over the whole night. 0 = no cap."""
