"""Tell a person through Apprise URLs (mail, chat, push); the extra ``ralph[notify]``."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence

from ralph.errors import ConfigError
from ralph.notify.base import Notice

log = logging.getLogger(__name__)


class AppriseNotifier:
    """Raises ConfigError at the start, not in the night: when Apprise is missing, or does not know a URL."""

    def __init__(self, urls: Sequence[str]) -> None:
        if importlib.util.find_spec("apprise") is None:
            raise ConfigError(
                "[notify] urls needs Apprise, which is not installed",
                "run `pip install 'ralph[notify]'`, or use [notify] command",
            )
        import apprise

        self._apprise = apprise.Apprise()
        for number, url in enumerate(urls, start=1):
            if not self._apprise.add(url):  # the URL itself may hold a token: it is never shown
                scheme = url.partition("://")[0]
                raise ConfigError(
                    f"[notify] urls: number {number} ({scheme}://...) is not understood by Apprise",
                    "see the list of services in Apprise's documentation",
                )

    def send(self, notice: Notice) -> None:
        try:
            sent = self._apprise.notify(title=notice.title, body=notice.text or notice.title)
        except Exception as error:  # noqa: BLE001 - plugins of other people; a night never stops for them
            log.warning("notify: Apprise failed: %s", type(error).__name__)
            return
        if not sent:
            log.warning("notify: Apprise could not reach every address")
