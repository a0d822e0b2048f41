"""Who pays: waits and halts of model accounts, shared by all loops that use the same one."""

from __future__ import annotations

from dataclasses import dataclass

from ralph.domain import Wait


@dataclass(slots=True)
class _Account:
    wait: Wait | None = None
    probe: str = ""
    """Loop that tries first after a wait; the others follow once it got an answer."""
    repeats: int = 0


class Accounts:
    """The waits in force. Times are epoch seconds, passed in."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def hit(self, account: str, wait: Wait) -> int:
        """Remember a wait; returns how many came in a row. A later end replaces an earlier one."""
        entry = self._accounts.setdefault(account, _Account())
        if entry.wait is None or wait.halt or wait.until > entry.wait.until:
            entry.wait = wait
        entry.probe = ""
        entry.repeats += 1
        return entry.repeats

    def extend(self, account: str, wait: Wait) -> None:
        """Replace the wait in force by a longer one."""
        self._accounts[account].wait = wait

    def answered(self, account: str, loop: str) -> bool:
        """The probing loop got an answer: the account works again. False where it did not wait.

        An answer to any other loop was asked for before the wait and says nothing about it.
        """
        entry = self._accounts.get(account)
        if entry is None or entry.probe != loop:
            return False
        self.forget(account)
        return True

    def release(self, account: str, loop: str) -> None:
        """The probing loop is done without an answer: another one may try."""
        entry = self._accounts.get(account)
        if entry and entry.probe == loop:
            entry.probe = ""

    def blocks(self, account: str, loop: str, now: float) -> Wait | None:
        """The wait that keeps ``loop`` from using the account; None makes it the probe after a wait."""
        wait, entry = self.wait_of(account, loop, now), self._accounts.get(account)
        if wait is None and entry and entry.wait:
            entry.probe = loop
        return wait

    def wait_of(self, account: str, loop: str, now: float) -> Wait | None:
        """The same without making it the probe."""
        entry = self._accounts.get(account)
        if entry is None or entry.wait is None:
            return None
        if entry.wait.halt or now < entry.wait.until:
            return entry.wait
        return None if entry.probe in ("", loop) else Wait(now + 5, f"{entry.probe} tries the account first")

    def retry(self, account: str) -> None:
        """A person says: try again. One loop does, the others follow once it got an answer."""
        entry = self._accounts.get(account)
        if entry and entry.wait:
            entry.wait, entry.probe = Wait(0.0, entry.wait.reason), ""

    def forget(self, account: str) -> None:
        """The account is known to work."""
        self._accounts.pop(account, None)

    def waiting(self) -> dict[str, Wait]:
        """The waits that no answer has ended yet, also those whose time is over."""
        return {name: entry.wait for name, entry in self._accounts.items() if entry.wait}
