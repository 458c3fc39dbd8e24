"""What befell a back-end at its port and is not its doing: it answered with errors, or late, because it was made to.

Only faults that the truth plane says have happened excuse anything, and only at their back-end and while they lasted.
"""

from __future__ import annotations

from collections.abc import Callable

from sim.clock import MINUTE
from sim.evidence.reader import Evidence
from sim.evidence.views import TrueFault

REFUSING = ("backend.errors",)
LATE = ("backend.stall", "backend.slow-store")
LINGERS = MINUTE
"""What was held up is worked off by so long after the fault, ms."""

Excused = Callable[[str, int], bool]
"""Whether a back-end is excused at an instant."""


def excused(evidence: Evidence, *kinds: str) -> Excused:
    """Excuses by faults of these kinds."""
    spans = [
        (fault.target, fault.at or 0, (fault.until or 0) + LINGERS)
        for fault in evidence.read(TrueFault)
        if fault.kind in kinds
    ]
    return lambda backend, at: any(target == backend and begin <= at <= end for target, begin, end in spans)
