"""What a person reads in the morning: collected from the ledger alone, rendered for every medium."""

from ralph.report.collect import collect, from_events
from ralph.report.markdown import render as render_markdown
from ralph.report.markdown import render_json
from ralph.report.model import NightReport
from ralph.report.terminal import render as render_terminal
from ralph.report.write import write

__all__ = [
    "NightReport",
    "collect",
    "from_events",
    "render_json",
    "render_markdown",
    "render_terminal",
    "write",
]
