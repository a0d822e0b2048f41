"""Put the report where a person finds it: ``progress/<night>-report.md`` and ``.json``."""

from __future__ import annotations

from pathlib import Path

from ralph.host.files import write_atomic
from ralph.report.markdown import render, render_json
from ralph.report.model import NightReport


def write(directory: Path, report: NightReport) -> tuple[Path, Path]:
    """Write both files atomically into ``directory`` (made if missing) and return their paths.

    Raises OSError where the directory can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    markdown, data = (directory / f"{report.night}-report.{kind}" for kind in ("md", "json"))
    write_atomic(markdown, render(report).encode(), mode=0o644)
    write_atomic(data, render_json(report).encode(), mode=0o644)
    return markdown, data
