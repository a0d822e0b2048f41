"""What `ralph start` looks at before a person goes to bed: mistakes that would cost the whole night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.cli.checks import Row
    from ralph.config import Config
    from ralph.host.paths import Layout


def refuse_what_cannot_work(layout: Layout) -> list[str]:
    """Return what may be wrong, a line each. Raises RalphError where no task could land."""
    from ralph.cli.programs import agents
    from ralph.config import load

    config = load(layout.repo / "ralph.toml")
    for row in _rows(layout, config):
        _refuse(row)
    unfit = [row for row in agents(layout, config) if row.status == "fail"]
    if len({row.what for row in unfit}) == len(config.agents):
        _refuse(unfit[0])
    warnings = (
        [] if _open(layout) else ["tasks.json has no open task: `ralph tasks add` writes one, also while it runs"]
    )
    return warnings + [f"{row.what}: {row.detail} ({row.fix})" for row in unfit]


def _refuse(row: Row) -> None:
    if row.status == "fail":
        fix = row.fix or "see the line of `ralph doctor`"
        raise RalphError(f"{row.what}: {row.detail}", f"{fix}; `ralph doctor` checks everything")


def _rows(layout: Layout, config: Config) -> Iterator[Row]:
    from ralph.cli import checks

    if config.sandbox.mode != "none":
        yield from checks.sandbox(config)
    yield from checks.repository(layout)
    yield from checks.tasks(layout)
    yield from checks.configuration(config)
    yield from checks.identity(layout)
    if "/" not in config.night.base:  # a remote's branch is fetched at the start of the night
        yield from checks.base(layout, config)


def _open(layout: Layout) -> bool:
    from ralph.core.states import is_open
    from ralph.memory.tasks import TaskFile

    return any(is_open(task.status) for task in TaskFile(layout.repo / "tasks.json", layout.good_tasks).load().tasks)
