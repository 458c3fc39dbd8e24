"""The reference back-end (CSMS): stations, sessions, signed meter values, prices, bills and a ledger, in virtual time.

`assemble` is its one door. It never imports the fleet, nor anything that runs it.
"""

from __future__ import annotations

from reference_csms.assemble import assemble
from reference_csms.parts import PARTS

__all__ = ["PARTS", "assemble"]
