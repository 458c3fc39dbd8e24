"""What a serving process counts of itself, for metrics and load reports. It looks at frames only as far as it must."""

from __future__ import annotations

import re

_KNOWN_ACTIONS = 200
_LONGEST = 400
_spaced = re.compile(rb'\s*\[\s*2\s*,\s*"([^"\\]*)"\s*,\s*"([^"\\]*)"').match
"""A CALL with blanks in it; what is written with escapes is not looked into."""


class CallCounts:
    """Pairs the calls of one station with their answers."""

    __slots__ = ("_open", "_total")

    def __init__(self, total: dict[tuple[str, str], int]) -> None:
        self._total = total
        self._open: dict[bytes, bytes] = {}

    def up(self, frame: bytes) -> None:
        """A frame of the station."""
        if frame.startswith(b'[2,"'):
            parts = frame.split(b'"', 4)
            if len(parts) == 5:
                self._note(parts[1], parts[3])
        elif (call := _spaced(frame[:_LONGEST])) is not None:
            self._note(call[1], call[2])

    def _note(self, id: bytes, action: bytes) -> None:
        if len(self._open) > 100:
            self._open.clear()
        self._open[id] = action

    def down(self, frame: bytes) -> None:
        """A frame of the back-end."""
        kind = frame[:4]
        if kind in (b'[3,"', b'[4,"'):
            parts = frame.split(b'"', 4)
            action = self._open.pop(parts[1], b"?")
            answer = "result" if kind == b'[3,"' else parts[3].decode("ascii", "replace")
            key = (action.decode("ascii", "replace"), answer)
            if key not in self._total and len(self._total) >= _KNOWN_ACTIONS:
                key = ("other", answer)
            self._total[key] = self._total.get(key, 0) + 1
