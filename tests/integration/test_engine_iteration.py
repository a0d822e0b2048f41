"""An iteration from the daemon's side where something comes in between: a stop, a cancel, a moved branch, a bad git."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nights import begin, edit, night_on, task

from ralph.config import Config
from ralph.core.pick import Pick
from ralph.core.secrets import Redactor
from ralph.domain import Cause, IterationResult, IterationSpec, Outcome, Status, Verdict
from ralph.engine import messages
from ralph.engine.desk import WorkerDesk
from ralph.engine.driver import Driver
from ralph.engine.iteration import iterate, land
from ralph.engine.judge import execute as judging
from ralph.engine.line import Line
from ralph.engine.loop_state import LoopState
from ralph.engine.messages import Tell, encode_down
from ralph.engine.night import Night
from ralph.engine.settle import Ended, settle
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox
from ralph.memory.ledger import Event


class DeadLink:
    """A worker that takes what it is told and dies."""

    pid, ready = 0, messages.Ready(0, 0, "")

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.closed = False

    def tell(self, message: Any) -> None:
        self.told.append(message)

    async def hear(self) -> None:
        return None

    async def greet(self) -> messages.Ready:
        return self.ready

    def kill(self) -> None:
        """Dead already."""

    async def close(self) -> None:
        self.closed = True


def drive(night: Night, loop: LoopState, spec: IterationSpec) -> list[Any]:
    """What a worker is told that comes to nothing."""
    link = DeadLink()
    scopes = night.budget.scopes(spec.iteration, spec.task, loop.name)
    asyncio.run(Driver(night, loop, spec, scopes).run(link))  # type: ignore[arg-type]
    return link.told


def test_a_stop_reaches_an_iteration_that_was_just_starting(git_repo: Path) -> None:
    """It was said while there was no link yet: the agent must not run to its end."""
    with night_on(git_repo, {"id": "a"}, {"id": "b"}) as night:
        (loop,) = night.loops.values()
        assert [type(message) for message in drive(night, loop, begin(night, loop, "a"))] == [messages.Go]
        night.cancel_wanted.add("b")
        go, stop = drive(night, loop, begin(night, loop, "b"))
        assert (stop.stop, stop.text) == (True, "the task was cancelled")
        night.stopping = "stop --now"
        go, stop = drive(night, loop, begin(night, loop, "a"))
        assert (type(go), stop.text) == (messages.Go, "stop --now")


def test_nothing_begins_after_a_stop(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        link = DeadLink()

        async def story() -> None:
            async def start(_config: str = "") -> DeadLink:
                night.stopping = "signal"  # while the worker starts
                return link

            async def hear() -> messages.Ready:
                return link.ready

            night.executor, link.hear = SimpleNamespace(start=start), hear  # type: ignore[assignment]
            assert await iterate(night, loop, Pick(task(night, "a")), "sh") is None

        asyncio.run(story())
        assert link.closed
        assert list(night.ledger.events(kinds=("began",))) == []


def test_a_git_that_fails_is_an_infrastructure_failure_of_that_iteration_alone(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b", "depends_on": ["a"]}, loops=2) as night:
        loop = night.loops["loop-1"]
        data = {"commit": "1" * 40, "tree": "", "branch": "refs/heads/ralph/loop-2", "changes": []}
        night.board.apply(Event(0, "", night.id, "loop-2", "a", "", "committed", data))
        ended = asyncio.run(iterate(night, loop, Pick(task(night, "b")), "sh"))
        assert ended
        assert ended.outcome is Outcome.INFRASTRUCTURE
        assert night.board.state("b").status is Status.PENDING
        assert night.board.state("b").attempts == 0


def test_a_branch_that_was_moved_is_left_alone_and_built_upon(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        ref, space = "refs/heads/ralph/loop-1", loop.workspace
        spec = begin(night, loop, "a")
        result = IterationResult(spec.iteration, True, Outcome.COMMITTED, "", edit(loop, spec.head, mine="1\n"))
        tree = edit(loop, spec.head, theirs="2\n")
        theirs = space.commit_object(tree, [spec.head], "theirs\n", ("T", "t@x"), ("T", "t@x"), 1)
        assert space.advance(ref, theirs, spec.head)
        scopes = night.budget.scopes(spec.iteration, spec.task, loop.name)

        async def story() -> None:
            assert land(night, loop, spec, result, Driver(night, loop, spec, scopes)) is None

        asyncio.run(story())
        assert space.ref(ref) == theirs
        assert loop.head == theirs
        assert space.ref(f"refs/ralph/quarantine/{spec.iteration}")
        assert any("quarantine" in event.data["title"] for event in night.ledger.events(kinds=("notice",)))


def test_work_that_was_committed_is_completed_also_where_it_was_cancelled_meanwhile(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        spec = begin(night, loop, "a")
        night.cancel_wanted.add("a")
        result = IterationResult(spec.iteration, True, Outcome.COMMITTED, "")
        made = {"commit": spec.head, "tree": "", "branch": "refs/heads/ralph/loop-1", "parents": [], "changes": []}
        settle(night, loop, spec, Ended(spec.task, spec.iteration, "sh", Outcome.COMMITTED, result, spec.head), made)
        assert night.board.state("a").status is Status.COMPLETED


def test_a_stop_that_was_heard_before_the_agent_stood_still_ends_it(tmp_path: Path) -> None:
    daemon, theirs = socket.socketpair()
    line = Line(theirs.detach())
    daemon.sendall(encode_down(Tell("stop", stop=True, cause=Cause.STOPPED)))
    assert line.look() is Cause.STOPPED
    place: Any = SimpleNamespace(
        config=Config(), run=tmp_path, directory=tmp_path, sandbox=NoSandbox(), tree=tmp_path, boxed=False
    )
    with Shim.start(-1, secrets.token_hex(16)) as shim:
        desk = WorkerDesk(place, line, shim, None, Redactor())  # type: ignore[arg-type]
        done = desk.run(["sleep", "60"], env=dict(os.environ))
    daemon.close()
    line._socket.close()
    assert done.cause is Cause.STOPPED
    assert done.seconds < 30


def test_after_a_stop_no_further_gate_starts() -> None:
    bench: Any = SimpleNamespace(stopped=True)
    gate: Any = SimpleNamespace(name="tests", kind="tests")
    (result,) = judging._run(bench, [gate], "0" * 40, {}, "head", 1)
    assert (result.verdict, result.reason) == (Verdict.NOT_RUN, "stopped before it ran")
