"""Any program as an agent, run for real."""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ralph import config
from ralph.agents.command import CommandAgent, reported_usage
from ralph.agents.program import resolved
from ralph.domain import AgentResult, Cause, Usage
from tests.desk import LocalDesk, job

PYTHON = os.path.realpath(sys.executable)
NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
SHOW = """
import json, os, pathlib, sys
pathlib.Path("seen.json").write_text(json.dumps({
    "argv": sys.argv, "stdin": sys.stdin.read(), "cwd": os.getcwd(), "env": dict(os.environ)}))
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Write a script, run it as an agent, return the result with the desk and what the script saw."""

    def go(body: str, words: tuple[str, ...] = (), name: str = "agent.py", **more: object) -> SimpleNamespace:
        jobs = {key: more.pop(key) for key in ("env", "secrets", "usage_file", "prompt_text") if key in more}
        script = tmp_path / name
        script.write_text(f"#!{PYTHON}\n{body}")
        script.chmod(0o755)
        table = config.Agent(kind="command", command=[f"./{name}", *words], **more)
        agent = CommandAgent("mine", table, tmp_path, clock=lambda: NOW)
        work = job(tmp_path, str(jobs.pop("prompt_text", "Do it.")), **jobs)
        desk = LocalDesk(Path(work.directory), work.run_dir)
        try:
            result: AgentResult = agent.run(work, desk)
        finally:
            desk.close()
        seen = tmp_path / "tree" / "seen.json"
        return SimpleNamespace(
            result=result,
            desk=desk,
            agent=agent,
            job=work,
            seen=SimpleNamespace(**json.loads(seen.read_text())) if seen.exists() else None,
        )

    return go


def test_placeholders_directory_and_prompt_on_stdin(run):
    ran = run(SHOW, ("--prompt={prompt_file}", "{task_id}", "{model}", "{other}"), model="m-1")
    assert ran.seen.argv[1:] == [f"--prompt={ran.job.prompt_file}", "t", "m-1", "{other}"]
    assert ran.seen.stdin == "You work on one task.\n\nDo it."
    assert ran.seen.cwd == ran.job.directory
    assert ran.result == AgentResult(exit_code=0, usage=Usage(dollars=None), metered=False)
    assert ran.desk.asked == ran.desk.settled == []


def test_the_prompt_by_file_and_by_argument(run):
    by_file = run(SHOW, prompt="file")
    assert (by_file.seen.argv[1:], by_file.seen.stdin) == ([str(by_file.job.prompt_file)], "")
    named = run(SHOW, ("-f", "{prompt_file}"), prompt="file")
    assert named.seen.argv[1:] == ["-f", str(named.job.prompt_file)]
    by_argument = run(SHOW, ("--yes",), prompt="arg")
    assert (by_argument.seen.argv[1:], by_argument.seen.stdin) == (["--yes", "You work on one task.\n\nDo it."], "")


def test_a_prompt_too_long_for_an_argument_is_an_error_that_says_what_to_do(run):
    ran = run(SHOW, prompt="arg", prompt_text="x" * 130_000)
    assert 'prompt = "stdin"' in ran.result.error
    assert ran.seen is None


def test_a_long_prompt_on_stdin_that_nobody_reads(run):
    assert run("print('bye')", prompt_text="x" * 3_000_000).result.error is None


def test_only_allowed_variables_reach_it(run):
    ran = run(SHOW, env={"PATH": os.environ["PATH"]}, secrets={"MY_TOKEN": "s", "OTHER": "o"})
    assert "MY_TOKEN" not in ran.seen.env
    assert "OTHER" not in ran.seen.env


def test_named_variables_reach_it(tmp_path):
    script = tmp_path / "agent.py"
    script.write_text(f"#!{PYTHON}\n{SHOW}")
    script.chmod(0o755)
    table = config.Agent(kind="command", command=["./agent.py"], env=["MY_TOKEN", "ABSENT"])
    work = job(tmp_path, secrets={"MY_TOKEN": "s", "OTHER": "o"})
    desk = LocalDesk(Path(work.directory), work.run_dir)
    CommandAgent("mine", table, tmp_path).run(work, desk)
    desk.close()
    env = json.loads((tmp_path / "tree" / "seen.json").read_text())["env"]
    assert env["MY_TOKEN"] == "s"
    assert not {"OTHER", "ABSENT"} & set(env)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise SystemExit(0)", None),
        ("raise SystemExit(1)", "exit 1"),
        ("raise SystemExit(255)", "exit 255"),
        ("import sys; print('thinking'); sys.exit('no such file\\n')", "exit 1: no such file"),
        ("print('thinking'); print('out of ideas'); raise SystemExit(3)", "exit 3: out of ideas"),
        ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
    ],
)
def test_how_it_ended(run, body, error):
    assert run(body).result.error == error


def test_a_program_that_the_sandbox_does_not_find(run):
    assert "was not found" in run("raise SystemExit(127)").result.error
    assert "not executable" in run("raise SystemExit(126)").result.error


def test_a_program_that_is_not_there(tmp_path):
    agent = CommandAgent("mine", config.Agent(kind="command", command=["./missing.sh"]), tmp_path)
    work = job(tmp_path)
    desk = LocalDesk(Path(work.directory), work.run_dir)
    result = agent.run(work, desk)
    desk.close()
    assert "missing.sh" in result.error
    assert result.exit_code == 127


