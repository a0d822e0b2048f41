"""`ralph start --dry-run`: what a night would do, without starting anything."""

from __future__ import annotations

from typing import Any

import click

from ralph.cli.output import emit_json, table
from ralph.config import Config, load
from ralph.core.pick import blocked_by
from ralph.core.states import is_open
from ralph.domain import Task
from ralph.host.paths import Layout
from ralph.memory.tasks import TaskFile


def show(where: Layout, as_json: bool) -> None:
    """Print tasks in the order of picking, loops with their agents, and the caps in force."""
    config = load(where.repo / "ralph.toml")
    tasks = TaskFile(where.repo / "tasks.json", where.good_tasks).load().tasks
    plan: dict[str, Any] = {
        "tasks": _tasks(tasks, config),
        "loops": _loops(config),
        "caps": _caps(config),
        "gates": _gates(config),
    }
    if as_json:
        emit_json(plan)
        return
    if not plan["tasks"]:
        click.echo('No task is open. Next: `ralph tasks add "Title"`, or edit tasks.json.')
        return
    click.echo(table(["order", "task", "title", "agents", "waits for"], [row.values() for row in plan["tasks"]]))
    click.echo()
    click.echo(table(["loop", "branch", "role", "agents"], [row.values() for row in plan["loops"]]))
    click.echo()
    click.echo(table(["gate", "command"], [row.values() for row in plan["gates"]]))
    click.echo("\nCaps: " + ("; ".join(f"{key} {value:g}" for key, value in plan["caps"].items()) or "none"))
    click.echo(f"Window: {config.night.start} to {config.night.stop}; `ralph start --now` ignores it.")


def _tasks(tasks: tuple[Task, ...], config: Config) -> list[dict[str, Any]]:
    by_id = {task.id: task for task in tasks}
    done = {task.id for task in tasks if not is_open(task.status)}
    order: list[Task] = []
    left = [task for task in tasks if is_open(task.status)]
    while left:
        ready = [t for t in left if all(d in done or d in {o.id for o in order} for d in t.depends_on)] or left
        first = min(ready, key=lambda task: (task.priority, tasks.index(task)))
        order.append(first)
        left.remove(first)
    return [
        {
            "order": number,
            "task": task.id,
            "title": task.title,
            "agents": " > ".join(config.route(task.role)),
            "waits_for": ", ".join(blocked_by(task, by_id)),
        }
        for number, task in enumerate(order, start=1)
    ]


def _loops(config: Config) -> list[dict[str, Any]]:
    return [
        {
            "loop": loop.name,
            "branch": f"ralph/{loop.name}" if config.night.branch_per == "loop" else "ralph-task/<task>",
            "role": loop.role or "any",
            "agents": " > ".join(loop.route) or "by role",
        }
        for loop in config.loop_list()
    ]


def _gates(config: Config) -> list[dict[str, Any]]:
    return [{"gate": gate.name, "command": gate.command} for gate in config.gates]


def _caps(config: Config) -> dict[str, float]:
    caps = config.limits.model_dump(exclude={"pause_at", "strict_dollars"})
    return {name: value for name, value in caps.items() if value}
