"""``python -m ralph.modelserver --script FILE [--port N] [--log FILE]``: serve until interrupted or stdin ends."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from ralph.errors import RalphError
from ralph.modelserver.script import Script
from ralph.modelserver.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ralph.modelserver", description="Scripted Messages API server.")
    parser.add_argument("--script", type=Path, required=True, help="script file (.json or .py)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0: a free one")
    parser.add_argument("--log", type=Path, help="file that gets every request as a JSON line")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    args = parser.parse_args()
    try:
        script = Script.load(args.script)
    except RalphError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return error.exit_code
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with serve(script, args.port, log=args.log) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        if args.until_eof:
            threading.Thread(target=_end_with_input, args=(done,), daemon=True).start()
        done.wait()
    return 0


def _end_with_input(done: threading.Event) -> None:
    sys.stdin.buffer.read()
    done.set()


if __name__ == "__main__":
    sys.exit(main())
