"""How a night is set up: secrets taken, base pinned, preflight run, loops and their workspaces made."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import ralph
from ralph import agents, forge, notify
from ralph.config import Config, freeze
from ralph.core import window
from ralph.core.outline import outline
from ralph.core.states import is_open
from ralph.domain import Task
from ralph.engine import baseline, branches, frozen, recall
from ralph.engine.board import Board
from ralph.engine.budget import Budget
from ralph.engine.executor import Executor
from ralph.engine.log import enter
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.engine.occurrence import next_id, unfinished
from ralph.engine.preflight import Preflight
from ralph.engine.publish import Publisher, unpublished
from ralph.errors import ConfigError, NeedsPerson, SandboxError
from ralph.forge.base import Forge
from ralph.host import sandbox
from ralph.host.files import own_directory
from ralph.host.paths import Layout
from ralph.memory.ledger import Event, Ledger
from ralph.memory.tasks import TaskFile
from ralph.vcs import user
from ralph.vcs.mirror import Mirror
from ralph.vcs.workspace import Workspace

_KEPT_ENV = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "SHELL", "TMPDIR", "SSH_AUTH_SOCK", "VIRTUAL_ENV")
TITLE = 200
"""Characters of a task's title in the record of a night's start."""
_KEPT_PREFIXES = ("LC_", "XDG_", "RALPH_", "SSL_", "REQUESTS_CA", "NOTIFY_SOCKET", "WATCHDOG_", "DBUS_", "GIT_SSH")


def take_secrets(config: Config, taken: dict[str, str]) -> dict[str, str]:
    """Move the environment but its harmless part into ``taken``, and return what agents, forge and notices need of it.

    The fork server and every child inherit what is left, so no key stands in any /proc/<pid>/environ but ours.
    ``taken`` is this process's memory of it: a later night's policy may name a key that this one's does not.
    """
    wanted = {config.forge.token_env, "GH_TOKEN", *config.notify.env}
    for agent in config.agents.values():
        wanted.update(agents.secret_names(agent), agent.env)
    for name in list(os.environ):
        if name in _KEPT_ENV:
            taken[name] = os.environ[name]
        elif name in wanted or not name.startswith(_KEPT_PREFIXES):
            taken[name] = os.environ.pop(name)
    return {name: taken[name] for name in sorted(wanted) if taken.get(name)}


async def stage(
    where: Layout,
    config: Config,
    ledger: Ledger,
    executor: Executor,
    secrets: Mapping[str, str],
    occurrence: str,
    here: window.Window | None,
) -> Night:
    """Set a night up, or the unfinished one again. Raises RalphError with what a person has to do."""
    _check(config)
    probe = sandbox.probe(config.sandbox.mode)
    if probe.sandbox is None:
        hint = 'run `ralph doctor`; `[sandbox] mode = "none"` runs without one'
        raise SandboxError(f"no sandbox works here: {probe.detail}", hint)
    tasks_file = TaskFile(where.repo / "tasks.json", where.good_tasks)
    tasks = tasks_file.load()
    mirror = Mirror(where.mirror, where.repo)
    await asyncio.to_thread(mirror.ensure)
    resumed = unfinished(ledger, occurrence, str(here.key) if here else None)
    pinned = resumed is not None and resumed["pinned"]  # what never began may have waited for a better base
    base = resumed["base_commit"] if resumed and pinned else await asyncio.to_thread(mirror.resolve, config.night.base)
    id = resumed["night"] if resumed else next_id(ledger, here)
    tracked = [path for _, _, path in mirror.list_tree(base)]
    board = Board(ledger.events(kinds=Board.KINDS))
    night = Night(
        id=id,
        config=config,
        layout=where,
        ledger=ledger,
        board=board,
        tasks_file=tasks_file,
        executor=executor,
        sandbox=probe.sandbox,
        mirror=mirror,
        notifier=notify.make(config.notify, where.repo, secrets),
        base=base,
        occurrence=occurrence,
        secrets=secrets,
        budget=Budget(config, ledger.events(kinds=Budget.KINDS), id),
        author=user.user_identity(where.repo),
        rows=tasks.tasks,
        tracked=tracked,
        outline=outline(tracked),
    )
    if resumed:
        night.started -= resumed["age"]
        recall.verdicts(night)
    text = freeze(config)
    changed = frozen.keep(where, id, text)
    found = await baseline.look(night)
    if not resumed or resumed["base_commit"] != base:
        _record_start(night, text, probe.name)
    elif changed:
        night.record("configured", {"config_sha256": frozen.digest(text.encode())})
    _judge_the_base(night, found)
    night.sync_tasks()
    pulls = forge.make(config, where, where.repo, secrets)
    await _make_loops(night, pulls, resumed is not None)
    publisher = Publisher(night, pulls)
    night.publisher = publisher
    night.publish = publisher.publish
    night.progress = lambda iteration: publisher.later(lambda: enter(night, iteration))
    _catch_up(night, publisher)
    return night


def _catch_up(night: Night, publisher: Publisher) -> None:
    """Publish what a crash kept from being published."""
    for event in unpublished(night.ledger):
        loop = night.loops.get(event.loop)
        if loop and loop.workspace.ref(event.data["branch"]) and _holds(loop, event):
            publisher.publish(loop, event.data["commit"], night.task(event.task) or Task(event.task, event.task))
    for event in night.ledger.events(night=night.id, kinds=("ended",)):
        night.progress(event.iteration)


def _holds(loop: LoopState, event: Event) -> bool:
    return loop.workspace.contains(loop.workspace.ref(event.data["branch"]) or "", event.data["commit"])


def _check(config: Config) -> None:
    if not config.agents:
        raise ConfigError("ralph.toml names no agent", "add an [agents.<name>] table; `ralph init` shows how")
    unmetered = [name for name, agent in config.agents.items() if not agents.metered(agent, config.prices)]
    if config.limits.strict_dollars and _dollar_caps(config) and unmetered:
        what = f"strict_dollars is set, but nobody can count the dollars of: {', '.join(unmetered)}"
        raise ConfigError(what, "take the agent out of [routes], or set strict_dollars = false")


def _dollar_caps(config: Config) -> bool:
    """Whether any cap in ralph.toml is in dollars."""
    limits = config.limits
    general = (limits.iteration_dollars, limits.task_dollars, limits.loop_dollars, limits.night_dollars)
    own = [loop.limits.dollars for loop in config.loops] + [role.limits.dollars for role in config.roles.values()]
    return any((*general, *own))


def _record_start(night: Night, text: str, sandbox_name: str) -> None:
    config = night.config
    unmetered = [name for name, agent in config.agents.items() if not agents.metered(agent, config.prices)]
    night.record(
        "night_started",
        {
            "base": config.night.base,
            "base_commit": night.base,
            "loops": [loop.name for loop in config.loop_list()],
            "agents": {name: agent.kind for name, agent in config.agents.items()},
            "sandbox": sandbox_name,
            "config_sha256": frozen.digest(text.encode()),
            "occurrence": night.occurrence,
            "unmetered": unmetered,
            "version": ralph.__version__,
            "tasks": [
                {"id": task.id, "title": task.title[:TITLE], "depends_on": list(task.depends_on)}
                for task in night.current_tasks()
                if is_open(task.status)
            ],
        },
    )
    if unmetered and _dollar_caps(config):
        names = ", ".join(unmetered)
        text = f"dollar caps do not hold for {names}: nobody can count what they spend; token and time caps do"
        night.record("warning", {"text": text})


def _judge_the_base(night: Night, found: Preflight) -> None:
    """A red base ends the night before it begins."""
    try:
        baseline.judge(night, found)
    except NeedsPerson as red:
        reason = f"the base is red: {red.message.partition(': ')[2]}; {red.hint}"
        night.record("night_ended", {"reason": reason, "exit_code": red.exit_code})
        raise


async def _make_loops(night: Night, pulls: Forge, resumed: bool) -> None:
    going_on = {event.data["branch"] for event in unpublished(night.ledger)}
    for number, table in enumerate(night.config.loop_list()):
        place = night.layout.loop(table.name)
        own_directory(place)
        workspace = Workspace(place, night.layout.mirror)
        await asyncio.to_thread(workspace.lay_git_dir)
        ours = resumed or f"refs/heads/ralph/{table.name}" in going_on
        head = await asyncio.to_thread(branches.start_of, night, pulls, table.name, workspace, ours)
        loop = LoopState(table.name, table, workspace, head, workspace.tree_of(head), number)
        night.loops[table.name] = loop
        night.budget.ensure_loop(table.name)
    unsent = {state.branch for state in night.board.tasks.values()} if resumed else going_on
    await asyncio.to_thread(branches.settle_own, night, pulls, unsent)
    gone = {state.loop for state in night.board.tasks.values() if state.commit and state.loop} - set(night.loops)
    open_still = {name for name in sorted(gone) if await asyncio.to_thread(branches.is_open, night, pulls, name)}
    for id, state in night.board.tasks.items():
        lost = state.loop in gone - open_still and not branches.has_its_own(state)
        if state.commit and (lost or not state.loop or branches.in_base(night, state.commit)):
            night.landed.add(id)
    if resumed:
        recall.holds(night)
