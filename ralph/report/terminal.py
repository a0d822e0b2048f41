"""The report in a terminal: colours where somebody looks, plain text where it is piped."""

from __future__ import annotations

from ralph.core.inert import line
from ralph.report import page
from ralph.report.model import NightReport


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


def render(report: NightReport, *, colour: bool = False) -> str:
    """Text for a terminal, which wraps it; without colour it holds no control character but newlines."""
    if not colour:
        return page.write(report, _Plain())
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", highlight=False, emoji=False)
    console.print(page.write(report, _Coloured()), end="", soft_wrap=True)
    return out.getvalue()
