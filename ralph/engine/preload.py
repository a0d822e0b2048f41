"""What the fork server imports before it forks, so that a worker starts in milliseconds."""

import ralph.agents
import ralph.engine.worker
import ralph.memory.knowledge
import ralph.verify.gates
import ralph.vcs.git  # noqa: F401
