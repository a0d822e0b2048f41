"""Pull requests as files: a readable page and an index entry for each branch. The default, with no account."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

from ralph.core import inert
from ralph.errors import ForgeError, RalphError
from ralph.forge.base import Proposal, PullRequest
from ralph.host.files import read_regular, write_atomic

MOST_DIFF = 1_000_000
"""Characters of a diff on the page; the rest is a git command away."""

_TIDY = re.compile(r"ralph/([a-z0-9._-]+)")


class LocalForge:
    """``<slug>.md`` and ``<slug>.json`` in one directory; earlier pull requests of a branch are ``<slug>@<number>``."""

    name = "local"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch, open ones first."""
        own = [request for request in self.list() if request.branch == branch]
        return max(own, key=lambda request: (request.state == "open", request.number), default=None)

    def publish(self, proposal: Proposal) -> PullRequest:
        """Create or update; a merged or closed one is only followed by a new one when the branch has moved on."""
        found = self.find(proposal.branch)
        if found and found.state != "open":
            if found.head == proposal.head:
                return found
            self._archive(found)
            found = None
        number = found.number if found else max((request.number for request in self.list()), default=0) + 1
        draft = found.draft if found else proposal.draft
        page = self._directory / f"{slug(proposal.branch)}.md"
        request = PullRequest(
            branch=proposal.branch,
            number=number,
            url=str(page),
            state="open",
            title=proposal.title,
            head=proposal.head,
            draft=draft,
        )
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(page, _page(request, proposal).encode("utf-8", "replace"))
        self._save(request)
        return request

    def close(self, branch: str, state: Literal["merged", "closed"]) -> PullRequest | None:
        """Record what became of the open pull request of a branch; None where there is none."""
        found = self.find(branch)
        if found is None or found.state != "open":
            return None
        page = Path(found.url)
        text = read_regular(page, 8 * MOST_DIFF).decode("utf-8", "replace")
        write_atomic(page, text.replace("\nState: open", f"\nState: {state}", 1).encode())
        closed = replace(found, state=state)
        self._save(closed)
        return closed

    def list(self) -> list[PullRequest]:
        """Every pull request, oldest first. Raises ForgeError for an index entry that can't be read."""
        if not self._directory.is_dir():
            return []
        found = {request.number: request for request in map(self._load, sorted(self._directory.glob("*.json")))}
        return [found[number] for number in sorted(found)]

    def _load(self, path: Path) -> PullRequest:
        try:
            value = json.loads(read_regular(path, 1_000_000))
            return PullRequest(
                branch=str(value["branch"]),
                number=int(value["number"]),
                url=str(value["url"]),
                state=str(value["state"]),
                title=str(value["title"]),
                head=str(value["head"]),
                draft=bool(value["draft"]),
            )
        except (ValueError, KeyError, TypeError, RalphError) as error:
            raise ForgeError(f"{path} is damaged: {error}", "remove it; the next delivery writes it again") from None

    def _save(self, request: PullRequest, stem: str = "") -> None:
        data = json.dumps({"version": 1, **asdict(request)}, indent=2, ensure_ascii=False) + "\n"
        write_atomic(self._directory / f"{stem or slug(request.branch)}.json", data.encode("utf-8", "replace"))

    def _archive(self, request: PullRequest) -> None:
        """Make room: the entry first, so that a crash between leaves two names for one number, never none."""
        old = slug(request.branch)
        new = f"{old}@{request.number}"
        if (self._directory / f"{new}.json").exists():
            return
        page = self._directory / f"{new}.md"
        write_atomic(page, read_regular(self._directory / f"{old}.md", 8 * MOST_DIFF))
        self._save(replace(request, url=str(page)), new)
        (self._directory / f"{old}.json").unlink(missing_ok=True)


def slug(branch: str) -> str:
    """File name for a branch: ``ralph-loop-1`` for ``ralph/loop-1``, and one with a hash for any other form."""
    if tidy := _TIDY.fullmatch(branch):
        return f"ralph-{tidy[1]}"[:120]
    readable = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")[:80]
    return f"{readable}-{hashlib.sha256(branch.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"


def _page(request: PullRequest, proposal: Proposal) -> str:
    asked = f"git diff {proposal.base_commit}...{proposal.head}"
    return "\n".join(
        (
            f"# {inert.markdown(request.title, 300)}",
            "",
            f"State: {request.state}{' (draft)' if request.draft else ''}",
            f"Number: {request.number}",
            f"Branch: {inert.code(request.branch)} into {inert.code(proposal.base)}",
            f"Head: {inert.code(request.head)}",
            "",
            proposal.body.rstrip("\n"),
            "",
            "## Diff",
            "",
            f"{inert.code(asked)}",
            "",
            inert.fenced(proposal.diff, MOST_DIFF, "diff") if proposal.diff else "No difference.",
            "",
        )
    )
