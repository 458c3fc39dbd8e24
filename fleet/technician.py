"""A technician: goes to the stations that somebody asks for, one after the other, within working hours, and sets the
address of the back-end at each of them.

Knows nothing of back-ends. An errand that was asked for twice is run once; whoever asked last is told. Stations of
vendors whose address can only be set on site need one (scenarios §1.2: PC tool, access point of the station).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from sim.clock import MINUTE, Instant
from sim.machine import Answered, Command, Effect, Event, Note, Refused, Settle, Tell
from sim.rng import stream

WAY = (4, 12)
"""Minutes from one site to the next."""
WORK = (4, 9)
"""Minutes at a station: open it, connect, set the address, restart."""


class Job(Struct):
    """One visit that was asked for: `errand` tells it from others to the same station, `asker` is the call to be
    settled.
    """

    station: str
    site: str
    url: str
    errand: str
    asker: str


class Technician:
    """Machine `technician`. Command visit{station, site, url, errand}: settled when the address is set, Refused when no
    working time is left for it. `hours` are the spans of working time, in order.
    """

    def __init__(self, seed: int, hours: Sequence[tuple[Instant, Instant]]) -> None:
        self._chance = stream(seed, "technician")
        self._hours = sorted(hours)
        self._line: deque[Job] = deque()
        self._done: dict[str, str] = {}  # the last errand at each station
        self._at: str | None = None
        self._ready_at: Instant | None = None

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Take a job, or finish the one at hand."""
        out: list[Effect] = []
        if isinstance(event, Command) and event.name == "visit":
            self._ask(event, out)
        if self._ready_at is not None and self._ready_at <= now:
            self._finish(now, out)
        self._begin(now, out)
        return out

    def next_deadline(self) -> Instant | None:
        """When the visit at hand is over."""
        return self._ready_at

    def _ask(self, event: Command, out: list[Effect]) -> None:
        args = event.args
        job = Job(
            station=str(args["station"]),
            site=str(args["site"]),
            url=str(args["url"]),
            errand=str(args["errand"]),
            asker=str(args.get("call_id", "")),
        )
        waiting = next((one for one in self._line if (one.station, one.errand) == (job.station, job.errand)), None)
        if waiting is not None:
            waiting.asker = job.asker
        elif self._done.get(job.station) == job.errand:
            self._tell(job, Answered({"status": "done before"}), out)
        else:
            self._line.append(job)

    def _begin(self, now: Instant, out: list[Effect]) -> None:
        while self._line and self._ready_at is None:
            job = self._line[0]
            way = 0 if self._at == job.site else self._chance.randrange(*WAY)
            ready = self._within(now, (way + self._chance.randrange(*WORK)) * MINUTE)
            if ready is None:
                self._tell(self._line.popleft(), Refused("no-working-time", "the working day is over"), out)
            else:
                self._ready_at, self._at = ready, job.site

    def _within(self, now: Instant, needed: int) -> Instant | None:
        """When a job that is begun as soon as possible is over, if it is over before the people go home."""
        for begin, end in self._hours:
            start = max(now, begin)
            if start + needed <= end:
                return Instant(start + needed)
        return None

    def _finish(self, now: Instant, out: list[Effect]) -> None:
        self._ready_at = None
        job = self._line.popleft()
        self._done[job.station] = job.errand
        row = {
            "at": now,
            "station": job.station,
            "connector": None,
            "kind": "technician",
            "data": f'{{"url":"{job.url}"}}',
        }
        out.append(Note("events", row))
        out.append(Tell(f"rig:{job.station}", Command("set-url", {"url": job.url, "reboot": True})))
        self._tell(job, Answered({"status": "done"}), out)

    @staticmethod
    def _tell(job: Job, outcome: Answered | Refused, out: list[Effect]) -> None:
        if job.asker:
            out.append(Settle(job.asker, outcome))
