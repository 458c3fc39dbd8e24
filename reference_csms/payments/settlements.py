"""Settlements of the invoice partner: what it paid out, and what it kept as its fee, each booked once.

The report is read at intervals. A settlement that was paid moves from the clearing account to the bank, one that failed
afterwards moves back; its fee is booked when it is first seen and never again. The line on the bank statement only
confirms it: money is not booked a second time there.
"""

from __future__ import annotations

from msgspec.structs import replace

from reference_csms.billing.ledger import FEE, PAYOUT, Ledger, Posting
from reference_csms.options import MoneyOptions
from reference_csms.parts import Parts
from reference_csms.payments.rows import MOVEMENTS, RIVERTY, STATEMENT_LINES, Movement
from reference_csms.stage import Stage
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import SECOND, Instant
from sim.machine import Answered, Outcome, Tell
from sim.partners.port import Request

_STATES = {"in_transit": "seen", "paid": "paid"}
_CLEARING = "clearing:riverty"


class Settlements:
    """Reads the settlement report, where drivers' claims go to the invoice partner."""

    def __init__(
        self, store: Store, parts: Parts, ledger: Ledger, stage: Stage, options: MoneyOptions, backend: str
    ) -> None:
        self._store = store
        self._parts = parts
        self._ledger = ledger
        self._stage = stage
        self._options = options
        self._backend = backend
        self._reads = 0
        self._due = Instant(0)

    def next_due(self) -> Instant | None:
        """When `step` is wanted; at once after a start, since nothing was read in this life."""
        return self._due if self._options.route == RIVERTY else None

    def step(self, now: Instant) -> None:
        """Ask for the report, as part of the running unit of work."""
        if self._options.route != RIVERTY or self._due > now:
            return
        self._reads += 1
        self._due = Instant(now + self._options.settlement_poll_s * SECOND)
        call_id = f"{self._backend}:{self._store.epoch}:settlement:{RIVERTY}:read:{self._reads}"
        self._stage.add(Tell(self._options.partners[RIVERTY], Request(api="settlements.list").command(), call_id))

    def heard(self, outcome: Outcome, now: Instant) -> None:
        """The report. Without an answer it is read again soon."""
        if not isinstance(outcome, Answered) or not outcome.payload.ok:
            self._due = min(self._due, Instant(now + self._options.retry_s * SECOND))
            return
        for one in outcome.payload.body["settlements"]:
            self._take(one, now)

    def _take(self, one: Row, now: Instant) -> None:
        name, currency, amount = str(one["settlement_number"]), str(one["currency"]).upper(), int(one["amount"])
        told = _STATES.get(str(one["status"]), "failed")
        known = self._store.get(MOVEMENTS, name)
        if not self._parts.moves_on(known.state if known else None, told):
            return
        fee = int(one["fee"])
        if known is None and fee:
            postings = (Posting("fees:riverty", currency, fee), Posting(_CLEARING, currency, -fee))
            self._ledger.append(FEE, f"{name} fee", postings, now)
        change = self._parts.movement_change(known.state if known else None, told, amount)
        if change:
            postings = (Posting(f"bank:{one['iban']}", currency, change), Posting(_CLEARING, currency, -change))
            self._ledger.append(PAYOUT, f"{name} {RIVERTY}", postings, now)
        movement = Movement(
            movement_id=name,
            kind="payout",
            claim_id=None,
            account=RIVERTY,
            currency=currency,
            amount=amount,
            state=told,
            at=now,
        )
        put(self._store, MOVEMENTS, movement)
        for line in self._store.find(STATEMENT_LINES, "reference", name):
            self._store.update(STATEMENT_LINES, replace(line, state="matched"))
