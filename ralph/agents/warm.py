"""What the fork server imports, last, where the built-in agent is used: paid once, not once a worker.

Importing takes a second and 75 MB; a first call, which is rehearsed here on the loopback, another 20 MB.
"""

import asyncio
import gc
import ssl

from ralph.agents import pricing
from ralph.agents.api_answer import Answer
from ralph.agents.api_call import CallFailed, call, client
from ralph.agents.api_tools import TOOLS

_ANSWER = b"""\
HTTP/1.1 200 OK\r
content-type: text/event-stream\r
connection: close\r
\r
\
event: message_start
data: {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m", \
"content": [], "stop_reason": null, "usage": {"input_tokens": 1, "output_tokens": 1}}}

event: content_block_start
data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}

event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}

event: content_block_stop
data: {"type": "content_block_stop", "index": 0}

event: message_delta
data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}

event: message_stop
data: {"type": "message_stop"}

"""


async def rehearse() -> Answer:
    """Make one call to a server of one answer."""
    answer = Answer()
    message = {"role": "user", "content": [{"type": "text", "text": "x"}]}
    request = {"model": "claude-sonnet-5-5", "max_tokens": 1, "messages": [message], "tools": list(TOOLS)}
    async with await asyncio.start_server(_reply, "127.0.0.1", 0) as server:
        url = "http://{}:{}".format(*server.sockets[0].getsockname())
        async with client("warm", url, 5) as speaker:
            await call(speaker, request, answer, 5)
    return answer


async def _reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()


try:
    asyncio.run(rehearse())
except (OSError, CallFailed):
    pass  # no loopback: the first call of each worker costs more, that is all
ssl.create_default_context()
pricing.known("claude-sonnet-5-5", {})
gc.collect()
gc.freeze()  # a collection in a child would write to every object, and so copy every page
