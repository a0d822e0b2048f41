"""One suite for every way to tell a person: it reaches them, and a night never stops for it."""

from __future__ import annotations

import http.server
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ralph import notify
from ralph.config import Notify
from ralph.errors import ConfigError
from ralph.notify import Notice, Notifier
from ralph.notify.apprise import AppriseNotifier
from ralph.notify.command import CommandNotifier

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise's own import on Python 3.11

NOTICE = Notice("needs_human", "login: stuck “three” times\x00", "Task login needs you.\n\n$(touch /tmp/x) `id`")


class Inbox:
    """A real HTTP server that Apprise's json:// posts to; or the file that a command writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer = 200
        self.bodies: list[dict[str, str]] = []
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                inbox.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(inbox.answer)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output clean."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/"

    def read(self) -> str:
        """Everything that has arrived."""
        file = self.folder / "inbox"
        said = file.read_text() if file.exists() else ""
        return said + "".join(f"{body['title']}\n{body['message']}" for body in self.bodies)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(tmp_path)
    yield inbox
    inbox.server.shutdown()
    inbox.server.server_close()


def program(folder: Path, body: str) -> str:
    file = folder / "tell.py"
    file.write_text(f"#!{sys.executable}\n{body}\n")
    file.chmod(0o755)
    return "./tell.py"


@pytest.fixture(params=["command", "apprise", "both"])
def good(request: pytest.FixtureRequest, inbox: Inbox) -> Notifier:
    copy = f"import sys; open({str(inbox.folder / 'inbox')!r}, 'a').write(sys.stdin.read())"
    command = [program(inbox.folder, copy)]
    urls = [inbox.url]
    kinds = {
        "command": Notify(command=command),
        "apprise": Notify(urls=urls),
        "both": Notify(command=command, urls=urls),
    }
    return notify.make(kinds[request.param], inbox.folder)


@pytest.fixture(params=["exits 3", "can't start", "hangs", "server error", "nobody listens"])
def bad(request: pytest.FixtureRequest, inbox: Inbox) -> Notifier:
    match request.param:
        case "exits 3":
            return CommandNotifier([program(inbox.folder, "import sys; sys.exit('no route to phone')")], inbox.folder)
        case "can't start":
            return CommandNotifier(["./absent"], inbox.folder)
        case "hangs":
            return CommandNotifier([program(inbox.folder, "import time; time.sleep(60)")], inbox.folder, timeout=0.3)
        case "server error":
            inbox.answer = 500
            return AppriseNotifier([inbox.url])
        case _:
            return AppriseNotifier(["json://127.0.0.1:1/"])


def test_title_and_text_arrive_as_they_are(good: Notifier, inbox: Inbox) -> None:
    good.send(NOTICE)
    said = inbox.read()
    assert "stuck “three” times" in said
    assert "$(touch /tmp/x) `id`" in said


def test_a_failure_is_logged_and_swallowed(bad: Notifier, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="ralph"):
        bad.send(NOTICE)
    assert "notify:" in caplog.text


def test_one_that_fails_does_not_keep_the_next_from_telling(inbox: Inbox) -> None:
    notify.make(Notify(command=["./absent"], urls=[inbox.url]), inbox.folder).send(NOTICE)
    assert "Task login needs you." in inbox.read()


def test_nothing_configured_tells_nobody(tmp_path: Path) -> None:
    notify.make(Notify(), tmp_path).send(NOTICE)


def test_a_command_sees_the_event_and_only_what_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    monkeypatch.setenv("PHONE", "112")
    dump = f"import os, json; open({str(tmp_path / 'env')!r}, 'w').write(json.dumps(dict(os.environ)))"
    CommandNotifier([program(tmp_path, dump)], tmp_path, ["PHONE"]).send(NOTICE)
    seen = json.loads((tmp_path / "env").read_text())
    assert seen["RALPH_EVENT"] == "needs_human"
    assert seen["RALPH_TITLE"] == NOTICE.title.replace("\0", "")
    assert seen["PHONE"] == "112"
    assert "ANTHROPIC_API_KEY" not in seen


def test_a_child_left_behind_by_a_command_does_not_hold_it_up(tmp_path: Path) -> None:
    leave = f"import subprocess; open({str(tmp_path / 'pid')!r}, 'w').write(str(subprocess.Popen(['sleep', '20']).pid))"
    before = time.monotonic()
    CommandNotifier([program(tmp_path, leave)], tmp_path).send(NOTICE)
    os.kill(int((tmp_path / "pid").read_text()), 9)
    assert time.monotonic() - before < 10


def test_missing_apprise_is_said_before_the_night(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError) as caught:
        notify.make(Notify(urls=["json://127.0.0.1/"]), tmp_path)
    assert "ralph[notify]" in caught.value.hint


def test_a_url_that_apprise_does_not_know_is_named_without_its_token(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        notify.make(Notify(urls=["json://127.0.0.1/", "nosuch://tok3n@host"]), tmp_path)
    assert "number 2 (nosuch://...)" in caught.value.message
    assert "tok3n" not in caught.value.message
