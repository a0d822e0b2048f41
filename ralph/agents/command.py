"""Any program as an agent: it gets the prompt, edits the work tree and exits; nothing it says is believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ralph import config
from ralph.agents.base import Desk, Job
from ralph.agents.program import (
    SAID_BYTES,
    Clock,
    Tail,
    error_output,
    failure,
    full_prompt,
    own_files,
    resolved,
    utc_now,
)
from ralph.agents.review import ANSWER_BYTES
from ralph.agents.waits import QUIET_LINES, from_tail
from ralph.domain import AgentResult, Cause, Usage, Wait
from ralph.errors import RalphError
from ralph.host.files import read_regular
from ralph.host.process import Completed

MAX_ARGUMENT = 120_000
"""Bytes; Linux refuses a single argument of 128 KiB."""
USAGE_BYTES = 16 * 1024
_MOST = 10**12

_TOKENS = (
    ("input_tokens",),
    ("cache_write_tokens", "cache_creation_input_tokens"),
    ("cache_read_tokens", "cache_read_input_tokens"),
    ("output_tokens",),
)


class CommandAgent:
    """Runs ``command`` of an ``[agents.*]`` table with kind "command".

    ``root`` is the directory of ralph.toml. Nobody counts its tokens; what it writes to RALPH_USAGE_FILE is
    recorded as reported.
    """

    def __init__(self, name: str, settings: config.Agent, root: Path, *, clock: Clock = utc_now) -> None:
        self.name = name
        self._settings = settings
        self._root = root
        self._clock = clock

    def binds(self) -> list[Path]:
        """Host files that the sandbox must show read-only: the program itself."""
        return own_files(self._settings.command, self._root)

    def run(self, job: Job, desk: Desk) -> AgentResult:
        """Run the program once; an exit code of 0 proves nothing, any other is an error."""
        prompt = full_prompt(job).encode("utf-8", "replace")
        if self._settings.prompt == "arg" and len(prompt) > MAX_ARGUMENT:
            return AgentResult(
                error=f'the prompt ({len(prompt)} bytes) is too long for an argument; set prompt = "stdin"',
                usage=Usage(dollars=None),
                metered=False,
            )
        tail = Tail()

        def on_line(line: bytes) -> Cause | None:
            tail.add(line)
            return None

        completed = desk.run(
            self._argv(job, prompt.decode()),
            env=self._env(job),
            stdin=prompt if self._settings.prompt == "stdin" else None,
            on_line=on_line,
        )
        return self._result(job, desk, completed, tail)

    def _argv(self, job: Job, prompt: str) -> list[str]:
        values = {"{prompt_file}": str(job.prompt_file), "{task_id}": job.task_id, "{model}": self._settings.model}
        argv = [_filled(word, values) for word in resolved(self._settings.command, self._root, job)]
        named = any("{prompt_file}" in word for word in self._settings.command)
        match self._settings.prompt:
            case "arg":
                argv.append(prompt)
            case "file" if not named:
                argv.append(str(job.prompt_file))
        return argv

    def _env(self, job: Job) -> dict[str, str]:
        passed = {name: job.secrets[name] for name in self._settings.env if name in job.secrets}
        return {**job.env, **passed}

    def _result(self, job: Job, desk: Desk, completed: Completed, tail: Tail) -> AgentResult:
        usage, note = reported_usage(job.usage_file)
        if usage.calls:
            desk.spent(usage, self._settings.model or self.name)
        result = AgentResult(
            exit_code=completed.exit_code,
            cause=completed.cause,
            usage=usage,
            metered=False,
            said="\n".join(filter(None, [tail.text()[-SAID_BYTES:], note])),
        )
        if job.review:
            result = replace(result, said=handed_in(job.review))
        if completed.cause in (None, Cause.STALL, Cause.TIMEOUT):
            wait = self._wait(job, completed, tail)
            if wait:
                return replace(result, cause=None, wait=wait)
        return result if completed.cause else replace(result, error=self._failure(job, completed, tail))

    def _failure(self, job: Job, completed: Completed, tail: Tail) -> str | None:
        program = self._settings.command[0]
        if completed.exit_code == 127 and not tail.seen:
            return f"exit 127: {program} was not found; inside a sandbox it sees PATH, but not your home"
        if completed.exit_code == 126 and not tail.seen:
            return f"exit 126: {program} is not executable"
        return failure(completed, error_output(job) or tail.text())

    def _wait(self, job: Job, completed: Completed, tail: Tail) -> Wait | None:
        code = None if completed.cause else completed.exit_code
        if code == 0 and tail.seen > QUIET_LINES:
            return None
        now = self._clock()
        return from_tail(tail.text(), code, now) or from_tail(error_output(job), code, now)


def handed_in(path: Path) -> str:
    """What the program wrote to RALPH_REVIEW_FILE; empty where that is nothing readable."""
    try:
        return read_regular(path, ANSWER_BYTES).decode("utf-8", "replace")
    except RalphError:
        return ""


def reported_usage(path: Path | None) -> tuple[Usage, str]:
    """Read the JSON of RALPH_USAGE_FILE: (usage, note). A missing file is no usage, a bad one a note.

    Keys: input_tokens, cache_write_tokens, cache_read_tokens, output_tokens, dollars, calls; the names that the
    Messages API uses for cache tokens do as well.
    """
    unknown = Usage(dollars=None)
    if path is None or not path.exists() or path.stat().st_size == 0:
        return unknown, ""
    try:
        data = json.loads(read_regular(path, USAGE_BYTES))
        return _usage(data), ""
    except (RalphError, ValueError, RecursionError) as error:
        return unknown, f"[RALPH_USAGE_FILE ignored: {error}]"


def _usage(data: Any) -> Usage:
    if not isinstance(data, Mapping):
        raise ValueError("it holds no JSON object")
    fresh, write, read, output = (_count(data, *names) for names in _TOKENS)
    dollars = data.get("dollars", data.get("cost_usd"))
    if dollars is not None and (isinstance(dollars, bool) or not isinstance(dollars, (int, float))):
        raise ValueError("dollars is not a number")
    if dollars is not None and not 0 <= dollars <= _MOST:
        raise ValueError("dollars is out of range")
    said = None if dollars is None else float(dollars)
    calls = _count(data, "calls") or int(fresh + write + read + output > 0 or said is not None)
    return Usage(fresh, write, read, output, dollars=None, reported_dollars=said, calls=calls)


def _count(data: Mapping[str, Any], *names: str) -> int:
    for name in names:
        value = data.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
            raise ValueError(f"{name} is not a count of tokens")
        return value
    return 0


def _filled(word: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word
