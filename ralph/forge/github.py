"""Pull requests on GitHub through PyGithub: one request at a time, looked up by branch before anything is written.

A write whose answer is lost has an unknown outcome, so it is looked up again, never just repeated.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ralph.core.inert import line
from ralph.errors import ForgeError
from ralph.forge.base import Proposal, PullRequest

if TYPE_CHECKING:
    from github.GithubException import GithubException
    from github.PullRequest import PullRequest as Remote
    from github.Repository import Repository

TIMEOUT = 30
"""Seconds for one request."""

PAUSE = 1.0
"""Seconds between two writes, as GitHub's guidelines for integrators ask."""

MOST_LISTED = 300

_OWN = ("ralph/", "ralph-task/")
_LATER = "transient: it is tried again with the next delivery"
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")


class GithubForge:
    """Pull requests of ``repository`` (``owner/name``) at ``base_url`` (``https://api.github.com``)."""

    name = "github"

    def __init__(self, repository: str, token: str, base_url: str, *, pause: float = PAUSE) -> None:
        self._name = repository
        self._owner = repository.split("/")[0]
        self._token, self._base_url, self._pause = token, base_url.rstrip("/"), pause
        self._lock = threading.Lock()
        self._repository: Repository | None = None

    def find(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch, open ones first."""
        with self._lock, _answers():
            found = self._find(branch)
            return _seen(found, branch) if found else None

    def publish(self, proposal: Proposal) -> PullRequest:
        """Create or update; a merged or closed one is only followed by a new one when the branch has moved on."""
        with self._lock:
            with _answers():
                found = self._find(proposal.branch)
            if found is None or (_state(found) != "open" and found.head.sha != proposal.head):
                return self._create(proposal)
            with _answers():
                if _state(found) == "open":
                    self._update(found, proposal)
                return _seen(found, proposal.branch)

    def list(self) -> list[PullRequest]:
        """Pull requests of this repository from branches that only ralph writes, oldest first."""
        with self._lock, _answers():
            pages = self._repo().get_pulls(state="all", sort="created", direction="desc")
            own = [
                _seen(remote, remote.head.ref)
                for remote, _ in zip(pages, range(MOST_LISTED), strict=False)
                if remote.head.ref.startswith(_OWN) and remote.head.label.split(":")[0].lower() == self._owner.lower()
            ]
        return own[::-1]

    def _find(self, branch: str) -> Remote | None:
        pages = self._repo().get_pulls(state="all", sort="created", direction="desc", head=f"{self._owner}:{branch}")
        first = [remote for remote in pages.get_page(0) if remote.head.ref == branch]
        return max(first, key=lambda remote: (_state(remote) == "open", remote.number), default=None)

    def _create(self, proposal: Proposal) -> PullRequest:
        try:
            with _answers():
                made = self._post(proposal)
                return _seen(made, proposal.branch)
        except ForgeError as error:
            if not _is_transient(error) and "already exists" not in error.message:
                raise
            with _answers():
                found = self._find(proposal.branch)
                if found is None or _state(found) != "open":
                    raise
                self._update(found, proposal)
                return _seen(found, proposal.branch)

    def _post(self, proposal: Proposal, draft: bool | None = None) -> Remote:
        from github import GithubException

        draft = proposal.draft if draft is None else draft
        try:
            return self._repo().create_pull(
                base=proposal.base, head=proposal.branch, title=proposal.title, body=proposal.body, draft=draft
            )
        except GithubException as error:
            # Private repositories on some plans have no drafts.
            if not draft or error.status != 422 or "draft" not in _said(error).lower():
                raise
            return self._post(proposal, draft=False)

    @staticmethod
    def _update(remote: Remote, proposal: Proposal) -> None:
        """Only what differs; whether it is a draft is the person's to change."""
        if (remote.title, remote.body or "", remote.base.ref) != (proposal.title, proposal.body, proposal.base):
            remote.edit(title=proposal.title, body=proposal.body, base=proposal.base)

    def _repo(self) -> Repository:
        if self._repository is None:
            from github import Auth, Github

            client = Github(
                auth=Auth.Token(self._token),
                base_url=self._base_url,
                timeout=TIMEOUT,
                user_agent="ralph",
                retry=None,
                seconds_between_requests=0,
                seconds_between_writes=self._pause,
                lazy=True,
            )
            self._repository = client.get_repo(self._name)
        return self._repository


def token(variable: str, base_url: str, secrets: Mapping[str, str] = MappingProxyType({})) -> str:
    """The token from ``secrets`` or the environment, else the one ``gh`` is logged in with.

    Raises ForgeError without any.
    """
    for name in (variable, "GH_TOKEN"):
        value = (secrets.get(name) or os.environ.get(name) or "").strip()
        if value:
            return value
    host = urlsplit(base_url).hostname or ""
    command = ["gh", "auth", "token", "--hostname", "github.com" if host == "api.github.com" else host]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    value = done.stdout.decode("ascii", "ignore").strip() if done and done.returncode == 0 else ""
    if not value:
        raise ForgeError(f"no token for {host}", f"set {variable}, or run `gh auth login`")
    return value


def repository_of(url: str) -> str:
    """``owner/name`` of a remote's URL in any form git takes. Raises ForgeError, without repeating credentials."""
    parts = urlsplit(url)
    path = parts.path if parts.scheme and parts.hostname else ""
    if not path and "://" not in url and (scp := _SCP.fullmatch(url)):
        path = scp["path"]
    names = path.strip("/").removesuffix(".git").split("/")
    if len(names) != 2 or not all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names):
        raise ForgeError("the remote's URL names no repository on GitHub", 'set [forge] repository = "owner/name"')
    return "/".join(names)


