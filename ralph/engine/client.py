"""Ask a running daemon something; standard library only, because `ralph status` has to answer at once."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from ralph.errors import DaemonError


def ask(path: Path, request: dict[str, Any], timeout: float = 10) -> dict[str, Any] | None:
    """Send one request and return the answer; None where no daemon runs.

    Raises DaemonError where one runs but does not answer in ``timeout`` seconds, or refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout)
        try:
            line.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        try:
            line.sendall(json.dumps(request).encode() + b"\n")
            answer = _read_line(line)
        except (TimeoutError, ConnectionError):
            raise DaemonError("the daemon does not answer", "look at `ralph logs --daemon`") from None
    if not answer:
        return None
    data: dict[str, Any] = json.loads(answer)
    if "error" in data:
        raise DaemonError(data["error"], data.get("hint", ""))
    return data


def _read_line(line: socket.socket) -> bytes:
    parts: list[bytes] = []
    while chunk := line.recv(65536):
        parts.append(chunk)
        if chunk.endswith(b"\n"):
            break
    return b"".join(parts)
