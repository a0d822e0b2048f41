"""What a night that goes on takes up from its own events: verdicts, pauses, parked tasks, waits of accounts."""

from __future__ import annotations

from ralph.domain import GateResult, Status, Wait
from ralph.engine.messages import adapter
from ralph.engine.night import Night
from ralph.memory.ledger import Event

_HELD = ("paused", "resumed", "parked", "task", "waiting", "halted", "night_ended")


def verdicts(night: Night) -> None:
    """What was executed on a tree is not executed again."""
    for event in night.ledger.events(night=night.id, kinds=("preflight", "gate")):
        if event.kind == "preflight":
            night.remember(event.data["tree"], adapter(tuple[GateResult, ...]).validate_python(event.data["gates"]))
            continue
        data = {key: value for key, value in event.data.items() if key != "tree"}
        night.remember(event.data["tree"], (adapter(GateResult).validate_python(data),))


def holds(night: Night) -> None:
    """Whatever was paused, parked or waiting stays so; the loops have to be there already."""
    for event in night.ledger.events(night=night.id, kinds=_HELD):
        match event.kind:
            case "paused":
                _pause(night, event.data["scope"], event.data["reason"])
            case "resumed":
                _resume(night, event)
            case "parked":
                night.parked.add(event.task)
            case "task" if event.data.get("by") == "person" and event.data["status"] == Status.PENDING:
                night.parked.discard(event.task)
            case "waiting" | "halted":
                data = event.data
                wait = Wait(data["until"], data["reason"], halt=event.kind == "halted")
                night.accounts.hit(data["account"], wait)
            case "night_ended":  # somebody stopped it: the start after that is a person's word
                for account, wait in night.accounts.waiting().items():
                    if wait.halt:
                        night.accounts.retry(account)


def _pause(night: Night, scope: str, reason: str) -> None:
    if scope in night.loops:
        night.loops[scope].paused = reason
    elif scope.startswith("role "):
        night.paused_roles[scope.removeprefix("role ")] = reason


def _resume(night: Night, event: Event) -> None:
    """An account that answered works; one that a person resumed is tried once more."""
    if account := event.data.get("account"):
        night.accounts.forget(account)
        return
    scope = event.data.get("scope", "")
    night.accounts.retry(scope)
    night.paused_roles.pop(scope.removeprefix("role "), None)
    if scope in night.loops:
        night.loops[scope].paused = ""
