"""What a whole night did to a code base, summed over all branches against the base. Pure."""

from ralph.verify.totals.measure import FileChange, Spot, Totals, measure

__all__ = ["FileChange", "Spot", "Totals", "measure"]
