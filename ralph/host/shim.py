"""Runs an iteration's commands and leaves nothing of them: exec'd by path, on its own, standard library only.

``python -I -S -E shim.py <control fd> <lifeline fd or -1> <worker pid>``. It is the child subreaper of everything it
starts, the only process that calls ``waitpid(-1)``, and it ends, killing all, when the control socket closes, the
lifeline (a pipe whose write end the daemon alone holds) closes, or the worker dies. ``ECHILD`` is its proof of
emptiness. ``_socket`` and ``marshal`` stand in for socket and json because those take 8 ms longer to import; both
ends of the socket run the same interpreter.
"""

from __future__ import annotations

import _socket
import ctypes
import marshal
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # typing takes 5 ms to import
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

SWEEP_SECONDS = 10.0
"""How long SIGKILL may take before a process is called unkillable."""
_TIGHT_SECONDS = 0.2
DEATH_SIGNAL, DUMPABLE, SUBREAPER = 1, 4, 36
"""Options of prctl."""
_LINUX = sys.platform == "linux"
_OURS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def prctl(option: int, value: int) -> None:
    """Linux process control; does nothing elsewhere."""
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


class Link:
    """Length-prefixed messages with file descriptors over a Unix stream socket; used at both ends."""

    def __init__(self, fd: int) -> None:
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        self._data = bytearray()
        self._fds: list[int] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        body = marshal.dumps(message)
        data = len(body).to_bytes(4, "big") + body
        rights = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
        extra = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if fds else []
        sent = self._socket.sendmsg([data], extra)
        self._socket.sendall(data[sent:])

    def receive(self) -> list[tuple[Message, tuple[int, ...]]]:
        """Return the messages that are complete now, with their descriptors. Raises EOFError at the end."""
        flags = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
        data, extra, _, _ = self._socket.recvmsg(1 << 16, _socket.CMSG_SPACE(12 * 4), flags)
        if not data:
            raise EOFError
        self._data += data
        for _, _, rights in extra:
            for at in range(0, len(rights) - 3, 4):
                fd = int.from_bytes(rights[at : at + 4], sys.byteorder)
                os.set_inheritable(fd, False)
                self._fds.append(fd)
        messages = []
        while len(self._data) >= 4 and len(self._data) >= (end := 4 + int.from_bytes(self._data[:4], "big")):
            message: Message = marshal.loads(bytes(self._data[4:end]))
            del self._data[:end]
            count = 3 if message["op"] == "run" else 0
            messages.append((message, tuple(self._fds[:count])))
            del self._fds[:count]
        return messages


class Shim:
    """The loop: commands in, exits out, and a sweep at the end whatever the end is."""

    def __init__(self, control: int, lifeline: int, worker: int) -> None:
        self._link = Link(control)
        self._running: dict[int, tuple[int, int]] = {}  # pid -> (command id, error pipe)
        self._sessions: set[int] = set()
        self._killed: set[int] = set()
        self._swept = 0
        self._wakeup, wake = os.pipe()
        for fd in (self._wakeup, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in _OURS:
            signal.signal(number, lambda *_: None)
        self._poll = select.poll()
        self._poll.register(self._wakeup, select.POLLIN)
        self._poll.register(control, select.POLLIN)
        self._ends: set[int] = set()
        if lifeline >= 0:
            self._ends.add(lifeline)
        if _LINUX:
            self._ends.add(os.pidfd_open(worker))
        for fd in self._ends:
            self._poll.register(fd, select.POLLIN)
        self._wanted = os.getppid() == worker

    def serve(self) -> None:
        while self._wanted:
            for fd, _ in self._poll.poll():
                if fd == self._wakeup:
                    self._woken()
                elif fd in self._ends:
                    self._wanted = False
                else:
                    self._listen()
        self.sweep(0)

    def _woken(self) -> None:
        numbers = os.read(self._wakeup, 4096)
        if any(number != signal.SIGCHLD for number in numbers):
            self._wanted = False
        self.reap()

    def _listen(self) -> None:
        try:
            messages = self._link.receive()
        except (EOFError, ConnectionError):
            self._wanted = False
            return
        for message, fds in messages:
            match message["op"]:
                case "run":
                    self.run(message, fds)
                case "signal":
                    self.signal(message)
                case "sweep":
                    count, unkillable = self.sweep(message["grace"])
                    self._tell({"op": "swept", "count": count, "unkillable": unkillable})

    def _tell(self, message: Message) -> None:
        if not self._wanted:
            return  # an exit that our own last sweep caused must not look like the command's own
        try:
            self._link.send(message)
        except OSError:
            self._wanted = False  # the worker is gone

    def run(self, message: Message, fds: tuple[int, ...]) -> None:
        """Start a command in a session of its own."""
        errors, report = os.pipe()
        shim = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)  # the child writes into our wakeup pipe until it is itself
        try:
            pid = os.fork()
        except OSError as error:
            os.close(errors)
            self._tell(_exit(message["id"], 126, f"cannot start a process: {error.strerror}"))
        else:
            if pid == 0:
                _become(message, fds, report, shim)
            self._running[pid] = (message["id"], errors)
            self._sessions.add(pid)
            self._tell({"op": "started", "id": message["id"], "pid": pid})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        for fd in (*fds, report):
            os.close(fd)

    def signal(self, message: Message) -> None:
        """Signal a command's tree and process group; bubblewrap around it, which would just die, gets SIGKILL alone."""
        number = message["sig"]
        for pid in [pid for pid, (name, _) in self._running.items() if name == message["id"]]:
            wrapped = number != signal.SIGKILL and _name(pid) == "bwrap"
            for target in (pid, *_descendants(pid)):
                if not wrapped or _name(target) != "bwrap":
                    _kill(target, number)
            if not wrapped:
                _kill(-pid, number)

    def reap(self) -> bool:
        """Collect what has ended and report commands among it. True where no child is left."""
        ended: list[tuple[int, int]] = []
        empty = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                empty = True
                break
            if pid == 0:
                break
            if pid in self._running:
                ended.append((pid, status))
            elif pid in self._killed:
                self._swept += 1
        for pid, status in ended:
            name, errors = self._running.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            with open(errors, "rb", buffering=0) as file:
                os.set_blocking(errors, False)
                text = (file.read(4096) or b"").decode(errors="replace")
            self._tell(_exit(name, code, text, clean=empty and not self._running))
        return empty

    def sweep(self, grace: float) -> tuple[int, list[int]]:
        """Kill everything that is left. Return how many processes that were and the pids that would not die."""
        self.reap()
        self._swept = 0
        self._killed.clear()
        if grace > 0:
            self._ask(time.monotonic() + grace)
        start = time.monotonic()
        patient = select.poll()
        patient.register(self._wakeup, select.POLLIN)
        while not self.reap():
            waited = time.monotonic() - start
            children = _children(os.getpid())
            if waited > SWEEP_SECONDS:
                return self._swept, children
            for pid in children:
                _kill(pid, signal.SIGKILL)
            self._note(children)
            # A process that forks and exits all the time is only caught without a pause.
            if patient.poll(0 if waited < _TIGHT_SECONDS else 2):
                os.read(self._wakeup, 4096)
        for pid in self._sessions if not _LINUX else ():
            _kill(-pid, signal.SIGKILL)
        self._sessions.clear()
        return self._swept, []

    def _note(self, pids: list[int]) -> None:
        """Remember who is about to be killed, but not bubblewrap's own process, which is always still ending."""
        self._killed.update(pid for pid in pids if pid not in self._killed and _name(pid) != "bwrap")

    def _ask(self, until: float) -> None:
        """Send SIGTERM to everything and wait, unless somebody we depend on ends."""
        left = _descendants(os.getpid())
        self._note(left)
        for pid in left:
            _kill(pid, signal.SIGTERM)
        waiting = select.poll()
        for fd in (self._wakeup, *self._ends):
            waiting.register(fd, select.POLLIN)
        while not self.reap() and (rest := until - time.monotonic()) > 0:
            for fd, _ in waiting.poll(rest * 1000):
                if fd != self._wakeup:
                    return
                os.read(self._wakeup, 4096)


