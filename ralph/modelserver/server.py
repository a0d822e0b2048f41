"""The HTTP side of the scripted model: loopback only, one thread a connection, answers a function of the request."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from ralph.modelserver import wire
from ralph.modelserver.script import Error, Raw, Script, Turn

MAX_BODY = 64 * 1024 * 1024
_PATH = re.compile(r"^(?:/s/(?P<scenario>[^/?]+))?(?P<path>/[^?]*)")


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Keys are never kept, only how one was given and its last four characters."""

    at: float
    """Epoch seconds."""
    method: str
    path: str
    scenario: str
    auth: str
    """``bearer``, ``x-api-key`` or empty."""
    key_tail: str
    headers: dict[str, str]
    body: dict[str, Any] = field(repr=False)


class Server:
    """A running model server: ``with serve(script) as server: ... server.url``."""

    def __init__(self, script: Script, port: int, log: Path | None, key: str) -> None:
        self.script = script
        self.key = key
        self.requests: list[Received] = []
        """All requests so far, in order of arrival."""
        self.stopped = threading.Event()
        self._log = log
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._http = _Http(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Base URL for clients; add ``/s/<name>`` for a scenario."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def messages(self) -> list[Received]:
        """The requests that asked the model for an answer."""
        return [one for one in self.requests if one.path == "/v1/messages"]

    def close(self) -> None:
        """End every connection and the server."""
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def record(self, one: Received) -> None:
        with self._lock:
            self.requests.append(one)
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({name: getattr(one, name) for name in Received.__slots__}) + "\n")

    def times_seen(self, name: str, body: dict[str, Any]) -> int:
        """How often this turn of this conversation was asked for before; the only state there is."""
        digest = hashlib.sha256(f"{name}\0{wire.answers(body)}\0{wire.prompt(body)}".encode()).hexdigest()
        with self._lock:
            self._seen[digest] = self._seen.get(digest, 0) + 1
            return self._seen[digest] - 1


def serve(script: Script, port: int = 0, *, log: Path | None = None, key: str = "") -> Server:
    """Start a model server on 127.0.0.1; a free port for 0.

    ``log``: file that gets every request as a JSON line. ``key``: the only key accepted; empty: any.
    """
    return Server(script, port, log, key)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], model: Server) -> None:
        self.model = model
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for one in list(self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its client went away first

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away is nothing to report
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """The request log is ``Server.requests``."""

    def do_HEAD(self) -> None:
        self._take()
        self._json(200, {})

    def do_GET(self) -> None:
        path = self._take().path
        models = [_model(name) for name in self.server.model.script.models]
        one = [model for model in models if path == f"/v1/models/{model['id']}"]
        if path == "/v1/models":
            self._json(200, {"data": models, "has_more": False, "first_id": None, "last_id": None})
        elif one:
            self._json(200, one[0])
        elif path == "/api/hello":
            self._json(200, {})
        else:
            self._error(Error(status=404, message=f"{path} is not here"))

    def do_POST(self) -> None:
        taken = self._take()
        model = self.server.model
        given = self._key()[1]
        if not given or (model.key and model.key != given):
            self._error(Error(status=401, message="invalid x-api-key"))
        elif not isinstance(taken.body.get("messages"), list):
            self._error(Error(status=400, message="messages: Field required"))
        elif taken.path == "/v1/messages/count_tokens":
            self._json(200, {"input_tokens": wire.tokens(taken.body)})
        elif taken.path != "/v1/messages":
            self._error(Error(status=404, message=f"{taken.path} is not here"))
        elif reason := wire.fault(taken.body):
            self._error(Error(status=400, message=reason))
        else:
            name, turn = model.script.turn(taken.scenario, wire.prompt(taken.body), wire.answers(taken.body))
            if turn.times and model.times_seen(name, taken.body) >= turn.times:
                turn = turn.healthy()
            self._answer(name, turn, taken.body)

    def _take(self) -> Received:
        found = _PATH.match(self.path)
        length = int(self.headers.get("content-length") or 0)
        if not 0 <= length <= MAX_BODY:
            raise ConnectionError("body too large")
        data = _object(self.rfile.read(length))
        scheme, key = self._key()
        taken = Received(
            at=time.time(),
            method=self.command,
            path=found["path"] if found else self.path,
            scenario=(found["scenario"] or "") if found else "",
            auth=scheme,
            key_tail=key[-4:],
            headers={k.lower(): v for k, v in self.headers.items() if k.lower() not in ("authorization", "x-api-key")},
            body=data,
        )
        self.server.model.record(taken)
        return taken

    def _key(self) -> tuple[str, str]:
        """How the key was given, and the key."""
        if bearer := (self.headers.get("authorization") or "").removeprefix("Bearer ").strip():
            return "bearer", bearer
        key = self.headers.get("x-api-key") or ""
        return "x-api-key" if key else "", key

    def _answer(self, name: str, turn: Turn, body: dict[str, Any]) -> None:
        if turn.hang:
            self.server.model.stopped.wait(turn.hang)
        if turn.drop:
            self.close_connection = True
        elif turn.raw:
            self._raw(turn.raw)
        elif turn.error and turn.error.after is None:
            self._error(turn.error)
        elif body.get("stream"):
            self._stream(turn, wire.message(turn, body, name))
        else:
            self._json(200, wire.message(turn, body, name))

    def _stream(self, turn: Turn, whole: dict[str, Any]) -> None:
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        room = turn.cut
        for number, event in enumerate(wire.events(whole)):
            if turn.stall and number == turn.stall.after:
                self._stall(turn.stall.seconds, turn.stall.ping)
            if turn.error and number == turn.error.after:
                self._chunk(wire.event("error", wire.error(turn.error)))
                break
            if room is not None and len(event) >= room:
                self._chunk(event[:room])
                self.close_connection = True
                return
            self._chunk(event)
            room = None if room is None else room - len(event)
        self.wfile.write(b"0\r\n\r\n")

    def _stall(self, seconds: float, ping: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.server.model.stopped.wait(min(left, ping or left)):
            if ping:
                self._chunk(b": keep-alive\n\n")

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _error(self, one: Error) -> None:
        self._json(one.status, wire.error(one), one.headers)

    def _json(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(data).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(text)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(text)

    def _raw(self, raw: Raw) -> None:
        self._head(raw.status, {"connection": "close", **raw.headers})
        self.close_connection = True
        body = raw.body.encode("latin-1")
        for _ in range(raw.repeat):
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("request-id", "req_scripted")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _object(data: bytes) -> dict[str, Any]:
    """A request's JSON; whatever is no JSON object is an empty one, which is then refused."""
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _model(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
    }
