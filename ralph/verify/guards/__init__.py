"""Checks of the diff itself, before anything of it is executed: scope, protected paths, secrets, what may be in a tree,
and what the change does to its own tests.
"""

from ralph.verify.guards.check import check
from ralph.verify.guards.protected import gate_configuration
from ralph.verify.guards.scope import TEST_FILES, is_test

__all__ = ["TEST_FILES", "check", "gate_configuration", "is_test"]
