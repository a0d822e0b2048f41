"""What goes into an iteration and what comes out: the two values that cross the process border."""

from __future__ import annotations

from dataclasses import dataclass, field

from ralph.domain.evidence import Change, GateResult, GuardResult
from ralph.domain.task import Task
from ralph.domain.usage import Usage, Wait
from ralph.domain.words import Cause, Outcome


@dataclass(frozen=True, slots=True)
class Reflection:
    """What an agent wrote for the next reader. Reported, never believed."""

    surprised: str = ""
    pattern: str = ""
    """A line it proposes for AGENTS.md."""
    prompt: str = ""
    """An improvement of the prompt it proposes."""
    repeating: bool = False
    """It answered yes to 'Am I repeating the same approach?'."""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class AgentResult:
    """What an agent run came to. Nothing in it makes a task done."""

    exit_code: int | None = None
    """Recorded, not trusted."""
    error: str | None = None
    """Why the agent failed, in one line; None where it ended by itself without an error."""
    cause: Cause | None = None
    """The limit that stopped it."""
    wait: Wait | None = None
    usage: Usage = Usage()
    metered: bool = True
    """False where nobody can count its tokens."""
    said: str = ""
    """Its last words, trimmed."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What went wrong in the attempt before, for the next prompt."""

    attempt: int
    outcome: Outcome
    summary: str
    guards: tuple[GuardResult, ...] = ()
    gates: tuple[GateResult, ...] = ()
    reflection: Reflection | None = None


@dataclass(frozen=True, slots=True)
class IterationSpec:
    """Everything a worker needs for one iteration: frozen, serialisable, complete."""

    night: str
    iteration: str
    """``<night>/<loop>/<n>`` with slashes replaced by dots: unique, sorts by time within a loop."""
    loop: str
    task: Task
    attempt: int
    tag: str
    """128 random bits in hex, the value of RALPH_RUN in every child."""
    run_dir: str
    loop_dir: str
    """Holds ``git`` (git directory), ``tree`` (work tree), ``home``, ``tmp``."""
    mirror: str
    checkout: str
    """Path of the user's checkout: where trees are mounted inside a sandbox."""
    head: str
    """Commit that the task's commit will have as its (first) parent."""
    start_tree: str | None
    """Tree to start from instead of the head's: the kept work of the attempt before."""
    validate_only: bool
    """The agent's work is already in ``start_tree``; it was paid for, only validation is missing."""
    gate_base: bool
    """The head is a merge made tonight: gate it before the agent starts."""
    agent: str
    """Name of the ``[agents.*]`` table."""
    config: str
    """Path of the night's frozen configuration (TOML)."""
    head_tree: str = ""
    """Tree of ``head``, which the candidate is compared with."""
    tracked_by_base: dict[str, list[str]] = field(default_factory=dict)
    """Per gate name: test ids that are red on the base (only filled with allow_red_base)."""
    advisory_gates: tuple[str, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    """Program to version, of those that gates start, as they were found on the base."""
    uncanaried: tuple[str, ...] = ()
    """Gates by name, checks by command, that report no planted failure on the base either: they get none, and count
    less."""
    quarantined: dict[str, dict[str, str]] = field(default_factory=dict)
    """Per gate name: test ids that do not gate because they are known to be flaky, with the date since when."""
    flake_rates: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Per gate name and test id: how often it failed on the night's base while loops were idle, of how many runs."""
    start_refused: bool = True
    """``start_tree`` was validated and did not pass: giving it back as it was is no change."""
    feedback: Feedback | None = None
    handoffs: dict[str, str] = field(default_factory=dict)
    """Per dependency id: the note it left."""
    agents_md: str = ""
    """AGENTS.md of the base."""
    nested: tuple[tuple[str, str], ...] = ()
    """(path, text) of the AGENTS.md files nearest to the task's files."""
    knowledge_cut: tuple[str, ...] = ()
    """What of them did not fit."""
    repository_map: str = ""
    progress_tail: str = ""
    tokens_left: int = 0
    """Cap on counted tokens of this iteration; 0 = none."""
    dollars_left: float = 0
    seconds_left: float = 0
    port_base: int = 0
    shared_files: tuple[str, ...] = ()
    """Globs of the paths that other loops hold tonight; changing one of them fails the scope guard."""
    sandbox: str = "none"
    """Name of the sandbox that the night's probe proved."""
    weak_files: tuple[str, ...] = ()
    """Files in which the gates noticed too few planted faults: changes there have to show more."""


@dataclass(frozen=True, slots=True)
class IterationResult:
    """What the worker leaves. ``outcome`` is COMMITTED only in the daemon; a worker says ``ready``."""

    iteration: str
    ready: bool
    """Guards and gates all passed on ``tree``: the daemon may commit it."""
    outcome: Outcome
    """Meaningful where ``ready`` is False."""
    summary: str
    tree: str | None = None
    agent: AgentResult = AgentResult()
    changes: tuple[Change, ...] = ()
    guards: tuple[GuardResult, ...] = ()
    gates: tuple[GateResult, ...] = ()
    reflection: Reflection | None = None
    handoff: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall seconds per step: prepare, implement, snapshot, guards, gates, reset."""
    memory: int = 0
    """Own peak memory of the worker in bytes (self-reported)."""
