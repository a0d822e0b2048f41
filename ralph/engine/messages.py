"""What daemon and worker say to each other: one JSON object a line, capped in length, checked on arrival.

Never pickle: a worker runs beside code that an agent wrote, so what it sends is input, not truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from ralph.domain import AgentResult, Cause, GateResult, GuardResult, IterationResult, IterationSpec, Task, Usage
from ralph.engine.train.values import Plan

MAX_LINE = 8 * 1024 * 1024
"""Bytes of one message; a longer one is a fault of the worker, which is killed for it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker stands and waits for ``go``."""

    pid: int
    create_time: float
    boot_id: str
    type: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Step:
    """The iteration reached a step: prepare, base, implement, snapshot, guards, gates."""

    name: str
    detail: str = ""
    type: Literal["step"] = "step"


@dataclass(frozen=True, slots=True)
class Ask:
    """Budget is wanted before a model call: tokens and, where the price is known, dollars."""

    id: int
    tokens: int
    dollars: float | None
    review: bool = False
    """The reviewer's, not the implementer's."""
    type: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class Spent:
    """A model call ended; ``id`` is that of its Ask, 0 where there was none."""

    id: int
    model: str
    usage: Usage
    review: bool = False
    type: Literal["spent"] = "spent"


@dataclass(frozen=True, slots=True)
class AgentWaits:
    """The agent itself waits until ``until`` (epoch seconds)."""

    until: float
    reason: str
    type: Literal["agent_waits"] = "agent_waits"


@dataclass(frozen=True, slots=True)
class AgentEnded:
    result: AgentResult
    seconds: float
    type: Literal["agent_ended"] = "agent_ended"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The agent's work is a tree object in the loop's git directory."""

    tree: str
    type: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class Judged:
    """Guards or gates have verdicts on ``tree``."""

    tree: str
    guards: tuple[GuardResult, ...] = ()
    gates: tuple[GateResult, ...] = ()
    type: Literal["judged"] = "judged"


@dataclass(frozen=True, slots=True)
class AskReview:
    """The change is worth a review; answered with a Reviewer once one is free."""

    type: Literal["ask_review"] = "ask_review"


@dataclass(frozen=True, slots=True)
class ReviewEnded:
    """The review is over, or nobody waits for it any more; without a result nothing was run."""

    result: AgentResult | None = None
    seconds: float = 0
    type: Literal["review_ended"] = "review_ended"


@dataclass(frozen=True, slots=True)
class Done:
    result: IterationResult
    type: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Broken:
    """The worker can't go on; an infrastructure failure, never the task's."""

    reason: str
    detail: str = ""
    type: Literal["broken"] = "broken"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a preflight found (``preflight.Preflight`` as data)."""

    found: dict[str, Any]
    type: Literal["checked"] = "checked"


@dataclass(frozen=True, slots=True)
class Check:
    """Run a preflight instead of an iteration."""

    spec: IterationSpec
    key: str
    tasks: tuple[Task, ...] = ()
    type: Literal["check"] = "check"


@dataclass(frozen=True, slots=True)
class RunTrain:
    """Merge and gate branches together instead of running an iteration."""

    plan: Plan
    type: Literal["run_train"] = "run_train"


@dataclass(frozen=True, slots=True)
class Measure:
    """Run the gates with tests once on the base, instead of an iteration: nobody waits for them."""

    spec: IterationSpec
    type: Literal["measure"] = "measure"


@dataclass(frozen=True, slots=True)
class Measured:
    """What they said."""

    gates: tuple[GateResult, ...]
    type: Literal["measured"] = "measured"


@dataclass(frozen=True, slots=True)
class TrainRan:
    """What a train came to (``train.values.Train`` as data)."""

    found: dict[str, Any]
    type: Literal["train_ran"] = "train_ran"


@dataclass(frozen=True, slots=True)
class Probe:
    """Find out how strong the gates are in files that ``tasks`` own, instead of running an iteration."""

    spec: IterationSpec
    tasks: tuple[Task, ...]
    base: tuple[GateResult, ...]
    """What the gates said of the tree without a fault."""
    seconds: float
    type: Literal["probe"] = "probe"


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe has found so far."""

    files: list[dict[str, Any]]
    stopped: str = ""
    over: bool = False
    type: Literal["probed"] = "probed"


@dataclass(frozen=True, slots=True)
class Go:
    """Start. ``secrets`` travel here and nowhere else."""

    spec: IterationSpec
    secrets: dict[str, str] = field(default_factory=dict)
    type: Literal["go"] = "go"


@dataclass(frozen=True, slots=True)
class Granted:
    id: int
    ok: bool
    reason: str = ""
    cause: Cause | None = None
    type: Literal["granted"] = "granted"


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Answer to AskReview: who reviews, with what; without an agent, why nobody does."""

    agent: str
    reason: str = ""
    same: bool = False
    """It did the work as well: there is no other."""
    refused: int = 0
    """How often reviewers have refused the task."""
    seconds: float = 0
    """Wall time it may take; 0 = no cap."""
    tokens: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    type: Literal["reviewer"] = "reviewer"


@dataclass(frozen=True, slots=True)
class Known:
    """Answer to Snapshot: verdicts that already exist for that tree and need not run again."""

    gates: tuple[GateResult, ...] = ()
    base: tuple[GateResult, ...] = ()
    """The same for the tree of the iteration's head."""
    type: Literal["known"] = "known"


@dataclass(frozen=True, slots=True)
class Tell:
    """Words for the agent; with ``stop`` the iteration ends now."""

    text: str
    stop: bool = False
    cause: Cause | None = None
    type: Literal["tell"] = "tell"


Told = Ready | Step | Ask | Spent | AgentWaits | AgentEnded | Snapshot | Judged | AskReview | ReviewEnded
Up = Told | Done | Broken | Checked | TrainRan | Probed | Measured
Down = Go | Check | RunTrain | Probe | Measure | Granted | Reviewer | Known | Tell

_STRICT = ConfigDict(extra="forbid")
_UP: TypeAdapter[Up] = TypeAdapter(Annotated[Up, Field(discriminator="type")], config=_STRICT)
_DOWN: TypeAdapter[Down] = TypeAdapter(Annotated[Down, Field(discriminator="type")], config=_STRICT)


def encode_up(message: Up) -> bytes:
    return _UP.dump_json(message) + b"\n"


def encode_down(message: Down) -> bytes:
    return _DOWN.dump_json(message) + b"\n"


def decode_up(line: bytes) -> Up:
    """Raises pydantic.ValidationError for anything that is no message."""
    return _UP.validate_json(line)


def decode_down(line: bytes) -> Down:
    """Raises pydantic.ValidationError for anything that is no message."""
    return _DOWN.validate_json(line)


_adapters: dict[Any, TypeAdapter[Any]] = {}


def adapter(kind: Any) -> TypeAdapter[Any]:
    """The adapter of a domain type; building one costs milliseconds, so each is built once."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def plain(value: Any) -> Any:
    """A domain value as plain JSON data, for the ledger."""
    return adapter(type(value)).dump_python(value, mode="json")
