"""Webhooks on their way: at least once, in any order, tried again with back-off for up to three days.

A delivery counts as taken when the receiver's Settle is Answered in time; everything else is sent again. It never gives up
before its time, and never asks what a receiver did with an event.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec import Struct, field

from sim.backend import Row
from sim.clock import DAY, HOUR, MINUTE, SECOND, Instant
from sim.machine import Answered, Outcome, Tell
from sim.partners.faults import WEBHOOK_FAULTS, Faults
from sim.partners.party import Agenda, Notice
from sim.partners.port import Webhook

PATIENCE = 20 * SECOND
"""How long a delivery waits for its answer."""
BACK_OFF = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR)
"""Pauses between attempts; the last one, plus two hours, repeats."""
GIVE_UP = 3 * DAY
LATENCY = (200, 3 * SECOND)
"""Between an event and its first attempt, drawn: two events of one instant may already arrive in any order."""


class Delivery(Struct):
    """One event, one receiver, one copy (-1: replayed); `started` is when it was sent first or replayed.

    `attempts` are pairs of the instant and whether it was taken."""

    notice: Notice
    created: Instant
    started: Instant
    copy: int = 0
    attempts: list[tuple[int, bool]] = field(default_factory=list)
    taken_at: Instant | None = None
    state: str = "pending"


class Deliveries:
    """All deliveries of one line. `sign(payload, secret, now)` is the scheme of the partner."""

    def __init__(
        self, partner: str, agenda: Agenda, faults: Faults, chance: Random, sign: Callable[[str, str, Instant], str]
    ) -> None:
        self._partner = partner
        self._agenda = agenda
        self._faults = faults
        self._chance = chance
        self._sign = sign
        self._all: list[Delivery] = []
        self._pending: dict[str, Delivery] = {}
        self._tries = 0
        self.tells: list[Tell] = []

    def add(self, notice: Notice, now: Instant) -> None:
        """Send one event to one subscriber, with all that the faults of this moment make of it."""
        delay, copies, within, lost = self._draw(*LATENCY), 0, 0, False
        for fault in self._faults.strike(WEBHOOK_FAULTS[:-1], notice.kind, notice.event_id, now):
            if fault.kind == "webhook-delay":
                delay += fault.extra
            elif fault.kind == "webhook-reorder":
                delay += self._draw(0, fault.extra)
            elif fault.kind == "webhook-duplicate":
                copies, within = copies + fault.copies, max(within, fault.extra)
            else:
                lost = True
        for copy in range(copies + 1):
            delivery = Delivery(notice, now, now, copy, state="lost" if lost else "pending")
            self._all.append(delivery)
            if not lost:
                self._agenda.add(now + delay + (self._draw(0, within) if copy else 0), self._attempt, delivery)

    def replay(self, event_id: str | None, now: Instant) -> int:
        """Send again what was lost or given up, all of it or this event whatever became of it. How many were sent."""
        count = 0
        for delivery in list(self._all):
            one = event_id is not None and delivery.notice.event_id == event_id and delivery.copy == 0
            if one or (event_id is None and delivery.state in ("lost", "given-up")):
                again = (
                    delivery
                    if delivery.state in ("lost", "given-up")
                    else Delivery(delivery.notice, delivery.created, now, -1)
                )
                if again is not delivery:
                    self._all.append(again)
                again.state, again.started = "pending", now
                self._agenda.add(now, self._attempt, again)
                count += 1
        return count

    def settled(self, call_id: str, outcome: Outcome, now: Instant) -> bool:
        """What a receiver answered. False if the call is none of these."""
        if not call_id.startswith(f"{self._partner}/hook/"):
            return False
        delivery = self._pending.pop(call_id, None)
        if delivery is not None:
            self._conclude(delivery, isinstance(outcome, Answered), now)
        return True

    def rows(self) -> list[Row]:
        """Rows of `partner_webhooks`."""
        return [
            {
                "partner": self._partner,
                "event_id": one.notice.event_id,
                "type": one.notice.kind,
                "at": one.created,
                "account": one.notice.account,
                "to": one.notice.endpoint.to,
                "copy": one.copy,
                "attempts": [[at, taken] for at, taken in one.attempts],
                "taken_at": one.taken_at,
                "state": one.state,
            }
            for one in self._all
        ]

    def _attempt(self, delivery: Delivery, now: Instant) -> None:
        notice = delivery.notice
        secret = notice.endpoint.secret
        if self._faults.strike(WEBHOOK_FAULTS[-1:], notice.kind, notice.event_id, now):
            secret = f"not-{secret}"
        self._tries += 1
        call_id = f"{self._partner}/hook/{self._tries}"
        self._pending[call_id] = delivery
        webhook = Webhook(
            partner=self._partner, payload=notice.payload, signature=self._sign(notice.payload, secret, now)
        )
        delivery.attempts.append((now, False))
        self.tells.append(Tell(notice.endpoint.to, webhook.command(), call_id))
        self._agenda.add(now + PATIENCE, self._lose_patience, call_id)

    def _lose_patience(self, call_id: str, now: Instant) -> None:
        delivery = self._pending.pop(call_id, None)
        if delivery is not None:
            self._conclude(delivery, False, now)

    def _conclude(self, delivery: Delivery, taken: bool, now: Instant) -> None:
        if taken:
            delivery.attempts[-1] = (delivery.attempts[-1][0], True)
            delivery.taken_at, delivery.state = now, "taken"
            return
        tried = len(delivery.attempts)
        pause = BACK_OFF[tried - 1] if tried <= len(BACK_OFF) else BACK_OFF[-1] + 2 * HOUR
        if now + pause > delivery.started + GIVE_UP:
            delivery.state = "given-up"
        else:
            self._agenda.add(now + pause, self._attempt, delivery)

    def _draw(self, least: int, most: int) -> int:
        return least + int(self._chance.random() * (most - least + 1))
