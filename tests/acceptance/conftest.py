"""The project that acceptance tests work on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import Project

from ralph.host.sandbox import probe


@pytest.fixture
def project(git_repo: Path, tmp_path: Path) -> Iterator[Project]:
    """A repository with one commit and an agent that writes a file for each task; no daemon outlives the test."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (git_repo / ".git/info").mkdir(exist_ok=True)
    (git_repo / ".git/info/exclude").write_text("/tasks.json\n/progress/\n/.ralph\n/ralph.toml\n")
    made = Project(git_repo, outside, "auto" if probe("auto").sandbox else "none")
    made.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    made.configure()
    made.agent('echo "$RALPH_TASK_ID" >> "$OUT/ran"; echo work > "$RALPH_TASK_ID.txt"')
    yield made
    made.kill()
