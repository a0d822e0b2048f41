"""The daemon's command line: arguments in, exit code out, and a word to whoever started it."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ralph.engine.daemon import Daemon, Options
from ralph.errors import BUG, RalphError

log = logging.getLogger("ralph")


def main(argv: Sequence[str]) -> int:
    """Run the daemon; errors of the person go to stderr and, while starting, to the starter's pipe as JSON."""
    parser = argparse.ArgumentParser(prog="ralph.engine.entry")
    parser.add_argument("--repo", required=True, type=Path)
    parser.add_argument("--mode", choices=("window", "now", "once"), required=True)
    parser.add_argument("--ready-fd", type=int, default=-1)
    args = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    daemon = Daemon(Options(args.repo, args.mode), args.ready_fd)
    try:
        return asyncio.run(daemon.run())
    except RalphError as error:
        log.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        _tell_starter(daemon, {"error": error.message, "hint": error.hint})
        return error.exit_code
    except Exception as error:
        log.exception("the daemon broke")
        _tell_starter(daemon, {"error": f"the daemon broke: {error}", "hint": "see `ralph logs --daemon`"})
        return BUG


def _tell_starter(daemon: Daemon, message: dict[str, str]) -> None:
    if daemon.starter >= 0:
        os.write(daemon.starter, json.dumps(message).encode() + b"\n")
