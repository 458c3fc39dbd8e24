"""Readings told by their bytes: a MeterValues that differs from an accepted one only in id, time and register.

A meter samples the same things again and again. One such frame of each connector is judged and decoded whole; the next
is compared with it, and what is equal needs no second judgement. It says nothing about any other frame, and never refuses.
"""

from __future__ import annotations

import re
from typing import Any

from sim.wire.quick import USUAL_TIME

ENERGY = "Energy.Active.Import.Register"
MAX_DIGITS = 15
_ID = slice(4, 40)
"""Where an id of 36 characters stands in a CALL."""
_BEHIND_ID = b'","MeterValues",'
_STAMP = b'"timestamp":"'
_VALUE = b'","sampledValue":[{"value":"'
_TIME_LENGTH = len("2019-06-12T07:00:00.000Z")
_TO_TIME = len(_STAMP)
_TO_VALUE = _TO_TIME + _TIME_LENGTH
_TO_DIGITS = _TO_VALUE + len(_VALUE)
_is_time = re.compile(USUAL_TIME.encode()).match


class Readings:
    """The readings of one link: by what stands between id and time, the connector and what follows the register."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, bytes]] = {}

    def again(self, frame: bytes) -> tuple[bytes, int, int] | None:
        """Message id, connector and register in Wh of a reading like one before, None for any other frame."""
        at = frame.find(_STAMP, 40)  # behind the id
        known = self._known.get(frame[40:at])
        if known is None:
            return None
        connector, tail = known
        id, digits = frame[_ID], frame[at + _TO_DIGITS : -len(tail)]
        if (
            frame.endswith(tail)
            and frame.startswith(_VALUE, at + _TO_VALUE)
            and digits.isdigit()
            and len(digits) < MAX_DIGITS
            and id.replace(b"-", b"").isalnum()
            and _is_time(frame[at + _TO_TIME : at + _TO_VALUE])
            and frame.startswith(b'[2,"')
        ):
            return id, connector, int(digits)
        return None

    def learn(self, frame: bytes, request: Any) -> None:
        """Remember an accepted MeterValues, if it is one whose like can be told by looking."""
        if len(request.meter_value) != 1:
            return
        first = request.meter_value[0].sampled_value[0] if request.meter_value[0].sampled_value else None
        if first is None or not is_register(first) or first.unit == "kWh":
            return
        at = frame.find(_STAMP, _ID.stop)
        value = first.value.encode()
        plain = value.isdigit() and frame.startswith(_VALUE + value + b'"', at + _TO_VALUE)
        if plain and frame.startswith(_BEHIND_ID, _ID.stop):
            connector = request.connector_id
            for head in [head for head, (number, _) in self._known.items() if number == connector]:
                del self._known[head]
            self._known[frame[_ID.stop : at]] = (connector, frame[at + _TO_DIGITS + len(value) :])


def is_register(sample: Any) -> bool:
    """Whether a sampled value is a plain one of the energy register."""
    measurand = sample.measurand
    return (measurand is None or measurand == ENERGY) and sample.format != "SignedData" and sample.phase is None
