"""The tables and keys of ralph.toml as models; the text below a field is its documentation everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ralph.config.limits import Limits, LoopLimits, RoleLimits
from ralph.config.table import Cap, Clock, Count, Name, Table


class Night(Table):
    """When ralph works, from which commit, and with how many loops."""

    start: Clock = "22:00"
    """Local time at which the window opens; `ralph start --now` ignores it."""
    stop: Clock = "07:00"
    """Local time after which nothing new is picked."""
    timezone: str = ""
    """IANA zone of start and stop; empty: the machine's."""
    base: str = "main"
    """Branch that the loops start from: `main` or `origin/main` (fetched at start); pinned for the night."""
    loops: Annotated[int, Field(ge=1, le=64)] = 3
    """Number of loops that run side by side; ignored where [[loops]] are named."""
    branch_per: Literal["loop", "task"] = "loop"
    """One branch for each loop (ralph/<loop>) or for each task (ralph-task/<id>)."""
    allow_red_base: bool = False
    """Start although gates are red on the base; then only newly failing tests block."""
    grace_minutes: Cap = 15
    """How long running iterations may go on after `stop`."""
    train_minutes: Cap = 30
    """Time box at the end of the night in which all branches are merged and gated together; 0: they are not."""


class Loop(Table):
    """A named loop."""

    name: Name
    """Name of the loop and of its branch ralph/<name>."""
    role: str = ""
    """Take only tasks of this role; empty: any."""
    route: list[str] = []
    """Agents this loop uses, instead of the role's route."""
    reviewer: list[str] = []
    """Agents that review this loop's changes, instead of the route of the role `reviewer`."""
    limits: LoopLimits = LoopLimits()
    """Caps of this loop."""


class Agent(Table):
    """An agent that proposes changes."""

    kind: Literal["api", "claude-code", "codex", "gemini", "opencode", "aider", "acp", "command", "scripted"]
    """How it is driven."""
    model: str = ""
    """Model id; empty: the agent's default (api: claude-sonnet-5-5)."""
    command: list[str] = []
    """command: argv with {prompt_file}, {task_id}, {model}; a first word with a slash is relative to ralph.toml.
    CLI kinds: the program instead of the one on PATH."""
    prompt: Literal["stdin", "file", "arg"] = "stdin"
    """How a `command` agent gets the prompt."""
    env: list[str] = []
    """Names of environment variables passed through to it."""
    state: list[str] = []
    """Paths with its login, writable inside the sandbox, e.g. `~/.claude`."""
    base_url: str = ""
    """Base URL of the model API; empty: the provider's, or its environment variable."""
    api_key_env: str = "ANTHROPIC_API_KEY"
    """Environment variable that holds the key."""
    account: str = ""
    """Agents with the same account share its waits and spend limits; empty: kind and key."""
    max_tokens: Annotated[int, Field(ge=1)] = 32_000
    """api: output cap of one call."""
    effort: Literal["", "low", "medium", "high", "xhigh", "max"] = ""
    """api, claude-code: effort; empty: the model's default."""
    script: str = ""
    """scripted: path of the script file (JSON)."""
    args: list[str] = []
    """Further arguments for the CLI kinds."""

    @model_validator(mode="after")
    def _needs_its_keys(self) -> Agent:
        if self.kind == "command" and not self.command:
            raise ValueError('kind = "command" needs command = ["./agent.sh", "{prompt_file}"]')
        if self.kind == "scripted" and not self.script:
            raise ValueError('kind = "scripted" needs script = "path.json"')
        return self


class Role(Table):
    """A role: what is said to it, and what it may spend."""

    prompt: str = ""
    """Text added to the rules for this role."""
    limits: RoleLimits = RoleLimits()
    """Caps of this role over the night."""


