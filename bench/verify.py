"""What full verification costs beside the plain gates, on three real projects.

    python bench/verify.py                       table of click, structlog and more-itertools
    python bench/verify.py --runs 5 --json verify.json

Each project is the source distribution from the package index, with an environment of its own. A change (a few lines
of source and a test for them) is judged exactly as in a night, in the sandbox: guards, gates with a canary beside the
base, proof, strength. The base is known, as it is after the first change of a night. Plain is the same gate command
run by hand in the checkout, alternating with the judgement; the ratio is of the two medians. The time to the first
failure is that of a change that breaks one test.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ralph.config import Config, freeze
from ralph.domain import Kind, Task
from ralph.engine import preflight
from ralph.engine.judge.assess import Assessment, Case, assess
from ralph.host import sandbox
from ralph.host.files import own_directory
from ralph.host.paths import layout
from ralph.host.process import Shim
from ralph.vcs.mirror import Mirror


@dataclass(frozen=True)
class Project:
    """A source distribution and a change of it. ``edit``: (path, old text, new text); ``breaks`` likewise."""

    release: str
    needs: tuple[str, ...]
    edit: tuple[str, str, str]
    test: tuple[str, str]
    breaks: tuple[str, str, str]


PROJECTS = (
    Project(
        "more-itertools==10.8.0",
        (),
        ("more_itertools/recipes.py", "    return list(islice(iterable, n))\n", "    if n is not None and n < 0:\n        raise ValueError('take: n is negative')\n    return list(islice(iterable, n))\n"),
        ("tests/test_take_negative.py", "from unittest import TestCase\n\nfrom more_itertools import take\n\n\nclass NegativeTests(TestCase):\n    def test_it_is_named(self):\n        with self.assertRaises(ValueError) as caught:\n            take(-1, 'ab')\n        self.assertEqual(str(caught.exception), 'take: n is negative')\n"),
        ("more_itertools/recipes.py", "    return list(islice(iterable, n))\n", "    return list(islice(iterable, n + 1))\n"),
    ),
    Project(
        "click==8.3.0",
        (),
        ("src/click/utils.py", "    if isinstance(value, bytes):\n        try:\n            return value.decode(sys", "    if isinstance(value, bytearray):\n        value = bytes(value)\n    if isinstance(value, bytes):\n        try:\n            return value.decode(sys"),
        ("tests/test_make_str.py", "from click.utils import make_str\n\n\ndef test_a_bytearray_is_text_too():\n    assert make_str(bytearray(b'ab')) == 'ab'\n"),
        ("src/click/utils.py", "    return str(value)\n", "    return repr(value)\n"),
    ),
    Project(
        "structlog==25.4.0",
        ("freezegun", "pretend", "pytest-asyncio", "simplejson"),
        ("src/structlog/dev.py", "    missing = length - len(s)\n", "    if length < 0:\n        raise ValueError('the length is negative')\n    missing = length - len(s)\n"),
        ("tests/test_pad.py", "import pytest\n\nfrom structlog.dev import _pad\n\n\ndef test_a_negative_length_is_refused():\n    with pytest.raises(ValueError, match='negative'):\n        _pad('ab', -1)\n\n\ndef test_it_is_filled_up():\n    assert _pad('ab', 4) == 'ab  '\n"),
        ("src/structlog/dev.py", "    missing = length - len(s)\n", "    missing = length - len(s) + 1\n"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Seconds on one project."""

    project: str
    tests: int
    plain: float
    verified: float
    ratio: float
    first_failure: float
    """Until a change that breaks a test was refused for it."""
    steps: dict[str, float]


