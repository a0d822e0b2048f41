"""One suite for every forge: the same branch is always the same pull request, whatever happened on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import github_description
import pytest
from github_server import NAME, OWNER, TOKEN, Answer, GithubServer, say

from ralph.errors import ForgeError
from ralph.forge import Forge, Proposal
from ralph.forge.github import GithubForge
from ralph.forge.local import LocalForge

FIRST = Proposal(
    branch="ralph/loop-1",
    base="main",
    head="1" * 40,
    base_commit="0" * 40,
    title="Add a parser",
    body="## What changed\n\nA parser.\n",
    draft=True,
    diff="diff --git a/x b/x\n+one\n",
)


@dataclass
class Place:
    """A forge with what stands behind it: how a branch is pushed, and how a person merges or closes."""

    forge: Forge
    push: Callable[[str, str], None]
    settle: Callable[[str, Any], object]
    interrupted: Callable[[Proposal], None]
    """Publish in such a way that it is made and nobody learns of it."""

    def publish(self, proposal: Proposal) -> Any:
        self.push(proposal.branch, proposal.head)
        return self.forge.publish(proposal)


@pytest.fixture(scope="session")
def description(request: pytest.FixtureRequest) -> github_description.Description:
    return github_description.of(request.config)


@pytest.fixture(params=["local", "github"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "local":
        local = LocalForge(tmp_path / "prs")
        yield Place(local, lambda branch, head: None, local.close, lambda proposal: _killed(local, proposal))
        return
    server = GithubServer(request.getfixturevalue("description"))
    forge = GithubForge(f"{OWNER}/{NAME}", TOKEN, server.url, pause=0)
    try:
        yield Place(forge, server.push, server.settle, lambda proposal: _unanswered(server, forge, proposal))
        assert server.problems == []
    finally:
        server.close()


def _killed(forge: LocalForge, proposal: Proposal) -> None:
    """As a SIGKILL between the page and the index entry leaves it."""
    Path(forge.publish(proposal).url).with_suffix(".json").unlink()


def _unanswered(server: GithubServer, forge: GithubForge, proposal: Proposal) -> None:
    """Made, but answered with 502, and so is the look that follows."""

    def lost(_: object, act: Callable[[], Answer]) -> Answer:
        act()
        return say(502, {"message": "Bad Gateway"})

    server.push(proposal.branch, proposal.head)
    server.faults = [lambda _, act: act(), lost, lost]
    with pytest.raises(ForgeError, match="502") as caught:
        forge.publish(proposal)
    assert caught.value.hint.startswith("transient")


def test_nothing_is_there_at_first(place: Place) -> None:
    assert place.forge.find("ralph/loop-1") is None
    assert place.forge.list() == []


def test_publishing_twice_is_one_pull_request(place: Place) -> None:
    first = place.publish(FIRST)
    assert place.publish(FIRST) == first
    assert place.forge.list() == [first]
    assert (first.branch, first.number, first.state, first.title, first.head, first.draft) == (
        "ralph/loop-1",
        1,
        "open",
        "Add a parser",
        "1" * 40,
        True,
    )
    assert first.url


def test_it_is_found_by_branch_alone(place: Place) -> None:
    made = place.publish(FIRST)
    assert place.forge.find("ralph/loop-1") == made
    assert place.forge.find("ralph/loop-10") is None
    assert place.forge.find("ralph/loop") is None


def test_an_update_changes_what_it_says_and_keeps_its_number(place: Place) -> None:
    place.publish(FIRST)
    changed = place.publish(replace(FIRST, head="2" * 40, title="Add a parser and a lexer", body="More.\n"))
    assert (changed.number, changed.head, changed.title) == (1, "2" * 40, "Add a parser and a lexer")
    assert place.forge.list() == [changed]


def test_draft_is_what_was_asked_for_and_stays_the_persons(place: Place) -> None:
    assert place.publish(replace(FIRST, draft=False)).draft is False
    assert place.publish(FIRST).draft is False


def test_each_branch_has_its_own(place: Place) -> None:
    branches = ["ralph/loop-1", "ralph/loop-2", "ralph-task/T.1", "ralph/loop.1"]
    for branch in branches:
        place.publish(replace(FIRST, branch=branch, title=branch))
    assert [(request.branch, request.number) for request in place.forge.list()] == list(
        zip(branches, [1, 2, 3, 4], strict=True)
    )
    for branch in branches:
        found = place.forge.find(branch)
        assert found is not None and found.title == branch


def test_an_unknown_outcome_is_still_one_pull_request(place: Place) -> None:
    place.interrupted(FIRST)
    made = place.publish(FIRST)
    assert made.number == 1
    assert place.forge.list() == [made]


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_a_settled_one_is_left_alone_until_the_branch_moves_on(place: Place, state: str) -> None:
    place.publish(FIRST)
    place.settle("ralph/loop-1", state)
    again = place.forge.publish(replace(FIRST, title="Other"))
    assert (again.number, again.state, again.title) == (1, state, "Add a parser")
    second = place.publish(replace(FIRST, head="2" * 40, title="The next night"))
    assert (second.number, second.state) == (2, "open")
    assert place.forge.find("ralph/loop-1") == second
    assert [(request.number, request.state) for request in place.forge.list()] == [(1, state), (2, "open")]


def test_two_forges_on_the_same_place_agree(place: Place, tmp_path: Path) -> None:
    """A restarted daemon knows nothing but what the forge tells it."""
    made = place.publish(FIRST)
    if isinstance(place.forge, LocalForge):
        other: Forge = LocalForge(tmp_path / "prs")
    else:
        assert isinstance(place.forge, GithubForge)
        other = GithubForge(f"{OWNER}/{NAME}", TOKEN, place.forge._base_url, pause=0)
    assert other.publish(FIRST) == made
    assert other.list() == [made]