@contextmanager
def _answers() -> Iterator[None]:
    """Turn what a forge or the way to it can do wrong into one ForgeError."""
    from github import BadAttributeException, GithubException
    from requests import RequestException

    try:
        yield
    except BadAttributeException:
        raise ForgeError("the forge's answer is not GitHub's (a proxy in between?)", _LATER) from None
    except GithubException as error:
        raise _refused(error) from None
    except RequestException as error:
        what = type(error).__name__
        raise ForgeError(f"the forge can't be reached ({what}): {line(str(error), 200)}", _LATER) from None
    except (TypeError, AttributeError, KeyError, ValueError, AssertionError) as error:
        # PyGithub builds its objects from any JSON: a login page of a hotel ends up here.
        raise ForgeError(f"the forge's answer makes no sense: {line(str(error), 120)}", _LATER) from error


def _refused(error: GithubException) -> ForgeError:
    said, headers = _said(error), {name.lower(): value for name, value in (error.headers or {}).items()}
    limited = error.status == 429 or (
        error.status == 403 and ("rate limit" in said.lower() or "retry-after" in headers or "abuse" in said.lower())
    )
    if limited:
        after = headers.get("retry-after", "")
        return ForgeError(f"rate limit: {said}", f"{_LATER}{f', not before {after} s' if after else ''}")
    match error.status:
        case status if status >= 500:
            return ForgeError(f"the forge answered {status}: {said}", _LATER)
        case 401:
            return ForgeError(f"the token was refused: {said}", "make a new one, or run `gh auth login`")
        case 403:
            return ForgeError(f"not allowed: {said}", "the token needs to read and write pull requests")
        case 404 | 410 | 301 | 451:
            return ForgeError(f"no such repository: {said}", "check [forge] repository and what the token may see")
        case status:
            return ForgeError(f"the forge answered {status}: {said}", "see the pull requests of the repository")


def _said(error: GithubException) -> str:
    """GitHub's message with those of its error list."""
    data = error.data if isinstance(error.data, dict) else {"message": str(error.data)}
    errors = data.get("errors")
    items = errors if isinstance(errors, list) else []
    more = [str(item.get("message") or item.get("code")) if isinstance(item, dict) else str(item) for item in items]
    return line("; ".join([str(data.get("message") or "no message"), *more]), 300)


def _is_transient(error: ForgeError) -> bool:
    return error.hint.startswith("transient")


def _state(remote: Remote) -> str:
    return "merged" if remote.merged_at else remote.state


def _seen(remote: Remote, branch: str) -> PullRequest:
    return PullRequest(
        branch=branch,
        number=remote.number,
        url=remote.html_url,
        state=_state(remote),
        title=remote.title,
        head=remote.head.sha,
        draft=bool(remote.draft),
    )