class Court:
    """One project with its environment, where changes are judged."""

    def __init__(self, project: Project, folder: Path, shim: Shim) -> None:
        self.project, self.root = project, unpack(project, folder)
        self.command = f"{self.root}/.venv/bin/python -m pytest -q"
        self.config = Config.model_validate(
            {
                "gates": [{"name": "tests", "command": self.command, "kind": "tests"}],
                "workspace": {"keep": [".venv"]},
            }
        )
        where = layout(self.root)
        own_directory(where.root)
        mirror = Mirror(where.mirror, self.root)
        mirror.ensure()
        base, box = mirror.resolve("main"), sandbox.probe("auto").name
        self.head = base
        found = preflight.here(where, self.config, base, box, [])
        if found.red() or found.not_run():
            raise SystemExit(f"{project.release}: {[gate.reason for gate in found.gates]}")
        self.known = found.gates
        asked = preflight.spec_for(where, self.config, "bench", base, box, [], "bench")
        where.frozen("bench").write_text(freeze(self.config), encoding="utf-8")
        bench = preflight.bench_for(asked.spec, shim, ())
        spec = replace(asked.spec, head_tree=found.tree, tools=found.tools)
        self.bench = replace(bench, place=replace(bench.place, spec=spec))
        self.tree, self.counter = found.tree, 0
        self.tests = found.gates[0].counts.collected if found.gates[0].counts else 0

    def plain(self) -> float:
        """Seconds of the gate by hand."""
        begun = time.monotonic()
        subprocess.run(shlex.split(self.command), cwd=self.root, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - begun

    def judge(self, broken: bool, steps: dict[str, list[float]]) -> tuple[float, Assessment]:
        """Seconds until a new change is judged, and what was found."""
        space, project = self.bench.workspace, self.project
        space.prepare(self.head, keep=(".venv",))
        self.counter += 1
        for path, old, new in [project.breaks if broken else project.edit]:
            file = space.tree / path
            text = file.read_text()
            assert old in text, (path, old)
            file.write_text(text.replace(old, new, 1) + f"\n# {self.counter}\n")
        path, text = project.test
        if not broken:
            (space.tree / path).write_text(text)
        tree = space.snapshot(keep=(".venv",))
        kept = self.bench.keeper.folders(self.tree)
        changes = tuple(space.changes(self.tree, tree))
        task = Task("bench", "Bench", kind=Kind.FIX)
        case = Case(task, self.head, self.tree, tree, changes, kept, lambda: kept, known_base=self.known)

        @contextmanager
        def step(name: str) -> Iterator[None]:
            begun = time.monotonic()
            yield
            steps.setdefault(name, []).append(time.monotonic() - begun)

        begun = time.monotonic()
        found = assess(self.bench, case, step)
        return time.monotonic() - begun, found


def unpack(project: Project, folder: Path) -> Path:
    """The source distribution as a repository with one commit, and an environment in ``.venv``."""
    folder.mkdir(parents=True)
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", project.release]
    subprocess.run(fetch, cwd=folder, check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    root = next(path for path in folder.iterdir() if path.is_dir())
    subprocess.run([sys.executable, "-m", "venv", ".venv"], cwd=root, check=True)
    pip = [".venv/bin/python", "-m", "pip", "install", "-q", "pytest<9", "-e", ".", *project.needs]
    subprocess.run(pip, cwd=root, check=True)
    (root / ".gitignore").write_text(".venv/\n__pycache__/\n*.egg-info/\n.pytest_cache/\n")
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for args in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "release"]):
        subprocess.run(["git", *args], cwd=root, check=True)
    return root


def measure(project: Project, folder: Path, runs: int) -> Row:
    with Shim.start(-1, secrets.token_hex(16)) as shim:
        court = Court(project, folder, shim)
        court.plain()
        _, warm = court.judge(False, {})
        if warm.blocked:
            first = [failure for gate in warm.gates for failure in gate.failures][:3]
            raise SystemExit(f"{project.release}: the change was refused: {warm.blocked} {first}")
        plain: list[float] = []
        verified: list[float] = []
        failing: list[float] = []
        steps: dict[str, list[float]] = {}
        for _ in range(runs):
            plain.append(court.plain())
            verified.append(court.judge(False, steps)[0])
            seconds, found = court.judge(True, {})
            if not found.blocked:
                raise SystemExit(f"{project.release}: a broken change was not refused")
            failing.append(seconds)
        middle = {name: statistics.median(values) for name, values in steps.items()}
        return Row(
            project.release,
            court.tests,
            statistics.median(plain),
            statistics.median(verified),
            statistics.median(verified) / statistics.median(plain),
            statistics.median(failing),
            middle,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="judgements of each project (default 3)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--only", default="", help="only projects whose name contains this")
    options = parser.parse_args()
    rows: list[Row] = []
    print(f"{'project':<24}{'tests':>7}{'plain s':>9}{'full s':>9}{'ratio':>7}{'first failure s':>17}  steps")
    with tempfile.TemporaryDirectory(prefix="ralph-bench-") as folder:
        for number, project in enumerate(one for one in PROJECTS if options.only in one.release):
            row = measure(project, Path(folder) / str(number), options.runs)
            rows.append(row)
            steps = " ".join(f"{name} {seconds:.2f}" for name, seconds in row.steps.items())
            print(
                f"{row.project:<24}{row.tests:>7}{row.plain:>9.2f}{row.verified:>9.2f}{row.ratio:>7.2f}"
                f"{row.first_failure:>17.2f}  {steps}",
                flush=True,
            )
    ratios = [row.ratio for row in rows]
    print(f"median ratio {statistics.median(ratios):.2f} (target 2.5), highest {max(ratios):.2f} (target 4)")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
