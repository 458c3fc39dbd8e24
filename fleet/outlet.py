"""The physical side of one connector: outlet, meter, the EV in it, and what truly happened there.

Energy flows exactly while the station is powered, its contactor closed, nobody withholds power and the EV wants some.
The truth of a session is written down here from the register itself; what the station signs or sends is never looked
at.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from fleet.ev import Ev
from fleet.meter import Meter

_to_json = msgspec.json.Encoder().encode

IDLE, WITHHELD, DRAWING = "idle", "withheld", "drawing"
UNTOLD = "untold"
"""Harm to a session whose end its station has forgotten: no back-end will ever be told of it."""
_LEAVING = {IDLE: "C", WITHHELD: "w"}
_ENTERING = {IDLE: "S", WITHHELD: "W"}
"""Marks of truth: S the EV stopped drawing while power is offered, C that ended; W power is withheld, w that ended."""


class TrueSession(Struct):
    """One session as it was lived. `points` are (instant, register Wh, mark), in order."""

    session_id: str
    visit_id: str | None
    token: str
    started_at: int
    register_start: int
    points: list[tuple[int, int, str]]
    state: str = DRAWING
    harm: list[str] = []


class Outlet:
    """One connector with its meter and whoever is plugged in."""

    def __init__(self, number: int, meter: Meter, max_power_w: int) -> None:
        self.number = number
        self.meter = meter
        self.max_power_w = max_power_w
        self.ev: Ev | None = None
        self.driver: str | None = None
        self.visit_id: str | None = None
        self.contactor = False
        self.withheld = False
        self.limit_w: int | None = None
        self.drawing = False
        self.full_at: int | None = None
        self.told: tuple[bool, bool] | None = None
        self.tamper_next = False
        self.session: TrueSession | None = None
        self.last_wh = 0

    # -- power --------------------------------------------------------------------------------------------------------

    @property
    def offer_w(self) -> int:
        """The power that the station lets this connector have now, in W, its contactor apart."""
        return self.max_power_w if self.limit_w is None else min(self.limit_w, self.max_power_w)

    @property
    def offering(self) -> bool:
        """Whether an EV could draw anything: nobody withholds power, and the limit is not 0."""
        return not self.withheld and self.offer_w > 0

    def limit(self, now: int, limit_w: int | None) -> None:
        """The station offers at most this from now on; None for all it has."""
        self.stop(now)
        self.limit_w = limit_w
        self.flow(now)

    def flow(self, now: int) -> None:
        """Let power flow or stop, as the switches and the EV have it now."""
        wants = self.contactor and self.offering and self.ev is not None and self.ev.hungry
        if wants and not self.drawing:
            assert self.ev is not None
            power = self.ev.draw(self.offer_w)
            self.meter.flow(now, power, self.ev.left_wms)
            self.full_at = self.ev.full_at(now, power)
            self.drawing = True
        elif self.drawing and not wants:
            self.stop(now)

    def stop(self, now: int) -> None:
        """No power flows from now on; what flowed is in the EV."""
        if self.drawing:
            assert self.ev is not None
            self.ev.take(self.meter.halt(now))
            self.drawing, self.full_at = False, None

    # -- truth --------------------------------------------------------------------------------------------------------

    def begin(self, now: int, session_id: str, token: str) -> None:
        """A session begins: the contactor may close."""
        register = self.meter.register(now)
        self.session = TrueSession(session_id, self.visit_id, token, now, register, [(now, register, "B")])
        self.told = None

    def mark(self, now: int, mark: str) -> None:
        """One point of the truth."""
        if self.session is not None:
            self.session.points.append((now, self.meter.register(now), mark))

    def observe(self, now: int) -> None:
        """Mark what has changed since the last look: idle, power withheld, drawing."""
        session = self.session
        if session is None:
            return
        state = DRAWING if self.drawing else WITHHELD if not (self.offering and self.contactor) else IDLE
        if state != session.state:
            for mark in (_LEAVING.get(session.state), _ENTERING.get(state)):
                if mark is not None:
                    self.mark(now, mark)
            session.state = state

    def end(self, now: int, site: str, station: str, reason: str) -> dict[str, Any]:
        """The session is over: its row in truth_sessions."""
        assert self.session is not None
        self.mark(now, "E")
        row = self.row(site, station, now, reason)
        self.last_wh = self.meter.register(now) - self.session.register_start
        self.session = None
        return row

    def row(self, site: str, station: str, stopped_at: int | None, reason: str | None) -> dict[str, Any]:
        """The session as a row of truth_sessions; `stopped_at` None while it still runs."""
        session = self.session
        assert session is not None
        return {
            "session_id": session.session_id,
            "visit_id": session.visit_id,
            "site": site,
            "station": station,
            "connector": self.number,
            "meter_id": self.meter.meter_id,
            "token": session.token,
            "started_at": session.started_at,
            "stopped_at": stopped_at,
            "register_start": session.register_start,
            "register_stop": None if stopped_at is None else self.meter.register(stopped_at),
            "reason": reason,
            "points": _to_json(session.points).decode(),
            "harm": ",".join(session.harm),
        }
