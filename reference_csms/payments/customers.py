"""Debtors at Stripe: each is created once, and nothing is debited before Stripe has confirmed who it is.

The creation moves no money. While its outcome is unknown only the same key is sent again, so a customer is never made
twice within the life of a key; after a known refusal the next wish has a new key.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from reference_csms.options import MoneyOptions
from reference_csms.payments import rows
from reference_csms.payments.book import ClaimBook
from reference_csms.payments.pace import PAUSE, back_off
from reference_csms.payments.rows import CLAIMS, CUSTOMERS, STRIPE, Claim, Customer
from reference_csms.payments.stripe import KEPT_ERROR
from reference_csms.stage import Stage
from reference_csms.storage.port import Store, put
from sim.clock import SECOND, Instant
from sim.machine import Answered, Outcome, Tell
from sim.partners.port import Request, Response


class Customers:
    """The customers of one back-end at Stripe. `known` hears of each claim whose customer is known now."""

    def __init__(self, store: Store, book: ClaimBook, stage: Stage, options: MoneyOptions, backend: str) -> None:
        self._store = store
        self._book = book
        self._stage = stage
        self._options = options
        self._backend = backend
        self._pending = {one.customer: one.due_at for one in store.find(CUSTOMERS, "pending", 1)}
        self._not_before = Instant(0)
        self.known: Callable[[Claim, Instant], None] = lambda claim, now: None

    def id_of(self, customer: str) -> str | None:
        """What Stripe calls this customer, None unless it was confirmed."""
        row = self._store.get(CUSTOMERS, customer)
        return row.partner_id if row else None

    def want(self, claim: Claim, now: Instant) -> None:
        """A claim waits for its customer, who is created unless that is on its way."""
        if claim.state != rows.WAITING_CUSTOMER:
            self._store.update(CLAIMS, replace(claim, state=rows.WAITING_CUSTOMER))
        row = self._store.get(CUSTOMERS, claim.customer)
        if row is None or not row.pending:
            self._begin(claim.customer, claim.method, row.n + 1 if row else 1, now)

    def next_due(self) -> Instant | None:
        """When `step` is wanted; it may lie in the past after a restart."""
        return max(min(self._pending.values()), self._not_before) if self._pending else None

    def step(self, now: Instant) -> None:
        """Ask for one creation, as part of the running unit of work."""
        due = self.next_due()
        if due is None or due > now:
            return
        name = min(self._pending, key=lambda one: (self._pending[one], one))
        row = self._store.get(CUSTOMERS, name)
        assert row is not None
        wait = self._options.payment_timeout_s * SECOND + back_off(self._options, row.tries)
        self._not_before = Instant(now + PAUSE)
        self._put(replace(row, state=rows.ASKED, tries=row.tries + 1, due_at=Instant(now + wait)))
        call_id = f"{self._backend}:{self._store.epoch}:customer:{name}:create:{row.tries + 1}"
        request = Request(api="customers.create", params=row.params, key=row.key)
        self._stage.add(Tell(self._options.partners[STRIPE], request.command(), call_id))

    def heard(self, customer: str, outcome: Outcome, now: Instant) -> None:
        """What became of a creation. Silence, 409, 429 and the like leave it unknown."""
        row = self._store.get(CUSTOMERS, customer)
        if row is None or not row.pending:
            return
        response: Response | None = outcome.payload if isinstance(outcome, Answered) else None
        if response is not None and response.status == KEPT_ERROR:
            self._begin(customer, row.params.get("payment_method"), row.n + 1, now)
        elif response is None or response.status in (409, 429) or response.status > KEPT_ERROR:
            due = Instant(now + self._options.retry_s * SECOND + back_off(self._options, row.tries - 1))
            self._put(replace(row, state=rows.UNKNOWN, due_at=due))
        elif response.ok:
            self._put(replace(row, state=rows.DONE, partner_id=str(response.body["id"])))
            self._tell(customer, None, now)
        else:
            error = response.body.get("error") or {}
            reason = str(error.get("code") or response.status)
            self._put(replace(row, state=rows.FAILED, reason=reason))
            self._tell(customer, reason, now)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, customer: str, method: str | None, n: int, now: Instant) -> None:
        name, email = self._book.contact_of(customer)
        params = {"name": name, "email": email, "metadata": {"customer": customer}}
        if method is not None:
            params["payment_method"] = method
        due = now if n == 1 else Instant(now + back_off(self._options, n - 1))
        key = f"{self._backend}/customer/{customer}/{n}"
        self._put(Customer(customer=customer, key=key, n=n, params=params, state=rows.DUE, due_at=due))

    def _put(self, row: Customer) -> None:
        put(self._store, CUSTOMERS, row)
        if row.pending:
            self._pending[row.customer] = row.due_at
        else:
            self._pending.pop(row.customer, None)

    def _tell(self, customer: str, refused: str | None, now: Instant) -> None:
        """The claims that waited for this customer go on; refused, they stay open until somebody looks at them."""
        for claim in self._store.find(CLAIMS, "waiting_for", f"customer/{customer}"):
            state = rows.OPEN if refused and claim.final else rows.DUE
            free = replace(claim, state=state, reason=refused)
            self._store.update(CLAIMS, free)
            self.known(free, now)
