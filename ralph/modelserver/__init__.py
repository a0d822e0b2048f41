"""A scripted model: a real local HTTP server that speaks the Messages API, for tests, `ralph demo` and dry nights.

``with serve(Script.load(path)) as server:`` gives ``server.url``; or ``python -m ralph.modelserver --script FILE``.
"""

from ralph.modelserver.script import Call, Error, Raw, Script, Stall, Turn
from ralph.modelserver.server import Received, Server, serve

__all__ = ["Call", "Error", "Raw", "Received", "Script", "Server", "Stall", "Turn", "serve"]
