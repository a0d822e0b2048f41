"""What is accepted as a tasks.json, and where a refusal points."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ralph.domain import Budget, Kind, Status, TaskResult
from ralph.errors import TasksError
from ralph.memory.task_parse import parse
from ralph.memory.task_schema import schema_text

ROOT = Path(__file__).parents[2]


def refusal(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(TasksError) as caught:
        parse(data)
    assert "\n" not in caught.value.message
    return caught.value.message


def rows(*tasks: dict[str, object]) -> str:
    return json.dumps({"version": 1, "tasks": list(tasks)}, indent=2)


def task(task_id: str, **more: object) -> dict[str, object]:
    return {"id": task_id, "title": f"Do {task_id}", **more}


def test_the_example_shows_every_field() -> None:
    from ralph.memory.task_schema import BudgetRow, TaskRow

    data = (ROOT / "tasks.example.json").read_bytes()
    loaded = parse(data)
    assert len(loaded.tasks) == 6
    assert loaded.warnings == ()
    first = json.loads(data)["tasks"][0]
    assert set(first) == set(TaskRow.model_fields)
    assert set(first["budget"]) == set(BudgetRow.model_fields)
    assert {one.kind for one in loaded.tasks} == set(Kind)
    assert loaded.tasks[0].budget == Budget(4, 60, 300_000, 3)


def test_the_published_schema_is_the_one_in_force() -> None:
    published = (ROOT / "docs" / "tasks.schema.json").read_text()
    assert published == schema_text(), "run `ralph tasks schema > docs/tasks.schema.json`"


def test_a_row_becomes_a_task() -> None:
    row = task(
        "a",
        files=["src/**"],
        priority=-1,
        kind="fix",
        status="failed",
        attempts=3,
        result={"commit": None, "iteration": "i", "reason": "red"},
    )
    (found,) = parse(rows(row).encode()).tasks
    assert (found.files, found.priority, found.kind, found.status) == (("src/**",), -1, Kind.FIX, Status.FAILED)
    assert found.result == TaskResult(None, "i", "red")


def test_unknown_keys_are_kept_and_close_ones_warned_about() -> None:
    loaded = parse(rows(task("a", dependsOn=["b"], jira="X-1")).encode())
    assert loaded.raw["tasks"][0]["jira"] == "X-1"  # type: ignore[index]
    (warning,) = loaded.warnings
    assert warning.startswith("tasks.json:7:7: the key `dependsOn`")
    assert "`depends_on`" in warning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "tasks.json:1:1: the file is empty"),
        (" \n ", "tasks.json:1:1: the file is empty"),
        ('{"version": 1,\n "tasks": [{"id": "a"', "tasks.json:2:21: not valid JSON: EOF"),
        ("[1, 2]", "tasks.json:1:1: the file holds a list, not an object"),
        ("null", "tasks.json:1:1: the file holds a null, not an object"),
        ('{"tasks": [1,\n 2]}', "tasks.json:1:12: task 1: `tasks`"),
        ('{"tasks": {}}', "tasks.json:1:2: `tasks`: should be a valid list"),
        ("{}", "tasks.json:1:1: `tasks`: is missing"),
        ('{"version": 2, "tasks": []}', "tasks.json:1:2: `version`: should be 1"),
        ('{"tasks": [\n {"id": "a"}]}', "tasks.json:2:2: task a: `title`: is missing"),
        ('{"tasks": [\n {"id": "a/b", "title": "x"}]}', "tasks.json:2:3: task a/b: `id`: should be 1 to 64 letters"),
        ('{"tasks": [{"id": "a", "title": " "}]}', "tasks.json:1:24: task a: `title`: must not be empty"),
        ('{"tasks": [{"id": "a", "title": "x\\u001b[2J"}]}', "control character U+001B"),
        ('{"tasks": [{"id": "a", "title": "x", "description": "\\u0000"}]}', "control character U+0000"),
        ('{"tasks": [{"id": "a", "title": "x",\n "files": "src"}]}', "tasks.json:2:2: task a: `files`"),
        ('{"tasks": [{"id": "a", "title": "x",\n "files": ["a", "../b"]}]}', "tasks.json:2:17: task a: `files.1`"),
        ('{"tasks": [{"id": "a", "title": "x", "checks": ["echo \'"]}]}', "No closing quotation"),
        ('{"tasks": [{"id": "a", "title": "x", "priority": "1"}]}', "`priority`: should be a valid integer"),
        ('{"tasks": [{"id": "a", "title": "x", "priority": true}]}', "`priority`: should be a valid integer"),
        ('{"tasks": [{"id": "a", "title": "x", "kind": "bug"}]}', "`kind`: should be 'fix', 'feature'"),
        ('{"tasks": [{"id": "a", "title": "x", "status": "done"}]}', "`status`: should be 'pending'"),
        ('{"tasks": [{"id": "a", "title": "x", "allow": ["all"]}]}', "`allow.0`"),
        ('{"tasks": [{"id": "a", "title": "x", "budget": {"minutes": -1}}]}', "`budget.minutes`"),
        ('{"tasks": [{"id": "a", "title": "x", "budget": {"dollars": 1e999}}]}', "`budget.dollars`"),
        ('{"tasks": NaN}', "tasks.json:1:11: not valid JSON"),
        ('{"tasks": ["\\ud800"]}', "tasks.json:1:19: not valid JSON"),
        ('{"tasks": [],\n "tasks": []}', 'tasks.json:2:10: not valid JSON: Detected duplicate key "tasks"'),
        (b'{"tasks": "\xff"}', "tasks.json:1:12: not valid JSON"),
        ('{"tasks": []}'.encode("utf-16"), "tasks.json:1:1: the file is UTF-16"),
        ('{"tasks": [], "x": "\x00"}', "tasks.json:1:21: not valid JSON: control character"),
        ('{"tasks": [], "x": ' + "9" * 5000 + "}", "not valid JSON: number out of range"),
        ('{"tasks": ' + "[" * 10_000 + "]" * 10_000 + "}", "not valid JSON: nested too deeply"),
        ('{"tasks": ' + '{"a":' * 10_000 + "1" + "}" * 10_001, "not valid JSON: nested too deeply"),
    ],
)
def test_a_refusal_names_the_place(text: str | bytes, message: str) -> None:
    assert message in refusal(text)


def test_a_bom_crlf_and_infinities_in_keys_of_ones_own_are_fine() -> None:
    text = '\ufeff{"version": 1,\r\n "tasks": [{"id": "a", "title": "T", "mine": 1e999}]}\r\n'
    loaded = parse(text.encode())
    assert loaded.data(loaded.text) == text.encode()


def test_a_second_task_with_the_same_id_is_refused_with_both_places() -> None:
    message = refusal(rows(task("a"), task("b"), task("a")))
    assert message.startswith("tasks.json:13:7: two tasks are called a; the other is at line 5, column 7")


def test_an_unknown_dependency_is_refused_with_a_suggestion() -> None:
    with pytest.raises(TasksError) as caught:
        parse(rows(task("login"), task("b", depends_on=["logn"])).encode())
    assert caught.value.message.startswith("tasks.json:12:9: task b depends on logn")
    assert caught.value.hint == "did you mean login?"


def test_a_cycle_is_printed() -> None:
    message = refusal(
        rows(task("a", depends_on=["b"]), task("b", depends_on=["c"]), task("c", depends_on=["a"]), task("d"))
    )
    assert message.startswith("tasks.json:")
    assert "tasks wait for each other" in message
    assert any(cycle in message for cycle in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"))
    assert "a -> a" in refusal(rows(task("a", depends_on=["a"])))


def test_a_huge_file_is_refused_at_once() -> None:
    started = time.perf_counter()
    assert "larger than 20 MB" in refusal(b" " * 21_000_000)
    assert time.perf_counter() - started < 1


def test_ten_thousand_tasks_load_quickly() -> None:
    data = rows(*(task(f"t{n}", files=[f"src/{n}/**"], depends_on=[f"t{n - 1}"] if n else []) for n in range(10_000)))
    started = time.perf_counter()
    assert len(parse(data.encode()).tasks) == 10_000
    assert time.perf_counter() - started < 5