def _become(message: Message, fds: tuple[int, ...], report: int, shim: int) -> None:
    """In the child: turn into the command; never returns. 127 not found, 126 cannot be run, as in a shell."""
    code, argv = 126, message["argv"]
    try:
        os.setsid()
        prctl(DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != shim:
            os._exit(126)
        signal.set_wakeup_fd(-1)
        for number in (*_OURS, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        if message["oom"] and _LINUX:
            prctl(DUMPABLE, 1)  # else an ordinary user may not write the next file
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write(str(message["oom"]))
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        os.chdir(message["cwd"])
        try:
            _execute(argv, message["env"])
        except FileNotFoundError:
            code = 127
            raise
    except OSError as error:
        what = argv[0] if error.filename is None or code == 127 else error.filename
        os.write(report, f"{what}: {error.strerror}".encode(errors="replace")[:4000])
    except (TypeError, ValueError) as error:  # a NUL byte in an argument
        os.write(report, f"{type(error).__name__}: {error}".encode(errors="replace")[:4000])
    finally:
        os._exit(code)


def _execute(argv: list[str], env: dict[str, str]) -> None:
    """``os.execvpe`` without its import of warnings, which would take 1 ms of each command."""
    denied = None
    folders = [""] if "/" in argv[0] else env.get("PATH", os.defpath).split(":")
    for folder in folders:
        try:
            os.execve(os.path.join(folder, argv[0]), argv, env)  # noqa: PTH118 (pathlib takes 4 ms to import)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            denied = error
    raise denied or FileNotFoundError(2, os.strerror(2), argv[0])


def _exit(name: object, code: int, error: str, clean: bool = False) -> Message:
    number = -code if code < 0 else None
    code_or_none = None if number else code
    return {"op": "exit", "id": name, "code": code_or_none, "signal": number, "error": error, "clean": clean}


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass  # it has ended, or belongs to another user: the sweep's result tells


def _children(pid: int) -> list[int]:
    """Direct children, from /proc; empty where the system has none."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (pathlib takes 4 ms to import)
            with open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as file:
                found += map(int, file.readall().split())
    except OSError:
        pass  # it has just ended
    return found


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    queue = [pid]
    while queue:
        children = _children(queue.pop())
        found += children
        queue += children
    return found


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb", buffering=0) as file:
            return file.readall().decode(errors="replace").strip()
    except OSError:
        return ""


def main(control: int, lifeline: int, worker: int) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for fd in (control, lifeline):
        if fd >= 0:
            os.set_inheritable(fd, False)
    prctl(SUBREAPER, 1)
    prctl(DUMPABLE, 0)
    try:
        shim = Shim(control, lifeline, worker)
    except ProcessLookupError:
        return  # the worker ended before we began
    shim.serve()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
