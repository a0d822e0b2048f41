"""One streamed call of the Messages API: bounded in size and silence, its failures as plain data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from ralph.agents.accounts import Reply
from ralph.agents.api_answer import Answer

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

CONNECT_SECONDS = 15.0
MAX_BYTES = 32 * 1024 * 1024
"""Of one answer; the largest real ones are a few MB."""


class CallFailed(Exception):
    """A call that gave no whole answer. ``answer`` is what came before."""

    def __init__(self, reply: Reply, answer: Answer, reached: bool) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.answer = answer
        self.reached = reached
        """The server may have worked on it, although nothing came back."""


class TooMuch(Exception):
    """A body that is larger than any answer, or packed although that was not asked for."""


def client(key: str, base_url: str, idle: float) -> AsyncAnthropic:
    """A client that never retries by itself, follows no redirect and reads no more than it can keep."""
    import anthropic
    import httpx2

    async def bound(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise TooMuch("the server sent a packed body, which was not asked for")
        response.stream = Bounded(response.stream)

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in self._inner:
                size += len(chunk)
                if size > MAX_BYTES:
                    raise TooMuch(f"the answer is larger than {MAX_BYTES} bytes")
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    timeout = httpx2.Timeout(idle, connect=CONNECT_SECONDS)
    http = httpx2.AsyncClient(timeout=timeout, follow_redirects=False, event_hooks={"response": [bound]})
    return anthropic.AsyncAnthropic(
        api_key=key,
        base_url=base_url or "https://api.anthropic.com",
        max_retries=0,
        timeout=timeout,
        http_client=http,
        default_headers={"accept-encoding": "identity"},
        open_telemetry=False,
    )


async def call(client: AsyncAnthropic, request: Mapping[str, Any], answer: Answer, idle: float) -> None:
    """Send one request and fill ``answer`` from the stream.

    Raises CallFailed for everything that keeps the answer from being whole: an error status, an error inside the
    stream, a lost connection, ``idle`` seconds without an event (keep-alives do not count), a stream that just ends.
    """
    import anthropic
    import httpx2

    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(idle) as limit:
            stream = await client.messages.create(**request, stream=True)
            async with stream:
                async for event in stream:
                    answer.add(event.to_dict(mode="json"))
                    limit.reschedule(loop.time() + idle)
    except anthropic.APIStatusError as error:
        raise CallFailed(_reply(error), answer, reached=False) from None
    except (anthropic.APIError, httpx2.HTTPError, httpx2.StreamError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, TooMuch):
            raise CallFailed(_nonsense(client, str(cause)), answer, True) from None
        unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.WriteError)
        text = f"no answer from {client.base_url.host}: {type(cause).__name__}: {cause}"
        raise CallFailed(Reply(None, message=text.rstrip(": ")), answer, not unsent) from None
    except TimeoutError:
        if not limit.expired():
            raise
        raise CallFailed(Reply(None, message=f"the model was silent for {idle:g} s"), answer, True) from None
    except (TooMuch, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise CallFailed(_nonsense(client, f"{type(error).__name__}: {error}"), answer, True) from None
    if not answer.complete:
        what = "the stream ended in the middle" if answer.begun else "no event came"
        raise CallFailed(_nonsense(client, what), answer, answer.begun)


def _nonsense(client: AsyncAnthropic, what: str) -> Reply:
    return Reply(200, "protocol_error", message=f"{client.base_url.host} does not speak the Messages API: {what}")


def _reply(error: Any) -> Reply:
    message = error.api_message if isinstance(error.api_message, str) else ""
    return Reply(
        status=error.status_code,
        type=str(error.type or ""),
        code=str(error.error_code or ""),
        message=(message or str(error.message))[:500],
        headers={key.lower(): value for key, value in error.response.headers.items()},
    )
