"""What ralph leaves in a user's checkout besides branches: an ignored link, and the lines that ignore it."""

from __future__ import annotations

import os
from pathlib import Path

from ralph.host.paths import Layout

EXCLUDED = ("/tasks.json", "/progress/", "/.ralph")


def exclude(layout: Layout) -> str:
    """Keep run state out of `git status`, through the exclude file that is never committed."""
    path = layout.common_dir / "info" / "exclude"
    path.parent.mkdir(exist_ok=True)
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    missing = [pattern for pattern in EXCLUDED if pattern not in text.splitlines()]
    if not missing:
        return ""
    lead = "" if not text or text.endswith("\n") else "\n"
    with open(path, "a", encoding="utf-8") as file:
        file.write(lead + "# run state of ralph\n" + "".join(f"{pattern}\n" for pattern in missing))
    return f"excluded {', '.join(missing)} in {path}"


def link(layout: Layout) -> str:
    """Let ``.ralph`` in the checkout lead to the state directory; says what was done, nothing where it was so."""
    link = layout.repo / ".ralph"
    if link.is_symlink() and Path(os.path.realpath(link)) == layout.root:
        return ""
    try:
        link.symlink_to(layout.root)
    except FileExistsError:
        return f"kept .ralph: it exists and does not lead to {layout.root}"
    return f"linked .ralph to {layout.root}"
