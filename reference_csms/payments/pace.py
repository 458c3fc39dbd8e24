"""How fast partners are asked: the pause between two requests, and how long to wait after a try that came to nothing."""

from __future__ import annotations

from reference_csms.options import MoneyOptions
from sim.clock import MINUTE, SECOND

PAUSE = 20
"""Time between two requests, ms: other things happen in between."""
_LONGEST_WAIT = 30 * MINUTE


def back_off(options: MoneyOptions, tries: int) -> int:
    """The extra wait after so many tries, ms: doubled each time, at most half an hour."""
    return min(options.retry_s * SECOND * (2 ** min(tries, 10) - 1), _LONGEST_WAIT)
