"""Children that are hard to kill, bounded in time and number: ``nasty.py <mode> <exit|stay> <token> <heartbeat file>``.

Every process shows the token on its command line. ``exit``: the first process ends at once with code 7 and leaves
the others. It prints ``ready`` when all of them are there.
"""

import os
import signal
import sys
import time

SECONDS = 20
MODE, ENDING, TOKEN, HEARTBEAT = sys.argv[1:5]


def stay():
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.5)
    os._exit(0)


def child(run):
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(0)
    return pid


def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


def detached(run):
    """Double fork into a session of its own; returns when the grandchild is there."""
    read, write = os.pipe()

    def middle():
        os.setsid()
        child(lambda: (os.write(write, b"x"), run()))

    os.waitpid(child(middle), 0)
    os.read(read, 1)


def forget():
    """Come back without environment, descriptors, directory."""
    deaf()
    os.chdir("/")
    os.closerange(0, 64)
    os.execve(sys.executable, [sys.executable, "-I", "-S", __file__, "sleep", "stay", TOKEN, ""], {})


def in_own_session():
    os.setsid()
    deaf()
    stay()


def watcher():
    """Start a partner whenever the one before ends; 40 times at most."""
    deaf()
    os.setsid()
    for _ in range(40):
        os.waitpid(child(lambda: (deaf(), os.setsid(), time.sleep(0.05))), 0)


def hop():
    """Fork, exit, a new session each time: never the same pid for longer than a millisecond; for 5 seconds."""
    end = time.monotonic() + 5
    beats = os.open(HEARTBEAT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        os.setsid()
        os.write(beats, b".")


def stopped():
    os.kill(os.getpid(), signal.SIGSTOP)
    stay()


def main():
    match MODE:
        case "plain":
            child(lambda: (child(stay), stay()))
        case "detached":
            detached(stay)
        case "deaf":
            deaf()
            child(stay)
        case "bomb":
            for _ in range(50):
                child(in_own_session)
        case "pipeholder":
            detached(lambda: (deaf(), stay()))
        case "stopped":
            os.waitpid(child(stopped), os.WUNTRACED)
        case "forgetful":
            detached(forget)
        case "respawn":
            for _ in range(4):
                child(watcher)
        case "hopper":
            detached(hop)
        case "sleep":
            stay()
    print("ready", flush=True)
    if ENDING == "exit":
        os._exit(7)
    stay()


main()
