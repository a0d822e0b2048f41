"""The built-in agent: a conversation with the Messages API whose tools run inside the sandbox."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ralph import config
from ralph.agents.api_session import Session
from ralph.agents.base import Desk, Job
from ralph.agents.program import Clock, utc_now
from ralph.core.secrets import Redactor
from ralph.domain import AgentResult, Wait

DEFAULT_MODEL = "claude-sonnet-5-5"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the agent itself puts up with errors and silence, in seconds."""

    retries: float = 60.0
    """All short waits in a row; what takes longer is the daemon's to wait for."""
    idle: float = 300.0
    """Without an event of the stream."""
    scale: float = 1.0
    """Factor of the back-off where the server named no time."""


@dataclass
class ApiAgent:
    """Agent of kind "api". ``prices`` is the [prices] table; without a ``redactor`` the job's secrets are redacted."""

    name: str
    settings: config.Agent
    prices: Mapping[str, config.Price] = field(default_factory=dict)
    redactor: Redactor | None = None
    patience: Patience = Patience()
    now: Clock = utc_now
    chance: Callable[[], float] = random.random

    @property
    def model(self) -> str:
        return self.settings.model or DEFAULT_MODEL

    def run(self, job: Job, desk: Desk) -> AgentResult:
        """Work on the job until the model ends, the budget is used, the daemon says stop or the account must wait."""
        variable = self.settings.api_key_env
        if not job.secrets.get(variable):
            reason = f"{variable} is not set"
            return AgentResult(error=reason, wait=Wait(0.0, reason, halt=True))
        return asyncio.run(Session(self, job, desk).run())

    def redact(self, job: Job) -> Callable[[str], str]:
        return (self.redactor or Redactor(value for value in job.secrets.values() if value)).text

    def options(self) -> dict[str, Any]:
        """Parameters that make a call better, but that an older model or a gateway may refuse."""
        options: dict[str, Any] = {"thinking": {"type": "adaptive"}, "cache_control": {"type": "ephemeral"}}
        if self.settings.effort:
            options["output_config"] = {"effort": self.settings.effort}
        return options
