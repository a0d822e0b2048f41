from __future__ import annotations

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ralph.domain import Cause
from ralph.errors import RalphError
from ralph.host.process import (
    Completed,
    Request,
    Shim,
    boot_id,
    create_time,
    kill_tagged,
    lock_workspace,
    own_memory,
    process_alive,
)
from ralph.host.survivors import Survivors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asserts what only a subreaper can promise")

NASTY = Path(__file__).with_name("nasty.py")
MODES = ["plain", "detached", "deaf", "bomb", "pipeholder", "stopped", "forgetful", "respawn", "hopper"]
WORKER = """
import os, secrets, sys
from pathlib import Path
from ralph.host.process import Request, Shim
lifeline, log, *argv = sys.argv[1:]
with Shim.start(int(lifeline), secrets.token_hex(16)) as shim:
    print(shim.pid, flush=True)
    done = shim.run(Request(tuple(argv), "/", {"PATH": os.environ["PATH"]}, Path(log)))
    print(done.cause, done.error, flush=True)
"""


def until(what: Callable[[], object], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def survivors(token: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if token.encode() in path.read_bytes() and create_time(int(path.parent.name)) is not None:
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Nasty:
    """One nasty program and a way to see whether anything of it is left."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.mode = mode
        self.token = f"nasty-{secrets.token_hex(8)}"
        self.log = folder / "nasty.log"
        self.beats = folder / "beats"

    def argv(self, ending: str) -> list[str]:
        return [sys.executable, "-I", "-S", str(NASTY), self.mode, ending, self.token, str(self.beats)]

    def ready(self) -> bool:
        return self.log.exists() and b"ready" in self.log.read_bytes()

    def gone(self, seconds: float = 0) -> bool:
        """No process is left within ``seconds``, and nobody the scan can't see still beats."""
        if not until(lambda: not survivors(self.token), seconds):
            return False
        beats = self.beats.stat().st_size if self.beats.exists() else 0
        return not until(lambda: self.beats.exists() and self.beats.stat().st_size > beats, 0.05 if beats else 0)


@pytest.fixture(params=MODES)
def nasty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nasty]:
    program = Nasty(tmp_path, request.param)
    yield program
    for pid in survivors(program.token):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def shim() -> Iterator[Shim]:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Request]:
    def build(*argv: str, **settings: object) -> Request:
        settings.setdefault("log", tmp_path / "log")
        return Request(argv=argv, directory="/", env={"PATH": os.environ["PATH"]}, **settings)  # type: ignore[arg-type]

    return build


Make = Callable[..., Request]


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


# Nothing survives.


def test_nothing_is_left_when_the_command_ends_by_itself(nasty: Nasty, shim: Shim, make: Make) -> None:
    began = time.monotonic()
    done = shim.run(make(*nasty.argv("exit"), log=nasty.log))
    assert time.monotonic() - began < 4
    assert (done.exit_code, done.cause, done.error) == (7, None, "")
    assert nasty.gone()
    assert done.swept > 0


@pytest.mark.parametrize("cause", [Cause.STOPPED, Cause.MEMORY])
def test_nothing_is_left_when_the_command_is_ended(nasty: Nasty, shim: Shim, make: Make, cause: Cause) -> None:
    read, write = os.pipe()
    wake = (read, lambda: cause)
    request = make(*nasty.argv("stay"), log=nasty.log, grace=0.2)
    done = shim.run(request, on_line=lambda line: os.write(write, line) and None, wakes=[wake])
    assert nasty.gone()
    assert done.cause is cause
    assert done.exit_code is None
    assert done.seconds < 4
    os.close(read)
    os.close(write)


class Worker:
    """A worker process that runs one nasty program; we are its daemon."""

    def __init__(self, nasty: Nasty, wrap: Callable[[list[str]], list[str]] = list) -> None:
        read, self._lifeline = os.pipe()
        code = [sys.executable, "-c", WORKER, str(read), str(nasty.log), *wrap(nasty.argv("stay"))]
        self.process = subprocess.Popen(code, stdout=subprocess.PIPE, pass_fds=[read], text=True)
        os.close(read)
        assert self.process.stdout
        self.shim = int(self.process.stdout.readline())
        assert until(nasty.ready)

    def drop_lifeline(self) -> None:
        os.close(self._lifeline)
        self._lifeline = -1

    def finish(self) -> str:
        if self._lifeline >= 0:
            self.drop_lifeline()
        return self.process.communicate(timeout=10)[0]


