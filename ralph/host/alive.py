"""Who is alive: identities of processes that survive reuse of pids, the tag sweep, and a worker's own protection."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import IO

from ralph.errors import RalphError
from ralph.host import tree
from ralph.host.shim import DEATH_SIGNAL, DUMPABLE, prctl

TAG = "RALPH_RUN"
"""Environment variable that every child of an iteration carries."""
_LINUX = sys.platform == "linux"
_TAG_SECONDS = 5.0


def boot_id() -> str:
    """Changes with every boot: nothing recorded under another one can be alive."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return f"{psutil.boot_time():.0f}"


def create_time(pid: int) -> float | None:
    """Seconds from boot to the start of ``pid`` (off Linux: epoch seconds); None where it is dead or a zombie."""
    if not _LINUX:
        return _create_time_elsewhere(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19]) / os.sysconf("SC_CLK_TCK")


def process_alive(pid: int, create_time: float, boot_id: str) -> bool:
    """True where exactly the recorded process still runs, not another one that got its pid."""
    if boot_id != _boot_id():
        return False
    actual = _create_time(pid)
    return actual is not None and abs(actual - create_time) < 0.02


_boot_id, _create_time = boot_id, create_time  # the record's fields bear the same names


def kill_tagged(tag: str) -> int:
    """Kill every process that carries ``RALPH_RUN=<tag>`` but this one; return how many there were.

    The fence after a crash, and the way on systems without a subreaper. A process that cleared its environment is
    not found. Costs 10 ms for 100 processes on the machine. Raises RalphError where some do not die in 5 seconds.
    """
    wanted = f"{TAG}={tag}"
    killed: set[tuple[int, float]] = set()
    deadline = time.monotonic() + _TAG_SECONDS
    while found := _tagged(wanted):
        for pid, _ in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass  # it has just ended
        killed.update(found)
        if time.monotonic() > deadline:
            raise RalphError(f"processes that do not die: {sorted(pid for pid, _ in found)}")
        time.sleep(0.002)
    return len(killed)


def set_worker_protection(parent_pid: int) -> None:
    """Die with the parent (its main thread), and keep other processes of this user out of memory and environment."""
    prctl(DEATH_SIGNAL, signal.SIGKILL)
    prctl(DUMPABLE, 0)
    if os.getppid() != parent_pid:
        os._exit(1)  # it died before the signal was set


def hide_environment() -> None:
    """Keep other processes of this user out of our memory and of the environment we were started with."""
    prctl(DUMPABLE, 0)


def own_memory() -> int:
    """Bytes that this process holds alone on Linux, its peak elsewhere."""
    if _LINUX:
        return tree.private(os.getpid())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def lock_workspace(path: Path) -> IO[bytes]:
    """Lock the loop directory ``path`` until the returned file is closed or this process ends.

    POSIX record lock on ``path/lock``: children do not inherit it. Never call it twice in one process for one path:
    closing either file drops both. Raises RalphError where another process holds it.
    """
    path.mkdir(parents=True, exist_ok=True)
    fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise RalphError(f"{path} is used by another process") from error
    return open(fd, "r+b", buffering=0)


def _tagged(wanted: str) -> list[tuple[int, float]]:
    """(pid, create time) of the living processes whose environment has the entry ``wanted``."""
    if not _LINUX:
        return _tagged_elsewhere(wanted)
    found = []
    entry = wanted.encode()
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208 (Path is 3 times slower)
        try:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
                environment = file.read()
        except OSError:
            continue  # another user's, or gone
        if entry in environment.split(b"\0") and pid != os.getpid() and (born := create_time(pid)) is not None:
            found.append((pid, born))
    return found


def _tagged_elsewhere(wanted: str) -> list[tuple[int, float]]:
    import psutil

    name, _, tag = wanted.partition("=")
    found = []
    for process in psutil.process_iter(["pid", "create_time", "status", "environ"]):
        info = process.info
        if (info["environ"] or {}).get(name) == tag and info["status"] != psutil.STATUS_ZOMBIE:
            found.append((info["pid"], info["create_time"]))
    return [entry for entry in found if entry[0] != os.getpid()]


def _create_time_elsewhere(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
