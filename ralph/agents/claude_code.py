"""Claude Code (``claude -p``) as an agent: its event stream, its tokens call by call, its ways to fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ralph import config
from ralph.agents.base import Desk, Job
from ralph.agents.claude_events import Call, Ending, Reader, Retry, missing
from ralph.agents.program import (
    SAID_BYTES,
    Clock,
    boxed,
    error_output,
    failure,
    full_prompt,
    own_files,
    resolved,
    said_bytes,
    utc_now,
)
from ralph.agents.waits import clamp, from_rate_limit_event, from_tail, from_text, shortly
from ralph.core.limits import exceeded
from ralph.domain import AgentResult, Cause, Usage, Wait
from ralph.host.process import Completed

Price = Callable[[str, Usage | Mapping[str, Any]], float | None]
"""US dollars for the tokens of one call of a model; None where the price is unknown."""

TOOLS = "Bash,Edit,Write,Read,Glob,Grep"
READING = "Bash,Read,Glob,Grep"
WRITING = "Edit,MultiEdit,Write,NotebookEdit"
LONG_RETRY = 300.0
"""Seconds; a CLI that wants to sleep longer than this is ended, and the account waits instead."""
_OPTIONS = (
    "-p",
    "--output-format", "stream-json",
    "--verbose",
    "--include-partial-messages",
)  # fmt: skip
_WORK = ("--permission-mode", "acceptEdits", "--allowedTools", TOOLS)
_REVIEW = ("--permission-mode", "default", "--allowedTools", READING, "--disallowedTools", WRITING)
_ALONE = ("--no-session-persistence", "--setting-sources", "")
_ENV = {
    "CLAUDE_CODE_MAX_RETRIES": "2",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
}
_SECRETS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL")
_HALTING = frozenset({"authentication_failed", "billing_error", "oauth_org_not_allowed"})
_UNREACHABLE = frozenset({"server_error", "overloaded"})


class ClaudeCode:
    """Runs the CLI once for each job. ``root`` is the directory of ralph.toml."""

    def __init__(self, name: str, settings: config.Agent, root: Path, *, price: Price, clock: Clock = utc_now) -> None:
        self.name = name
        self._settings = settings
        self._root = root
        self._price = price
        self._clock = clock

    def binds(self) -> list[Path]:
        """Host files that the sandbox must show read-only: the program, where ralph.toml names one by path."""
        return own_files(self._settings.command, self._root)

    def run(self, job: Job, desk: Desk) -> AgentResult:
        """Reserve the job's tokens, run, count what each model call takes, stop when it is too much."""
        grant = desk.ask(job.tokens, None)
        if not grant.ok:
            return AgentResult(cause=grant.cause or Cause.TOKENS, said=grant.reason)
        meter = _Meter(job, desk, self._price, self._clock)
        completed = desk.run(
            self._argv(job),
            env=self._env(job),
            stdin=full_prompt(job).encode("utf-8", "replace"),
            on_line=meter.on_line,
        )
        meter.finish()
        result = judge(meter.reader, completed, error_output(job), self._clock(), said_bytes(job))
        if meter.long_retry:
            result = replace(result, cause=None, error=None, wait=_long_wait(meter.long_retry, self._clock()))
        return replace(result, usage=meter.usage)

    def _argv(self, job: Job) -> list[str]:
        own = self._settings
        may = _REVIEW if job.review else _WORK
        argv = [*(resolved(own.command, self._root, job) or ["claude"]), *_OPTIONS, *may, *_ALONE]
        argv += ["--model", own.model] if own.model else []
        argv += ["--effort", own.effort] if own.effort else []
        return [*argv, *own.args]

    def _env(self, job: Job) -> dict[str, str]:
        own = self._settings
        env = {name: value for name, value in job.env.items() if name != "CLAUDE_CODE_RETRY_WATCHDOG"} | _ENV
        env |= {name: job.secrets[name] for name in (*_SECRETS, *own.env) if name in job.secrets}
        if own.api_key_env in job.secrets:
            env["ANTHROPIC_API_KEY"] = job.secrets[own.api_key_env]
        if own.base_url:
            env["ANTHROPIC_BASE_URL"] = own.base_url
        if boxed(job) and os.geteuid() == 0:
            env["IS_SANDBOX"] = "1"  # as root the CLI refuses some modes outside a sandbox
        return env


