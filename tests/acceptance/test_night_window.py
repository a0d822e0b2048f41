"""The daemon that stays over nights: works while the window is open, waits while it is not, starts where it stopped."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from project import RALPH, Project, wait_until

WINDOW = 'loops = 1\nstart = "22:00"\nstop = "22:{stop}"\ngrace_minutes = 0'
WAITS = """
echo "$RALPH_TASK_ID" >> $OUT/ran
[ -e half.txt ] && echo "$RALPH_TASK_ID" >> $OUT/went-on
echo half > half.txt
while [ ! -e $OUT/go-$RALPH_TASK_ID ]; do sleep 0.02; done
rm half.txt
echo work > "$RALPH_TASK_ID.txt"
"""


def local_time(project: Project, wall: str) -> None:
    """Give the project's machine a time zone in which it is ``wall`` (HH:MM:SS) now, to the second."""
    now = datetime.now(UTC)
    wanted = datetime.combine(now.date(), datetime.strptime(wall, "%H:%M:%S").time(), tzinfo=UTC)
    offset = wanted - now
    if abs(offset) > timedelta(hours=12):
        offset -= timedelta(days=1) if offset > timedelta() else timedelta(days=-1)
    zone = project.outside.parent / f"zone-{time.monotonic_ns()}"
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    zone.write_bytes(b"TZif" + bytes(16) + counts + struct.pack(">lBB", round(offset.total_seconds()), 0, 0) + b"RTZ\0")
    project.env["TZ"] = str(zone)


def window(project: Project, now: str, stop: str = "01", **more: str) -> None:
    """A window from 22:00 to 22:``stop``, looked at ``now``."""
    project.configure(night=WINDOW.format(stop=stop), **more)
    local_time(project, now)


def state(project: Project) -> str:
    return project.json("status")["state"]


def running(project: Project, task: str) -> None:
    wait_until(lambda: task in project.lines("ran"), f"the agent of {task} works")


def stop(project: Project) -> None:
    project.ralph("stop", "--now")
    assert project.pid() == 0


def test_a_night_from_an_open_window_to_its_end(project: Project) -> None:
    """A task that comes while it is open is done; what still runs at `stop` is kept; then the daemon waits."""
    window(project, "22:00:46")
    project.agent(WAITS)
    project.tasks()
    assert "ralph works on" in project.ralph("start").stdout
    wait_until(lambda: state(project) == "running", "the night begins")
    assert project.json("status")["loops"][0]["step"] == "idle"
    project.tasks("a", "b")
    (project.outside / "go-a").touch()
    running(project, "b")
    wait_until(lambda: state(project) == "waiting until 22:00", "the window closes")
    assert "waiting until 22:00" in project.ralph("status").stdout
    assert project.status_of() == {"a": "completed", "b": "pending"}
    assert project.outcomes("b") == ["stopped"]
    (ended,) = project.events("night_ended")
    report = project.report()
    assert (report["night"], report["totals"]["commits"]) == (ended.night, 1)
    assert "the grace after the window is over" in report["reason"]
    assert list((project.root / "progress").glob("*.md"))

    stop(project)
    project.ralph("start")
    wait_until(lambda: state(project) == "waiting until 22:00", "the daemon waits again")
    assert len(project.events("night_started")) == 1
    project.sound()


def test_outside_the_window_nothing_runs_until_it_opens(project: Project) -> None:
    window(project, "21:59:55", stop="30")
    project.tasks("a")
    project.ralph("start")
    assert state(project) == "waiting until 22:00"
    refused = project.ralph("pause", code=1).stderr
    assert "no night is running: waiting until 22:00" in refused
    assert "`ralph stop`" in refused
    assert project.events("night_started") == []
    project.saw("committed", task="a")
    (started,) = project.events("night_started")
    local = datetime.fromisoformat(started.at).astimezone(UTC)
    assert local.timestamp() >= opening(project)
    assert started.data["occurrence"] == "window"
    stop(project)


def opening(project: Project) -> float:
    """Epoch seconds of tonight's 22:00 in the project's zone."""
    import zoneinfo

    with Path(project.env["TZ"]).open("rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file)
    return datetime.now(zone).replace(hour=22, minute=0, second=0, microsecond=0).timestamp()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "stop"])
