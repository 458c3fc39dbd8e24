"""What the migration tool does in each state of a station's move on its way to the new back-end, as short stories of asking
and waiting. The way back is told in `rollback`.

A step returns the next state with a detail. Every step can be begun again from its first line without harm, so that a tool
that died goes on from the last state written down. No step may look at a rig: the tool knows only what back-ends, the
vendor's cloud and the technician tell it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from scenarios.migration.asking import Inform, Step, Wait, Wish, is_there
from scenarios.migration.orders import CARRYING, UNDRAINED
from scenarios.migration.rollback import Rollback
from scenarios.migration.routes import send
from sim.clock import MINUTE, SECOND
from sim.machine import Answered, Command


class StationMove(Rollback):
    """The steps for one station."""

    def step(self, state: str) -> Step:
        """The story of this state. Raises KeyError for a final one."""
        self.state = state
        return {
            "PLANNED": self._preflight,
            "PREFLIGHT_OK": self._notify,
            "NOTIFIED": self._begin_drain,
            "DRAINING": self._drain_and_switch,
            "SWITCH_SENT": self._leave_old,
            "OFFLINE_WINDOW": self._await_new,
            "SEEN_AT_NEW": self._provision,
            "PROVISIONED": self._verify,
            "VERIFIED": self._close_old,
            "SPLIT": self._heal_split,
            "STUCK": self._look_again,
            "ROLLBACK": self._roll_back,
        }[state]()

    @property
    def may_come_back(self) -> bool:
        """Whether a stuck station may still turn up somewhere: the switch was sent and not refused."""
        return bool(self.memory.get("switched"))

    @property
    def _drains(self) -> bool:
        return self.station.route not in UNDRAINED

    # -- towards the switch -------------------------------------------------------------------------------------------

    def _preflight(self) -> Step:
        """Nothing has been done to the station yet, so whoever is away is waited for until the working day is over."""
        order, station = self.order, self.station
        row, until = dict(station.station_row), max(self.now() + order.stuck_after, order.deadline or 0)
        for what, rows in (("stations", [row]), ("meters", [dict(meter) for meter in station.meter_rows])):
            if (yield from self.insist_until(until, order.new, "import", what=what, rows=rows)) is None:
                return self._called_off(f"{order.new} took no {what}")
        if (yield from self.insist_until(until, order.new, "hold-station", station=station.station)) is None:
            return self._called_off(f"{order.new} could not hold the station")
        snapshot = yield from self.snapshot(order.old)
        self.remember(registers=snapshot.get("registers", {}))
        known = "connected" if snapshot.get("connected") else "not connected at the moment"
        if station.route not in CARRYING:
            while not snapshot.get("connected"):
                if self.now() > until:
                    return self._called_off(f"never connected to {order.old}")
                yield Wait(MINUTE)
                snapshot = yield from self.snapshot(order.old)
            configuration = yield from self.insist_call(order.old, "GetConfiguration")
            keys = {entry["key"] for entry in (configuration or {}).get("configurationKey", [])}
            if station.url_key and station.url_key not in keys:
                return "STUCK", f"the station shows no key {station.url_key}"
        return "PREFLIGHT_OK", f"{known} at {order.old}, known at {order.new}"

    def _called_off(self, problem: str) -> tuple[str, str]:
        """A station that was never touched stays at the old back-end if a rule says so, else somebody has to look."""
        reason = self.reason_to_go_back()
        return ("ROLLBACK", f"{problem}, and {reason}") if reason else ("STUCK", problem)

    def _notify(self) -> Step:
        yield Wait(0)
        return "NOTIFIED", "owner and drivers had been told beforehand"

    def _begin_drain(self) -> Step:
        if not self._drains:
            yield Wait(0)
            return "DRAINING", "the route carries running transactions along: nothing to drain"
        answer = yield from self.insist_call(self.order.old, "ChangeAvailability", connectorId=0, type="Inoperative")
        return "DRAINING", f"ChangeAvailability answered {(answer or {}).get('status', 'never')}"

    def _drain_and_switch(self) -> Step:
        order = self.order
        if self.memory.get("switched"):  # begun before: it may be on its way already, and is not sent twice then
            new, old = (yield from self.snapshot(order.new)), (yield from self.snapshot(order.old))
            if is_there(new) or (old and not old.get("connected")):
                return "SWITCH_SENT", "the switch had been sent before"
        waited = (yield from self._drain()) if self._drains else 0
        reason = self.reason_to_go_back()
        if reason:
            return "ROLLBACK", reason
        snapshot = yield from self.snapshot(order.old)
        seen = snapshot.get("registers", self.memory.get("registers", {}))
        # an answer that is lost may have been a yes
        self.remember(registers=seen, boots_old=snapshot.get("boots", 0), switched=True)
        how = yield from send(self, order.old, self.new_url, back=False)
        if how is None:
            old = yield from self.snapshot(order.old)
            if old.get("connected"):
                return "ROLLBACK", "the switch was not accepted"
            return "STUCK", "the switch was not accepted, and the station is not seen"
        return "SWITCH_SENT", f"drained for {waited // MINUTE} min; {how}"

    def _drain(self) -> Generator[Wish, Any, int]:
        begun = self.now()
        while self.now() - begun < self.order.drain_timeout:
            snapshot = yield from self.snapshot(self.order.old)
            if snapshot and not snapshot.get("open_transactions"):
                break
            yield Wait(MINUTE)
        return self.now() - begun

    # -- between the two ----------------------------------------------------------------------------------------------

    def _leave_old(self) -> Step:
        begun = self.now()
        while self.now() - begun < self.order.stuck_after:
            old = yield from self.snapshot(self.order.old)
            gone = bool(old) and (not old.get("connected") or old.get("boots", 0) > self.memory.get("boots_old", 0))
            if gone:
                # whoever comes back to the old door meanwhile has to wait there, and books nothing (M-32)
                yield from self.insist(self.order.old, "hold-station", station=self.station.station)
                return "OFFLINE_WINDOW", f"gone from {self.order.old}"
            yield Wait(2 * SECOND)
        return "STUCK", f"still at {self.order.old}"

    def _await_new(self) -> Step:
        begun = self.now()
        while self.now() - begun < self.order.stuck_after:
            if is_there((yield from self.snapshot(self.order.new))):
                return "SEEN_AT_NEW", f"seen at {self.order.new} after {(self.now() - begun) // SECOND} s"
            reason = (yield from self._fell_back()) or self.reason_to_go_back()
            if reason:
                return "ROLLBACK", reason
            yield Wait(5 * SECOND)
        return "STUCK", "seen nowhere"

    def _look_again(self) -> Step:
        """A stuck station comes when its network does: look every minute at both doors, for as long as it takes."""
        begun = self.now()
        rolling = bool(self.memory.get("rolling_back"))
        while True:
            yield Wait(MINUTE)
            minutes = (self.now() - begun) // MINUTE
            new = yield from self.snapshot(self.order.new)
            if not rolling and is_there(new):
                return "SEEN_AT_NEW", f"stuck for {minutes} min, then seen at {self.order.new}"
            reason = (yield from self._fell_back()) or ("" if rolling else self.reason_to_go_back(self.now() - begun))
            if reason or (rolling and is_there(new)):
                return "ROLLBACK", f"stuck for {minutes} min, then {reason or f'seen at {self.order.new}'}"

    def _fell_back(self) -> Generator[Wish, Any, str]:
        """Whether the station has booted at the old back-end since the switch: OCPP 2.0.1 B10.FR.07, MF-28."""
        old = yield from self.snapshot(self.order.old)
        back = is_there(old, self.memory.get("boots_old", 0))
        return f"it is back at {self.order.old}" if back else ""

    # -- at the new one -----------------------------------------------------------------------------------------------

    def _provision(self) -> Step:
        order, station = self.order, self.station
        reason = self.reason_to_go_back()
        if reason:
            return "ROLLBACK", reason
        # whoever asks from now on must ask where the station is, even if the answer is that it is not accepted yet
        yield Inform("app", Command("redirect", {"station": station.station, "backend": order.new}))
        entries = list(station.local_list)
        if entries:  # the door must be shut: nobody may start at a station that is not accepted yet
            yield from self.call(order.new, "RemoteStartTransaction", idTag=entries[0]["idTag"], connectorId=1)
        if not (yield from self.hand_over(order.old, order.new, self.parts.hand_over)):
            return "STUCK", "the transactions could not be handed over"
        rows = yield from self.left_overs(order.old)
        if rows is None:
            return "STUCK", f"{order.old} never told what it left in the station"
        self.remember(profiles=sum(row["what"] == "profile" for row in rows))
        problem = yield from self.set_up(order.new, rows, entries, station.configuration)
        if problem:
            split = yield from self._split()
            return ("SPLIT", split) if split else ("STUCK", problem)
        if (yield from self.insist(order.new, "accept-station", station=station.station)) is None:
            return "STUCK", "the station was never accepted"
        begun = self.now()
        while self.now() - begun < order.stuck_after:
            new = yield from self.snapshot(order.new)
            if new.get("registration") == "accepted" and new.get("connected"):
                self.remember(provisioned_at=self.now())
                cleaned = ", ".join(sorted({row["what"] for row in rows})) or "nothing"
                return "PROVISIONED", f"{len(entries)} tokens in the local list, operative again; cleaned up: {cleaned}"
            split = yield from self._split()
            if split:
                return "SPLIT", split
            yield Wait(5 * SECOND)
        return "STUCK", "provisioned, but the station did not come back"

    def _verify(self) -> Step:
        order = self.order
        begun = self.now()
        before = {str(key): value for key, value in self.memory.get("registers", {}).items()}
        until = self.memory.get("provisioned_at", begun) + order.probation
        while self.now() - begun < order.stuck_after + order.probation:
            reason = self.reason_to_go_back()
            split = yield from self._split()
            if reason or split:
                return ("ROLLBACK", reason) if reason else ("SPLIT", split)
            yield from self.call(order.new, "TriggerMessage", requestedMessage="MeterValues")
            yield Wait(10 * SECOND)
            new = yield from self.snapshot(order.new)
            after = {str(key): value for key, value in new.get("registers", {}).items()}
            known = bool(after) and all(after.get(key, -1) >= value for key, value in before.items())
            if known and self.now() >= until and not (yield from self._blocked()):
                return "VERIFIED", "registers go on where the old back-end last saw them"
            yield Wait(30 * SECOND if self.now() >= until else MINUTE)
        failures = self.memory.get("failed_verifications", 0) + 1
        self.remember(failed_verifications=failures)
        reason = self.reason_to_go_back()
        if reason:
            return "ROLLBACK", reason
        return "STUCK", f"registers were {before} and are not shown to go on from there, or power is limited to nothing"

    def _blocked(self) -> Generator[Wish, Any, bool]:
        """Whether a limit that was found in the station still keeps a connector from charging (M-07)."""
        if not self.memory.get("profiles"):
            return False
        for meter in self.station.meter_rows:
            connector = int(meter["connector"])
            outcome = yield from self.call(self.order.new, "GetCompositeSchedule", connectorId=connector, duration=60)
            shown = outcome.payload if isinstance(outcome, Answered) else {}
            periods = shown.get("chargingSchedule", {}).get("chargingSchedulePeriod", ())
            if not periods or periods[0]["limit"] <= 0:
                return True
        return False

    def _split(self) -> Generator[Wish, Any, str]:
        """Seen at both: it has booted at the old back-end since it was sent away. Counted once for each time."""
        old = yield from self.snapshot(self.order.old)
        if not is_there(old, self.memory.get("boots_old", 0)):
            return ""
        self.remember(splits=self.memory.get("splits", 0) + 1)
        return f"seen at {self.order.new}, and now at {self.order.old} again"

    def _heal_split(self) -> Step:
        """Send it to the new one again through the old one, which holds it; too often, and it goes back for good."""
        order = self.order
        reason = self.reason_to_go_back()
        if reason:
            return "ROLLBACK", reason
        old, new = (yield from self.snapshot(order.old)), (yield from self.snapshot(order.new))
        boots = new.get("boots", 0)
        self.remember(boots_old=old.get("boots", 0))
        yield from self.insist(order.new, "hold-station", station=self.station.station)
        how = yield from send(self, order.old, self.new_url, back=False)
        begun = self.now()
        while how is not None and self.now() - begun < order.stuck_after:
            if is_there((yield from self.snapshot(order.new)), boots):
                return "SEEN_AT_NEW", f"sent there once more; {how}"
            yield Wait(5 * SECOND)
        self.remember(switched=True)
        return "STUCK", "it did not come back to the new back-end"

    def _close_old(self) -> Step:
        order, station = self.order, self.station.station
        if self.parts.close_identity(order.old):
            yield from self.insist(order.old, "close-station", station=station)
        url = order.new_url.replace(f"//{order.new}/", f"//{order.old}/")
        yield Inform(f"knock:{station}", Command("knock", {"url": url, "backend": order.old}))
        return "CLOSED_AT_OLD", "identity refused at the old back-end from now on"
