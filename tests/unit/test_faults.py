"""Every point at which a test may kill the daemon is listed, so that the crash matrix passes all of them."""

from __future__ import annotations

import re
from pathlib import Path

import ralph.engine
from ralph.engine.faults import POINTS


def test_every_point_is_listed_once() -> None:
    source = "".join(path.read_text() for path in Path(ralph.engine.__file__).parent.rglob("*.py"))
    passed = set(re.findall(r'\bpoint\("([a-z-]+)"\)', source))
    assert passed == set(POINTS)
    assert len(POINTS) == len(passed)
