"""`ralph learn`: proposals of agents, decided by a person."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ralph.cli.errors import boundary
from ralph.cli.main import cli
from ralph.host import paths
from ralph.host.files import own_directory
from ralph.memory.ledger import Ledger

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(git_repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `ralph ...` in this process; returns exit code, stdout, stderr."""
    monkeypatch.chdir(git_repo)

    def call(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = boundary(lambda: cli.main(args=list(args), prog_name="ralph", standalone_mode=False))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def proposed(git_repo: Path) -> Path:
    """A ledger with three proposals, one of them made twice."""
    layout = paths.layout(git_repo)
    own_directory(layout.root)
    ledger = Ledger(layout.ledger)
    for task, pattern, prompt in (
        ("one", "GOTCHAS: run make first", "none"),
        ("two", "GOTCHAS: Run make first.", "Name the test command"),
        ("bad", "STYLE: tabs \x1b[31mhere", ""),
    ):
        reflection = {"surprised": "", "pattern": pattern, "prompt": "" if prompt == "none" else prompt}
        ledger.append("ended", {"outcome": "committed", "reflection": reflection}, night="n", task=task, iteration="i")
    return git_repo


def test_learn_lists_approves_and_remembers(run: Run, proposed: Path) -> None:
    listed = json.loads(run("learn", "--json")[1])
    assert [(one["section"], one["text"], one["times"]) for one in listed] == [
        ("GOTCHAS", "run make first", 2),
        ("STYLE", "Name the test command", 1),
        ("STYLE", "tabs here", 1),
    ]
    assert "run make first" in run("learn")[1]
    (proposed / "AGENTS.md").write_text("# Ours\n\n## Gotchas\n\n- old\n\n## Other\n\ntext\n")
    first, second, third = (one["id"] for one in listed)
    assert run("learn", "--approve", first)[1] == "AGENTS.md: - run make first\n"
    assert run("learn", "--reject", second)[1] == "1 rejected\n"
    assert (
        proposed / "AGENTS.md"
    ).read_text() == "# Ours\n\n## Gotchas\n\n- old\n- run make first\n\n## Other\n\ntext\n"
    assert [one["id"] for one in json.loads(run("learn", "--json")[1])] == [third]
    code, _, err = run("learn", "--approve", first)
    assert (code, "no open proposal" in err) == (1, True)
    assert run("learn", "--approve", third, "--reject", third)[0] == 2


def test_learn_with_nothing_proposed(run: Run) -> None:
    assert run("learn") == (0, "nothing is proposed\n", "")
    assert run("learn", "--json")[1] == "[]\n"


def test_learn_asks_on_a_terminal(proposed: Path) -> None:
    """Yes, no, and an end of input in the middle: what was said is kept."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ralph.cli.main", "learn"], cwd=proposed, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, b"y\nn\nquit\n")
    shown = b""
    try:
        while chunk := os.read(ours, 10_000):
            shown += chunk
    except OSError:
        pass  # Linux: the terminal is closed when its last user is gone
    os.close(ours)
    assert process.wait(timeout=30) == 0
    assert b"1 of 3, GOTCHAS, from task one, 2 times" in shown
    assert "- run make first" in (proposed / "AGENTS.md").read_text()
    env = {**os.environ}
    again = subprocess.run(
        [sys.executable, "-m", "ralph.cli.main", "learn", "--json"],
        cwd=proposed,
        env=env,
        capture_output=True,
        check=True,
    )
    assert [one["text"] for one in json.loads(again.stdout)] == ["tabs here"]