class Gate(Table):
    """A command of the project that must pass on exactly the tree that is committed."""

    name: Name
    """Shown everywhere."""
    command: str
    """Command line; split by shlex, no shell unless shell = true."""
    kind: Literal["tests", "types", "lint", "security", "other"] = "other"
    """What it checks; `tests` must have run at least one test."""
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600
    """Seconds."""
    shell: bool = False
    """Run by /bin/sh -c."""
    when: list[str] = []
    """Globs; with no changed path matching, the gate is not applicable. Empty: always."""
    cost: Literal["cheap", "expensive"] = "expensive"
    """Cheap gates run first."""
    junit: str = ""
    """Path of the JUnit XML that the command writes, relative to the tree; known runners are told by the daemon."""
    coverage: str = ""
    """Path of the coverage file that the command writes, relative to the tree: LCOV or Cobertura XML. Python tests are
    measured without it."""
    network: Literal["none", "host"] = "none"
    """`host` shares the machine's network (a database on loopback)."""
    env: dict[str, str] = {}
    """Variables set for this gate."""
    cwd: str = ""
    """Directory inside the tree."""
    writes: bool | None = None
    """Whether it writes into the tree; false lets it run in parallel. Default: false for types and lint."""

    @property
    def parallel(self) -> bool:
        return not (self.writes if self.writes is not None else self.kind not in ("types", "lint"))


class Sandbox(Table):
    """What stands around agents and gates."""

    mode: Literal["auto", "bwrap", "seatbelt", "none"] = "auto"
    """auto: the strongest that a probe proves, and no start where none works. none: no sandbox, said loudly."""
    read: list[str] = []
    """Further paths readable inside."""
    write: list[str] = []
    """Further paths writable inside."""


class Workspace(Table):
    """How a work tree is made ready."""

    setup: str = ""
    """Command that installs dependencies into the `keep` folders; the only one that writes them."""
    inputs: list[str] = []
    """Globs of the files `setup` depends on (lock files); it runs again when they change."""
    keep: list[str] = []
    """Folders kept over resets and read-only for agents and gates: .venv, node_modules."""
    scratch: list[str] = []
    """Folders writable for agents and gates, emptied at each reset."""
    env: dict[str, str] = {}
    """Variables set for agents and gates."""


class Guards(Table):
    """Checks of the diff."""

    protected: list[str] = []
    """Globs of further protected paths; a task may declare one with allow = ["protected:<path>"]."""
    max_file_mb: Cap = 10
    """Largest file that may be added."""


Demand = Literal["proven", "unchanged", "any"]


class Policy(Table):
    """What a change has to prove, per kind of task. `proven`: a test that fails without the change, where the project
    has tests. `unchanged`: no test changes its outcome. `any`: gates alone decide."""

    fix: Demand = "proven"
    """Tasks of kind `fix`."""
    feature: Demand = "proven"
    """Tasks of kind `feature`."""
    refactor: Demand = "unchanged"
    """Tasks of kind `refactor`."""
    docs: Demand = "unchanged"
    """Tasks of kind `docs`."""
    chore: Demand = "unchanged"
    """Tasks of kind `chore`."""
    test: Demand = "any"
    """Tasks of kind `test`."""


class Verify(Table):
    """What counts as a test, and how much a change has to prove."""

    tests: list[str] = []
    """Globs of test files; empty: defaults of the project's languages."""
    policy: Policy = Policy()
    canary: bool = True
    """Plant a failing test in every test run that takes one: a run that does not report it is `not_run`."""
    flaky_runs: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a newly failing test runs again, on the change and on the base; once where nothing could excuse it."""
    quarantine_days: Annotated[int, Field(ge=1)] = 14
    """Days after which a flaky test gates again."""
    strength: Literal["off", "report", "retry"] = "report"
    """Mutants on changed lines: `retry` refuses a change with survivors once for each task."""
    mutation_seconds: Cap = 0
    """Time box of the mutants of one change; 0: half of what the tests take, at most 60."""
    mutation_command: str = ""
    """Other languages than Python: prints a line `path:line: text` for each survivor, and nothing else on stdout. The
    changed lines stand in RALPH_CHANGED_LINES, a line `path:3,4` for each file."""
    review_rounds: Count = 2
    """How often a reviewer may refuse a task; after that its reasons are only shown."""
    probe_seconds: Cap = 60
    """Before a night: time box of the mutants in the files that its tasks own; 0: none."""
    cores: Count = 0
    """Commands of gates that run side by side at most, over all loops; 0: as many as the machine has cores."""


class Forge(Table):
    """Where pull requests live."""

    kind: Literal["local", "github"] = "local"
    """local: a file for each pull request; github: GitHub."""
    remote: str = "origin"
    """Remote that branches are pushed to."""
    repository: str = ""
    """owner/name; empty: read from the remote's URL."""
    base_url: str = "https://api.github.com"
    """API of the forge."""
    draft: bool = True
    """Open pull requests as drafts."""
    push_notes: bool = False
    """Push refs/notes/ralph with the branch."""
    token_env: str = "GITHUB_TOKEN"
    """Environment variable with the token; else `gh auth token` is asked."""


