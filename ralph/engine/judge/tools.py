"""The versions of the programs that gates start, asked once where the base is looked at, in the gates' own sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ralph.config import Gate
from ralph.engine.jails import environment, gate_jail
from ralph.engine.judge.bench import Bench
from ralph.host.process import Request
from ralph.verify import tools
from ralph.verify.excerpt import read_log
from ralph.verify.gates import PlannedGate

SECONDS = 10
"""What a program gets to say its version."""


def versions(bench: Bench, planned: Sequence[PlannedGate], kept: Mapping[str, Path]) -> dict[str, str]:
    """Program to version, of every program that says one. The base lies in the work tree already."""
    place = bench.place
    asked = {name: argv for gate in planned if not gate.settled for name, argv in tools.questions(gate).items()}
    folder = place.run / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    jail = gate_jail(place, kept, folder, folder, Gate(name="tools", command="true"))
    env = environment(place, jail, {})
    directory = str(place.directory)
    requests = [
        Request(tuple(place.sandbox.wrap(argv, jail, directory)), "/", env, folder / f"{name}.log", seconds=SECONDS)
        for name, argv in asked.items()
    ]
    ended = bench.shim.run_many(requests, wakes=bench.wakes)
    said = {
        name: tools.version(read_log(done.log)) for name, done in zip(asked, ended, strict=True) if done.exit_code == 0
    }
    return {name: version for name, version in said.items() if version}
