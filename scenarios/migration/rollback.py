"""The way back: a station is sent to the old back-end again, with everything that is open, and set up there as before.

What ended at the new back-end stays there and is billed there; what is still open is handed back with its tariff and its
issuer, so that each session has exactly one bill (M11). Until all of that is known there, the old back-end lets the station
wait. As every step, this one can be begun again from its first line.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from scenarios.migration.asking import Asking, Inform, Step, Wait, Wish, is_there
from scenarios.migration.orders import CARRYING
from scenarios.migration.parts import Situation
from scenarios.migration.routes import send, visit
from sim.backend import Row
from sim.clock import SECOND
from sim.machine import Command


class Rollback(Asking):
    """Rolling back, and what both ways share: handing transactions over, and setting a station up."""

    state = ""

    def reason_to_go_back(self, unseen_for: int = 0) -> str:
        """What the rule says now; empty: go on."""
        situation = Situation(
            state=self.state,
            now=self.now(),
            deadline=self.order.deadline,
            failed_verifications=self.memory.get("failed_verifications", 0),
            splits=self.memory.get("splits", 0),
            ordered=bool(self.memory.get("ordered")),
            unseen_for=unseen_for,
            somebody_may_go=self.order.technician,
            patience=self.order.stuck_after,
        )
        return self.parts.roll_back(situation)

    # -- both ways ----------------------------------------------------------------------------------------------------

    def hand_over(
        self, giver: str, taker: str, decide: Callable[[Sequence[Row]], Sequence[Row]]
    ) -> Generator[Wish, Any, bool]:
        """Open transactions and the stops closed lately, in one batch of rows as the giver tells them."""
        rows = yield from self.insist(giver, "export", what="open-transactions", station=self.station.station)
        if rows is None:
            return False
        given = list(decide(rows["rows"]))
        return not given or (yield from self.insist(taker, "import", what="open-transactions", rows=given)) is not None

    def set_up(
        self,
        backend: str,
        left_overs: Sequence[Row],
        entries: Sequence[Mapping[str, Any]],
        configuration: Mapping[str, str],
    ) -> Generator[Wish, Any, str]:
        """Clean up what another back-end left and set the station up; empty, or what was never answered."""
        listed = yield from self.insist_call(backend, "GetLocalListVersion")
        known = [int((listed or {}).get("listVersion", 0)), *(int(row.get("version", 0)) for row in left_overs)]
        parts = self.parts
        steps: list[tuple[str, dict[str, Any]]] = [
            ("ClearCache", {}),
            *(("ClearChargingProfile", payload) for payload in parts.clear_profiles(left_overs)),
            *(("CancelReservation", payload) for payload in parts.cancel_reservations(left_overs)),
            *(("SendLocalList", payload) for payload in parts.local_lists(entries, max(0, *known) + 1)),
            *(("ChangeConfiguration", {"key": key, "value": value}) for key, value in configuration.items()),
            *(("ChangeAvailability", payload) for payload in parts.make_operative(left_overs)),
        ]
        for action, payload in steps:
            if (yield from self.insist_call(backend, action, **payload)) is None:
                return f"{action} was never answered"
        return ""

    # -- back ---------------------------------------------------------------------------------------------------------

    def _roll_back(self) -> Step:
        order, station = self.order, self.station.station
        self.remember(rolling_back=True)
        yield Inform("app", Command("redirect", {"station": station, "backend": order.old}))
        away = bool(self.memory.get("switched"))
        if away:
            if (yield from self.insist(order.old, "hold-station", station=station)) is None:
                return "STUCK", f"{order.old} could not hold the station"
            if not (yield from self._bring_back()):
                return "STUCK", "sent back, but seen nowhere"
            if not (yield from self.hand_over(order.new, order.old, self.parts.hand_back)):
                return "STUCK", "the transactions could not be handed back"
        rows = yield from self.left_overs(order.new)
        mine = yield from self.left_overs(order.old)
        entries = [entry for row in mine or () if row["what"] == "list" for entry in row["entries"]]
        problem = yield from self.set_up(order.old, rows or (), entries, {})
        if problem:
            return "STUCK", problem
        if (yield from self.insist(order.old, "accept-station", station=station)) is None:
            return "STUCK", f"{order.old} never accepted the station again"
        begun = self.now()
        while self.now() - begun < order.stuck_after:
            old = yield from self.snapshot(order.old)
            if old.get("registration") == "accepted" and old.get("connected"):
                if self.parts.close_identity(order.new):
                    yield from self.insist(order.new, "close-station", station=station)
                return "BACK_AT_OLD", f"operative at {order.old}, refused at {order.new}"
            yield Wait(5 * SECOND)
        return "STUCK", "back, but not accepted"

    def _bring_back(self) -> Generator[Wish, Any, bool]:
        """Send it back by its route and wait until it has booted at the old one; somebody goes there if need be."""
        order = self.order
        boots = self.memory.get("boots_old", 0)
        tried = visited = False
        begun = self.now()
        while True:
            old, new = (yield from self.snapshot(order.old)), (yield from self.snapshot(order.new))
            if is_there(old, boots):
                return True
            here = order.new if is_there(new) else order.old if is_there(old) else ""
            reachable = bool(here) or self.station.route in CARRYING
            if reachable and not tried:  # also where it never left: a key that was written acts at its next reboot
                tried = (yield from send(self, here, order.old_url, back=True)) is not None
            elif not reachable and self.now() - begun > order.stuck_after:
                if visited or not order.technician:
                    return False
                visited = True
                if (yield from visit(self, order.old_url)) is None:
                    return False
                begun = self.now()
            elif reachable and self.now() - begun > 2 * order.stuck_after:
                return False
            yield Wait(10 * SECOND)
