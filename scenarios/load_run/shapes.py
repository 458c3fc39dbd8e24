"""What happens in a load and when: who comes, and what befalls all stations at once. L-01 to L-06.

Pure: a shape draws from the seed and knows neither sockets nor Locust. Moments are seconds of real time from the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from fleet.visits import Visit
from scenarios.sockets.visits import Traffic, visits_of
from sim.clock import SECOND, Instant
from sim.rng import stream

CUT, OFFLINE, ONLINE, RESET, SAMPLE = "cut", "offline", "online", "reset", "sample"


class Moment(Struct, frozen=True):
    """At `at_s` this befalls all stations; `value` in seconds for `sample`."""

    at_s: float
    act: str
    value: int = 0


@dataclass(frozen=True)
class Course:
    """What a shape is drawn over: how long it drives (real s, the quiet end not counted), the world's pace, who comes."""

    drive_s: float
    pace: float
    traffic: Traffic
    connectors: tuple[int, ...]
    tokens: tuple[str, ...]
    seed: int
    steps: tuple[int, ...] = ()


class Steady:
    """L-01: the same traffic all the time."""

    title: ClassVar[str] = "steady fleet"
    needs_api: ClassVar[bool] = False

    def __init__(self, course: Course) -> None:
        self.course = course

    def moments(self) -> list[Moment]:
        """What befalls everybody, in order."""
        return []

    def visits(self, station: str, begin: int, end: int, start: int) -> Iterator[Visit]:
        """Who comes to a station between two instants, in order of arrival; the load began at `start`."""
        each = [
            visits_of(station, (number,), self.course.tokens, self.course.traffic, begin, end, self.course.seed)
            for number in self.course.connectors
        ]
        return merge(*each, key=lambda visit: visit.arrive)


class Spike(Steady):
    """L-02: four of five drivers come within a tenth of the time, the others at any moment; one at each connector."""

    title = "morning spike"
    SHARE, OPENS, WIDTH = 0.8, 0.3, 0.1

    def visits(self, station: str, begin: int, end: int, start: int) -> Iterator[Visit]:
        """One visit at each connector."""
        course = self.course
        whole = course.drive_s * course.pace * SECOND
        found: list[Visit] = []
        for number in course.connectors:
            draw = stream(course.seed, "spike", station, number)
            crowd = draw.random() < self.SHARE
            share = self.OPENS + self.WIDTH * draw.random() if crowd else 0.9 * draw.random()
            arrive = max(begin, start + int(share * whole))
            first = next(visits_of(station, (number,), course.tokens, course.traffic, begin, end, course.seed), None)
            if first is not None and arrive < end:
                leave = min(arrive + (first.leave - first.arrive), end)
                found.append(replace(first, arrive=Instant(arrive), leave=Instant(leave)))
        return iter(sorted(found, key=lambda visit: visit.arrive))


class Sweep(Steady):
    """L-03: the time between two readings is changed live, step by step, by ChangeConfiguration."""

    title = "sample-interval sweep"
    needs_api = True

    def moments(self) -> list[Moment]:
        """Each step lasts as long as the others; stations have the first one from the start."""
        each = self.course.drive_s / len(self.course.steps)
        return [Moment(each * number, SAMPLE, value) for number, value in enumerate(self.course.steps) if number]


class Avalanche(Steady):
    """L-04: nobody reaches the back-end for a third of the time; then all come back and deliver what they had kept."""

    title = "replay avalanche after an outage"
    FROM, TO = 0.25, 0.6

    def moments(self) -> list[Moment]:
        """The outage and its end."""
        return [Moment(self.course.drive_s * self.FROM, OFFLINE), Moment(self.course.drive_s * self.TO, ONLINE)]


class Reset(Steady):
    """L-06: every station is told to reset at the same moment, through the API of the back-end."""

    title = "bulk reset"
    needs_api = True

    def moments(self) -> list[Moment]:
        """One."""
        return [Moment(self.course.drive_s * 0.4, RESET)]


class Storm(Steady):
    """L-05 of this tool: every connection is cut at the same moment."""

    title = "reconnect storm"

    def moments(self) -> list[Moment]:
        """One."""
        return [Moment(self.course.drive_s * 0.4, CUT)]


SHAPES: dict[str, type[Steady]] = {
    "steady": Steady,
    "spike": Spike,
    "sweep": Sweep,
    "avalanche": Avalanche,
    "reset": Reset,
    "storm": Storm,
}
