"""Title and body of a pull request: the record and nothing else, inert, capped; and its page as a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from recorded_night import BASE, RecordedNight

from ralph.config import Config, parse
from ralph.domain import Task
from ralph.errors import ForgeError
from ralph.forge import Proposal
from ralph.forge.body import MOST_BYTES, MOST_TITLE, compose
from ralph.forge.local import LocalForge, slug

CONFIG = parse(
    """
[forge]
kind = "github"
[workspace]
setup = "uv sync"
[[gates]]
name = "tests"
command = "pytest -q"
kind = "tests"
[[gates]]
name = "web"
command = "npm test"
cwd = "web app"
"""
)
EVIL = (
    "fixes #12 @bob closes https://github.com/o/r/issues/1 ![i](http://evil/x.png) <img src=x> </details> "
    "`x` ``` | a | \x1b[31m\u202e\U000e0041\x00 --> [a](javascript:1) GH-4 o/r#5"
)


@pytest.fixture
def night(tmp_path: Path) -> RecordedNight:
    return RecordedNight(tmp_path / "ledger.db")


def composed(
    night: RecordedNight, *tasks: Task, branch: str = "refs/heads/ralph/loop-1", **more: object
) -> tuple[str, str]:
    events = night.ledger.events(night=night.night)
    return compose(events, branch, CONFIG, {task.id: task for task in tasks}, **more)  # type: ignore[arg-type]


def test_the_body_of_one_task(night: RecordedNight) -> None:
    task = Task("t1", "Add a parser", acceptance=("`parse('1+1')` returns a tree", "errors name the line"))
    step = night.land("t1", paths=("src/parser.py", "tests/test_parser.py"))
    step.gate("lint", "lint", counts=None)
    title, body = composed(night, task)
    commit = "00000001" + "c" * 32
    assert title == "Add a parser"
    assert (
        body
        == f"""\
Opened by ralph after night `2026-11-20-1`, on `main` at `{BASE[:12]}`. Everything below comes from the record of \
what the daemon executed, except where it says *reported*.

## What changed

### `t1` Add a parser
Commit `{commit[:12]}`: `src/parser.py`, `tests/test_parser.py`

Acceptance, as the task states it:
- \\`parse('1+1')\\` returns a tree
- errors name the line


## What was executed, on exactly the committed tree

| task | gate | result | grade | tree |
|---|---|---|---|---|
| `t1` | `tests` | passed: 14 passed | verified | `000000000000` |
| `t1` | `lint` | passed | verified | `000000000000` |

## What was not

- Proof that new tests fail without the change.
- How much the tests would notice: no fault was planted in the changed lines.
- A review. The acceptance criteria are the task's; no gate reads them.

## Run it again

```sh
git fetch origin && git switch --detach {commit}
uv sync
pytest -q
(cd 'web app' && npm test)
```

## Cost

$0.25; 160 tokens; 1 iteration.

## What the agent said (reported, not verified)

`t1`

