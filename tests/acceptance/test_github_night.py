"""Nights whose branches go to a remote and whose pull requests live on GitHub: it may be down, people may push."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import github_description
import pytest
from github_server import NAME, OWNER, TOKEN, GithubServer
from project import Project

BRANCH = "ralph/loop-1"


class Heads(dict[str, str]):
    """What GitHub knows of branches: the heads in the bare repository."""

    def __init__(self, remote: Path) -> None:
        self.remote = remote

    def get(self, branch: str, default: Any = "") -> Any:
        return head(self.remote, branch) or default


def bare(remote: Path, *args: str) -> str:
    done = subprocess.run(["git", f"--git-dir={remote}", *args], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def head(remote: Path, branch: str) -> str:
    return bare(remote, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")


@pytest.fixture(scope="session")
def description(request: pytest.FixtureRequest) -> github_description.Description:
    return github_description.of(request.config)


@pytest.fixture
def remote(project: Project, tmp_path: Path) -> Path:
    """A bare repository called origin that has main."""
    path = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    project.git("remote", "add", "origin", str(path))
    project.git("push", "-q", "origin", "main")
    return path


@pytest.fixture
def github(project: Project, remote: Path, description: github_description.Description) -> Iterator[GithubServer]:
    server = GithubServer(description)
    server.pushed = Heads(remote)
    project.env["GITHUB_TOKEN"] = TOKEN
    project.configure(forge(server))
    yield server
    server.close()
    assert server.problems == []


def forge(server: GithubServer, more: str = "") -> str:
    return f'[forge]\nkind = "github"\nrepository = "{OWNER}/{NAME}"\nbase_url = "{server.url}"\n{more}\n'


def down(server: GithubServer) -> None:
    """Hang up on everybody."""
    server.faults = [lambda _request, _act: None] * 200


def failures(project: Project) -> list[dict[str, Any]]:
    return [event.data for event in project.events("delivery_failed")]


def whole_state(project: Project, *more: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file that a night left: state, checkout, git, agents' files."""
    for root in (project.root, project.where.root, project.outside, *more):
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


def test_a_branch_and_one_pull_request_for_each_loop(project: Project, github: GithubServer, remote: Path) -> None:
    project.configure(forge(github, "push_notes = true"))
    project.agent('env > $OUT/env-$RALPH_TASK_ID; echo "$RALPH_TASK_ID work" > "$RALPH_TASK_ID.txt"; echo I am great')
    project.tasks({"id": "a", "title": "Add a @everyone"}, {"id": "b", "title": "Add b"}, "c")
    project.once()
    assert head(remote, BRANCH) == project.git("rev-parse", BRANCH)
    assert project.commits() == ["a", "b", "c"]
    note = bare(remote, "notes", "--ref=ralph", "show", project.git("rev-parse", f"{BRANCH}~1"))
    assert [json.loads(line)["tree"] for line in note.splitlines()]
    (pull,) = github.pulls
    assert (pull["head"]["ref"], pull["base"]["ref"], pull["draft"]) == (BRANCH, "main", True)
    assert pull["title"].startswith("3 tasks: Add a")
    assert "@everyone" not in pull["title"] + pull["body"]
    for task in "abc":
        assert f"{task}.txt" in pull["body"]
    assert "I am great" not in pull["body"].split("*reported*")[0]
    seen = project.events("pull_request")
    assert {event.data["number"] for event in seen} == {1}
    assert seen[-1].data["head"] == head(remote, BRANCH)
    assert failures(project) == []
    assert [pull["url"] for pull in project.report()["pull_requests"]] == [pull["html_url"]]
    secret = TOKEN.encode()
    assert [path for path, data in whole_state(project, remote) if secret in data] == []
    assert not any(TOKEN in json.dumps(pull) for pull in github.pulls)
    assert not any(TOKEN in (project.outside / f"env-{task}").read_text() for task in "abc")


