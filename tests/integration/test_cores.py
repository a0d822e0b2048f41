"""The budget of cores: no more commands at once than it has, over all processes, and a killed holder gives back."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from test_engine_gates import Stage

from ralph.config import Config
from ralph.host import cores
from ralph.host.process import Shim
from ralph.host.sandbox import Sandbox

HOLDER = """
import sys, time
from pathlib import Path
from ralph.host import cores
directory, number, wanted, log, seconds = sys.argv[1:]
with cores.held(Path(directory), int(number), int(wanted), lambda: False) as got:
    with open(log, "a") as file:
        file.write(f"{time.monotonic()} {got}\\n")
    time.sleep(float(seconds))
    with open(log, "a") as file:
        file.write(f"{time.monotonic()} {-got}\\n")
"""


def hold(tmp_path: Path, number: int, wanted: int = 1, seconds: float = 0.1) -> subprocess.Popen[bytes]:
    args = [str(tmp_path / "cores"), str(number), str(wanted), str(tmp_path / "log"), str(seconds)]
    return subprocess.Popen([sys.executable, "-c", HOLDER, *args])


def test_no_more_at_once_than_there_are(tmp_path: Path) -> None:
    """A holder notes its end before it gives back, so what others note between them is held at the same time."""
    holders = [hold(tmp_path, 3, wanted) for wanted in (1, 2, 1, 5, 2, 1)]
    assert [holder.wait(60) for holder in holders] == [0] * len(holders)
    lines = sorted((float(at), int(got)) for at, got in map(str.split, (tmp_path / "log").read_text().splitlines()))
    at_once = [sum(got for _, got in lines[: n + 1]) for n in range(len(lines))]
    assert max(at_once) <= 3
    assert len(lines) == 2 * len(holders)
    assert min(abs(got) for _, got in lines) >= 1


def test_a_killed_holder_gives_back(tmp_path: Path) -> None:
    first = hold(tmp_path, 1, seconds=60)
    while not (tmp_path / "log").exists():
        time.sleep(0.01)
    second = hold(tmp_path, 1, seconds=0)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.5)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert second.wait(30) == 0


def test_who_has_to_stop_does_not_wait(tmp_path: Path) -> None:
    with cores.held(tmp_path / "cores", 1, 1, lambda: True) as got:
        assert got == 0


@pytest.fixture
def shim() -> object:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


@pytest.mark.sandbox
@pytest.mark.parametrize("number", [1, 2])
def test_gates_keep_to_the_budget(
    git_repo: Path, tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox, number: int
) -> None:
    gates = [{"name": name, "command": "sleep 0.3", "kind": "lint"} for name in ("one", "two")]
    config = Config.model_validate({"gates": gates, "verify": {"cores": number}})
    results = Stage(git_repo, tmp_path / "state", shim, sandbox_or_skip, config).gates()
    (_, first), (second, _) = sorted(
        (datetime.fromisoformat(ran.started), datetime.fromisoformat(ran.ended))
        for ran in (result.execution for result in results.values())
        if ran
    )
    assert (first <= second) == (number == 1)
