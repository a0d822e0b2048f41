"""The GitHub forge against a local server that knows GitHub's description: what goes wrong on the way, and its end."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import github_description
import pytest
from github_description import Request
from github_server import NAME, OWNER, TOKEN, Answer, GithubServer, refuse, say

from ralph import forge as room
from ralph.config import parse
from ralph.errors import ForgeError
from ralph.forge import Proposal
from ralph.forge.github import GithubForge, repository_of, token
from ralph.host.paths import layout

PROPOSAL = Proposal(
    branch="ralph/loop-1", base="main", head="1" * 40, base_commit="0" * 40, title="T", body="B\n", draft=True
)
PULLS = f"/repos/{OWNER}/{NAME}/pulls"


@pytest.fixture(scope="session")
def description(request: pytest.FixtureRequest) -> github_description.Description:
    return github_description.of(request.config)


@pytest.fixture
def server(description: github_description.Description) -> Iterator[GithubServer]:
    server = GithubServer(description)
    server.push(PROPOSAL.branch, PROPOSAL.head)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def forge(server: GithubServer) -> Iterator[GithubForge]:
    yield GithubForge(f"{OWNER}/{NAME}", TOKEN, server.url, pause=0)
    assert server.problems == []


def passes(_: Request, act: Callable[[], Answer]) -> Answer:
    return act()


def instead(*answer: object) -> Callable[[Request, Callable[[], Answer]], Answer]:
    return lambda request, act: answer  # type: ignore[return-value]


def sent(server: GithubServer, method: str) -> int:
    return sum(request.method == method for request in server.requests)


@pytest.mark.parametrize(
    ("method", "target", "body", "reason"),
    [
        ("get", f"{PULLS}?state=every", None, "InvalidParameter"),
        ("get", f"{PULLS}?page=first", None, "ParameterValidationError"),
        ("get", f"{PULLS}?branch=x", None, "query branch"),
        ("get", f"/repos/{OWNER}/pulls", None, "PathNotFound"),
        ("put", PULLS, None, "OperationNotFound"),
        ("get", f"{PULLS}/first", None, "ParameterValidationError"),
        ("post", PULLS, {"title": "t", "head": "x"}, "InvalidRequestBody"),
        ("post", PULLS, {"title": 1, "head": "x", "base": "main"}, "InvalidRequestBody"),
        ("post", PULLS, {"title": "t", "head": "x", "base": "main", "draft": "yes"}, "InvalidRequestBody"),
        ("post", PULLS, {"title": "t", "head": "x", "base": "main", "labels": []}, "body labels"),
        ("patch", f"{PULLS}/1", {"state": "merged"}, "InvalidRequestBody"),
        ("patch", f"{PULLS}/1", {"draft": False}, "body draft"),
    ],
)
def test_the_description_finds_a_wrong_request(
    description: github_description.Description, method: str, target: str, body: object, reason: str
) -> None:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if data else {}
    (problem,) = description.problems(Request(method, target, headers, data))
    assert reason in problem


def test_looks_before_it_creates_and_asks_for_a_draft(forge: GithubForge, server: GithubServer) -> None:
    forge.publish(PROPOSAL)
    first, second = server.requests
    assert (first.method, first.path) == ("get", PULLS)
    assert first.query == {"state": "all", "sort": "created", "direction": "desc", "head": "octo:ralph/loop-1"}
    assert (second.method, second.path) == ("post", PULLS)
    assert json.loads(second.body or b"") == {
        "base": "main",
        "head": "ralph/loop-1",
        "title": "T",
        "body": "B\n",
        "draft": True,
    }


def test_nothing_new_writes_nothing(forge: GithubForge, server: GithubServer) -> None:
    forge.publish(PROPOSAL)
    forge.publish(PROPOSAL)
    assert (sent(server, "post"), sent(server, "patch")) == (1, 0)
    forge.publish(replace(PROPOSAL, body="More\n"))
    assert (sent(server, "post"), sent(server, "patch")) == (1, 1)
    assert server.pulls[0]["body"] == "More\n"


@pytest.mark.parametrize("hang_up", [False, True])
def test_a_lost_answer_is_looked_up_and_not_repeated(forge: GithubForge, server: GithubServer, hang_up: bool) -> None:
    def lost(request: Request, act: Callable[[], Answer]) -> Answer | None:
        act()
        return None if hang_up else say(502, {"message": "Bad Gateway"})

    server.faults = [passes, lost]
    made = forge.publish(PROPOSAL)
    assert (made.number, made.state, made.draft) == (1, "open", True)
    assert (len(server.pulls), sent(server, "post")) == (1, 1)


def test_a_create_that_never_arrived_is_transient_and_works_later(forge: GithubForge, server: GithubServer) -> None:
    server.faults = [passes, instead(*say(503, {"message": "Unavailable"}))]
    with pytest.raises(ForgeError, match="503: Unavailable") as caught:
        forge.publish(PROPOSAL)
    assert caught.value.hint.startswith("transient")
    assert server.pulls == []
    assert forge.publish(PROPOSAL).number == 1


def test_already_exists_is_success(forge: GithubForge, server: GithubServer) -> None:
    """The list lags behind the write of a daemon that was killed a moment ago."""
    forge.publish(replace(PROPOSAL, title="Old"))
    server.faults = [instead(*say(200, []))]
    found = forge.publish(PROPOSAL)
    assert (found.number, found.title, len(server.pulls)) == (1, "T", 1)


def test_a_repository_without_drafts_gets_a_plain_one(forge: GithubForge, server: GithubServer) -> None:
    server.drafts_allowed = False
    assert forge.publish(PROPOSAL).draft is False
    assert len(server.pulls) == 1


def test_another_refusal_is_said_and_final(forge: GithubForge, server: GithubServer) -> None:
    server.faults = [passes, instead(*refuse("No commits between main and ralph/loop-1"))]
    with pytest.raises(ForgeError, match="Validation Failed; No commits between main and ralph/loop-1") as caught:
        forge.publish(PROPOSAL)
    assert "transient" not in caught.value.hint


SECONDARY = "You have exceeded a secondary rate limit and have been temporarily blocked from content creation."


@pytest.mark.parametrize(
    ("answer", "message", "transient"),
    [
        (say(403, {"message": SECONDARY}, **{"Retry-After": "60"}), "secondary rate limit", True),
        (say(429, {"message": "Too many"}), "rate limit: Too many", True),
        (say(403, {"message": "API rate limit exceeded for user ID 1."}), "rate limit", True),
        (say(500, {"message": "Server Error"}), "500", True),
        (say(403, {"message": "Resource not accessible by integration"}), "not allowed", False),
        (say(404, {"message": "Not Found"}), "no such repository", False),
        (say(401, {"message": "Bad credentials"}), "token was refused", False),
        ((200, {"Content-Type": "text/html"}, b"<html>Welcome to the hotel</html>"), "sense", True),
        ((200, {"Content-Type": "text/html"}, b"[not json"), "the forge", True),
        (say(200, [{"number": "one", "head": 5}]), "the forge", True),
        ((407, {"Content-Type": "text/html"}, b"proxy login"), "407", False),
    ],
)
def test_what_the_forge_can_answer_is_told_apart(
    server: GithubServer, answer: Answer, message: str, transient: bool
) -> None:
    forge = GithubForge(f"{OWNER}/{NAME}", TOKEN, server.url, pause=0)
    server.faults = [instead(*answer)]
    with pytest.raises(ForgeError, match=message) as caught:
        forge.publish(PROPOSAL)
    assert caught.value.hint.startswith("transient") is transient
    assert TOKEN not in f"{caught.value.message} {caught.value.hint}"
    assert server.pulls == []
    assert forge.publish(PROPOSAL).number == 1


def test_retry_after_is_passed_on(server: GithubServer, forge: GithubForge) -> None:
    server.faults = [instead(*say(403, {"message": SECONDARY}, **{"Retry-After": "61"}))]
    with pytest.raises(ForgeError) as caught:
        forge.find("ralph/loop-1")
    assert "not before 61 s" in caught.value.hint


def test_a_refused_token_is_not_repeated(server: GithubServer) -> None:
    forge = GithubForge(f"{OWNER}/{NAME}", "ghp_wrong_secret", server.url, pause=0)
    with pytest.raises(ForgeError, match="token was refused") as caught:
        forge.list()
    assert "ghp_wrong" not in str(caught.value.__dict__)


def test_nobody_there(server: GithubServer) -> None:
    url = server.url
    server._http.server_close()
    with pytest.raises(ForgeError, match="can't be reached") as caught:
        GithubForge(f"{OWNER}/{NAME}", TOKEN, url, pause=0).find("ralph/loop-1")
    assert caught.value.hint.startswith("transient")


def test_requests_go_one_by_one(server: GithubServer, forge: GithubForge) -> None:
    busy, most, guard = 0, 0, threading.Lock()

    def counted(request: Request, act: Callable[[], Answer]) -> Answer:
        nonlocal busy, most
        with guard:
            busy += 1
            most = max(most, busy)
        answer = act()
        with guard:
            busy -= 1
        return answer

    server.faults = [counted] * 100
    branches = [f"ralph/loop-{n}" for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda branch: forge.publish(replace(PROPOSAL, branch=branch)), branches))
    assert most == 1
    assert sorted(request.number for request in made) == list(range(1, 9))


def test_the_list_holds_only_our_own_and_goes_over_pages(server: GithubServer, forge: GithubForge) -> None:
    for branch in [*(f"ralph-task/t{n}" for n in range(35)), "feature/by-a-person", "ralph/loop-9"]:
        server.seed({"title": "T", "head": branch, "base": "main"})
    server.pulls[-1]["head"]["label"] = "mallory:ralph/loop-9"
    assert [request.branch for request in forge.list()] == [f"ralph-task/t{n}" for n in range(35)]


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/octo/project",
        "https://github.com/octo/project.git",
        "https://user:ghp_secret@github.com/octo/project.git/",
        "git@github.com:octo/project.git",
        "github.com:octo/project",
        "ssh://git@github.com:22/octo/project.git",
        "git://github.com/octo/project",
    ],
)
def test_a_repository_from_a_remotes_url(url: str) -> None:
    assert repository_of(url) == "octo/project"


@pytest.mark.parametrize(
    "url", ["", "/srv/git/project.git", "../project", "file:///srv/octo/project", "https://u:ghp_secret@host/a/b/c"]
)
def test_no_repository_in_a_remotes_url(url: str) -> None:
    with pytest.raises(ForgeError, match="names no repository") as caught:
        repository_of(url)
    assert "ghp_secret" not in str(caught.value.__dict__)


def test_the_token_comes_from_the_environment_or_gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", " one\n")
    assert token("MY_TOKEN", "https://api.github.com") == "one"
    assert token("MY_TOKEN", "https://api.github.com", {"MY_TOKEN": "three"}) == "three"
    monkeypatch.delenv("MY_TOKEN")
    monkeypatch.delenv("GH_TOKEN", raising=False)
    assert token("MY_TOKEN", "https://api.github.com", {"GH_TOKEN": "four"}) == "four"
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\n[ "$*" = "auth token --hostname github.com" ] && echo two\n')
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    assert token("MY_TOKEN", "https://api.github.com") == "two"
    with pytest.raises(ForgeError, match=r"no token for ghe\.example\.org"):
        token("MY_TOKEN", "https://ghe.example.org/api/v3")
    gh.unlink()
    with pytest.raises(ForgeError, match=r"no token for api\.github\.com"):
        token("MY_TOKEN", "https://api.github.com")


def test_made_from_the_configuration(git_repo: Path, server: GithubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    where = layout(git_repo)
    assert room.make(parse(""), where).name == "local"
    config = parse(f'[forge]\nkind = "github"\nbase_url = "{server.url}"\ntoken_env = "MY_TOKEN"\n')
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    with pytest.raises(ForgeError, match="names no repository"):
        room.make(config, where)
    url = f"git@github.com:{OWNER}/{NAME}.git"
    subprocess.run(["git", "remote", "add", "origin", url], cwd=git_repo, check=True)
    assert room.make(config, where, git_repo).find("ralph/loop-1") is None
    assert server.requests[0].path == PULLS
