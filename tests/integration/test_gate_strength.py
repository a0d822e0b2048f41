"""How many planted faults the gates of a real project catch."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judging import Court, new_repo

from ralph.config import Config
from ralph.domain import Task
from ralph.engine.gate_strength import examine
from ralph.engine.judge.gates import run_gates
from ralph.host.process import Shim

SOURCE = "def add(a, b):\n    return a + b\n\n\ndef bigger(a, b):\n    return a > b\n"
FILES = {
    "calc.py": SOURCE,
    "blind.py": SOURCE,
    "tests/conftest.py": "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parents[1]))\n",
    "tests/test_calc.py": "import blind\nfrom calc import add, bigger\n\n\ndef test_all():\n    assert add(1, 2) == 3\n"
    "    assert bigger(2, 1) and not bigger(1, 1) and not bigger(1, 2)\n",
}
GATE = {
    "name": "tests",
    "command": f"{sys.executable} -m pytest -q -p no:cacheprovider tests",
    "kind": "tests",
    "env": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
}


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    with Shim.start(-1, secrets.token_hex(16)) as shim:
        config = Config.model_validate({"gates": [GATE]})
        yield Court(new_repo(tmp_path / "repo"), tmp_path / "state", shim, config, FILES)


def probed(court: Court, seconds: float, *tasks: Task) -> tuple[dict[str, dict[str, Any]], str]:
    base = run_gates(court.bench, Task("x", "X"), court.spec.head_tree, [], {}, purpose="base")
    said: list[tuple[list[dict[str, Any]], str, bool]] = []
    examine(court.bench, tasks, base, seconds, lambda *told: said.append(told))
    assert [over for *_, over in said] == [False] * (len(said) - 1) + [True]
    return {row["path"]: row for row in said[-1][0]}, said[-1][1]


def test_files_without_tests_of_their_own_are_weak(court: Court) -> None:
    files, stopped = probed(court, 60, Task("t", "T", files=("calc.py", "blind.py")))
    assert stopped == ""
    assert files["calc.py"]["caught"] == files["calc.py"]["planted"] > 0
    assert files["blind.py"]["caught"] == 0 < files["blind.py"]["planted"]
    assert (files["calc.py"]["raised"], files["blind.py"]["raised"]) == (False, True)


def test_only_what_tasks_own_is_probed_and_the_box_ends_it(court: Court) -> None:
    files, stopped = probed(court, 0.1, Task("t", "T", files=("calc.py",)))
    assert list(files) == ["calc.py"]
    assert stopped == "the time box is used up"
