"""The daemon's control socket (mode 0600): one JSON request a line, one JSON answer a line."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

MAX_REQUEST = 64 * 1024


class Request(BaseModel):
    """What may be asked of a running daemon."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Literal["status", "stop", "pause", "resume"]
    now: bool = False
    """stop: end running agents instead of draining."""
    loop: str = ""
    """pause, resume: one loop; empty: all."""


Handler = Callable[[Request], Awaitable[dict[str, Any]]]


class ControlServer:
    """Answers requests on a unix socket until closed."""

    def __init__(self, path: Path, handle: Handler) -> None:
        self._path = path
        self._handle = handle
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind; a socket file left by a dead daemon is replaced (the caller holds the repository's lock)."""
        from ralph.host.files import private_directory

        private_directory(self._path.parent)
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_REQUEST)
        finally:
            os.umask(before)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 5)
            answer = await self._answer(line)
            writer.write(json.dumps(answer).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), 5)
        except (ValueError, ConnectionError, TimeoutError):
            pass  # a client that sends nonsense or goes away harms only itself
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = Request.model_validate_json(line)
        except ValidationError as error:
            return {"error": f"not a request: {error.errors()[0]['msg']}"}
        return await self._handle(request)

    async def close(self) -> None:
        if self._server:
            self._server.close()
            self._path.unlink(missing_ok=True)
