"""Draw the terminal report of the last night in a ledger as SVG: `python docs/picture.py LEDGER > docs/report.svg`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ralph import report
from ralph.memory.ledger import Ledger


def picture(path: Path, width: int = 118) -> str:
    """SVG of the report as `ralph report` shows it on a terminal."""
    ledger = Ledger.read_only(path)
    found = report.collect(ledger, ledger.last_night() or "")
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(report.render_terminal(found, colour=True)))
    drawn = console.export_svg(title="ralph report")
    return re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", drawn, flags=re.DOTALL)  # nothing is loaded from elsewhere


if __name__ == "__main__":
    sys.stdout.write(picture(Path(sys.argv[1])))
