"""Every Executor hands back a worker that waits for the first word, runs an iteration, and dies when it is told to."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ralph.config import Config, freeze
from ralph.domain import Cause, IterationResult, IterationSpec, Outcome, Task
from ralph.engine import messages
from ralph.engine.executor import Executor, ForkedExecutor, Link, SpawnedExecutor
from ralph.host.alive import create_time, process_alive
from ralph.host.files import own_directory
from ralph.vcs.mirror import Mirror
from ralph.vcs.workspace import Workspace

ORDER = ["prepare", "implement", "snapshot", "guards", "gates", "proof", "strength", "review"]
Story = Callable[[Executor, Path], Awaitable[None]]


@pytest.fixture(params=[ForkedExecutor, SpawnedExecutor], ids=lambda kind: kind.name)
def run(request: pytest.FixtureRequest, git_repo: Path) -> Callable[[Story], None]:
    """Runs a story with one kind of executor, which is closed in the end; nothing of it may be left."""

    def tell(story: Story) -> None:
        async def whole() -> None:
            executor: Executor = request.param()
            try:
                await asyncio.wait_for(story(executor, git_repo), 60)
            finally:
                await executor.close()

        before = {child.pid for child in psutil.Process().children()}
        asyncio.run(whole())
        left = [child for child in psutil.Process().children() if child.pid not in before and _lives(child)]
        assert not [child for child in left if "resource_tracker" not in " ".join(child.cmdline())]

    return tell


def _lives(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


async def hello(executor: Executor) -> Link:
    link = await executor.start()
    assert await link.greet()
    return link


def spec(repo: Path, link: Link, script: str) -> IterationSpec:
    """An iteration without a sandbox whose agent is a shell script."""
    root = repo.parent / "state"
    own_directory(root)
    for name in ("loops/one", "runs"):
        own_directory(root / name)
    agent = repo.parent / f"agent-{secrets.token_hex(4)}.sh"
    agent.write_text(f"#!/bin/sh\n{script}\n")
    agent.chmod(0o755)
    config = Config.model_validate(
        {
            "agents": {"sh": {"kind": "command", "command": [str(agent)]}},
            "gates": [{"name": "ok", "command": "true"}],
            "sandbox": {"mode": "none"},
        }
    )
    frozen = root / f"{secrets.token_hex(4)}.toml"
    frozen.write_text(freeze(config))
    mirror = Mirror(root / "mirror.git", repo)
    mirror.ensure()
    head = mirror.resolve("main")
    Workspace(root / "loops/one", root / "mirror.git").create(head)
    return IterationSpec(
        night="n",
        iteration=f"i{secrets.token_hex(4)}",
        loop="one",
        task=Task("t", "T"),
        attempt=1,
        tag=link.tag,
        run_dir=str(root / "runs" / secrets.token_hex(4)),
        loop_dir=str(root / "loops/one"),
        mirror=str(root / "mirror.git"),
        checkout=str(repo),
        head=head,
        start_tree=None,
        validate_only=False,
        gate_base=False,
        agent="sh",
        config=str(frozen),
        seconds_left=30,
    )


async def to_the_end(link: Link) -> tuple[list[messages.Up], IterationResult]:
    heard: list[messages.Up] = []
    while (message := await link.hear()) is not None:
        heard.append(message)
        if isinstance(message, messages.Snapshot):
            link.tell(messages.Known())
        if isinstance(message, messages.Done):
            return heard, message.result
    raise AssertionError(f"the worker ended after {heard}")


def test_a_worker_introduces_itself_and_waits(run: Callable[[Story], None]) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        link = await hello(executor)
        ready = link.ready
        assert ready is not None
        assert ready.pid == link.pid != os.getpid()
        assert process_alive(ready.pid, ready.create_time, ready.boot_id)
        assert create_time(link.pid) == ready.create_time
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(link.gone())), 0.1)
        await link.close()
        assert not process_alive(ready.pid, ready.create_time, ready.boot_id)

    run(story)


def test_an_iteration_runs_to_its_result(run: Callable[[Story], None]) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        link = await hello(executor)
        link.tell(messages.Go(spec(repo, link, 'echo hello; echo work > "$RALPH_TASK_ID.txt"')))
        heard, result = await to_the_end(link)
        assert result.ready
        assert [change.path for change in result.changes] == ["t.txt"]
        assert result.memory > 0
        kinds = [type(message).__name__ for message in heard if not isinstance(message, messages.Step)]
        assert list(dict.fromkeys(kinds)) == ["AgentEnded", "Snapshot", "Judged", "Done"]
        assert kinds.count("Judged") >= 2  # guards, gates, and what comes after them
        steps = [message.name for message in heard if isinstance(message, messages.Step)]
        assert steps == sorted(steps, key=ORDER.index)
        assert (repo / "t.txt").exists() is False
        await link.close()

    run(story)


def test_two_workers_at_the_same_time(run: Callable[[Story], None]) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        one, two = await hello(executor), await hello(executor)
        assert one.pid != two.pid
        assert one.tag != two.tag
        one.kill()
        assert await one.hear() is None
        two.tell(messages.Go(spec(repo, two, "echo work > t.txt")))
        assert (await to_the_end(two))[1].ready
        await one.close()
        await two.close()

    run(story)


def test_a_word_stops_the_agent(run: Callable[[Story], None]) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        link = await hello(executor)
        link.tell(messages.Go(spec(repo, link, "echo half > half.txt; sleep 60")))
        while not isinstance(step := await link.hear(), messages.Step) or step.name != "implement":
            pass
        link.tell(messages.Tell("enough", stop=True, cause=Cause.STOPPED))
        _, result = await to_the_end(link)
        assert (result.ready, result.outcome) == (False, Outcome.STOPPED)
        await link.close()

    run(story)


@pytest.mark.parametrize("end", ["kill", "line"])
def test_everything_dies_with_the_worker(run: Callable[[Story], None], end: str) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        link = await hello(executor)
        mark = repo.parent / "up"
        script = f"setsid sh -c 'touch {mark}; while :; do sleep 0.05; done' & sleep 60"
        link.tell(messages.Go(spec(repo, link, script)))
        while not mark.exists():
            await asyncio.sleep(0.01)
        assert len(_tagged(link.tag)) >= 3
        if end == "kill":
            link.kill()
            await asyncio.wait_for(link.gone(), 5)
        await link.close()
        for _ in range(200):
            if not _tagged(link.tag):
                break
            await asyncio.sleep(0.01)
        assert _tagged(link.tag) == []

    run(story)


def _tagged(tag: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("RALPH_RUN") == tag and _lives(process):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_closing_the_executor_ends_its_workers(run: Callable[[Story], None]) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        busy, idle = await hello(executor), await hello(executor)
        busy.tell(messages.Go(spec(repo, busy, "sleep 60")))
        while not isinstance(step := await busy.hear(), messages.Step) or step.name != "implement":
            pass
        await asyncio.wait_for(executor.close(), 10)
        for link in (busy, idle):
            await asyncio.wait_for(link.gone(), 10)
            await link.close()

    run(story)


@pytest.mark.parametrize("nonsense", [b"hello\n", b'{"type":"ready"}\n', b"x" * (9 * 1024 * 1024)])
def test_a_daemon_that_babbles_ends_the_worker(run: Callable[[Story], None], nonsense: bytes) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        link = await hello(executor)
        link.writer.write(nonsense)
        if not nonsense.endswith(b"\n"):
            link.writer.write_eof()
        said: Any = await asyncio.wait_for(link.hear(), 20)
        assert said is None or isinstance(said, messages.Broken)
        await link.close()

    run(story)


def test_no_secret_is_in_a_workers_environment(run: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(executor: Executor, repo: Path) -> None:
        link = await hello(executor)
        link.tell(messages.Go(spec(repo, link, 'env > seen.txt; echo "$TOKEN"'), {"TOKEN": "s3cret-value-of-a-test"}))
        _, result = await to_the_end(link)
        assert "s3cret" not in result.agent.said
        assert b"s3cret" not in Path(f"/proc/{link.pid}/environ").read_bytes()
        await link.close()

    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc here")
    run(story)


def test_a_worker_that_says_nothing_is_none_and_is_killed(run: Callable[[Story], None]) -> None:
    async def story(executor: Executor, _repo: Path) -> None:
        link = await hello(executor)
        before = asyncio.get_running_loop().time()
        assert await link.greet(0.3) is None
        assert asyncio.get_running_loop().time() - before < 5
        await link.gone()
        await link.close()

    run(story)


def test_a_process_that_cannot_be_started_leaves_nothing_open(
    run: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of processes is full, say."""

    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError("fork: resource temporarily unavailable")

    async def story(executor: Executor, _repo: Path) -> None:
        await (await executor.start()).close()
        await asyncio.sleep(0.1)
        before = len(list(Path("/proc/self/fd").iterdir()))
        with monkeypatch.context() as patch:
            patch.setattr("subprocess.Popen.__init__", refused)
            patch.setattr("multiprocessing.process.BaseProcess.start", refused)
            for _ in range(3):
                with pytest.raises(BlockingIOError):
                    await executor.start()
        gc.collect()
        assert len(list(Path("/proc/self/fd").iterdir())) <= before

    run(story)
