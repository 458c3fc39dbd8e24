"""Readings told by their bytes: a MeterValues that differs from an accepted one only in id, time and register.

A meter samples the same things again and again. One such frame of each connector is judged and decoded whole; the next
is compared with it, and what is equal needs no second judgement. It says nothing about any other frame, and never refuses.
"""

from __future__ import annotations

import re
from typing import Any

from sim.wire.quick import USUAL_TIME
from sim.wire.same import same

ENERGY = "Energy.Active.Import.Register"
MAX_DIGITS = 15
_ID = slice(4, 40)
"""Where an id of 36 characters stands in a CALL."""
_FRONT, _LAST = slice(28), slice(28, 40)
"""A CALL up to the last part of an id, and that part."""
_CALL = b'[2,"'
_BEHIND_ID = b'","MeterValues",'
_STAMP = b'"timestamp":"'
_VALUE = b'","sampledValue":[{"value":"'
_TO_SECOND = len("2019-06-12T07:00:")
_TO_VALUE = len("2019-06-12T07:00:00.000Z")
_TO_DIGITS = _TO_VALUE + len(_VALUE)
_is_time = re.compile(USUAL_TIME.encode()).match


_MOST_MINUTES = 10_000
_minutes: dict[bytes, bool] = {}
"""Times up to their minute that were found good: a fleet tells the same ones over and over."""


def _is_minute(minute: bytes) -> bool:
    """Whether these bytes are a time up to its minute."""
    good = _is_time(minute + b"00Z") is not None
    if good:
        if len(_minutes) >= _MOST_MINUTES:
            _minutes.clear()
        _minutes[minute] = True
    return good


class Readings:
    """The readings of one link, of each connector the latest that was judged.

    Kept of each: the frame to where ids of one sender begin to differ, what stands between id and time, where the time
    begins, the bytes from its second to the register, the bytes behind the register and how many they are, the connector.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: list[tuple[bytes, bytes, int, bytes, bytes, int, int]] = []

    def again(self, frame: bytes) -> tuple[bytes, int, int] | None:
        """Message id, connector and register in Wh of a reading like one before, None for any other frame."""
        # Slices that are compared, since they cost half of what `startswith` and `endswith` do.
        for front, head, at, second, tail, length, connector in self._known:
            if len(frame) <= at:
                continue
            last, minute = frame[_LAST], frame[at : at + _TO_SECOND]
            digits = frame[at + _TO_DIGITS : -length]
            if (
                frame == b"".join((front, last, head, minute, second, digits, tail))
                and digits.isdigit()
                and len(digits) < MAX_DIGITS
                and last.isalnum()
                and (_minutes.get(minute) or _is_minute(minute))
            ):
                return frame[_ID], connector, int(digits)
            if frame[40:at] == head:  # behind the id
                digits = frame[at + _TO_DIGITS : -length]
                if (
                    frame[-length:] == tail
                    and digits.isdigit()
                    and len(digits) < MAX_DIGITS
                    and is_plain_call(frame)
                    and frame.startswith(_VALUE, at + _TO_VALUE)
                    and _is_time(frame[at : at + _TO_VALUE])
                ):
                    return frame[_ID], connector, int(digits)
                return None
        return None

    def learn(self, frame: bytes, request: Any) -> None:
        """Remember an accepted MeterValues, if it is one whose like can be told by looking."""
        if len(request.meter_value) != 1:
            return
        first = request.meter_value[0].sampled_value[0] if request.meter_value[0].sampled_value else None
        if first is None or not is_register(first) or first.unit == "kWh":
            return
        at = frame.find(_STAMP, _ID.stop) + len(_STAMP)
        value = first.value.encode()
        plain = value.isdigit() and frame.startswith(_VALUE + value + b'"', at + _TO_VALUE)
        if plain and frame.startswith(_BEHIND_ID, _ID.stop):
            connector = request.connector_id
            head, tail = frame[_ID.stop : at], frame[at + _TO_DIGITS + len(value) :]
            second = frame[at + _TO_SECOND : at + _TO_DIGITS]
            self._known = [like for like in self._known if like[-1] != connector]
            front = frame[_FRONT] if is_plain_call(frame) else b""
            self._known.append((front, head, at, same(second), same(tail), len(tail), connector))


def is_plain_call(frame: bytes) -> bool:
    """Whether a frame begins as a CALL does, with an id of which no character is one that JSON escapes."""
    return frame.startswith(_CALL) and frame[_ID].replace(b"-", b"").isalnum()


def is_register(sample: Any) -> bool:
    """Whether a sampled value is a plain one of the energy register."""
    measurand = sample.measurand
    return (measurand is None or measurand == ENERGY) and sample.format != "SignedData" and sample.phase is None
