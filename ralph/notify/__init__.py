"""Tell a person: a command, Apprise URLs, or both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ralph.config import Notify
from ralph.notify.base import Notice, Notifier

__all__ = ["Notice", "Notifier", "make"]

_NONE: Mapping[str, str] = {}


def make(config: Notify, directory: Path = Path(), secrets: Mapping[str, str] = _NONE) -> Notifier:
    """The notifier of ``[notify]``; a command's first word with a slash is relative to ``directory``.

    ``secrets`` holds values of ``[notify] env`` that were taken out of this process's environment.

    Raises ConfigError where URLs are set and Apprise is not installed or does not know one of them.
    """
    from ralph.notify.command import CommandNotifier

    notifiers: list[Notifier] = []
    if config.command:
        notifiers.append(CommandNotifier(config.command, directory.resolve(), config.env, secrets))
    if config.urls:
        from ralph.notify.apprise import AppriseNotifier

        notifiers.append(AppriseNotifier(config.urls))
    return Everybody(notifiers)


class Everybody:
    """Passes a notice on to each notifier; none of them can keep the next one from hearing it."""

    def __init__(self, notifiers: list[Notifier]) -> None:
        self._notifiers = notifiers

    def send(self, notice: Notice) -> None:
        for notifier in self._notifiers:
            notifier.send(notice)