class _Meter:
    """Counts and prices what the stream shows, and decides whether the run may go on."""

    def __init__(self, job: Job, desk: Desk, price: Price, clock: Clock) -> None:
        self.reader = Reader()
        self.usage = Usage()
        self.long_retry: Retry | None = None
        self._seen: dict[str, Usage] = {}
        self._job, self._desk, self._price, self._clock = job, desk, price, clock

    def on_line(self, line: bytes) -> Cause | None:
        match self.reader.feed(line):
            case Call() as call:
                self._book(call.model, replace(call.usage, dollars=self._price(call.model, call.raw)))
            case Retry() as retry:
                until = self._clock().timestamp() + retry.seconds
                self._desk.waiting(until, f"{retry.error}, retry {retry.attempt} of {retry.most}")
                if retry.seconds > LONG_RETRY:
                    self.long_retry = retry
                    return Cause.STOPPED
        used = self.usage.counted + self.reader.live().counted
        return Cause.TOKENS if self.reader.ending is None and exceeded(self._job.tokens, used) else None

    def finish(self) -> None:
        """Book calls that were cut off, and what the CLI's own total holds beyond what was seen (sub-agents)."""
        for call in self.reader.rest():
            self._book(call.model, replace(call.usage, dollars=self._price(call.model, call.raw)))
        ending = self.reader.ending
        for model, total in ending.totals.items() if ending else ():
            unseen = missing(total, self._seen.get(model, Usage()))
            if unseen.counted or unseen.cache_read_tokens:
                self._book(model, replace(unseen, dollars=self._price(model, unseen), calls=1))
        if ending and ending.dollars is not None:
            self._book(self.reader.model or "claude", Usage(reported_dollars=ending.dollars))

    def _book(self, model: str, usage: Usage) -> None:
        self._seen[model] = self._seen.get(model, Usage()) + usage
        self.usage += usage
        self._desk.spent(usage, model)


def judge(reader: Reader, completed: Completed, errors: str, now: datetime, most: int = SAID_BYTES) -> AgentResult:
    """Say what a run came to. ``is_error`` of the last result decides, never its subtype or the exit code."""
    ending = reader.ending
    said = (ending.text if ending and ending.text else reader.said) or errors.strip()
    result = AgentResult(exit_code=completed.exit_code, said=said[-most:])
    if completed.cause:
        return replace(result, cause=completed.cause)
    if ending is None:
        return _without_result(result, reader, completed, errors, now)
    if ending.ok:
        return result
    wait = _wait(reader, ending, now)
    return replace(result, wait=wait, error=None if wait else _line(ending.terminal or "failed", ending.text))


def _without_result(
    result: AgentResult, reader: Reader, completed: Completed, errors: str, now: datetime
) -> AgentResult:
    """The CLI never came to its last event: it could not start, was killed from outside, or broke."""
    plain = "\n".join(filter(None, [reader.plain.text(), errors.strip()]))
    wait = from_rate_limit_event(reader.limit, now) if reader.limit else None
    if wait is None and completed.exit_code:
        wait = from_tail(plain, completed.exit_code, now)
    why = failure(completed) or "ended"
    return replace(result, wait=wait, error=None if wait else _line(f"{why} without a result", plain))


def _long_wait(retry: Retry, now: datetime) -> Wait:
    return Wait(clamp(now.timestamp() + retry.seconds, now), f"{retry.error} {retry.status or ''}".strip())


def _wait(reader: Reader, ending: Ending, now: datetime) -> Wait | None:
    reason = " ".join((ending.text or reader.error).split())[:200]
    stated = from_text(ending.text, now)
    if ending.code.endswith("spend_limit_reached") or reader.error in _HALTING or (stated and stated.halt):
        return Wait(0.0, reason, halt=True)
    if reader.error == "rate_limit" or ending.status == 429:
        event = from_rate_limit_event(reader.limit, now) if reader.limit else None
        return event or stated or shortly(reason, now)
    down = ending.code == "connection_failed" or ending.status == 408 or (ending.status or 0) >= 500
    return shortly(reason, now) if down or reader.error in _UNREACHABLE else None


def _line(first: str, text: str) -> str:
    rest = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"{first}: {rest}"[:300] if rest else first
