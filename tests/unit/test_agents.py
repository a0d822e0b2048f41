"""Building agents from their tables, who pays for them, and the scripts of the scripted one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ralph import agents
from ralph.agents.scripted import Script
from ralph.config import Agent, Price
from ralph.domain import Cause
from ralph.errors import ConfigError, RalphError
from tests.desk import LocalDesk, job


@pytest.mark.parametrize("kind", ["codex", "gemini", "opencode", "aider", "acp"])
def test_a_kind_that_can_not_be_run_says_which_can(tmp_path: Path, kind: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        agents.make("x", Agent(kind=kind), prices={}, root=tmp_path)
    assert kind in caught.value.message
    assert "api, claude-code, command, scripted" in caught.value.hint


def test_an_account_is_who_pays() -> None:
    keys = {"ANTHROPIC_API_KEY": "one", "OTHER_KEY": "two"}
    sonnet, opus = Agent(kind="api", model="claude-sonnet-5-5"), Agent(kind="api", model="claude-opus-5-5")
    base = agents.account("a", sonnet, keys)
    assert base == agents.account("b", opus, keys)
    assert "one" not in base
    others = [
        agents.account("a", Agent(kind="api", api_key_env="OTHER_KEY"), keys),
        agents.account("a", Agent(kind="api", base_url="http://gateway"), keys),
        agents.account("a", Agent(kind="claude-code"), keys),
        agents.account("a", Agent(kind="command", command=["x"]), keys),
        agents.account("a", Agent(kind="api", account="team"), keys),
    ]
    assert len({base, *others}) == 6
    assert others[-2:] == ["a", "team"]


def test_a_driver_gets_no_more_than_it_needs() -> None:
    assert agents.secret_names(Agent(kind="api")) == ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"]
    assert agents.secret_names(Agent(kind="api", api_key_env="MINE", env=["MINE", "X"])) == [
        "MINE", "ANTHROPIC_BASE_URL", "X"]  # fmt: skip
    assert "CLAUDE_CODE_OAUTH_TOKEN" in agents.secret_names(Agent(kind="claude-code"))
    assert agents.secret_names(Agent(kind="command", command=["x"], env=["TOKEN"])) == ["TOKEN"]
    assert agents.secret_names(Agent(kind="scripted", script="x")) == []


def test_who_can_be_metered() -> None:
    assert agents.metered(Agent(kind="api"))
    assert agents.metered(Agent(kind="claude-code"))
    assert agents.metered(Agent(kind="scripted", script="x"))
    assert not agents.metered(Agent(kind="command", command=["x"]))
    assert not agents.metered(Agent(kind="api", model="house-model"))
    assert agents.metered(Agent(kind="api", model="house-model"), {"house-model": Price(input=1, output=1)})


def test_importing_the_room_is_cheap() -> None:
    slow = "anthropic", "httpx2", "genai_prices"
    code = f"import sys, ralph.agents; print([name for name in {slow!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SCRIPT = {
    "tasks": {
        "t": [
            {"write": {"src/a.txt": "one"}, "said": "first", "reflection": "surprised: no", "handoff": "a is one"},
            {"delete": ["src/a.txt"], "run": ["echo two > b.txt; false", "exit 9"], "said": "second"},
            {"exit_code": 4, "said": "third"},
        ],
        "broken": [{"delete": ["nothing-here"]}],
    },
    "default": [{"usage": [{"output_tokens": 50}] * 3}],
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LocalDesk]:
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT))
    desk = LocalDesk(tmp_path / "tree", tmp_path / "run")
    yield desk
    desk.close()


def scripted(root: Path, **more: Any) -> Any:
    return agents.make("s", Agent(kind="scripted", script="script.json", **more), prices={}, root=root)


def test_a_script_is_played_attempt_by_attempt(tmp_path: Path, desk: LocalDesk) -> None:
    tree, agent = tmp_path / "tree", scripted(tmp_path)
    notes = {f"RALPH_{name}_FILE": str(tmp_path / name) for name in ("REFLECTION", "HANDOFF")}
    results = []
    for attempt in (1, 2, 3, 7):
        the_job = job(tmp_path, f"Task: t\nAttempt: {attempt}\n\nlog: attempt 1 failed")
        the_job.env.update(notes)  # type: ignore[attr-defined]
        results.append(agent.run(the_job, desk))
        if attempt == 1:
            assert (tree / "src/a.txt").read_text() == "one"
            assert (tmp_path / "REFLECTION").read_text() == "surprised: no"
            assert (tmp_path / "HANDOFF").read_text() == "a is one"
    assert [result.said for result in results] == ["first", "second", "third", "third"]
    assert [result.exit_code for result in results] == [0, 0, 4, 4]
    assert all(result.error is None and result.usage.dollars == 0 for result in results)
    assert not (tree / "src/a.txt").exists() and (tree / "b.txt").read_text() == "two\n"


def test_a_script_that_can_not_be_played_is_an_error(tmp_path: Path, desk: LocalDesk) -> None:
    result = scripted(tmp_path).run(job(tmp_path, task_id="broken"), desk)
    assert result.error == "the script could not be played: exit code 1"


def test_a_scripted_agent_spends_until_it_is_denied(tmp_path: Path, desk: LocalDesk) -> None:
    from ralph.agents.base import Grant

    grants = iter([Grant(True), Grant(True), Grant(False, "", Cause.DOLLARS)])
    desk.answer = lambda tokens, dollars: next(grants)
    result = scripted(tmp_path, model="claude-opus-5-5").run(job(tmp_path, task_id="other"), desk)
    assert (result.cause, result.exit_code) == (Cause.DOLLARS, None)
    assert desk.asked == [(50, pytest.approx(0.001))] * 3
    assert result.usage.output_tokens == 100
    assert result.usage.dollars == pytest.approx(0.002)


def test_mistakes_in_a_script_name_their_place(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('{"tasks": {"t": [{"wriet": {}}]}}')
    with pytest.raises(ConfigError, match=r"tasks\.t\.0\.wriet"):
        Script.load(path)
    path.write_text("{")
    with pytest.raises(ConfigError, match="Invalid JSON"):
        Script.load(path)
    with pytest.raises(RalphError):
        Script.load(tmp_path / "absent.json")
