"""What the fork server does once before it forks, so that a worker starts in milliseconds and shares its pages."""

import gc

from ralph.agents import command
from ralph.engine import worker
from ralph.host.bwrap import BwrapSandbox
from ralph.vcs import git

LOADED = (command, worker)
git.warm()
BwrapSandbox().warm()
gc.collect()
gc.freeze()
