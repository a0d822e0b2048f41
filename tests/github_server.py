"""A local GitHub: keeps pull requests in memory and holds every request against the published description."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any

from github_description import Description, Request, Response

OWNER, NAME = "octo", "project"
TOKEN = "ghp_local_test_token"

Answer = tuple[int, dict[str, str], bytes]


class GithubServer:
    """``faults`` are answers given instead of, or after, the next requests: ``fault(request, act) -> answer``."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.pulls: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self.faults: list[Callable[[Request, Callable[[], Answer]], Answer | None]] = []
        self.drafts_allowed = True
        self.pushed: dict[str, str] = {}
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def settle(self, branch: str, state: str) -> None:
        """Somebody merged or closed it on the web."""
        pull = next(pull for pull in self.pulls if pull["head"]["ref"] == branch and pull["state"] == "open")
        pull["state"] = "closed"
        pull["merged_at"] = "2026-11-20T08:00:00Z" if state == "merged" else None

    def seed(self, wanted: dict[str, Any]) -> None:
        """A pull request that is there without a request."""
        self._create(wanted)

    def push(self, branch: str, head: str) -> None:
        """A push moves the head of the open pull request."""
        self.pushed[branch] = head
        for pull in self.pulls:
            if pull["head"]["ref"] == branch and pull["state"] == "open":
                pull["head"]["sha"] = head

    def answer(self, request: Request) -> Answer | None:
        """None: hang up."""
        self.requests.append(request)
        answer = self.faults.pop(0)(request, lambda: self._act(request)) if self.faults else self._act(request)
        described = self.description.problems(request)
        if answer is not None and answer[1].get("Content-Type") == "application/json" and answer[0] < 400:
            described = self.description.problems(request, Response(answer[0], answer[2]))
        self.problems += described
        return answer

    def _act(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"token {TOKEN}":
            return say(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        base = f"/repos/{OWNER}/{NAME}/pulls"
        if request.path == base:
            return self._list(request) if request.method == "get" else self._create(json.loads(request.body or b"{}"))
        number = request.path.removeprefix(f"{base}/")
        pull = next((pull for pull in self.pulls if str(pull["number"]) == number), None)
        if pull is None:
            return say(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        if request.method == "patch":
            wanted = json.loads(request.body or b"{}")
            pull.update({name: wanted[name] for name in ("title", "body", "state") if name in wanted})
            pull["base"]["ref"] = wanted.get("base", pull["base"]["ref"])
        return say(200, pull)

    def _list(self, request: Request) -> Answer:
        query = request.query
        state, head = query.get("state", "open"), query.get("head", "")
        found = [
            pull
            for pull in self.pulls
            if (state == "all" or pull["state"] == state) and (not head or pull["head"]["label"] == head)
        ]
        if query.get("direction", "desc") == "desc":
            found.reverse()
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        part = [self._simple(pull) for pull in found[(page - 1) * size : page * size]]
        link = {}
        if page * size < len(found):
            rest = request.target.split("?")[1] if "?" in request.target else ""
            parts = [word for word in rest.split("&") if word and not word.startswith("page=")]
            link = {"Link": f'<{self.url}{request.path}?{"&".join([*parts, f"page={page + 1}"])}>; rel="next"'}
        return say(200, part, **link)

    def _create(self, wanted: dict[str, Any]) -> Answer:
        label = f"{OWNER}:{wanted['head']}"
        if any(pull["head"]["label"] == label and pull["state"] == "open" for pull in self.pulls):
            return refuse(f"A pull request already exists for {label}.")
        if wanted.get("draft") and not self.drafts_allowed:
            return refuse("Draft pull requests are not supported in this repository.")
        pull = self.description.example("pull-request")
        number = len(self.pulls) + 1
        pull.update(
            number=number,
            title=wanted["title"],
            body=wanted.get("body"),
            state="open",
            draft=wanted.get("draft", False),
            merged_at=None,
            merged=False,
            requested_teams=[],  # the published example lacks their required type
            url=f"{self.url}/repos/{OWNER}/{NAME}/pulls/{number}",
            html_url=f"https://github.com/{OWNER}/{NAME}/pull/{number}",
        )
        pull["head"].update(ref=wanted["head"], label=label, sha=self.pushed.get(wanted["head"], ""))
        pull["base"].update(ref=wanted["base"], label=f"{OWNER}:{wanted['base']}")
        self.pulls.append(pull)
        return say(201, pull)

    def _simple(self, pull: dict[str, Any]) -> dict[str, Any]:
        simple = self.description.example("pull-request-simple-items")[0]
        own = ("number", "title", "body", "state", "draft", "merged_at", "url", "html_url")
        simple.update({name: pull[name] for name in own}, requested_teams=[])
        for side in ("head", "base"):
            simple[side].update({name: pull[side][name] for name in ("ref", "label", "sha")})
        return simple


def say(status: int, value: Any, **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()


def refuse(message: str) -> Answer:
    error = {"resource": "PullRequest", "code": "custom", "message": message}
    about = "https://docs.github.com/rest/pulls/pulls#create-a-pull-request"
    return say(422, {"message": "Validation Failed", "errors": [error], "documentation_url": about})


def _handler(server: GithubServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.answer(Request(self.command.lower(), self.path, headers, body))
            if answer is None:
                self.close_connection = True
                return
            status, more, data = answer
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler
