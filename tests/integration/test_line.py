"""The worker's line over a real socket: nothing is lost or reordered, nobody blocks for ever, an end is noticed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ralph.domain import Cause
from ralph.engine import line as lines
from ralph.engine.line import Line, LineClosed
from ralph.engine.messages import (
    MAX_LINE,
    Broken,
    Down,
    Granted,
    Known,
    Step,
    Tell,
    decode_up,
    encode_down,
    encode_up,
)


class Ends:
    """The worker's line and the daemon's bare socket."""

    def __init__(self) -> None:
        self.daemon, theirs = socket.socketpair()
        self.daemon.settimeout(10)
        self.line = Line(theirs.detach())

    def say(self, *messages: Down) -> None:
        self.daemon.sendall(b"".join(map(encode_down, messages)))

    def close(self) -> None:
        self.daemon.close()
        self.line._socket.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def test_messages_keep_their_order_while_others_are_awaited(ends: Ends) -> None:
    ends.say(Tell("one"), Known(), Tell("two"), Granted(2, True), Granted(1, False, "no", Cause.TOKENS))
    assert ends.line.await_grant(1, 5) == Granted(1, False, "no", Cause.TOKENS)
    assert ends.line.await_grant(2, 5) == Granted(2, True)
    assert ends.line.await_known() == Known()
    assert [ends.line.next_note(), ends.line.next_note(), ends.line.next_note()] == [Tell("one"), Tell("two"), None]
    assert ends.line.look() is None


def test_a_message_in_pieces_arrives_whole(ends: Ends) -> None:
    data = encode_down(Tell("ü" * 1000)) + encode_down(Known())

    def drip() -> None:
        for at in range(0, len(data), 97):
            ends.daemon.sendall(data[at : at + 97])

    sender = threading.Thread(target=drip)
    sender.start()
    assert ends.line.await_known() == Known()
    sender.join()
    assert ends.line.next_note() == Tell("ü" * 1000)


def test_no_answer_in_time_is_a_denial(ends: Ends) -> None:
    begun = time.monotonic()
    answer = ends.line.await_grant(1, 0.1)
    assert (answer.ok, answer.cause) == (False, Cause.STOPPED)
    assert 0.1 <= time.monotonic() - begun < 5
    ends.say(Granted(2, True))
    assert ends.line.await_grant(2, 5).ok


def test_a_stop_is_a_denial_and_stays_in_force(ends: Ends) -> None:
    ends.say(Tell("enough", stop=True, cause=Cause.DOLLARS))
    answer = ends.line.await_grant(1, 30)
    assert (answer.ok, answer.reason, answer.cause) == (False, "enough", Cause.DOLLARS)
    assert ends.line.look() is Cause.DOLLARS
    assert ends.line.look() is Cause.DOLLARS
    assert ends.line.next_note() == Tell("enough", stop=True, cause=Cause.DOLLARS)


def test_a_stop_without_a_cause_is_a_person(ends: Ends) -> None:
    ends.say(Tell("stop", stop=True))
    assert ends.line.look() is Cause.STOPPED


def test_words_without_stop_end_nothing(ends: Ends) -> None:
    ends.say(Tell("hurry up"))
    assert ends.line.look() is None
    assert ends.line.stop is None


@pytest.mark.parametrize("wait", ["look", "await_known", "await_go"])
def test_the_end_of_the_daemon_is_noticed(ends: Ends, wait: str) -> None:
    ends.daemon.close()
    with pytest.raises(LineClosed):
        getattr(ends.line, wait)()


def test_what_was_said_before_the_end_is_not_lost(ends: Ends) -> None:
    ends.say(Known())
    assert ends.line.await_known() == Known()
    ends.daemon.close()
    with pytest.raises(LineClosed):
        ends.line.await_known()


def test_sending_to_nobody_says_so(ends: Ends) -> None:
    ends.daemon.close()
    with pytest.raises(LineClosed):
        for _ in range(3):
            ends.line.send(Step("gates"))


def test_a_large_message_passes_a_slow_reader(ends: Ends) -> None:
    message = Broken("r", "x" * 2_000_000)
    heard = bytearray()

    def read() -> None:
        while not heard.endswith(b"\n"):
            heard.extend(ends.daemon.recv(4096))

    reader = threading.Thread(target=read)
    reader.start()
    ends.line.send(message)
    reader.join()
    assert decode_up(bytes(heard)) == message
    assert encode_up(message) == bytes(heard)


def test_a_reader_that_never_reads_is_given_up(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "SEND_SECONDS", 0.05)
    with pytest.raises(LineClosed, match="does not read"):
        ends.line.send(Broken("r", "x" * 4_000_000))


def test_a_message_without_an_end_is_given_up(ends: Ends) -> None:
    chunk = b"x" * (1 << 20)

    def flood() -> None:
        try:
            for _ in range(MAX_LINE // len(chunk) + 2):
                ends.daemon.sendall(chunk)
        except OSError:
            pass  # the line has given up

    sender = threading.Thread(target=flood)
    sender.start()
    with pytest.raises(LineClosed, match="too long"):
        ends.line.await_known()
    ends.line._socket.close()
    sender.join()


def test_garbage_ends_the_line(ends: Ends) -> None:
    ends.daemon.sendall(b'{"type": "granted"}\n')
    with pytest.raises(LineClosed, match="no message"):
        ends.line.await_known()