class Notify(Table):
    """Who is told when something needs a person or a night ends."""

    urls: list[str] = []
    """Apprise URLs (needs `pip install ralph[notify]`)."""
    command: list[str] = []
    """Command that gets the message on stdin and RALPH_EVENT in its environment."""
    env: list[str] = []
    """Names of environment variables passed through to the command."""


class Price(Table):
    """US dollars for a million tokens of one model."""

    input: Cap
    """Uncached input."""
    output: Cap
    """Output."""
    cache_write: Cap = 0
    """Cache writes; 0: the input price."""
    cache_read: Cap = 0
    """Cache reads; 0: the input price."""


class Keep(Table):
    """How long records stay before `ralph clean` removes them. 0 = for ever."""

    logs_days: Count = 30
    """Prompts, transcripts and logs; 0: for ever."""
    attempts_days: Count = 14
    """Refs of failed attempts; 0: for ever."""


class Config(Table):
    """Policy of one repository: ralph.toml."""

    night: Night = Night()
    limits: Limits = Limits()
    loops: list[Loop] = []
    agents: dict[Name, Agent] = {}
    routes: dict[str, list[str]] = {}
    """Per role a ladder of agents; the next one after a reassignment. With a route of the role `reviewer` every
    change is reviewed before it lands, by the first of it that did not do the work."""
    roles: dict[str, Role] = {}
    gates: list[Gate] = []
    sandbox: Sandbox = Sandbox()
    workspace: Workspace = Workspace()
    guards: Guards = Guards()
    verify: Verify = Verify()
    forge: Forge = Forge()
    notify: Notify = Notify()
    prices: dict[str, Price] = {}
    keep: Keep = Keep()

    @field_validator("gates")
    @classmethod
    def _gates_differ(cls, gates: list[Gate]) -> list[Gate]:
        names = [gate.name for gate in gates]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two gates are called {twice[0]!r}")
        if own := [name for name in names if name in ("proof", "strength", "review")]:
            raise ValueError(f"a gate can't be called {own[0]!r}: that is a step of ralph's own")
        return gates

    @model_validator(mode="after")
    def _names_exist(self) -> Config:
        own = [(loop.name, [*loop.route, *loop.reviewer]) for loop in self.loops]
        for where, route in [*self.routes.items(), *own]:
            for agent in route:
                if agent not in self.agents:
                    known = ", ".join(sorted(self.agents)) or "none"
                    raise ValueError(f"route {where!r} names the agent {agent!r}, but [agents] has: {known}")
        names = [loop.name for loop in self.loops]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two loops are called {twice[0]!r}")
        return self

    def loop_list(self) -> list[Loop]:
        """The named loops, or `night.loops` of them called loop-1, loop-2, ..."""
        return self.loops or [Loop(name=f"loop-{n}") for n in range(1, self.night.loops + 1)]

    def route(self, role: str, loop: Loop | None = None) -> list[str]:
        """The ladder of agents for a role: the loop's own, the role's, the implementer's, or all agents."""
        own = loop.route if loop else []
        return own or self.routes.get(role) or self.routes.get("implementer") or list(self.agents)

    def reviewers(self, loop: Loop | None = None) -> list[str]:
        """Who may review a loop's changes: its own reviewers or the route of that role; empty: nobody does."""
        return (loop.reviewer if loop else []) or self.routes.get("reviewer", [])