def test_said_is_the_tail_whatever_the_bytes(run):
    lines = "for n in range(5000): print('line', n, flush=True)"
    ran = run(f"import sys\n{lines}\nsys.stdout.buffer.write(b'\\xff\\x00 end')")
    assert ran.result.said.endswith("\ufffd\x00 end")
    assert "line 4999" in ran.result.said
    assert "line 10\n" not in ran.result.said
    assert len(ran.result.said) <= 4000


LIMIT = "You've hit your limit · resets 3am (UTC)"


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_usage_limit_is_a_wait_and_no_failure(run, code, stream):
    ran = run(f"import sys\nprint({LIMIT!r}, file=sys.{stream})\nraise SystemExit({code})")
    assert ran.result.error is None
    assert ran.result.wait.until == datetime(2026, 11, 21, 3, 0, tzinfo=UTC).timestamp()
    assert ran.result.exit_code == code


@pytest.mark.parametrize(
    "body",
    [
        f"print({LIMIT!r})\nfor n in range(40): print('editing', n)",
        f"for n in range(40): print('editing', n)\nprint({LIMIT!r})",
        f"print('It prints \"' + {LIMIT!r} + '\" now.')",
        "print('<promise>COMPLETE</promise> all tasks are done')",
    ],
)
def test_talking_about_limits_or_completion_is_nothing(run, body):
    assert run(body).result.wait is None


def test_a_stop_is_a_cause_and_no_error(run, tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(f"#!{PYTHON}\nimport time\ntime.sleep(60)")
    script.chmod(0o755)
    work = job(tmp_path)
    desk = LocalDesk(Path(work.directory), work.run_dir)
    desk.say("end now", stop=True, after=0.3)
    result = CommandAgent("mine", config.Agent(kind="command", command=["./slow.py"]), tmp_path).run(work, desk)
    desk.close()
    assert (result.cause, result.error, result.wait) == (Cause.STOPPED, None, None)


def usage_script(text: str) -> str:
    return f"import os, pathlib\npathlib.Path(os.environ['RALPH_USAGE_FILE']).write_text({text!r})"


def usage_job(tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "usage.txt"
    return {"usage_file": file, "env": {"PATH": os.environ["PATH"], "RALPH_USAGE_FILE": str(file)}}


def test_reported_tokens_are_settled_as_reported(run, tmp_path):
    report = json.dumps({"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 3, "dollars": 0.25})
    ran = run(usage_script(report), model="m", **usage_job(tmp_path))
    usage = Usage(10, 0, 5, 3, dollars=None, reported_dollars=0.25, calls=1)
    assert ran.result.usage == usage
    assert not ran.result.metered
    assert ran.desk.settled == [(usage, "m")]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        '{"input_tokens": -1}',
        '{"input_tokens": 1.5}',
        '{"output_tokens": true}',
        '{"dollars": "much"}',
        '{"dollars": 1e999}',
        '{"dollars": NaN}',
        '{"input_tokens": 1' + "0" * 30 + "}",
        "[" * 10_000,
        '"' + "x" * 20_000 + '"',
    ],
)
def test_a_bad_usage_file_is_ignored_with_a_note(run, tmp_path, text):
    ran = run(usage_script(text), **usage_job(tmp_path))
    assert ran.result.usage == Usage(dollars=None)
    assert "RALPH_USAGE_FILE ignored" in ran.result.said
    assert ran.result.error is None
    assert ran.desk.settled == []


def test_a_usage_file_that_is_a_link_is_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text('{"input_tokens": 1}')
    (tmp_path / "usage.txt").symlink_to(secret)
    usage, note = reported_usage(tmp_path / "usage.txt")
    assert usage.calls == 0
    assert "symbolic link" in note


def test_what_it_binds(tmp_path):
    script, repo = tmp_path / "tool.py", tmp_path / "repo"
    script.write_text("")

    def binds(*command: str) -> list[Path]:
        return CommandAgent("mine", config.Agent(kind="command", command=list(command)), repo).binds()

    assert binds("./agent.sh", str(script), "/usr/bin/env") == [repo / "agent.sh"]
    assert binds(str(script), "{prompt_file}") == [script]
    assert binds("python3.11", "-I", str(script), str(script)) == [script]
    assert binds("python3", "src/agent.py") == binds("/usr/bin/env", "x") == binds("aider", "--yes") == []


def test_what_it_binds_lies_beside_the_prompt_inside_a_sandbox(tmp_path):
    script = tmp_path / "tool.py"
    script.write_text("")
    inside, outside = job(tmp_path, prompt_file=Path("/run/ralph/prompt.md")), job(tmp_path)
    assert resolved(["./a/agent.sh", "x"], tmp_path, inside) == ["/run/ralph/bin/agent.sh", "x"]
    assert resolved(["sh", "-e", str(script)], tmp_path, inside) == ["sh", "-e", "/run/ralph/bin/tool.py"]
    assert resolved(["./a/agent.sh", "x"], tmp_path, outside) == [str(tmp_path / "a" / "agent.sh"), "x"]
    assert resolved(["make", "agent"], tmp_path, inside) == ["make", "agent"]