def test_nothing_is_left_when_the_daemon_dies(nasty: Nasty) -> None:
    worker = Worker(nasty)
    worker.drop_lifeline()
    assert nasty.gone(2)
    assert "lifeline the shim was killed" in worker.finish()


def test_nothing_is_left_when_the_worker_is_killed(nasty: Nasty) -> None:
    worker = Worker(nasty)
    worker.process.kill()
    assert nasty.gone(2)
    worker.finish()


def test_nothing_is_left_when_the_shim_is_killed(nasty: Nasty) -> None:
    worker = Worker(nasty)
    os.kill(worker.shim, signal.SIGKILL)
    output = worker.finish()
    assert nasty.gone()
    assert "lifeline" in output


@pytest.mark.sandbox
@pytest.mark.parametrize("nasty", ["bomb", "forgetful", "respawn"], indirect=True)
def test_a_sandboxed_tree_dies_with_shim_and_worker_at_once(nasty: Nasty, sandbox_or_skip: object) -> None:
    options = ["--unshare-pid", "--die-with-parent", "--dev-bind", "/", "/", "--proc", "/proc"]
    worker = Worker(nasty, lambda argv: ["bwrap", *options, *argv])
    os.kill(worker.shim, signal.SIGSTOP)
    worker.process.kill()
    os.kill(worker.shim, signal.SIGKILL)
    assert nasty.gone(2)
    worker.finish()


# Ends, codes and logs.


def test_exit_codes_and_signals_are_those_of_the_command(shim: Shim, make: Make) -> None:
    assert shim.run(make("sh", "-c", "exit 3")).exit_code == 3
    killed = shim.run(make("sh", "-c", "kill -9 $$"))
    assert (killed.exit_code, killed.signal, killed.cause) == (None, 9, None)


def test_a_command_that_cannot_start_says_why(shim: Shim, make: Make, tmp_path: Path) -> None:
    missing = shim.run(make("no-such-program"))
    assert (missing.exit_code, missing.error) == (127, "no-such-program: No such file or directory")
    denied = shim.run(make(str(tmp_path)))
    assert (denied.exit_code, denied.error) == (126, f"{tmp_path}: Permission denied")
    nul = shim.run(make("echo", "a\0b"))
    assert nul.exit_code == 126
    assert "null byte" in nul.error
    nowhere = Request(("true",), "/no/such/directory", {"PATH": os.environ["PATH"]}, tmp_path / "log")
    assert shim.run(nowhere).error == "/no/such/directory: No such file or directory"


def test_sixty_parallel_commands_keep_their_exit_codes(shim: Shim, make: Make, tmp_path: Path) -> None:
    requests = [make("sh", "-c", f"exit {number}", log=tmp_path / f"log{number}") for number in range(60)]
    assert [done.exit_code for done in shim.run_many(requests)] == list(range(60))


def test_the_end_is_noticed_at_once(shim: Shim, make: Make) -> None:
    """Also with every watchdog on: a look that is due later must not delay it."""
    limits = {"seconds": 60.0, "stall_seconds": 60.0, "output_bytes": 10**9, "memory_bytes": 10**10}
    shim.run(make("true"))
    times = sorted(shim.run(make("true", **limits)).seconds for _ in range(20))
    assert times[10] < 0.02


def test_a_grandchild_that_holds_stdout_does_not_hold_us(shim: Shim, make: Make) -> None:
    done = shim.run(make("sh", "-c", "sleep 20 & echo done; exit 4"))
    assert (done.exit_code, done.swept, done.log.read_text()) == (4, 1, "done\n")
    assert done.seconds < 2


