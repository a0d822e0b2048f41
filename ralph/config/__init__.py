"""Policy of one repository: the models of ralph.toml and how it is read."""

from ralph.config.limits import Limits, LoopLimits
from ralph.config.load import explain, freeze, load, parse
from ralph.config.schema import (
    Agent,
    Config,
    Forge,
    Gate,
    Guards,
    Keep,
    Loop,
    Night,
    Notify,
    Price,
    Role,
    Sandbox,
    Verify,
    Workspace,
)

__all__ = [
    "Agent",
    "Config",
    "Forge",
    "Gate",
    "Guards",
    "Keep",
    "Limits",
    "Loop",
    "LoopLimits",
    "Night",
    "Notify",
    "Price",
    "Role",
    "Sandbox",
    "Verify",
    "Workspace",
    "explain",
    "freeze",
    "load",
    "parse",
]