def test_a_forge_that_is_down_holds_no_loop_up(project: Project, github: GithubServer, remote: Path) -> None:
    down(github)
    project.tasks("a", "b")
    project.once(code=4)
    assert project.status_of() == {"a": "completed", "b": "completed"}
    assert head(remote, BRANCH) == project.git("rev-parse", BRANCH)
    assert github.pulls == []
    (need,) = [need for need in project.report()["needs"] if need["code"] == "delivery_failed"]
    assert "the forge can't be reached" in need["why"]
    assert "tried again" in need["why"]

    project.tasks("a", "b", "c")
    project.once(code=4)
    assert project.commits() == ["a", "b", "c"], "it went on without knowing of its pull request"

    github.faults.clear()
    project.once()
    (pull,) = github.pulls
    assert all(f"{task}.txt" in pull["body"] for task in "abc")
    assert not [need for need in project.report()["needs"] if need["code"] == "delivery_failed"]


def test_a_hiccup_at_the_end_is_made_up_for_before_the_report(project: Project, github: GithubServer) -> None:
    github.faults = [lambda _request, _act: None]
    project.tasks("a")
    project.once()
    assert len(github.pulls) == 1
    assert len(failures(project)) == 1
    assert not project.report()["needs"]


def test_what_others_pushed_is_never_overwritten(project: Project, github: GithubServer, remote: Path) -> None:
    project.tasks("a")
    project.once()
    strange = bare(remote, "commit-tree", "-p", BRANCH, "-m", "by a colleague", f"{BRANCH}^{{tree}}")
    bare(remote, "update-ref", f"refs/heads/{BRANCH}", strange)
    project.tasks("a", "b")
    project.once(code=4)
    assert head(remote, BRANCH) == strange
    assert project.commits() == ["a", "b"], "the work is in the user's repository"
    assert BRANCH in failures(project)[-1]["branch"]
    assert strange[:12] in failures(project)[-1]["reason"]
    (need,) = [need for need in project.report()["needs"] if need["code"] == "delivery_failed"]
    assert "git fetch origin" in need["why"]

    project.git("fetch", "-q", "origin", BRANCH)
    merge = project.git(
        "commit-tree", "-p", BRANCH, "-p", "FETCH_HEAD", "-m", "both", project.git("rev-parse", f"{BRANCH}^{{tree}}")
    )
    project.git("update-ref", f"refs/heads/{BRANCH}", merge)
    project.tasks("a", "b", "c")
    project.once()
    assert head(remote, BRANCH) == project.git("rev-parse", BRANCH)
    assert bare(remote, "merge-base", "--is-ancestor", strange, BRANCH) == ""
    assert project.commits().count("c") == 1


def test_a_remote_that_can_not_be_reached(project: Project, github: GithubServer) -> None:
    """The loops go on, the report says so, and the password in the remote's URL stands nowhere."""
    password = "hunter2secret"
    project.git("remote", "set-url", "origin", f"http://me:{password}@127.0.0.1:1/x.git")
    project.tasks("a", "b")
    project.once(code=4)
    assert project.commits() == ["a", "b"]
    assert "127.0.0.1" in failures(project)[0]["reason"]
    left = [path for path, data in whole_state(project) if password.encode() in data]
    assert left == [project.root / ".git/config"]


def test_after_a_merge_the_branch_starts_from_the_base(project: Project, github: GithubServer, remote: Path) -> None:
    """A squash merge: the commits themselves are not in main. Dependants start from main, not from the old commit."""
    loops = '[[loops]]\nname = "one"\nrole = "x"\n\n[[loops]]\nname = "two"\nrole = "y"\n'
    project.configure(forge(github) + loops)
    project.tasks({"id": "a", "role": "x"})
    project.once()
    old = project.git("rev-parse", "ralph/one")
    main = project.commit({"a.txt": "work\n"})
    project.git("push", "-q", "origin", "main")
    github.settle("ralph/one", "merged")

    project.tasks({"id": "a", "role": "x"}, {"id": "b", "role": "x"}, {"id": "c", "role": "y", "depends_on": ["a"]})
    project.once()
    assert project.git("rev-parse", "ralph/one~1") == main
    assert project.git("rev-parse", "ralph/two~1") == main
    assert project.git("rev-parse", f"refs/heads/ralph-attic/one-{old[:12]}") == old
    assert head(remote, "ralph/one") == project.git("rev-parse", "ralph/one")
    assert sorted((pull["head"]["ref"], pull["state"]) for pull in github.pulls) == [
        ("ralph/one", "closed"),
        ("ralph/one", "open"),
        ("ralph/two", "open"),
    ]
    assert "a.txt" not in next(p for p in github.pulls[1:] if p["head"]["ref"] == "ralph/one")["body"]
