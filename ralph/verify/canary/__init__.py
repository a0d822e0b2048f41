"""A failing test that is planted in a run of tests: a run that does not report it as failed can't be believed."""

from ralph.verify.canary.planting import Canary, arguments, make, rides_along
from ralph.verify.canary.sighting import NOT_SEEN, hide, said_to_fail, take_out

__all__ = [
    "NOT_SEEN",
    "Canary",
    "arguments",
    "hide",
    "make",
    "rides_along",
    "said_to_fail",
    "take_out",
]