```text
All done, everything works!
```
"""
    )


def test_several_tasks_and_what_they_stack_on(night: RecordedNight) -> None:
    night.land("t0", "loop-2")
    night.land("t1", "loop-1")
    night.land("t2", "loop-1")
    tasks = [Task("t0", "Zero"), Task("t1", "One", depends_on=("t0",)), Task("t2", "Two", depends_on=("t1",))]
    title, body = composed(night, *tasks)
    assert title == "2 tasks: One; Two"
    assert "**Stacks on `ralph/loop-2`**" in body
    assert "`t0`" not in body
    assert "$0.50; 320 tokens; 2 iterations." in body


def test_failed_attempts_cost_and_do_not_count_as_executed(night: RecordedNight) -> None:
    step = night.began("t1")
    step.spends(dollars=1.0)
    step.refused()
    night.land("t1")
    _, body = composed(night, Task("t1", "One"))
    assert body.count("| `t1` | `tests` |") == 1
    assert "13 passed" not in body
    assert "$1.25; 320 tokens; 2 iterations." in body


def test_weak_results_are_said_to_be_weak(tmp_path: Path) -> None:
    night = RecordedNight(tmp_path / "ledger.db", sandbox="none")
    step = night.began("t1")
    step.spends(dollars=None)
    step.gate(counts=None)
    step.gate("audit", "security", execution=None, counts=None)
    step.gate("docs", "other", "not_run", reason="exit 127", counts=None)
    step.gate("web", "other", "not_applicable", counts=None, execution=None)
    step.commits()
    night.began("t2").commits()
    _, body = composed(night, Task("t1", "One"), Task("t2", "Two"))
    assert "| `t1` | `tests` | exit 0 | observed |" in body
    assert "| `t1` | `audit` | reported as passed | reported |" in body
    assert "| `t1` | `docs` | not run (exit 127) | verified |" in body
    for line in (
        "- `t2`: no gate ran on its tree.",
        "- Gate `docs`: not run for at least one task.",
        "- Gate `web`: not applicable for at least one task.",
        "- Results for each test: only the exit code is known for `t1`.",
        "- A sandbox: agents and gates ran without one.",
    ):
        assert line in body
    assert "not metered; 160 tokens; 2 iterations." in body


def check_inert(title: str, body: str) -> None:
    for text in (title, body):
        outside = re.sub(r"`[^`\n]+`", "", text)
        assert not re.search(r"(?<![A-Za-z0-9_])@[A-Za-z0-9]|#\d|\bGH-\d|https?://", outside), text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\U000e0000-\U000e0fff]", text)
    assert len(title) <= MOST_TITLE and len(title.splitlines()) == 1
    assert len(body.encode()) <= MOST_BYTES
    for block in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body):
        assert block.type != "html_block"
        for token in block.children or []:
            assert token.type not in ("image", "html_inline", "link_open", "s_open"), token


@pytest.mark.parametrize("text", [EVIL, EVIL * 40, "x" * 100_000, "# h\n```\n| a |\n---\n", "@a\u200bb #\u200b1"])
def test_foreign_text_is_inert(night: RecordedNight, text: str) -> None:
    with night.ledger.together():
        for n in range(30):
            step = night.began(f"t{n}", title=text)
            step.agent_ends(said=text)
            step.gate(text, "lint", "not_run", reason=text)
            step.commits(tuple(f"{n}/{text[:200]}" for n in range(50)))
    check_inert(*composed(night, *(Task(f"t{n}", text, acceptance=(text,) * 30) for n in range(30))))


@given(st.text(max_size=200))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_inert(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    night = RecordedNight(tmp_path_factory.mktemp("night") / "ledger.db")
    with night.ledger.together():
        step = night.began("t1")
        step.agent_ends(said=text.encode("utf-8", "replace").decode())
        step.gate(reason=text.encode("utf-8", "replace").decode())
        step.commits()
    check_inert(*composed(night, Task("t1", text, acceptance=(text,))))
    night.ledger.close()


def test_a_pipe_ends_no_cell(night: RecordedNight) -> None:
    step = night.began("t1")
    step.gate("a|b", "lint", "failed", reason="x | y", counts=None, advisory=True)
    step.commits()
    _, body = composed(night, Task("t1", "One"))
    rows = [token for token in MarkdownIt("commonmark").enable("table").parse(body) if token.type == "td_open"]
    assert len(rows) == 5
    assert "| `t1` | `a\\|b` | failed (x \\| y), advisory | verified |" in body


def test_secrets_are_taken_out(night: RecordedNight) -> None:
    token = "ghp_" + "Ab1" * 12
    night.land("t1", said=token).agent_ends(said=f"I used {token} and hunter2-hunter2")
    _, body = composed(night, Task("t1", f"Use {token}"))
    assert token not in body
    _, body = composed(night, Task("t1", "One"), redact=lambda text: text.replace("hunter2-hunter2", "***"))
    assert "hunter2" not in body


def test_a_large_branch_is_cut_and_says_so(night: RecordedNight) -> None:
    with night.ledger.together():
        for n in range(700):
            night.land(f"task-{n}", paths=tuple(f"src/package/module_{i}.py" for i in range(30)))
    title, body = composed(night, *(Task(f"task-{n}", "A title of usual length " * 3) for n in range(700)))
    assert len(body.encode()) <= MOST_BYTES
    assert "and 640 more tasks" in body
    assert title.startswith("700 tasks: ") and title.endswith("…")


def test_what_proof_strength_and_review_showed(night: RecordedNight) -> None:
    step = night.land("t1")
    ran = [{"execution": {"log": "gate-x.log", "argv": ["pytest"]}, "counts": None, "outcomes": {}}]
    proof = {"grade": "proven", "tests": {f"t.py::a[{EVIL}]": "proven"}, "turned": []}
    step.gate("proof", "proof", execution=None, counts=None, proof=proof, runs=ran)
    base = {"argv": ["test"], "exit_code": 1, "purpose": "base"}
    step.gate("check-1", "other", "failed", counts=None, execution=base, reason="red on the base")
    step.gate("claimed", "proof", execution=None, counts=None, proof=proof)
    step.gate(
        "review", "review", execution=None, counts=None, review={"accepted": True, "agent": "api"}, grade="reported"
    )
    _, body = composed(night)
    rows = {line.split("|")[2].strip(): line for line in body.splitlines() if line.startswith("| `t1`")}
    assert "| proven by t.py::a" in rows["`proof`"]
    assert "| verified |" in rows["`proof`"]
    assert "| reported as passed | reported |" in rows["`claimed`"]
    assert "| reviewed by api: accepted | reported |" in rows["`review`"]
    assert "Proof that new tests" not in body
    assert "`check-1`" not in rows
    check_inert("t1", body)


def test_nothing_landed(night: RecordedNight) -> None:
    title, body = composed(night)
    assert title == "ralph/loop-1"
    assert "$0.00; 0 tokens; 0 iterations." in body


PROPOSAL = Proposal("ralph/loop-1", "main", "1" * 40, "0" * 40, "Add <a> parser", "Body.\n", True, "+if a\u202e\n```\n")


def test_the_page_of_a_local_pull_request(tmp_path: Path) -> None:
    forge = LocalForge(tmp_path)
    request = forge.publish(PROPOSAL)
    page = tmp_path / "ralph-loop-1.md"
    assert request.url == str(page)
    text = page.read_text()
    assert text.startswith(
        "# Add &lt;a\\> parser\n\nState: open (draft)\nNumber: 1\nBranch: `ralph/loop-1` into `main`\n"
    )
    assert "\n\nBody.\n\n## Diff\n" in text
    assert "\n````diff\n+if a<U+202E>\n```\n````\n" in text
    forge.close("ralph/loop-1", "merged")
    assert "\nState: merged (draft)\n" in page.read_text()
    assert forge.close("ralph/loop-1", "closed") is None


def test_an_earlier_pull_request_keeps_its_page(tmp_path: Path) -> None:
    forge = LocalForge(tmp_path)
    forge.publish(PROPOSAL)
    forge.close("ralph/loop-1", "closed")
    forge.publish(Proposal("ralph/loop-1", "main", "2" * 40, "0" * 40, "Second", "", False))
    assert [Path(request.url).name for request in forge.list()] == ["ralph-loop-1@1.md", "ralph-loop-1.md"]
    assert "Add &lt;a\\> parser" in (tmp_path / "ralph-loop-1@1.md").read_text()
    assert "No difference." in (tmp_path / "ralph-loop-1.md").read_text()


def test_branches_never_share_a_file() -> None:
    branches = [
        "ralph/a",
        "ralph-a",
        "ralph/A",
        "ralph/a/b",
        "ralph/a-b",
        "ralph/a.1",
        "ralph-task/a",
        "ralph/é",
        "../x",
    ]
    assert len({slug(branch).lower() for branch in branches}) == len(branches)
    assert all(re.fullmatch(r"[a-z0-9._-]+", slug(branch)) for branch in branches)


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ForgeError, match=r"x\.json is damaged"):
        LocalForge(tmp_path).list()


def test_the_default_configuration_has_no_commands(night: RecordedNight) -> None:
    night.land("t1")
    _, body = compose(night.ledger.events(), "ralph/loop-1", Config(), {})
    assert re.search(r"```sh\ngit switch --detach [0-9a-f]{40}\npytest -q\n```", body)
    assert "### `t1` Do t1" in body


def test_what_was_done_to_tests_and_what_no_test_notices(night: RecordedNight) -> None:
    step = night.began("t1")
    finding = {"rule": "weaken-test", "path": "tests/test_a.py", "line": 7, "note": True}
    message = "declared by the task: the expected value changed"
    step.row("guard", name="tampering", tree=step.tree, verdict="passed", findings=[{**finding, "message": message}])
    step.row("guard", name="tampering", tree=step.tree, findings=[{**finding, "message": "a debug leftover? print()"}])
    mutant = {"path": "src/a.py", "line": 3, "before": "a < b", "after": "a <= b", "fate": "survived"}
    step.gate("strength", "strength", strength={"changed": 1, "covered": 1, "mutants": [mutant]}, execution=None)
    step.gate("proof", "proof", proof={"grade": "not_provable", "tests": {}, "reason": ""}, execution=None)
    step.commits()
    _, body = composed(night, Task("t1", "One"))
    assert body.index("## Changes to tests and checks that the tasks declare") < body.index("## What changed")
    assert "- `t1`: tests/test_a.py:7: the expected value changed" in body
    assert "- `t1`: tests/test_a.py:7: a debug leftover? print()" in body
    assert "- Proof by a test: none shows what `t1` changed." in body
    assert "- `t1`: faults that no test notices: src/a.py:3: a &lt; b became a &lt;= b." in body
    assert "How much the tests would notice" not in body
