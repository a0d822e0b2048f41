"""Writes a night into a real ledger, row by row, as the daemon does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ralph.memory.ledger import Ledger

NIGHT = "2026-11-20-1"
BASE = "b" * 40


class RecordedNight:
    def __init__(self, path: Path, night: str = NIGHT, **start: Any) -> None:
        self.ledger = Ledger(path)
        self.night = night
        self.count = 0
        opened = {
            "base": "main",
            "base_commit": BASE,
            "loops": ["loop-1", "loop-2"],
            "agents": {"claude": "claude-code"},
            "sandbox": "bwrap",
            "config_sha256": "f" * 64,
            "occurrence": "now",
            "unmetered": [],
            "version": "0.1.0",
        }
        self.row("night_started", **{**opened, **start})
        self.row(
            "preflight",
            gates=[{"name": "tests", "kind": "tests", "verdict": "passed", "reason": "exit 0"}],
            checks=[],
            liveness={"verdict": "passed", "reason": "tests turned red"},
        )

    def row(self, kind: str, /, loop: str = "", task: str = "", iteration: str = "", **data: Any) -> int:
        return self.ledger.append(kind, data, night=self.night, loop=loop, task=task, iteration=iteration)

    def began(self, task: str, loop: str = "loop-1", title: str = "", agent: str = "claude", **data: Any) -> Iteration:
        self.count += 1
        where = {"loop": loop, "task": task, "iteration": f"{self.night}.{loop}.{self.count}"}
        about = {"title": title or f"Do {task}", "attempt": 1, "agent": agent, "role": "implementer", "kind": "feature"}
        self.row("began", **where, **{**about, **data})
        return Iteration(self, where, f"{self.count:040x}")

    def land(self, task: str, loop: str = "loop-1", paths: tuple[str, ...] = ("src/a.py",), **data: Any) -> Iteration:
        step = self.began(task, loop, **data)
        step.spends(dollars=0.25)
        step.agent_ends(said="All done, everything works!")
        step.gate()
        step.commits(paths)
        return step

    def ends(self, reason: str = "nothing is left to do", exit_code: int = 0) -> None:
        self.row("night_ended", reason=reason, exit_code=exit_code, tasks={})


class Iteration:
    def __init__(self, night: RecordedNight, where: dict[str, str], tree: str) -> None:
        self.night, self.where, self.tree = night, where, tree
        self.calls = 0

    def row(self, kind: str, /, **data: Any) -> int:
        return self.night.row(kind, **self.where, **data)

    def spends(self, dollars: float | None = 0.1, tokens: int = 100, model: str = "claude-sonnet-5-5") -> None:
        self.calls += 1
        usage = {
            "input_tokens": tokens,
            "cache_write_tokens": 10,
            "cache_read_tokens": 5000,
            "output_tokens": 50,
            "dollars": dollars,
            "reported_dollars": None,
            "calls": 1,
            "estimated": False,
        }
        self.row("reserved", id=self.calls, tokens=9000, dollars=1.0)
        self.row("settled", id=self.calls, model=model, usage=usage)

    def agent_ends(self, **data: Any) -> None:
        ended = {
            "exit_code": 0,
            "error": None,
            "cause": None,
            "metered": True,
            "said": "",
            "seconds": 60.5,
            "usage": {},
        }
        self.row("agent_ended", **{**ended, **data})

    def gate(self, name: str = "tests", kind: str = "tests", verdict: str = "passed", **data: Any) -> None:
        gate = {
            "tree": self.tree,
            "name": name,
            "kind": kind,
            "verdict": verdict,
            "reason": "exit 0, 14 tests passed",
            "execution": {
                "argv": ["pytest", "-q"],
                "exit_code": 0,
                "seconds": 1.5,
                "log": "gates/tests.log",
                "log_sha256": "0" * 64,
                "network": False,
            },
            "counts": {"collected": 14, "passed": 14, "failed": 0, "skipped": 0},
            "failures": [],
            "excerpt": "",
            "grade": "verified",
            "advisory": False,
        }
        self.row("gate", **{**gate, **data})

    def commits(self, paths: tuple[str, ...] = ("src/a.py",), parents: tuple[str, ...] = (BASE,)) -> str:
        commit = f"{self.night.count:08x}" + "c" * 32
        self.row(
            "committed",
            commit=commit,
            tree=self.tree,
            branch=f"refs/heads/ralph/{self.where['loop']}",
            parents=list(parents),
            changes=[{"status": "M", "path": path} for path in paths],
            kind="feature",
        )
        self.ends("committed", "committed")
        self.moves("completed")
        return commit

    def refused(self, test: str = "tests/test_a.py::test_b", message: str = "E       assert 1 == 2") -> None:
        failure = {"id": test, "message": message}
        counts = {"collected": 14, "passed": 13, "failed": 1, "skipped": 0}
        self.gate(verdict="failed", reason="exit 1, 1 of 14 tests failed", failures=[failure], counts=counts)
        self.ends("rejected", "tests: exit 1, 1 of 14 tests failed")

    def ends(self, outcome: str, summary: str) -> None:
        self.row("ended", outcome=outcome, summary=summary, attempt=1, tree=self.tree, seconds={})

    def moves(self, status: str, reason: str = "") -> None:
        self.night.row("task", task=self.where["task"], status=status, reason=reason, by="daemon")
