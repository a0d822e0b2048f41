"""What was said between an agent and its model, one JSON line a step, without the secrets that are known."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Transcript:
    """Appends to a file of mode 0600; ``redact`` takes secrets out of each string before it is written."""

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8")
        self._redact = redact

    def write(self, kind: str, **data: object) -> None:
        """Add one step, such as ``request``, ``response``, ``error`` or ``note``."""
        row = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "kind": kind, **data}
        self._file.write(json.dumps(self._clean(row)) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _clean(self, value: Any) -> Any:
        match value:
            case str():
                return self._redact(value)
            case dict():
                return {key: self._clean(one) for key, one in value.items()}
            case list() | tuple():
                return [self._clean(one) for one in value]
            case _:
                return value
