"""Faults that wait for a message: the third StopTransaction that a back-end has, has written down, or has answered.

It listens to what arrives and what is committed, and counts. It never changes a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from scenarios.faults.timing import Event
from sim.runtimes.virtual import VirtualWorld
from sim.wire import ocppj

Fire = Callable[[str], None]
"""Called with the station whose message it was."""


class _Waiting:
    """One fault that waits."""

    def __init__(self, event: Event, fire: Fire) -> None:
        self.event = event
        self.word = f'"{event.action}"'.encode()
        self.left = event.count
        self.fire = fire


class Triggers:
    """All faults of a run that wait for a message. Each fires once."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._waiting: list[_Waiting] = []
        self._asked: dict[tuple[str, str], list[_Waiting]] = {}

    def add(self, event: Event, fire: Fire) -> None:
        """Fire once the event has happened."""
        links = self._world.links
        if self._came not in links.listeners:
            links.listeners.append(self._came)
        if event.state == "answered" and self._answered not in links.down_listeners:
            links.down_listeners.append(self._answered)
        self._waiting.append(_Waiting(event, fire))

    def _came(self, station: str, backend: str, frame: bytes, now: int) -> None:
        if frame[:2] != b"[2":
            return
        for one in self._waiting:
            if one.left <= 0 or one.word not in frame or (one.event.backend or backend) != backend:
                continue
            if one.event.state == "sent":
                self._count(one, station)
            elif one.event.state == "committed":
                self._world.backends.when_committed(backend, partial(self._count, one, station))
            else:
                message = ocppj.parse(frame)
                if isinstance(message, ocppj.Call):
                    self._asked.setdefault((station, message.id), []).append(one)

    def _answered(self, station: str, backend: str, frame: bytes, now: int) -> None:
        if frame[:2] == b"[2" or not self._asked:
            return
        try:
            message = ocppj.parse(frame)
        except ocppj.BadFrame:
            return
        if not isinstance(message, ocppj.Call):
            for one in self._asked.pop((station, message.id), ()):
                self._count(one, station)

    def _count(self, one: _Waiting, station: str) -> None:
        one.left -= 1
        if one.left == 0:
            self._world.at(self._world.now, one.fire, station)
