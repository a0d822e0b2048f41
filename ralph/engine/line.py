"""The worker's end of the line to the daemon: blocking to send, never blocking to look."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from time import monotonic

from pydantic import ValidationError

from ralph.domain import Cause
from ralph.engine.messages import MAX_LINE, Down, Granted, Known, Reviewer, Tell, Up, decode_down, encode_up

SEND_SECONDS = 60


class LineClosed(Exception):
    """The daemon is gone: there is nobody left to work for."""


class Line:
    """Messages over the inherited socket. What comes while something else is awaited is kept in order."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self._buffer = bytearray()
        self._inbox: deque[Down] = deque()
        self.stop: Tell | None = None
        """The daemon's word that the iteration ends now."""
        self.asked = 0
        """Number of the last request for budget."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Up) -> None:
        """Send one message. Raises LineClosed where the daemon is gone or does not read for a minute."""
        data = memoryview(encode_up(message))
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                if not select.select([], [self._socket], [], SEND_SECONDS)[1]:
                    raise LineClosed("the daemon does not read") from None
            except OSError as error:
                raise LineClosed(os.strerror(error.errno or 0)) from None

    def look(self) -> Cause | None:
        """Take in what has come; returns the cause where the daemon wants an end. Raises LineClosed at its end."""
        self._receive()
        return (self.stop.cause or Cause.STOPPED) if self.stop else None

    def next_note(self) -> Tell | None:
        """The oldest word for the agent that nobody has read."""
        for message in self._inbox:
            if isinstance(message, Tell):
                self._inbox.remove(message)
                return message
        return None

    def await_go(self) -> Down:
        """Block until the first message."""
        while not self._inbox:
            self._wait(None)
        return self._inbox.popleft()

    def await_grant(self, id: int, seconds: float) -> Granted:
        """Block until the daemon answered ask ``id``; no answer in time is a denial, so is a stop."""
        end = monotonic() + seconds
        while True:
            for message in self._inbox:
                if isinstance(message, Granted) and message.id == id:
                    self._inbox.remove(message)
                    return message
            if self.stop:
                return Granted(id, False, self.stop.text, self.stop.cause or Cause.STOPPED)
            if not self._wait(end - monotonic()):
                return Granted(id, False, "no answer in time", Cause.STOPPED)

    def await_reviewer(self, seconds: float) -> Reviewer:
        """Block until the daemon named a reviewer; none in time is none, so is a stop."""
        end = monotonic() + seconds
        while True:
            for message in self._inbox:
                if isinstance(message, Reviewer):
                    self._inbox.remove(message)
                    return message
            if self.stop:
                return Reviewer("", self.stop.text)
            if not self._wait(end - monotonic()):
                return Reviewer("", f"no reviewer came free in {seconds:.0f} s")

    def await_known(self) -> Known:
        """Block until the daemon answered a snapshot."""
        while True:
            for message in self._inbox:
                if isinstance(message, Known):
                    self._inbox.remove(message)
                    return message
            self._wait(None)

    def _wait(self, seconds: float | None) -> bool:
        if seconds is not None and seconds <= 0:
            return False
        ready = select.select([self._socket], [], [], seconds)[0]
        if ready:
            self._receive()
        return bool(ready)

    def _receive(self) -> None:
        while True:
            try:
                chunk = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError as error:
                raise LineClosed(os.strerror(error.errno or 0)) from None
            if not chunk:
                raise LineClosed("the daemon closed the line")
            self._buffer += chunk
            if len(self._buffer) > MAX_LINE:
                raise LineClosed("a message of the daemon is too long")
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = bytes(self._buffer[:end]), self._buffer[end + 1 :]
            try:
                message = decode_down(line)
            except ValidationError as error:
                raise LineClosed("the daemon said something that is no message") from error
            if isinstance(message, Tell) and message.stop:
                self.stop = message
            self._inbox.append(message)
