"""What judging a tree needs: the place, the policy, the shim and a work tree to lay trees in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ralph.config import Config
from ralph.core.secrets import Redactor
from ralph.domain import GateResult, GuardResult
from ralph.engine.jails import Place
from ralph.engine.keep import Keeper
from ralph.engine.line import Line
from ralph.host.process import Shim, Wake
from ralph.vcs.workspace import Workspace
from ralph.verify.compare import BaseResult
from ralph.verify.gates import PlannedGate

Kept = dict[str, Path]
"""Per kept folder its place on the host."""


@dataclass
class Bench:
    """What judging a tree needs."""

    place: Place
    config: Config
    shim: Shim
    workspace: Workspace
    keeper: Keeper
    redactor: Redactor
    wakes: Sequence[Wake]
    """Descriptors that may end a running gate: the line to the daemon."""
    known_secrets: Sequence[str]
    """Values that must never stand in a change."""
    told: Callable[[str, tuple[GuardResult, ...], tuple[GateResult, ...]], None]
    """Gets verdicts as they are reached: the tree they are about, guards, gates."""
    base: Callable[[PlannedGate], BaseResult | None] = lambda _: None
    """What is known of a gate on the base of the change; may run it there."""
    line: Line | None = None
    """To the daemon, where a night runs: who gives a budget and a reviewer."""
    asides: dict[str, Bench] = field(default_factory=dict)

    def aside(self, name: str) -> Bench:
        """A bench whose trees lie beside this one's and are seen at the same path; made at the first use.

        Without a sandbox a path can't be two trees, so it is this one: whoever runs something lays its tree first.
        """
        if not self.place.boxed:
            return replace(self, base=lambda _: None)
        if name not in self.asides:
            place = replace(self.place, folder=name)
            workspace = self.workspace.aside(name)
            keeper = Keeper(place, self.shim, workspace)
            self.asides[name] = replace(
                self, place=place, workspace=workspace, keeper=keeper, asides={}, base=lambda _: None
            )
        return self.asides[name]

    @property
    def stopped(self) -> bool:
        """Whether the daemon wants this iteration to end now."""
        return any(look() for _, look in self.wakes)
