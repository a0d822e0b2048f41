"""What a night came to, as frozen values: the one source of the Markdown, the JSON and the terminal page.

Every string that an agent, a project or a person wrote is kept as it was written; the renderers make it inert.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ralph.domain import Grade, TestCounts, Verdict
from ralph.memory.proposals import Proposal

VERSION = 1
"""Of the JSON form. Fields may be added; a change of meaning raises it."""


@dataclass(frozen=True, slots=True)
class Spend:
    """What model calls cost, summed over ledger rows."""

    tokens: int = 0
    """Counted by limits: uncached input, cache writes and output."""
    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    dollars: float | None = 0.0
    """Of the calls with a known price; None where calls were made and none had one."""
    unpriced_calls: int = 0
    unmetered_iterations: int = 0
    """Iterations of agents whose tokens nobody can count."""
    reported_tokens: int = 0
    """What unmetered agents said they used; in no other figure."""
    unsettled_tokens: int = 0
    """Reserved before a call and never settled: a crash in the middle. Limits count them as spent."""
    estimated: bool = False
    """Some figures were counted from bytes."""

    @property
    def complete(self) -> bool:
        """True where dollars is the whole cost."""
        return not (self.unpriced_calls or self.unmetered_iterations or self.unsettled_tokens)


@dataclass(frozen=True, slots=True)
class GateLine:
    """One verdict with what stands behind it."""

    name: str
    kind: str
    verdict: Verdict
    reason: str
    grade: Grade
    """Never above what was done: an exit code alone is observed, another tree is observed."""
    tree: str
    counts: TestCounts | None = None
    seconds: float = 0.0
    advisory: bool = False
    network: bool = False
    argv: tuple[str, ...] = ()
    log: str = ""
    log_sha256: str = ""
    said: str = ""
    """Of a proof, a strength or a review what it showed, in a phrase."""
    canary: str | None = None
    """Id of the failing test that was planted in the run; empty where none was; None where that is not on record."""
    unproven: bool = False
    """A proof that found no test that shows the change."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing that was wrong with the last attempt that was refused."""

    where: str
    """Test id, gate or guard."""
    message: str
    """First failing assertion, or the reason."""


@dataclass(frozen=True, slots=True)
class TaskLine:
    id: str
    title: str
    outcome: str
    """landed, failed, needs_human, cancelled, unfinished or not_started."""
    reason: str = ""
    depends_on: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    iterations: int = 0
    """Tonight, also those that the machine, a wait or a stop ended."""
    attempts: int = 0
    """Tonight: iterations that count against the task."""
    last_outcome: str = ""
    commit: str | None = None
    tree: str = ""
    branch: str = ""
    files: tuple[str, ...] = ()
    """Changed paths of its commits."""
    grade: Grade | None = None
    """Weakest grade of the gates that let its commit through; None without any gate."""
    gates: tuple[GateLine, ...] = ()
    """Landed: on exactly the committed tree. Else: of the last attempt that was gated."""
    failure: Failure | None = None
    said: str = ""
    """The agent's last words: reported, never believed."""
    seconds: float = 0.0
    spend: Spend = Spend()


@dataclass(frozen=True, slots=True)
class PullRequestLine:
    branch: str
    number: int
    url: str
    state: str
    draft: bool


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """Where a branch stands in the user's repository."""

    branch: str
    how: str
    """ref, unchanged or parked; pushed where only the remote was told; empty: never delivered."""
    commit: str = ""
    detail: str = ""
    """Parked: why the branch was left alone."""
    pushed: str = ""
    """Remote that has it."""
    failed: str = ""
    """Why the last try failed; empty where it worked."""


@dataclass(frozen=True, slots=True)
class BranchLine:
    """One branch to review: after those it stacks on, smaller ones first."""

    position: int
    """From 1."""
    branch: str
    tasks: tuple[str, ...]
    """In the order of their commits."""
    commits: int
    files: int
    head: str
    after: tuple[str, ...] = ()
    """Branches that hold a dependency of this one."""
    together: tuple[str, ...] = ()
    """Branches that hold a dependency of this one and depend on it: to be merged with it."""
    pull_request: PullRequestLine | None = None


