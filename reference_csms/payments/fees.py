"""What the card partner keeps for itself: fees of charges and disputes, each booked once, from its own list of movements.

The partner takes its fees from the balance of the platform, and debits what is missing there from the operator's account at
the bank. So a fee is an expense against the platform's clearing account, which the debit brings to zero again. Fees are not
told by events: the list of the platform's balance transactions is read at intervals, from its beginning once in each life.
"""

from __future__ import annotations

from typing import Any

from reference_csms.billing.ledger import FEE, Ledger, Posting
from reference_csms.options import MoneyOptions
from reference_csms.parts import Parts
from reference_csms.payments.rows import MOVEMENTS, STRIPE, Movement
from reference_csms.stage import Stage
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import SECOND, Instant
from sim.machine import Answered, Outcome, Tell
from sim.partners.port import Request

PAGE = 100
"""Rows of the list that are asked for at once; the most that Stripe gives."""


class Fees:
    """Reads the balance transactions of the platform, where drivers' claims go to the card partner."""

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
        self._since = self._newest = 0
        self._after: str | None = None

    def next_due(self) -> Instant | None:
        """When `step` is wanted; at once after a start, since nothing was read in this life."""
        return self._due if self._options.route == STRIPE else None

    def step(self, now: Instant) -> None:
        """Ask for the next page of the list, as part of the running unit of work."""
        if self._options.route != STRIPE or self._due > now:
            return
        self._reads += 1
        self._due = Instant(now + self._options.payment_timeout_s * SECOND)
        params: dict[str, Any] = {"limit": PAGE, "created": {"gte": self._since}}
        if self._after is not None:
            params["starting_after"] = self._after
        call_id = f"{self._backend}:{self._store.epoch}:fee:{STRIPE}:read:{self._reads}"
        request = Request(api="balance_transactions.list", params=params)
        self._stage.add(Tell(self._options.partners[STRIPE], request.command(), call_id))

    def heard(self, outcome: Outcome, now: Instant) -> None:
        """A page of the list. Without an answer it is asked for again soon; after the last one, at the next interval."""
        if not isinstance(outcome, Answered) or not outcome.payload.ok:
            self._due = Instant(now + self._options.retry_s * SECOND)
            return
        body = outcome.payload.body
        for one in body["data"]:
            self._take(one, now)
            self._newest = max(self._newest, int(one["created"]))
        if body.get("has_more"):
            self._after, self._due = str(body["data"][-1]["id"]), now
        else:  # once more from the second of the newest on, which may not have been over
            self._after, self._since = None, self._newest
            self._due = Instant(now + self._options.settlement_poll_s * SECOND)

    def _take(self, one: Row, now: Instant) -> None:
        name, kind, currency = str(one["id"]), str(one["type"]), str(one["currency"]).upper()
        fee = self._parts.fee_of(kind, int(one["fee"]))
        if not fee or not self._parts.books_fee(name, self._store.get(MOVEMENTS, name) is not None):
            return
        clearing = self._parts.fee_account(kind, self._owner_of(str(one["source"])))
        postings = (Posting(f"fees:{STRIPE}", currency, fee), Posting(f"clearing:{STRIPE}:{clearing}", currency, -fee))
        self._ledger.append(FEE, f"{name} {one['source']} {kind}", postings, now)
        movement = Movement(
            movement_id=name,
            kind="fee",
            claim_id=None,
            account=None,
            currency=currency,
            amount=fee,
            state="paid",
            at=now,
        )
        put(self._store, MOVEMENTS, movement)

    def _owner_of(self, source: str) -> str | None:
        """The connected account that a movement was for, where it is known here: that of a disputed claim."""
        known = self._store.get(MOVEMENTS, source)
        return known.account if known is not None else None
