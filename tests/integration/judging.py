"""A small project whose changes are judged exactly as in a night, without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from loops import commit_all, git, make_loop

from ralph.config import Config, freeze
from ralph.core.secrets import Redactor
from ralph.domain import GateResult, IterationSpec, Task
from ralph.engine.jails import Place
from ralph.engine.judge.assess import Assessment, Case, assess
from ralph.engine.judge.base import beside
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.gates import run_gates
from ralph.engine.judge.proof import prove
from ralph.engine.keep import Keeper
from ralph.host.files import own_directory
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox, Sandbox

Edits = Mapping[str, str | None]


def new_repo(folder: Path) -> Path:
    """An empty repository on main."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada Tester")
    git(folder, "config", "user.email", "ada@example.org")
    (folder / ".gitignore").write_text("__pycache__/\n")
    return folder


class Court:
    """Judges changes of one base; what was executed on the base is not executed again."""

    def __init__(
        self, repo: Path, state: Path, shim: Shim, config: Config, files: Edits, sandbox: Sandbox | None = None
    ) -> None:
        _write(repo, files)
        commit_all(repo)
        own_directory(state / "loops" / "alpha")
        self.loop = make_loop(repo, state)
        self.space = self.loop.space
        frozen = state / "frozen.toml"
        frozen.write_text(freeze(config))
        self.spec = IterationSpec(
            night="n",
            iteration="n.alpha.1",
            loop="alpha",
            task=Task("t", "T"),
            attempt=1,
            tag="0" * 32,
            run_dir=str(state / "runs" / "one"),
            loop_dir=str(state / "loops" / "alpha"),
            mirror=str(self.loop.mirror.path),
            checkout=str(repo),
            head=self.loop.base,
            head_tree=self.space.tree_of(self.loop.base),
            start_tree=None,
            validate_only=False,
            gate_base=False,
            agent="sh",
            config=str(frozen),
            sandbox=(sandbox or NoSandbox()).name,
        )
        self.place = Place(self.spec, config, sandbox or NoSandbox())
        self.place.make()
        self.told: list[tuple[str, GateResult]] = []
        keeper = Keeper(self.place, shim, self.space)
        self.bench = Bench(self.place, config, shim, self.space, keeper, Redactor(), (), (), self._told)

    def _told(self, tree: str, _guards: object, gates: tuple[GateResult, ...]) -> None:
        self.told += [(tree, gate) for gate in gates]

    def prove(self, task: Task, edits: Edits) -> GateResult:
        """Gates and proof alone, as if no guard had an objection."""
        found = self.judge(task, edits)
        bench = beside(self.bench, found.base)
        found.gates = run_gates(bench, task, found.case.tree, found.case.paths, found.kept)
        (result,) = prove(bench, found)
        return result

    def judge(self, task: Task, edits: Edits) -> Assessment:
        self.space.prepare(self.loop.base)
        _write(self.space.tree, edits)
        tree = self.space.snapshot()
        head_tree = self.spec.head_tree
        known = tuple(gate for where, gate in self.told if where == head_tree)
        changes = tuple(self.space.changes(head_tree, tree))
        return assess(
            self.bench, Case(task, self.loop.base, head_tree, tree, changes, {}, dict, known_base=known), _step
        )


@contextmanager
def _step(_name: str) -> Iterator[None]:
    yield


def _write(root: Path, files: Edits) -> None:
    for name, text in files.items():
        path = root / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
