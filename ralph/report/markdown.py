"""The report as Markdown and as JSON, from the same value."""

from __future__ import annotations

import dataclasses
import json
import re

from ralph.core import inert
from ralph.report import page
from ralph.report.model import VERSION, NightReport

_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~%/-]*)?")


class _Markdown:
    def words(self, text: str) -> str:
        return inert.markdown(text, 600)

    def code(self, text: str) -> str:
        return inert.code(text, 400)

    def strong(self, text: str) -> str:
        return f"**{inert.markdown(text, 300)}**"

    def heading(self, level: int, text: str) -> str:
        return f"{'#' * level} {inert.markdown(text, 300)}"

    def link(self, url: str) -> str:
        """An address of the forge, shown in full; anything else is text."""
        return f"<{url}>" if _PLAIN_URL.fullmatch(url) else inert.code(url, 300)


def render(report: NightReport) -> str:
    """At most 1,200 words of Markdown; the same report always gives the same bytes."""
    return page.write(report, _Markdown())


def render_json(report: NightReport) -> str:
    """Everything the report knows, as one JSON document with a ``version``."""
    value = {"version": VERSION, **dataclasses.asdict(report)}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