def test_an_unfinished_occurrence_goes_on_after_a_restart(project: Project, how: str) -> None:
    """Whatever ended the daemon inside the window: the same night goes on, with what it has spent and kept."""
    window(project, "22:05:00", stop="30")
    project.agent(WAITS)
    project.tasks("a")
    project.ralph("start")
    running(project, "a")
    if how == "SIGKILL":
        wait_until(lambda: (project.where.root / "loops/loop-1/tree/half.txt").exists(), "there is half work")
        project.kill()
    elif how == "SIGTERM":
        os.kill(project.pid(), signal.SIGTERM)
        project.ended()
    else:
        stop(project)
    assert project.survivors() == [] or how == "SIGKILL"
    (project.outside / "go-a").touch()
    project.ralph("start")
    project.saw("committed", task="a")
    assert len(project.events("night_started")) == 1
    assert len({event.night for event in project.events("began")}) == 1
    if how != "SIGKILL":
        assert project.lines("went-on") == ["a"]
    stop(project)
    assert project.rows()["a"]["attempts"] == 1
    project.sound()


def test_a_night_that_ended_is_not_run_twice(project: Project) -> None:
    """The night's budget ended it inside the window; a restart does not give it the budget once more."""
    window(project, "22:05:00", stop="30", text="[limits]\nnight_iterations = 1")
    project.tasks("a", "b")
    project.ralph("start")
    wait_until(lambda: state(project) == "waiting until 22:00", "the night ends at its budget")
    assert project.lines("ran") == ["a"]
    stop(project)
    project.ralph("start")
    wait_until(lambda: state(project) == "waiting until 22:00", "the restarted daemon waits")
    assert (project.lines("ran"), len(project.events("night_started"))) == (["a"], 1)


def test_a_night_that_can_not_start_is_told_and_does_not_end_the_daemon(project: Project) -> None:
    told = project.outside / "told"
    notify = f'[notify]\ncommand = ["/bin/sh", "-c", "echo $RALPH_EVENT >> {told}; cat >> {told}"]'
    red = '[[gates]]\nname = "red"\ncommand = "false"\n'
    window(project, "22:05:00", stop="30", text=notify, gates=red)
    project.tasks("a")
    project.ralph("start")
    wait_until(lambda: "needs_human" in project.lines("told"), "a person is told")
    wait_until(lambda: state(project) == "waiting until 22:00", "the daemon waits for the next night")
    assert "gates are red on the base main: red" in told.read_text()
    assert "the base is red" in project.report()["reason"]
    assert project.lines("ran") == []


def test_a_night_whose_start_fails_is_tried_again(project: Project) -> None:
    """Nothing is lost for the night when the base can't be found (or the network is down) at 22:00."""
    window(project, "21:59:56", stop="30")
    project.tasks("a")
    project.ralph("start")
    project.git("branch", "-m", "main", "elsewhere")
    wait_until(lambda: "main" in state(project), "the daemon says why there is no night")
    project.git("branch", "-m", "elsewhere", "main")
    project.tasks("a")
    project.saw("committed", task="a")


def test_another_window_in_the_file_is_in_force_while_the_daemon_waits(project: Project) -> None:
    window(project, "21:05:00", stop="30")
    project.tasks("a")
    project.ralph("start")
    assert state(project) == "waiting until 22:00"
    project.configure(night='loops = 1\nstart = "21:00"\nstop = "23:00"')
    project.saw("committed", task="a")


def test_a_service_manager_is_told(project: Project, tmp_path: Path) -> None:
    """`--foreground` keeps its pid, says READY when it stands, WATCHDOG while it lives, STOPPING when it goes."""
    window(project, "22:05:00", stop="30")
    project.agent(WAITS)
    project.tasks("a")
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{tmp_path.name}-{os.getpid()}")
        manager.settimeout(20)
        env = os.environ | project.env | {"NOTIFY_SOCKET": f"@{tmp_path.name}-{os.getpid()}"}
        process = subprocess.Popen([RALPH, "start", "--foreground"], cwd=project.root, env=env, stderr=subprocess.PIPE)
        try:
            while "READY=1" not in heard or "WATCHDOG=1" not in heard:
                heard.append(manager.recv(1000).decode())
            assert project.pid() == process.pid
            running(project, "a")
            begun = time.monotonic()
            process.terminate()
            _, said = process.communicate(timeout=30)
            assert process.returncode == 0, said.decode()
            assert time.monotonic() - begun < 30
            manager.settimeout(0.1)
            while "STOPPING=1" not in heard:
                heard.append(manager.recv(1000).decode())
        finally:
            process.kill()
            process.wait()
    assert project.outcomes("a") == ["stopped"]
    assert project.survivors() == []
