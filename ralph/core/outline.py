"""The repository map that goes into prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def outline(paths: Sequence[str], limit: int = 300) -> str:
    """The repository map: every path of a small repository, the folders with their file counts of a large one."""
    if len(paths) <= limit:
        return "\n".join(paths)
    folders = Counter("/".join(path.split("/")[:2]) if "/" in path else path for path in paths)
    rows = [f"{name}/ ({count} files)" if count > 1 else name for name, count in sorted(folders.items())]
    return "\n".join(rows[:limit])
