"""tasks.json on disk: nobody's edit is lost, and a bad file is never overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ralph.domain import Status, TaskResult
from ralph.errors import TasksError
from ralph.host.files import own_directory
from ralph.memory.file_lock import held
from ralph.memory.file_swap import replace_if
from ralph.memory.tasks import TaskFile, View, blocked

DONE = View(Status.COMPLETED, 1, TaskResult("c" * 40, "n.l.1", None))
FAILED = View(Status.FAILED, 3, TaskResult(None, "n.l.3", "exit 1: größer als erlaubt"))
RUNNING = View(Status.IN_PROGRESS, 0, None)


@pytest.fixture
def file(tmp_path: Path) -> TaskFile:
    """Tasks a, b (needs a) and c, read once."""
    own_directory(tmp_path / "state")
    rows = [{"id": "a", "title": "A"}, {"id": "b", "title": "B", "depends_on": ["a"]}, {"id": "c", "title": "C"}]
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps({"version": 1, "tasks": rows}, indent=2))
    found = TaskFile(path, tmp_path / "state" / "tasks.good.json")
    assert found.sync({}).written is False
    return found


def fresh(file: TaskFile) -> TaskFile:
    """The same file as another process sees it."""
    return TaskFile(file.path, file.good)


def rows(file: TaskFile) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads(file.path.read_text())["tasks"]}


def names(file: TaskFile) -> list[str]:
    return sorted(path.name for path in file.path.parent.iterdir())


def save(file: TaskFile, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """What an editor does: no lock, the whole file anew."""
    data = json.loads(file.path.read_text())
    change(data["tasks"])
    file.path.write_text(json.dumps(data, indent=1))


def set_status(file: TaskFile, index: int, status: str) -> None:
    save(file, lambda found: found[index].update(status=status))


def test_the_view_is_written_and_a_sync_without_news_writes_nothing(file: TaskFile) -> None:
    before = file.path.stat().st_mtime_ns
    file.sync({})
    assert file.path.stat().st_mtime_ns == before
    assert file.sync({"a": DONE, "b": FAILED}).written
    assert rows(file)["b"]["result"] == {"commit": None, "iteration": "n.l.3", "reason": "exit 1: größer als erlaubt"}
    assert file.good.read_bytes() == file.path.read_bytes()
    before = file.path.stat().st_ino
    for each in (file, fresh(file)):
        assert not each.sync({"a": DONE, "b": FAILED}).written
    assert file.path.stat().st_ino == before
    assert names(file) == ["state", "tasks.json"]


def test_the_persons_fields_are_taken_and_a_change_of_the_same_size_is_seen(file: TaskFile) -> None:
    file.sync({"a": DONE})
    save(file, lambda found: found[0].update(title="X", jira=[1, 2]))
    assert file.sync({"a": DONE}).tasks[0].title == "X"
    text = file.path.read_text()
    with file.path.open("r+") as same_inode:
        same_inode.write(text.replace('"X"', '"Y"'))
    assert file.sync({"a": DONE}).tasks[0].title == "Y"
    assert rows(file)["a"]["jira"] == [1, 2]


def test_retry_cancel_and_delete_are_told_until_the_view_follows(file: TaskFile) -> None:
    view = {"a": FAILED, "c": RUNNING}
    file.sync(view)
    set_status(file, 0, "pending")
    save(file, lambda found: found.pop(2))
    save(file, lambda found: found[1].update(status="cancelled"))
    first = file.sync(view)
    assert (first.retried, first.cancelled, [task.id for task in first.removed]) == (("a",), ("b", "c"), ["c"])
    assert [task.status for task in first.tasks] == [Status.PENDING, Status.CANCELLED]
    for again in (file.sync(view), fresh(file).sync(view)):
        assert (again.retried, again.cancelled, again.removed, again.reverted) == (("a",), ("b", "c"), (), ())
    view = {"a": View(), "b": View(Status.CANCELLED), "c": View(Status.CANCELLED)}
    last = file.sync(view)
    assert (last.retried, last.cancelled, last.reverted) == ((), (), ())
    assert file.good.read_bytes() == file.path.read_bytes()
    assert file.sync({**view, "a": FAILED}).retried == ()


def test_other_edits_of_the_view_are_undone_and_told_once(file: TaskFile) -> None:
    file.sync({"a": FAILED})
    set_status(file, 0, "completed")
    save(file, lambda found: found[2].update(attempts=7, result={"commit": "f" * 40}))
    synced = file.sync({"a": FAILED})
    assert synced.reverted == (("a", "status"), ("c", "attempts"), ("c", "result"))
    assert rows(file)["a"]["status"] == "failed"
    assert file.sync({"a": FAILED}).reverted == ()


def test_added_rows_are_told_and_rows_that_came_finished_are_adopted(file: TaskFile) -> None:
    save(file, lambda found: found.append({"id": "d", "title": "D", "status": "completed"}))
    synced = file.sync({})
    assert (synced.added, synced.adopted) == (("d",), ("d",))
    assert file.sync({"d": View(Status.COMPLETED)}).adopted == ()


@pytest.mark.parametrize("bad", ["", '{"version": 1, "tasks": [', "[1]", '{"tasks": [{"id": "a"}]}', "\x00"])
def test_a_bad_file_is_left_alone_and_the_last_good_one_stays_in_force(file: TaskFile, bad: str) -> None:
    file.sync({"a": FAILED})
    file.path.write_text(bad)
    for each in (file, fresh(file)):
        synced = each.sync({"a": DONE})
        assert synced.problem is not None
        assert str(file.path) in synced.problem
        assert (synced.tasks[0].id, synced.tasks[0].status) == ("a", Status.COMPLETED)
        assert len(synced.tasks) == 3
        assert not synced.written
    assert file.path.read_text() == bad
    good = file.good.read_bytes()
    file.path.write_bytes(good)
    assert file.sync({"a": DONE}).problem is None
    assert rows(file)["a"]["status"] == "completed"


def test_a_missing_file_is_a_problem_and_not_made_anew(file: TaskFile) -> None:
    file.path.unlink()
    assert "does not exist" in (file.sync({}).problem or "")
    assert not file.path.exists()


def test_without_any_good_file_a_bad_one_is_refused(tmp_path: Path) -> None:
    own_directory(tmp_path / "state")
    file = TaskFile(tmp_path / "tasks.json", tmp_path / "state" / "tasks.good.json")
    with pytest.raises(TasksError, match="does not exist"):
        file.sync({})
    file.path.write_text("[]")
    with pytest.raises(TasksError, match="not an object"):
        file.sync({})


def test_links_pipes_and_directories_are_refused_without_blocking(file: TaskFile, tmp_path: Path) -> None:
    kinds: list[Callable[[Path], object]] = [
        lambda path: path.symlink_to("/etc/passwd"),
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
    ]
    for number, make in enumerate(kinds):
        path = tmp_path / f"odd{number}"
        make(path)
        with pytest.raises(TasksError, match="cannot read"):
            TaskFile(path, file.good).load()
        assert TaskFile(path, file.good).sync({}).problem


def test_a_huge_file_is_refused(file: TaskFile) -> None:
    with file.path.open("wb") as huge:
        huge.truncate(100_000_000)
    assert "larger than 20 MB" in (file.sync({}).problem or "")


def test_a_read_only_file_is_not_replaced(file: TaskFile) -> None:
    file.path.chmod(0o444)
    synced = file.sync({"a": DONE})
    assert "read-only" in (synced.problem or "")
    assert synced.tasks[0].status is Status.COMPLETED
    assert file.path.stat().st_mode & 0o777 == 0o444
    file.path.chmod(0o640)
    assert file.sync({"a": DONE}).written
    assert file.path.stat().st_mode & 0o777 == 0o640
    assert names(file) == ["state", "tasks.json"]


def test_a_lost_state_directory_stops_the_sync(file: TaskFile) -> None:
    for path in file.good.parent.iterdir():
        path.unlink()
    file.good.parent.rmdir()
    with pytest.raises(TasksError, match="is gone"):
        file.sync({"a": DONE})
    assert not file.good.parent.exists()


@pytest.mark.parametrize("crash", ["before the file", "before the good one"])
def test_a_write_cut_off_in_between_makes_no_wish(file: TaskFile, crash: str) -> None:
    """The file says in_progress or completed, the good one in_progress, and the one that was to follow completed."""
    file.sync({"a": RUNNING})
    old = file.path.read_bytes()
    old_good = file.good.read_bytes()
    file.sync({"a": DONE})
    file.good.with_name("tasks.good.json.next").write_bytes(file.good.read_bytes())
    file.good.write_bytes(old_good)
    if crash == "before the file":
        file.path.write_bytes(old)
    synced = fresh(file).sync({"a": DONE})
    assert (synced.retried, synced.cancelled, synced.reverted) == ((), (), ())
    assert rows(file)["a"]["status"] == "completed"
    assert sorted(path.name for path in file.good.parent.glob("tasks.good*")) == ["tasks.good.json"]


def test_a_damaged_good_file_is_made_anew(file: TaskFile) -> None:
    file.sync({"a": DONE})
    file.good.write_text("{")
    synced = fresh(file).sync({"a": DONE})
    assert (synced.retried, synced.reverted, synced.problem) == ((), (), None)
    assert file.good.read_bytes() == file.path.read_bytes()


def test_a_save_between_reading_and_writing_is_merged(file: TaskFile) -> None:
    """An edit that arrives while another one is being made."""
    calls = []

    def change(document: dict[str, object]) -> None:
        if not calls:
            set_status(file, 2, "cancelled")
        calls.append(document)
        document["note"] = "mine"

    file.edit(change)
    assert len(calls) == 2
    assert rows(file)["c"]["status"] == "cancelled"
    assert json.loads(file.path.read_text())["note"] == "mine"


def test_an_edit_that_makes_the_file_bad_changes_nothing(file: TaskFile) -> None:
    before = file.path.read_bytes()

    def change(document: dict[str, object]) -> None:
        document["tasks"][0]["depends_on"] = ["b"]  # type: ignore[index]

    with pytest.raises(TasksError, match=r"nothing was changed.*(a -> b -> a|b -> a -> b)"):
        file.edit(change)
    with pytest.raises(TasksError, match="refused"):
        file.edit(lambda document: document.update(note="\ud800"))
    assert file.path.read_bytes() == before


def test_a_reason_that_is_no_unicode_is_shown_as_well_as_can_be(file: TaskFile) -> None:
    odd = View(Status.FAILED, 1, TaskResult(None, None, "bad \udcff byte"))
    assert file.sync({"a": odd}).written
    again = fresh(file).sync({"a": odd})
    assert (again.written, again.reverted) == (False, ())


def test_blocked_names_what_is_missing(file: TaskFile) -> None:
    assert blocked(file.sync({"a": FAILED}).tasks) == {"b": "needs a (failed)"}
    assert blocked(file.sync({"a": DONE}).tasks) == {}


def test_a_sync_without_news_is_quick(file: TaskFile) -> None:
    save(file, lambda found: found.extend({"id": f"t{n}", "title": "T"} for n in range(17)))
    view = {"a": DONE, "b": FAILED}
    file.sync(view)
    started = time.perf_counter()
    for _ in range(100):
        file.sync(view)
    assert (time.perf_counter() - started) / 100 < 0.001


def test_a_lock_that_somebody_keeps_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "tasks.lock"
    holder = (
        "import sys; from pathlib import Path; from ralph.memory.file_lock import held\n"
        "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", holder, str(lock)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TasksError, match="another ralph command holds"), held(lock, 0.05):
            pass
        other.kill()
    with held(lock, 5), pytest.raises(TasksError, match="another"), held(lock, 0.01):
        pass


def test_a_displaced_save_is_put_back(tmp_path: Path) -> None:
    """Somebody who saves without pause always finds the last save again, wherever ours came in between."""
    path = tmp_path / "tasks.json"
    path.write_bytes(b"0")
    stop = threading.Event()

    def comes(true: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            time.sleep(0.001)
            if true():
                return True
        return False

    lost: list[bytes] = []

    def person() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            other = tmp_path / "editor"
            other.write_bytes(b"%d" % number)
            other.replace(path)
            if not comes(lambda wanted=b"%d" % number: path.read_bytes().endswith(wanted)):
                lost.append(b"%d" % number)

    thread = threading.Thread(target=person)
    thread.start()
    try:
        won = 0
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            seen = path.read_bytes()
            if not seen.startswith(b"daemon "):
                won += replace_if(path, b"daemon " + seen, hashlib.sha256(seen).hexdigest(), 1000)
    finally:
        stop.set()
        thread.join()
    assert won > 10
    assert lost == []
