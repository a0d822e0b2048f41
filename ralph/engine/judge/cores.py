"""Commands of gates within the budget of cores that all loops of a night share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ralph.engine.judge.bench import Bench
from ralph.host import cores
from ralph.host.process import Completed, Request


def run_within(bench: Bench, requests: Sequence[Request]) -> list[Completed]:
    """Run commands side by side, as many at once as cores are free; fewer results where the night wants an end.

    Waiting for a core is not part of a command's time.
    """
    directory = Path(bench.place.spec.mirror).parent / "cores"
    number = bench.config.verify.cores or cores.usable()
    ended: list[Completed] = []
    while left := requests[len(ended) :]:
        with cores.held(directory, number, len(left), lambda: bench.stopped) as free:
            if not free:
                break
            ended += bench.shim.run_many(left[:free], wakes=bench.wakes)
    return ended
