"""A project with a person in front of it: a real repository, the installed program, an agent that is a shell script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ralph.engine.audit.night import verify_night
from ralph.host.paths import Layout, layout
from ralph.memory.ledger import Event, Ledger

RALPH = Path(sys.executable).with_name("ralph")
PATIENCE = 60.0
"""Seconds until something that has to happen counts as not happening."""


@dataclass
class Project:
    """``root`` is the checkout; ``outside`` a directory that agents may write, also inside a sandbox."""

    root: Path
    outside: Path
    mode: str
    """auto, or none where no sandbox starts on this machine."""
    env: dict[str, str] = field(default_factory=dict)
    """Variables on top of the test's for every command."""

    @property
    def where(self) -> Layout:
        return layout(self.root)

    def configure(
        self, text: str = "", *, night: str = "loops = 1", gates: str = "", mode: str = "", agent: str = ""
    ) -> None:
        """Write ralph.toml: one gate that is always green unless ``gates`` says otherwise, one agent called sh."""
        gates = gates or '[[gates]]\nname = "ok"\ncommand = "true"\n'
        parts = [
            f"[night]\n{night}",
            f'[agents.sh]\nkind = "command"\ncommand = ["{self.outside.parent}/agent.sh"]\n{agent}',
            gates,
            f'[sandbox]\nmode = "{mode or self.mode}"\nwrite = ["{self.outside}"]',
            textwrap.dedent(text),
        ]
        (self.root / "ralph.toml").write_text("\n\n".join(parts))

    def agent(self, script: str) -> None:
        """The agent's shell script; it starts in the work tree. ``$OUT`` is the directory outside."""
        path = self.outside.parent / "agent.sh"
        path.write_text(f"#!/bin/sh\nOUT={self.outside}\n{textwrap.dedent(script)}\n")
        path.chmod(0o755)

    def tasks(self, *rows: dict[str, Any] | str) -> None:
        """Write tasks.json; a string is the id of a task with nothing else."""
        full = [{"id": row, "title": f"Do {row}"} if isinstance(row, str) else row for row in rows]
        text = json.dumps({"version": 1, "tasks": [{"title": f"Do {row['id']}", **row} for row in full]}, indent=2)
        (self.root / "tasks.json").write_text(text + "\n")

    def rows(self) -> dict[str, dict[str, Any]]:
        """tasks.json as it stands, by id."""
        return {row["id"]: row for row in json.loads((self.root / "tasks.json").read_text())["tasks"]}

    def status_of(self) -> dict[str, str]:
        return {id: row.get("status", "pending") for id, row in self.rows().items()}

    def edit(self, id: str, **fields: Any) -> None:
        """Change a row of tasks.json as an editor does: read, change, replace."""
        data = json.loads((self.root / "tasks.json").read_text())
        for row in data["tasks"]:
            if row["id"] == id:
                row.update(fields)
        self.replace_tasks(json.dumps(data, indent=2))

    def replace_tasks(self, text: str) -> None:
        fresh = self.root / "tasks.json.new"
        fresh.write_text(text)
        fresh.replace(self.root / "tasks.json")

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        """Commit files on the branch that is checked out; returns the commit."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            self.git("add", str(path))
        self.git("commit", "-q", "-m", "more")
        return self.git("rev-parse", "HEAD")

    def ralph(self, *args: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the installed program; ``code`` None accepts any exit code."""
        done = subprocess.run(
            [RALPH, *args],
            cwd=self.root,
            env=os.environ | self.env | env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=110,
        )
        if code is not None and done.returncode != code:
            log = self.where.log.read_text(errors="replace")[-3000:] if self.where.log.exists() else ""
            raise AssertionError(f"{args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{log}")
        return done

    def json(self, *args: str) -> Any:
        return json.loads(self.ralph(*args, "--json").stdout)

    def once(self, code: int = 0, **env: str) -> str:
        """A whole night in the foreground; returns what it printed."""
        return self.ralph("start", "--once", code=code, **env).stdout

    def begin(self, **env: str) -> int:
        """`ralph start --now`; returns the daemon's pid."""
        self.ralph("start", "--now", **env)
        return self.pid()

    def pid(self) -> int:
        """The daemon's pid, 0 where none runs."""
        try:
            pid = int((self.where.root / "daemon.pid").read_text())
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return 0
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return 0 if state == "Z" else pid

    def kill(self) -> None:
        """SIGKILL the daemon and wait until it is gone."""
        if pid := self.pid():
            fd = os.pidfd_open(pid)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self.pid(), "the daemon is dead")
            os.close(fd)

    def ended(self) -> None:
        """Wait until the daemon has gone by itself."""
        wait_until(lambda: not self.pid(), "the daemon has ended")

    def events(self, *kinds: str, night: str | None = None) -> list[Event]:
        ledger = Ledger.read_only(self.where.ledger)
        try:
            return list(ledger.events(kinds=kinds or None, night=night))
        finally:
            ledger.close()

    def outcomes(self, task: str) -> list[str]:
        """Outcomes of the task's iterations, oldest first."""
        return [event.data["outcome"] for event in self.events("ended") if event.task == task]

    def saw(self, *kinds: str, task: str = "") -> None:
        """Wait until an event of each kind is in the ledger."""

        def there() -> bool:
            if not self.where.ledger.exists():
                return False
            return {event.kind for event in self.events(*kinds) if task in ("", event.task)} >= set(kinds)

        wait_until(there, f"{', '.join(kinds)} of {task or 'any task'} is in the ledger")

    def report(self) -> Any:
        return self.json("report")

    def lines(self, name: str) -> list[str]:
        """What agents wrote to a file outside."""
        path = self.outside / name
        return path.read_text().splitlines() if path.exists() else []

    def commits(self, branch: str = "ralph/loop-1") -> list[str]:
        """Tasks of the commits of a branch by their trailers, oldest first."""
        text = self.git("log", "--reverse", "--format=%(trailers:key=Ralph-Task,valueonly)", f"main..{branch}")
        return [line for line in text.splitlines() if line]

    def branches(self) -> list[str]:
        names = self.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/").split()
        return [name for name in names if name.startswith("ralph")]

    def log(self, iteration: str, name: str = "agent.log") -> str:
        return (self.where.run(iteration) / name).read_text(errors="replace")

    def survivors(self) -> list[int]:
        """Pids of living processes that carry the tag of any iteration of this project."""
        tags = {f"RALPH_RUN={event.data['tag']}".encode() for event in self.events("began")}
        found = []
        for entry in Path("/proc").iterdir():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                zombie = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if not zombie and not tags.isdisjoint(environment):
                found.append(int(entry.name))
        return found

    def sound(self) -> None:
        """Record and repository are whole: all that `ralph verify` looks at, one end for each beginning, fsck."""
        ledger = Ledger.read_only(self.where.ledger)
        for night in dict.fromkeys(event.night for event in ledger.events(kinds=("night_started",))):
            assert verify_night(self.where, ledger, night).mismatches == []
        ledger.close()
        began = [event.iteration for event in self.events("began")]
        assert sorted(began) == sorted(event.iteration for event in self.events("ended"))
        assert len(set(began)) == len(began)
        assert "error" not in self.git("fsck", "--full", "--no-dangling")
        for loop in sorted((self.where.root / "loops").iterdir()):
            done = subprocess.run(
                ["git", f"--git-dir={loop}/git", "fsck", "--full", "--no-dangling"], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr


def wait_until(true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Look again and again, and fail with ``what`` when it does not come."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"waited {patience:g} s in vain: {what}"
        time.sleep(0.02)
