"""The seam to where pull requests live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a pull request should say; the same branch always means the same pull request."""

    branch: str
    base: str
    """Branch name, without a remote."""
    head: str
    """Commit id."""
    base_commit: str
    title: str
    body: str
    draft: bool
    diff: str = ""
    """Unified diff base..head, for forges that store files."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    branch: str
    number: int
    url: str
    """Something a person can open: a URL or a path."""
    state: str
    """open, merged or closed."""
    title: str
    head: str
    draft: bool


class Forge(Protocol):
    name: str

    def find(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch, open ones first."""

    def publish(self, proposal: Proposal) -> PullRequest:
        """Look the pull request up by branch, then create or update it; safe to repeat after an unknown outcome.

        Raises ForgeError; ``transient`` is in the hint where trying later makes sense.
        """

    def list(self) -> list[PullRequest]:
        """Pull requests of this repository that ralph opened."""
