"""What ralph costs between two agents: the time from the end of one to the start of the next, beside a bare shell loop.

    python bench/overhead.py                     table on a small and a 2,000-file repository
    python bench/overhead.py --tasks 50 --json overhead.json

The bare loop runs the same agent and `git add -A && git commit`. The agent writes one file and stamps its first and
its last moment (monotonic clock) into a file that the sandbox lets it write. Each gap holds the end and the start of
the agent's own interpreter on both sides; the difference is ralph's: sandbox, guards, gate, ledger, commit, reset.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil

AGENT = """\
import os, sys, time
begun = time.monotonic_ns()
task, stamps = os.environ["RALPH_TASK_ID"], sys.argv[1]
with open(f"out/{task}.txt", "w") as file:
    file.write(f"{task}\\n")
with open(stamps, "a") as file:
    file.write(f"{task} {begun} {time.monotonic_ns()}\\n")
"""
LOOP = """\
set -e
while read -r task; do
  RALPH_TASK_ID=$task "$PYTHON" -I -S "$AGENT" "$STAMPS" < /dev/null
  git add -A && git commit -q -m "$task"
done
"""
IDLE_LOOPS = 10
STATUS_RUNS = 15
IDLE_SECONDS = 60


@dataclass(frozen=True)
class Row:
    """Milliseconds between agents on one repository."""

    repository: str
    runner: str
    iterations: int
    p50: float
    p90: float
    most: float


@dataclass(frozen=True)
class Idle:
    """The daemon with idle loops."""

    loops: int
    processes: int
    pss_mb: float
    status_p50_ms: float
    status_p90_ms: float

    def __str__(self) -> str:
        return (
            f"\n{self.loops} idle loops: {self.processes} processes, {self.pss_mb:.0f} MB PSS in all; "
            f"`ralph status` p50 {self.status_p50_ms:.0f} ms, p90 {self.status_p90_ms:.0f} ms"
        )


class Bench:
    """Everything one run needs below one temporary directory."""

    def __init__(self, root: Path, ralph: str) -> None:
        self.root = root
        self.ralph = ralph
        self.python = os.path.realpath(shutil.which("python3", path="/usr/bin:/bin") or sys.executable)
        self.agent = root / "agent.py"
        self.agent.write_text(AGENT)
        self.stamps = root / "stamps"
        self.stamps.mkdir()
        self.steps: dict[str, dict[str, float]] = {}
        runtime = root / "run"
        runtime.mkdir(mode=0o700)
        identity = {f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            **identity,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "XDG_STATE_HOME": str(root / "state"),
            "XDG_RUNTIME_DIR": str(runtime),
        }

    def repository(self, name: str, files: int) -> Path:
        """A repository with ``files`` tracked files of about 7 KB and one commit on main."""
        repo = self.root / name
        (repo / "out").mkdir(parents=True)
        (repo / "out" / ".keep").touch()
        for number in range(files):
            path = repo / f"src/d{number % 40:02}/f{number:04}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"line of file {number}\n" * 330)
        self.git(repo, "init", "-q", "-b", "main")
        self.git(repo, "add", "-A")
        self.git(repo, "commit", "-q", "-m", "first")
        return repo

    def git(self, repo: Path, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=repo, env=self.env, check=True, capture_output=True, text=True).stdout

    def bare(self, name: str, files: int, tasks: list[str]) -> list[float]:
        repo, stamps = self.repository(f"bare-{name}", files), self.stamps / f"bare-{name}"
        env = {**self.env, "PYTHON": self.python, "AGENT": str(self.agent), "STAMPS": str(stamps)}
        subprocess.run(["/bin/sh", "-c", LOOP], cwd=repo, env=env, input="\n".join(tasks) + "\n", text=True, check=True)
        self._count(repo, "main", len(tasks) + 1)
        return gaps(stamps)

    def ralphed(self, name: str, files: int, tasks: list[str]) -> list[float]:
        repo, stamps = self.repository(f"ralph-{name}", files), self.stamps / f"ralph-{name}"
        self.configure(repo, stamps, tasks, loops=1)
        done = self.call(repo, "start", "--once")
        if done.returncode:
            sys.exit(f"ralph start --once ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        self._count(repo, "ralph/loop-1", len(tasks) + 1)
        self.steps[name] = self._steps(repo)
        return gaps(stamps)

    def _steps(self, repo: Path) -> dict[str, float]:
        """Median milliseconds of each step of the worker, as the ledger has them; `implement` holds the agent."""
        asked = self.call(repo, "query", "--json", "select data from events where kind = 'ended'", check=True)
        rows = json.loads(asked.stdout)
        seconds = [json.loads(one["data"])["seconds"] for one in (rows["rows"] if isinstance(rows, dict) else rows)]
        names = dict.fromkeys(name for one in seconds for name in one)
        return {name: statistics.median(one.get(name, 0.0) for one in seconds) * 1000 for name in names}

    def configure(self, repo: Path, stamps: Path, tasks: list[str], loops: int, night: str = "") -> None:
        """Set the repository up as a user would, with one gate that always passes."""
        self.call(repo, "init", check=True)
        command = [self.python, "-I", "-S", str(self.agent), str(stamps)]
        (repo / "ralph.toml").write_text(
            f"[night]\nloops = {loops}\n{night}\n"
            f'[agents.bench]\nkind = "command"\ncommand = {json.dumps(command)}\n\n'
            '[[gates]]\nname = "true"\ncommand = "true"\n\n'
            f"[sandbox]\nwrite = [{json.dumps(str(self.stamps))}]\n"
        )
        rows = [{"id": task, "title": f"Write {task}", "files": [f"out/{task}.txt"]} for task in tasks]
        (repo / "tasks.json").write_text(json.dumps({"version": 1, "tasks": rows}))
        self.git(repo, "add", "ralph.toml")
        self.git(repo, "commit", "-q", "-m", "Add ralph.toml")

    def call(self, repo: Path, *args: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.ralph, *args],
            cwd=repo,
            env=self.env,
            capture_output=True,
            text=True,
            check=check,
            stdin=subprocess.DEVNULL,
        )

    def idle(self) -> Idle:
        """Start a night with nothing to do on ten loops and look at what it takes."""
        repo = self.repository("idle", 0)
        now = datetime.now()
        window = f'start = "{now - timedelta(hours=1):%H:%M}"\nstop = "{now + timedelta(hours=2):%H:%M}"'
        self.configure(repo, self.stamps / "idle", [], loops=IDLE_LOOPS, night=window)
        started = self.call(repo, "start")
        if started.returncode:
            sys.exit(f"ralph start ended with {started.returncode}:\n{started.stdout}{started.stderr}")
        try:
            family = self._settled()
            times = [self._timed(repo, "status") for _ in range(STATUS_RUNS)]
            pss = sum(process.memory_full_info().pss for process in family)
        finally:
            self.call(repo, "stop", "--now")
        return Idle(IDLE_LOOPS, len(family), pss / 1e6, statistics.median(times), percentile(times, 0.9))

    def _timed(self, repo: Path, *args: str) -> float:
        begun = time.monotonic()
        self.call(repo, *args, check=True)
        return (time.monotonic() - begun) * 1000

    def _settled(self) -> list[psutil.Process]:
        """The daemon with its descendants, once their number has stayed the same for three seconds."""
        seen: list[tuple[float, frozenset[int]]] = []
        deadline = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < deadline:
            family = self._family()
            now, pids = time.monotonic(), frozenset(process.pid for process in family)
            if not seen or seen[-1][1] != pids:
                seen.append((now, pids))
            elif pids and now - seen[-1][0] > 3:
                return family
            time.sleep(0.2)
        sys.exit(f"the daemon's processes did not settle: {[sorted(pids) for _, pids in seen[-3:]]}")

    def _family(self) -> list[psutil.Process]:
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get("XDG_STATE_HOME") == self.env["XDG_STATE_HOME"]:
                    found |= {one.pid: one for one in (process, *process.children(recursive=True))}
            except psutil.Error:
                continue  # not ours, or gone meanwhile
        return list(found.values())

    def _count(self, repo: Path, branch: str, least: int) -> None:
        made = int(self.git(repo, "rev-list", "--count", branch))
        if made < least:
            sys.exit(f"{branch} in {repo} has {made} commits, {least} were expected")


def gaps(stamps: Path) -> list[float]:
    """Milliseconds from each agent's end to the next one's start."""
    runs = sorted((int(begun), int(ended)) for _, begun, ended in map(str.split, stamps.read_text().splitlines()))
    return [(after[0] - before[1]) / 1e6 for before, after in itertools.pairwise(runs)]


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(repository: str, runner: str, values: list[float]) -> Row:
    return Row(repository, runner, len(values) + 1, statistics.median(values), percentile(values, 0.9), max(values))


def show(rows: list[Row], steps: dict[str, dict[str, float]]) -> None:
    print(f"{'repository':<14}{'runner':<12}{'iterations':>10}{'p50 ms':>10}{'p90 ms':>10}{'max ms':>10}")
    for one in rows:
        print(
            f"{one.repository:<14}{one.runner:<12}{one.iterations:>10}{one.p50:>10.1f}{one.p90:>10.1f}{one.most:>10.1f}"
        )
    by_name = {(one.repository, one.runner): one for one in rows}
    for name in dict.fromkeys(one.repository for one in rows):
        bare, ours = by_name.get((name, "shell loop")), by_name.get((name, "ralph"))
        if bare and ours:
            print(f"{name:<14}{'difference':<12}{'':>10}{ours.p50 - bare.p50:>10.1f}{ours.p90 - bare.p90:>10.1f}")
    for name, parts in steps.items():
        print(f"{name:<14}steps, p50 ms: " + ", ".join(f"{part} {value:.0f}" for part, value in parts.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=30, help="iterations on each repository (default 30)")
    parser.add_argument("--files", type=int, default=2000, help="files of the large repository (default 2000)")
    parser.add_argument("--ralph", default=shutil.which("ralph", path=Path(sys.executable).parent) or "ralph")
    parser.add_argument("--only", choices=["bare", "ralph", "idle"], help="one part alone")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--keep", action="store_true", help="leave the temporary directory")
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="ralph-bench-"))
    tasks = [f"t{number:03}" for number in range(args.tasks)]
    rows: list[Row] = []
    try:
        bench = Bench(root, args.ralph)
        for name, files in (("small", 0), (f"{args.files} files", args.files)):
            key = name.replace(" ", "-")
            if args.only in (None, "bare"):
                rows.append(row(name, "shell loop", bench.bare(key, files, tasks)))
            if args.only in (None, "ralph"):
                rows.append(row(name, "ralph", bench.ralphed(key, files, tasks)))
        if rows:
            show(rows, bench.steps)
        idle = bench.idle() if args.only in (None, "idle") else None
        if idle:
            print(idle)
    finally:
        if args.keep:
            print(f"kept {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    if args.json:
        figures = {
            "rows": [asdict(one) for one in rows],
            "idle": asdict(idle) if idle else None,
            "steps_ms": bench.steps,
        }
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
