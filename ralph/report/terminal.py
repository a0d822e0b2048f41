"""The report in a terminal: colours where somebody looks, plain text where it is piped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ralph.core.inert import line
from ralph.report import page
from ralph.report.model import NightReport

if TYPE_CHECKING:
    from rich.text import Text


class _Plain:
    def words(self, text: str) -> str:
        return line(text, 600)

    def code(self, text: str) -> str:
        return line(text, 400)

    def strong(self, text: str) -> str:
        return line(text, 300)

    def heading(self, level: int, text: str) -> str:
        shown = line(text, 300)
        return f"{shown}\n{'=' * len(shown)}" if level == 1 else shown.upper()

    def link(self, url: str) -> str:
        return line(url, 300)


class _Coloured(_Plain):
    """Writes rich's markup; brackets in the text are escaped before."""

    def words(self, text: str) -> str:
        from rich.markup import escape

        return escape(super().words(text))

    def code(self, text: str) -> str:
        from rich.markup import escape

        return f"[cyan]{escape(super().code(text))}[/cyan]"

    def strong(self, text: str) -> str:
        from rich.markup import escape

        return f"[bold]{escape(super().strong(text))}[/bold]"

    def heading(self, level: int, text: str) -> str:
        from rich.markup import escape

        return f"[bold{' underline' if level == 1 else ' magenta'}]{escape(line(text, 300))}[/]"

    def link(self, url: str) -> str:
        return self.code(url)


_MARK = re.compile(r" *(?:- |\d+\. )?")
"""What stands before the words of an item; its further lines begin below the words."""


def render(report: NightReport, *, colour: bool = False, width: int = 0) -> str:
    """Text for a terminal; without colour it holds no control character but newlines.

    ``width``: columns at which words wrap, 0 for lines of any length. A path longer than that stays whole.
    """
    text = page.write(report, _Coloured() if colour else _Plain())
    if not colour and not width:
        return text
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", highlight=False, emoji=False)
    for row in text.splitlines():
        for part in _wrapped(Text.from_markup(row, emoji=False) if colour else Text(row), width):
            console.print(part, soft_wrap=True)
    return out.getvalue()


def _wrapped(text: Text, width: int) -> Iterator[Text]:
    from rich.text import Text

    mark = _MARK.match(text.plain)
    indent = mark.end() if mark else 0
    if width <= indent or len(text) <= width:
        yield text
        return
    for number, part in enumerate(text[indent:].divide(_breaks(text.plain[indent:], width - indent))):
        part.rstrip()
        yield (text[:indent] if number == 0 else Text(" " * indent)) + part


def _breaks(text: str, width: int) -> list[int]:
    """Offsets at which words begin a new line."""
    found, begin = [], 0
    for word in re.finditer(r"\S+", text):
        if word.end() - begin > width and word.start() > begin:
            begin = word.start()
            found.append(begin)
    return found
