"""Keeps the machine from falling asleep while a night runs, with what the system offers for that."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SECONDS = 3.0
_HELD = b"held\n"


@dataclass(frozen=True, slots=True)
class Awake:
    """Whether something keeps the machine awake."""

    held: bool
    detail: str
    """What holds it, or why nothing does and what that means."""


@contextmanager
def keep_awake(reason: str) -> Iterator[Awake]:
    """Hold off idle sleep inside the block, also off when this process is killed; never fails, says what it got."""
    command = _command(reason)
    if command is None:
        yield Awake(False, "neither systemd-inhibit nor caffeinate is here: the machine may fall asleep")
        return
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin and process.stdout
    try:
        ready, _, _ = select.select([process.stdout], [], [], _SECONDS)
        held = bool(ready) and os.read(process.stdout.fileno(), len(_HELD)) == _HELD
        name = os.path.basename(command[0])  # noqa: PTH119 (a string in, a string out)
        yield Awake(held, name if held else f"{name} could not hold it: the machine may fall asleep")
    finally:
        process.stdin.close()  # the held program ends at the end of its input
        process.stdout.close()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(reason: str) -> list[str] | None:
    held = ["/bin/sh", "-c", "echo held; exec cat"]
    if inhibit := shutil.which("systemd-inhibit"):
        return [inhibit, "--what=idle:sleep", "--who=ralph", f"--why={reason}", "--mode=block", *held]
    if caffeinate := shutil.which("caffeinate"):
        return [caffeinate, "-i", "-s", *held]
    return None
