"""Judge cases with the product's own steps: one repository and one loop for each project, shared by its cases."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from ralph.config import Config, freeze
from ralph.core.secrets import Redactor
from ralph.domain import GateResult, GuardResult, IterationSpec
from ralph.engine.jails import Place
from ralph.engine.judge import assess as judging
from ralph.engine.judge.bench import Bench
from ralph.engine.keep import Keeper
from ralph.host.files import own_directory
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox, Sandbox
from ralph.vcs.mirror import Mirror
from ralph.vcs.workspace import Workspace

from .case import Case, Edit, Project, lay, read_project

IDENTITY = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
TAG = secrets.token_hex(16)


@dataclass(frozen=True)
class Ruling:
    """What the product said about one case."""

    case: Case
    accepted: bool
    by: frozenset[str]
    """All that blocked: ``guard:rule``, names of gates, ``proof:grade``."""
    why: str
    seconds: float
    guards: tuple[GuardResult, ...] = ()
    gates: tuple[GateResult, ...] = ()

    @property
    def as_wanted(self) -> bool:
        """Whether an honest case was accepted, a dishonest one refused by what should; a limit still is one."""
        if self.case.limit:
            return self.accepted
        if self.accepted or not self.case.by:
            return self.accepted and self.case.honest and not self.case.by
        return bool(self.case.by & (self.by | {one.partition(":")[0] for one in self.by}))


def programs() -> dict[str, str]:
    """The environment in which the projects' programs are found: those beside this interpreter come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTEST_"))}
    return {**kept, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "PATH": path}


def missing(project: Project) -> str:
    """The program without which the project's cases can't be run; empty where all are there."""
    return next((name for name in project.needs if shutil.which(name, path=programs()["PATH"]) is None), "")


@dataclass
class Court:
    """A project's repository, a loop on it, and what is known of its bases."""

    project: Project
    root: Path
    shim: Shim
    sandbox: Sandbox = field(default_factory=NoSandbox)
    known_base: dict[str, list[GateResult]] = field(default_factory=dict)
    bases: dict[tuple[Edit, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        gates = [dict(gate) for gate in self.project.gates]
        # by default planted faults only inform: they can't change a ruling, and take half of the time
        self.config = Config.model_validate({"gates": gates, "verify": {"strength": "off"}})
        self.repo, self.state = self.root / "checkout", self.root / "state"
        self.repo.mkdir(parents=True)
        own_directory(self.state / "loops" / "alpha")
        self.frozen = self.state / "frozen.toml"
        self.frozen.write_text(freeze(self.config))
        self._git("init", "-q", "-b", "main")
        self.mirror = Mirror(self.state / "mirror.git", self.repo)
        self.space = Workspace(self.state / "loops" / "alpha", self.mirror.path)
        self.space.create(self.head(()))

    def head(self, before: tuple[Edit, ...]) -> str:
        """The commit that a case with these changes of the project stands on."""
        if before not in self.bases:
            for path in self.repo.iterdir():
                if path.name != ".git":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            lay(read_project(self.project.name), self.repo)
            for edit in before:
                edit(self.repo)
            self._git("add", "-A")
            self._git("commit", "-q", "--allow-empty", "-m", "base")
            self.bases[before] = self._git("rev-parse", "HEAD")
            self.mirror.ensure()
            self.mirror.resolve("main")
        return self.bases[before]

    def judge(self, case: Case) -> Ruling:
        """Make the change, and have it judged as an iteration's candidate."""
        begun = monotonic()
        head = self.head(case.before)
        self.space.prepare(head)
        for edit in case.edits:
            edit(self.space.tree)
        tree, head_tree = self.space.snapshot(), self.space.tree_of(head)
        changes = tuple(self.space.changes(head_tree, tree))
        assert changes, f"{case.name} changes nothing"
        bench = self._bench(case, head, head_tree)
        kept = bench.keeper.folders(head_tree)
        question = judging.Case(
            case.task, head, head_tree, tree, changes, kept, lambda: kept, (), self.known_base.get(head_tree, ())
        )
        found = judging.assess(bench, question, _step)
        return Ruling(
            case,
            not found.blocked,
            frozenset(_objections(found.guards, found.gates)),
            found.blocked,
            monotonic() - begun,
            found.guards,
            found.gates,
        )

    def _bench(self, case: Case, head: str, head_tree: str) -> Bench:
        spec = IterationSpec(
            night="n",
            iteration=f"n.alpha.{case.name}",
            loop="alpha",
            task=case.task,
            attempt=1,
            tag=TAG,
            run_dir=str(self.state / "runs" / case.name),
            loop_dir=str(self.state / "loops" / "alpha"),
            mirror=str(self.mirror.path),
            checkout=str(self.repo),
            head=head,
            head_tree=head_tree,
            start_tree=None,
            validate_only=False,
            gate_base=False,
            agent="sh",
            config=str(self.frozen),
            sandbox=self.sandbox.name,
        )
        shutil.rmtree(spec.run_dir, ignore_errors=True)
        place = Place(spec, self.config, self.sandbox)
        place.make()
        keeper = Keeper(place, self.shim, self.space)

        def told(tree: str, _guards: tuple[GuardResult, ...], gates: tuple[GateResult, ...]) -> None:
            if tree == head_tree:
                self.known_base.setdefault(tree, []).extend(gates)

        return Bench(place, self.config, self.shim, self.space, keeper, Redactor(), (), (), told)

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.repo, env=programs(), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@contextmanager
def court(project: Project, root: Path, sandbox: Sandbox | None = None) -> Iterator[Court]:
    """A court that is ready to judge the project's cases; ``root`` is an empty directory of its own."""
    before = os.environ["PATH"]
    os.environ["PATH"] = programs()["PATH"]
    try:
        with Shim.start(-1, TAG) as shim:
            yield Court(project, root, shim, sandbox or NoSandbox())
    finally:
        os.environ["PATH"] = before


@contextmanager
def _step(_name: str, _detail: str = "") -> Iterator[None]:
    yield


def _objections(guards: tuple[GuardResult, ...], gates: tuple[GateResult, ...]) -> Iterator[str]:
    for guard in guards:
        if guard.verdict.blocks:
            yield from (f"{guard.name}:{one.rule}" for one in guard.findings if not one.note)
    for gate in gates:
        if gate.blocks:
            yield f"{gate.name}:{gate.proof.grade}" if gate.proof else gate.name


def plain(case: Case, project: Project, root: Path) -> list[tuple[str, int, str]]:
    """Run the project's gates on the changed tree as a person would: name, exit code, output of each."""
    lay(read_project(project.name), root)
    for edit in (*case.before, *case.edits):
        edit(root)
    found = []
    for gate in project.gates:
        done = subprocess.run(
            ["/bin/sh", "-c", str(gate["command"])],
            cwd=root,
            env=programs(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        found.append((str(gate["name"]), done.returncode, done.stdout + done.stderr))
    return found
