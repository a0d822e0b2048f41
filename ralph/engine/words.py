"""The words ralph itself writes into git: commit messages and trailers, from data and never from an agent."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ralph.core import inert
from ralph.domain import GateResult, IterationResult, IterationSpec, Verdict

SUBJECT = 72


def commit_message(spec: IterationSpec, result: IterationResult) -> str:
    """The message of a task's commit: title, description, what was executed, trailers.

    Only the user's own text and the daemon's facts go in; a trailer in a title can't forge ours,
    because ours are the last paragraph.
    """
    task = spec.task
    parts = [_line(task.title)[:SUBJECT] or task.id]
    if task.description.strip():
        parts.append(textwrap.fill(_line(task.description)[:1000], SUBJECT))
    parts.append("\n".join(f"{gate.name}: {_checked(gate.verdict, gate.reason)}" for gate in result.gates))
    trailers = {
        "Ralph-Task": task.id,
        "Ralph-Iteration": spec.iteration,
        "Ralph-Night": spec.night,
        "Ralph-Loop": spec.loop,
    }
    parts.append("\n".join(f"{key}: {value}" for key, value in trailers.items()))
    return "\n\n".join(part for part in parts if part) + "\n"


def merge_message(spec_loop: str, others: tuple[str, ...]) -> str:
    return f"Merge {', '.join(others)} into {spec_loop}\n\nGated as the base of a dependent task.\n"


def undo_message(task: str, title: str, commit: str, gates: Sequence[GateResult], night: str) -> str:
    """The message of a commit that takes a task's commit out again."""
    parts = [
        f"Undo {_line(title)}"[:SUBJECT],
        f"Takes out what {commit} brought.",
        "\n".join(f"{gate.name}: {_checked(gate.verdict, gate.reason)}" for gate in gates),
        f"Ralph-Undo: {task}\nRalph-Undone: {commit}\nRalph-Night: {night}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(text: str) -> str:
    return inert.quiet(inert.line(text, 1000))


def _checked(verdict: Verdict, reason: str) -> str:
    return f"{verdict.value.replace('_', ' ')} ({_line(reason)[:100]})"