def test_the_child_has_our_environment_stdin_and_default_signals(shim: Shim, make: Make, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; print(sys.stdin.read(), sorted(os.environ), os.getpid() == os.getsid(0),"
        " [n for n in (13, 15, 17) if signal.getsignal(n) == signal.SIG_IGN][1:], os.listdir('/proc/self/fd'))"
    )
    done = shim.run(make(*python(code), stdin=b"x" * 100_000))
    assert done.log.read_text() == "x" * 100_000 + " ['LC_CTYPE', 'PATH'] True [] ['0', '1', '2', '3']\n"


def test_stdout_and_stderr_can_be_kept_apart(shim: Shim, make: Make, tmp_path: Path) -> None:
    done = shim.run(make("sh", "-c", "echo out; echo err >&2", errors=tmp_path / "errors"))
    assert done.log.read_bytes() == b"out\n"
    assert (tmp_path / "errors").read_bytes() == b"err\n"
    assert (done.log_bytes, done.log_sha256) == (4, hashlib.sha256(b"out\n").hexdigest())


def test_lines_come_while_the_command_runs_and_long_ones_are_cut(shim: Shim, make: Make) -> None:
    code = "import time; print('first', flush=True); time.sleep(.4); print('y' * 3_000_000); print('last', end='')"
    lines: list[tuple[float, bytes]] = []
    began = time.monotonic()
    done = shim.run(make(*python(code)), on_line=lambda line: lines.append((time.monotonic() - began, line)))
    assert [line[:5] for _, line in lines] == [b"first", b"yyyyy", b"last"]
    assert lines[0][0] < 0.35
    assert len(lines[1][1]) == 1 << 20
    assert done.log_bytes == 6 + 3_000_001 + 4


def test_an_error_in_the_callback_ends_the_command(shim: Shim, make: Make) -> None:
    def broken(line: bytes) -> None:
        raise LookupError(line.decode())

    token = f"nasty-{secrets.token_hex(8)}"
    with pytest.raises(LookupError, match="hello"):
        shim.run(make("sh", "-c", "echo hello; sleep 20", token), on_line=broken)
    assert not survivors(token)
    assert shim.run(make("true")).exit_code == 0


# Limits.


def test_wall_time_is_a_limit_and_asking_comes_first(shim: Shim, make: Make) -> None:
    polite = shim.run(make("sh", "-c", "trap 'echo bye; exit 0' INT; sleep 20 & wait", seconds=0.2))
    assert (polite.cause, polite.exit_code, polite.log.read_text()) == (Cause.TIMEOUT, 0, "bye\n")
    deaf = shim.run(make("sh", "-c", "trap '' INT TERM; sleep 20; sleep 20", seconds=0.2, grace=0.4))
    assert (deaf.cause, deaf.signal) == (Cause.TIMEOUT, signal.SIGKILL)
    assert 0.5 < deaf.seconds < 3


@pytest.mark.sandbox
def test_asking_reaches_the_command_inside_the_sandbox(shim: Shim, make: Make, sandbox_or_skip: object) -> None:
    inside = (
        "bwrap",
        "--unshare-pid",
        "--die-with-parent",
        "--new-session",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    )
    done = shim.run(make(*inside, "sh", "-c", "trap 'echo bye; exit 5' INT; sleep 20 & wait", seconds=0.3))
    assert (done.cause, done.exit_code, done.log.read_text()) == (Cause.TIMEOUT, 5, "bye\n")


def test_two_hundred_megabytes_of_output_need_no_memory_and_stop_at_the_limit(shim: Shim, make: Make) -> None:
    before = own_memory()
    done = shim.run(make("sh", "-c", f"yes {'x' * 200} | head -c 200000000"), on_line=lambda line: None)
    assert (done.exit_code, done.log_bytes) == (0, 200_000_000)
    assert own_memory() - before < 30_000_000
    limited = shim.run(make("yes", output_bytes=1_000_000))
    assert (limited.cause, limited.signal, limited.log_bytes) == (Cause.OUTPUT, signal.SIGKILL, 1_000_000)


def test_memory_is_judged_by_the_proportional_size(shim: Shim, make: Make) -> None:
    greedy = "x = []\nwhile True: x.append(bytearray(b'x' * 1_000_000))"
    done = shim.run(make(*python(greedy), memory_bytes=100_000_000, seconds=20))
    assert (done.cause, done.signal) == (Cause.MEMORY, signal.SIGKILL)
    assert 100_000_000 < done.peak_pss < 1_500_000_000
    shared = (
        "import os, time\nx = bytearray(b'x' * 40_000_000)\n"
        "for _ in range(10):\n    if os.fork() == 0: break\ntime.sleep(.8)"
    )
    forked = shim.run(make(*python(shared), memory_bytes=150_000_000, seconds=20))
    assert (forked.cause, forked.exit_code) == (None, 0)
    assert 40_000_000 < forked.peak_pss < 150_000_000


def test_a_stall_is_no_output_no_cpu_and_no_change(shim: Shim, make: Make, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    busy = {
        "output": "i=0; while [ $i -lt 8 ]; do echo .; sleep .1; i=$((i+1)); done",
        "change": f"i=0; while [ $i -lt 8 ]; do echo . > {tree}/deep/file; sleep .1; i=$((i+1)); done",
    }
    for program in busy.values():
        assert shim.run(make("sh", "-c", program, stall_seconds=0.5, watch=tree)).cause is None
    spin = "import time; end = time.monotonic() + .8\nwhile time.monotonic() < end: pass"
    assert shim.run(make(*python(spin), stall_seconds=0.5, watch=tree)).cause is None
    asleep = shim.run(make("sleep", "20", stall_seconds=0.5, watch=tree))
    assert asleep.cause is Cause.STALL
    assert 0.4 < asleep.seconds < 3


def test_the_caller_can_vouch_for_a_silent_command(shim: Shim, make: Make) -> None:
    read, write = os.pipe()
    traffic = subprocess.Popen(["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep .1; echo .; done"], stdout=write)

    def model_call_under_way() -> None:
        os.read(read, 100)
        shim.touch()

    done = shim.run(make("sleep", ".9", stall_seconds=0.4), wakes=[(read, model_call_under_way)])
    assert done.cause is None
    traffic.wait(5)
    os.close(read)
    os.close(write)


def test_one_of_several_commands_is_ended_alone(shim: Shim, make: Make, tmp_path: Path) -> None:
    slow = make("sleep", "20", seconds=0.2, log=tmp_path / "a")
    quick = make("sh", "-c", "sleep .6; exit 9", log=tmp_path / "b")
    stopped, finished = shim.run_many([slow, quick])
    assert (stopped.cause, finished.cause, finished.exit_code) == (Cause.TIMEOUT, None, 9)


# Tools, sweeps, fences.


def test_a_tool_answers_over_pipes_and_leaves_nothing(shim: Shim, make: Make) -> None:
    token = f"nasty-{secrets.token_hex(8)}"
    tool = shim.open(make("sh", "-c", "sleep 20 & while read line; do echo got $line; done; echo bye >&2", token))
    tool.stdin.write(b"one\n")
    assert tool.stdout.readline() == b"got one\n"
    assert tool.cause() is None
    assert not tool.ended()
    done = tool.close()
    assert (done.exit_code, done.cause, done.log.read_text()) == (0, None, "bye\n")
    assert not survivors(token)
    assert tool.close() is done


def test_a_tool_has_limits_and_may_run_beside_a_command(shim: Shim, make: Make, tmp_path: Path) -> None:
    tool = shim.open(make("sh", "-c", "trap '' INT TERM; sleep 20; sleep 20", seconds=0.3, grace=0.2))
    assert shim.run(make("true", log=tmp_path / "other")).exit_code == 0
    assert until(lambda: tool.cause() is Cause.TIMEOUT)
    done = tool.close()
    assert (done.cause, done.signal) == (Cause.TIMEOUT, signal.SIGKILL)


def test_a_sweep_asks_first_when_there_is_time(shim: Shim, make: Make, tmp_path: Path) -> None:
    tool = shim.open(make("sh", "-c", "trap 'echo bye >&2; exit 0' TERM; echo up; sleep 20 & wait"))
    tool.stdout.readline()
    shim.sweep(grace=2)
    done = tool.close()
    assert (done.exit_code, done.log.read_text()) == (0, "bye\n")


def test_a_shim_whose_lifeline_has_ended_runs_nothing(make: Make) -> None:
    read, write = os.pipe()
    os.close(write)
    with Shim.start(read, secrets.token_hex(16)) as shim:
        first = shim.run(make("sleep", "20"))
        second = shim.run(make("true"))
    os.close(read)
    assert first.cause is second.cause is Cause.LIFELINE
    assert first.exit_code is None


def test_the_fence_kills_by_tag_and_by_nothing_else(tmp_path: Path) -> None:
    tag, other = secrets.token_hex(16), secrets.token_hex(16)
    code = python(
        "import os, time\nfor _ in range(2):\n    os.fork() and os.setsid\nprint('up', flush=True)\ntime.sleep(20)"
    )
    mine = subprocess.Popen(code, env={"RALPH_RUN": tag}, stdout=subprocess.PIPE)
    theirs = subprocess.Popen(["sleep", "20"], env={"RALPH_RUN": other, "PATH": os.environ["PATH"]})
    assert mine.stdout
    for _ in range(4):
        mine.stdout.readline()
    assert kill_tagged(tag) == 4
    assert mine.wait(5) == -signal.SIGKILL
    assert kill_tagged(tag) == 0
    assert theirs.poll() is None
    assert kill_tagged(other) == 1
    theirs.wait(5)
    mine.stdout.close()


def test_without_a_subreaper_the_tree_is_remembered(tmp_path: Path) -> None:
    """The way on macOS, tried here: a child that clears its environment is found because it was seen before."""
    token = f"nasty-{secrets.token_hex(8)}"
    forgetful = [sys.executable, "-I", "-S", str(NASTY), "plain", "stay", token, ""]
    parent = subprocess.Popen(forgetful, env={}, stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()
    assert until(lambda: len(survivors(token)) >= 3), "the program, its child and its grandchild"
    watching = Survivors(os.getpid(), secrets.token_hex(16), looking=True)
    watching.look()
    parent.kill()
    parent.wait(5)
    assert watching.sweep() >= 2
    assert until(lambda: not survivors(token))
    parent.stdout.close()


def test_a_process_is_known_by_more_than_its_pid() -> None:
    child = subprocess.Popen(["sleep", "20"])
    born = create_time(child.pid)
    assert born is not None
    assert process_alive(child.pid, born, boot_id())
    assert not process_alive(child.pid, born + 1, boot_id())
    assert not process_alive(child.pid, born, "another boot")
    child.kill()
    assert until(lambda: create_time(child.pid) is None), "a zombie is dead"
    assert not process_alive(child.pid, born, boot_id())
    child.wait()


def test_a_workspace_has_one_user_and_is_free_when_that_one_dies(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from ralph.host.process import lock_workspace\n"
        "lock = lock_workspace(Path(sys.argv[1]))\n"
        "import os\nif os.fork(): print('held', flush=True)\ntime.sleep(20)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert holder.stdout
    holder.stdout.readline()
    with pytest.raises(RalphError, match="used by another process"):
        lock_workspace(tmp_path)
    holder.kill()
    holder.wait(5)
    lock_workspace(tmp_path).close()
    os.killpg(holder.pid, signal.SIGKILL)
    holder.stdout.close()


def test_a_protected_worker_dies_with_its_parent_and_hides_its_environment(tmp_path: Path) -> None:
    token = f"nasty-{secrets.token_hex(8)}"
    code = (
        "import os, sys, time; from ralph.host.process import set_worker_protection\n"
        "parent = os.getpid()\n"
        "if os.fork() == 0:\n    set_worker_protection(parent); print('up', flush=True)\n"
        "time.sleep(20)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, token], stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()
    assert len(survivors(token)) == 2
    parent.kill()
    parent.wait(5)
    assert until(lambda: not survivors(token))
    parent.stdout.close()


def test_completed_tells_when_it_began(shim: Shim, make: Make) -> None:
    done: Completed = shim.run(make("true"))
    assert done.started.endswith("+00:00")
