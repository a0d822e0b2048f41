"""The seam to a person's attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    event: str
    """night_finished, needs_human, paused, limit, waiting, environment."""
    title: str
    text: str


class Notifier(Protocol):
    def send(self, notice: Notice) -> None:
        """Tell a person. A notifier that fails logs and returns: a night never stops for it."""