@dataclass(frozen=True, slots=True)
class LeftLine:
    """A branch that does not land with the others."""

    branch: str
    why: str
    """conflict, red, behind (it builds on one that is left out) or untried."""
    beside: tuple[str, ...] = ()
    """The others of the smallest set that does not land; empty: it does not land alone."""
    at: tuple[str, ...] = ()
    """Paths that conflict, or tests (gates without test ids) that are red."""
    reason: str = ""
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemovalLine:
    """Whether a task's commit can be taken out of all that lands."""

    task: str
    commit: str
    how: str
    """proven, conflict, needed, red, gone or untried."""
    at: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    """Tasks that build on it."""


@dataclass(frozen=True, slots=True)
class TrainLine:
    """What merging and gating all branches together showed."""

    base: str
    base_commit: str
    moved: bool
    """The base is not where the night started from."""
    land: tuple[str, ...]
    """Branches, in this order."""
    left: tuple[LeftLine, ...] = ()
    removals: tuple[RemovalLine, ...] = ()
    skipped: str = ""
    stopped: str = ""
    ground: str = ""
    """What is wrong with the base itself."""
    flaky: tuple[str, ...] = ()
    trials: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ClashLine:
    """Two branches whose heads did not merge when the last of them was committed to."""

    branches: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LimitLine:
    scope: str
    cause: str
    cap: float
    used: float
    task: str = ""
    loop: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class WaitLine:
    account: str
    reason: str
    since: str
    until: str
    seconds: float | None
    """None: it was still waiting when the night ended."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something only a person can do."""

    what: str
    why: str
    command: str
    """To type as it stands; empty where there is none."""
    code: str
    """objection, halted, paused, quarantined, parked, delivery_failed, train, flaky or needs_human."""
    subject: str = ""
    """Account, scope, branch, task or test id."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that was not verified."""

    code: str
    text: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    tasks: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """Number of tasks per outcome."""
    iterations: int = 0
    iteration_outcomes: dict[str, int] = field(default_factory=dict)
    commits: int = 0
    files: int = 0
    agent_seconds: float = 0.0
    spend: Spend = Spend()


@dataclass(frozen=True, slots=True)
class SpotLine:
    """A place that a person should look at first, and why."""

    path: str
    line: int
    why: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TouchLine:
    """What a change did to tests or to what configures checks."""

    task: str
    places: tuple[str, ...]
    """Each with its path."""
    commit: str = ""
    """It landed, because the task declares it; empty: it was refused."""


@dataclass(frozen=True, slots=True)
class SumLine:
    """What all branches together did to the code base. Lines and complexity are differences."""

    files: int
    lines_added: int
    lines_removed: int
    test_lines: int
    complexity: int
    duplicates: int
    dependencies: tuple[str, ...]
    interface_added: int
    interface_changed: tuple[str, ...]
    infrastructure: tuple[str, ...]
    security: tuple[str, ...]
    spots: tuple[SpotLine, ...]


@dataclass(frozen=True, slots=True)
class WeakLine:
    """How many of the faults planted in a file before the night the gates caught."""

    path: str
    caught: int
    planted: int
    raised: bool = False
    """Few enough that changes there have to show more."""


@dataclass(frozen=True, slots=True)
class NightReport:
    night: str
    started: str
    """ISO 8601, UTC."""
    ended: str | None
    """None while the night runs."""
    seconds: float
    reason: str
    """Why the night ended."""
    exit_code: int | None
    base: str
    base_commit: str
    sandbox: str
    config_sha256: str
    ralph_version: str
    agents: dict[str, str]
    headline: str
    needs: tuple[Need, ...]
    review: tuple[BranchLine, ...]
    tasks: tuple[TaskLine, ...]
    limits: tuple[LimitLine, ...]
    waits: tuple[WaitLine, ...]
    warnings: tuple[str, ...]
    pull_requests: tuple[PullRequestLine, ...]
    deliveries: tuple[DeliveryLine, ...]
    not_verified: tuple[Doubt, ...]
    totals: Totals
    by_model: dict[str, Spend] = field(default_factory=dict)
    proposals: tuple[Proposal, ...] = ()
    """Tasks that reviewers would add."""
    train: TrainLine | None = None
    forecast: tuple[ClashLine, ...] = ()
    sums: SumLine | None = None
    gate_strength: tuple[WeakLine, ...] = ()
    touched: tuple[TouchLine, ...] = ()
    unnoticed: tuple[SpotLine, ...] = ()
    leftovers: tuple[SpotLine, ...] = ()

    def of(self, *outcomes: str) -> list[TaskLine]:
        """Tasks with one of these outcomes, in the order in which they first ran."""
        return [task for task in self.tasks if task.outcome in outcomes]
