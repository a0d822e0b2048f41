"""The tools that the built-in agent offers the model, carried out by the tool host inside the sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ralph.agents import review
from ralph.agents.base import Desk, ToolProcess
from ralph.agents.toolhost import BASH_SECONDS, FILE_SECONDS, MAX_SECONDS
from ralph.domain import Cause

SLACK = 20.0
"""Seconds that the tool host gets beyond its own time limits before it is taken for dead."""
MAX_STARTS = 8
MAX_ANSWER = 4_000_000


def _own(name: str, description: str, fields: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "strict": True,
        "input_schema": {
            "type": "object",
            "properties": {key: {"type": "string", "description": text} for key, text in fields.items()},
            "required": list(fields),
            "additionalProperties": False,
        },
    }


BASH = {"type": "bash_20250124", "name": "bash"}
EDITOR = "str_replace_based_edit_tool"
SEEING: tuple[dict[str, Any], ...] = (
    _own(
        "list_files",
        "List the files below a directory of the work tree, without those that .gitignore names.",
        {"path": "directory, relative to the work tree; . for all of it", "pattern": "glob such as *.py; * for all"},
    ),
    _own(
        "search_files",
        "Search the files of the work tree for lines that match a regular expression (Python syntax).",
        {
            "pattern": "regular expression",
            "path": "file or directory, relative to the work tree; . for all of it",
            "glob": "glob of file names to search; * for all",
        },
    ),
)
TOOLS: tuple[dict[str, Any], ...] = (BASH, {"type": "text_editor_20250728", "name": EDITOR}, *SEEING)
VIEW = "view_file"
REVIEW_TOOLS: tuple[dict[str, Any], ...] = (
    BASH,
    _own(VIEW, "Read a file of the work tree, or list a directory.", {"path": "path, relative to the work tree"}),
    *SEEING,
    {
        "name": review.TOOL,
        "description": "Hand in the review. It ends your work; call it once, alone, when you know what you think.",
        "strict": True,
        "input_schema": review.SCHEMA,
    },
)
"""Of a job in which nothing is to be written: there is no editor."""


class Tools:
    """The tool host's client: one request at a time, started when first needed and again after it broke."""

    def __init__(self, desk: Desk, env: Mapping[str, str], writes: bool = True) -> None:
        self._desk = desk
        self._env = env
        self._writes = writes
        self._process: ToolProcess | None = None
        self._buffer = bytearray()
        self._starts = 0
        self._number = 0

    async def call(self, name: str, given: object) -> tuple[str, bool]:
        """Carry out one tool call; (text, whether it is an error). Nothing that a tool does raises."""
        if not self._writes:
            if name == EDITOR:
                return "not run: nothing is written in a review", True
            if name == VIEW and isinstance(given, Mapping):
                name, given = EDITOR, {"command": "view", "path": given.get("path")}
        self._number += 1
        line = json.dumps({"id": self._number, "tool": name, "input": given}).encode() + b"\n"
        try:
            async with asyncio.timeout(_seconds(name, given) + SLACK) as limit:
                answer = await self._exchange(line)
        except TimeoutError:
            if not limit.expired():
                raise
            return self._broke("the tool did not come back and was killed")
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            return self._broke(f"the tools ended while this ran ({error or type(error).__name__})")
        return answer

    def look(self) -> Cause | None:
        """The limit that ended the tool host, if one did."""
        return self._process.cause() if self._process else None

    def close(self) -> None:
        """End the tool host and all it started."""
        process, self._process = self._process, None
        self._buffer.clear()
        if process is not None:
            process.close()

    def _broke(self, what: str) -> tuple[str, bool]:
        self.close()
        return f"{what}; tools start afresh with the next call, background processes are gone", True

    async def _exchange(self, line: bytes) -> tuple[str, bool]:
        process = self._process or self._start()
        await self._write(process.stdin.fileno(), line)
        answer = json.loads(await self._read(process.stdout.fileno()))
        if answer["id"] != self._number:
            raise ValueError("an answer to another call")
        return str(answer["content"]), bool(answer["is_error"])

    def _start(self) -> ToolProcess:
        if self._starts == MAX_STARTS:
            raise EOFError(f"started {MAX_STARTS} times, no more")
        self._starts += 1
        python = os.path.realpath(sys.executable)
        source = Path(__file__).with_name("toolhost.py").read_text(encoding="utf-8")
        self._process = self._desk.open([python, "-I", "-S", "-c", source], env=self._env)
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)
        return self._process

    async def _write(self, fd: int, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                await _ready(fd, loop.add_writer, loop.remove_writer)

    async def _read(self, fd: int) -> bytes:
        loop = asyncio.get_running_loop()
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                data = os.read(fd, 1 << 16)
            except BlockingIOError:
                await _ready(fd, loop.add_reader, loop.remove_reader)
                continue
            if not data:
                raise EOFError("end of file")
            self._buffer += data
            if len(self._buffer) > MAX_ANSWER:
                raise ValueError("an answer without end")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


def _ready(fd: int, add: Callable[..., object], remove: Callable[[int], object]) -> Awaitable[None]:
    """Wait until a descriptor can be read or written."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(fd, lambda: None if future.done() else future.set_result(None))
    future.add_done_callback(lambda _: remove(fd))
    return future


def _seconds(name: str, given: object) -> float:
    if name != "bash":
        return FILE_SECONDS
    asked = given.get("timeout") if isinstance(given, Mapping) else None
    return min(float(asked), MAX_SECONDS) if isinstance(asked, int | float) and asked > 0 else BASH_SECONDS
