from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ralph.errors import GitError
from ralph.vcs import ledger_ref
from ralph.vcs.delivery import snapshot_state


def git(repo: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=repo, capture_output=True, text=True, check=True).stdout.strip()


def test_nights_stand_on_each_other_and_nothing_else_changes(git_repo: Path) -> None:
    hook = git_repo / ".git/hooks/reference-transaction"
    hook.write_text("#!/bin/sh\ntouch ../hooked; touch hooked\n")
    hook.chmod(0o755)
    before = snapshot_state(git_repo)
    first = ledger_ref.store(git_repo, "2026-01-01-1.jsonl", "{}\n", 1_700_000_000)
    second = ledger_ref.store(git_repo, "2026-01-02-1.jsonl", "{ü}\n", 1_700_000_100)
    assert snapshot_state(git_repo) == before
    assert not (git_repo / "hooked").exists()
    assert git(git_repo, "rev-parse", "refs/ralph/ledger", "refs/ralph/ledger^") == f"{second}\n{first}"
    assert git(git_repo, "ls-tree", "-r", "--name-only", second).splitlines() == [
        "nights/2026-01-01-1.jsonl",
        "nights/2026-01-02-1.jsonl",
    ]
    assert ledger_ref.read(git_repo, "2026-01-02-1.jsonl") == "{ü}\n"
    assert ledger_ref.read(git_repo, "2026-01-03-1.jsonl") is None
    assert "error" not in git(git_repo, "fsck", "--full", "--no-dangling")


def test_the_same_record_again_changes_nothing_and_is_the_same_everywhere(git_repo: Path, tmp_path: Path) -> None:
    first = ledger_ref.store(git_repo, "n.jsonl", "{}\n", 1_700_000_000)
    assert ledger_ref.store(git_repo, "n.jsonl", "{}\n", 1_800_000_000) == first
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", "-b", "main", str(other)], check=True)
    assert ledger_ref.store(other, "n.jsonl", "{}\n", 1_700_000_000) == first
    longer = ledger_ref.store(git_repo, "n.jsonl", "{}\n{}\n", 1_700_000_000)
    assert git(git_repo, "rev-parse", f"{longer}^") == first


def test_a_lock_of_somebody_else_is_waited_for_and_never_removed(git_repo: Path) -> None:
    lock = git_repo / ".git/refs/ralph/ledger.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(GitError, match="lock"):
        ledger_ref.store(git_repo, "n.jsonl", "{}\n", 1_700_000_000, patience=0.2)
    assert lock.exists()
