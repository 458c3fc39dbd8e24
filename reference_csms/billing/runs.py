"""Billing runs: collective invoices of drivers after month end, subscription invoices at the start of a period.

What a run is to invoice is written down when it begins; then one invoice per unit of work, with time passing in between.
A run that dies goes on behind its last commit: number, lines, journal entry, claim and progress are one unit (T-10).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import msgspec
from msgspec.structs import replace

from reference_csms.billing import rows
from reference_csms.billing.amounts import GROSS, VatSum
from reference_csms.billing.invoices import Draft, DraftLine, Invoicing, gross_of, vat_postings
from reference_csms.billing.ledger import Posting
from reference_csms.billing.periods import first_of_month, local_day, midnight
from reference_csms.billing.rows import AGENDA, BILLABLES, CONTRACTS, RUNS, Agenda, Billable, Invoice, Run, Seller
from reference_csms.billing.run import PAUSE
from reference_csms.billing.subscriptions import Subscriptions
from reference_csms.billing.terms import Terms
from reference_csms.parts import Parts
from reference_csms.payments.book import ClaimBook
from reference_csms.records import BILLS, RATED, SESSIONS, Bill
from reference_csms.storage.port import Store
from sim.clock import Instant, iso, parse_iso


class DriverInvoices:
    """Collective invoices of one owner to contract customers, in the owner's name."""

    def __init__(self, store: Store, parts: Parts, terms: Terms, invoicing: Invoicing, claims: ClaimBook) -> None:
        self._store = store
        self._parts = parts
        self._terms = terms
        self._invoicing = invoicing
        self._claims = claims

    def customers(self, owner: str, until: Instant) -> tuple[str, ...]:
        """Whose bills of before `until` wait for an invoice of this owner."""
        waiting = self._store.find(BILLABLES, "open_of", owner)
        return tuple(sorted({one.customer for one in waiting if one.supplied_at < until}))

    def invoice(self, owner: str, customer: str, run: Run, start: str, now: Instant) -> Invoice | None:
        """One invoice over all bills of a customer that no invoice carries yet (B03); None if there are none."""
        until = parse_iso(run.until)
        picked = [one for one in self._mine(owner, customer) if one.supplied_at < until]
        seller, driver = self._terms.seller(owner), self._terms.driver(customer)
        if not picked or seller is None:
            return None
        bills = [self._bill(one) for one in picked]
        last = local_day(until - 1, seller.zone) + timedelta(days=1)
        draft = Draft(
            kind=rows.DRIVERS,
            seller=seller,
            customer={
                "id": customer,
                "name": driver.name if driver else customer,
                "address": driver.address if driver else "",
                "email": driver.email if driver else "",
                "language": driver.language if driver else seller.language,
            },
            currency=bills[0].currency,
            basis=GROSS,
            lines=tuple(self._line(bill, seller) for bill in bills),
            postings=partial(_postings, owner, customer, tuple(bills)),
            period=(start, last.isoformat()),
            terms=self._parts.terms_for(seller.terms, now),
            account=self._parts.payee_for(seller.accounts, now),
            run_id=run.run_id,
            rounding_difference=lambda table: sum(one.vat for one in table) - sum(bill.vat for bill in bills),
            claim=lambda number, gross: self._claims.of_invoice(
                rows.DRIVERS, owner, customer, number, bills[0].currency, gross, now
            ),
        )
        issued = self._invoicing.issue(draft, now)
        for one in picked:
            self._store.update(BILLABLES, replace(one, state=rows.INVOICED, invoice=issued.number))
        return issued

    def reopen(self, invoice: Invoice) -> None:
        """The bills of a cancelled invoice wait for another one."""
        for one in self._store.find(BILLABLES, "invoice", invoice.number):
            self._store.update(BILLABLES, replace(one, state=rows.OPEN, invoice=None))

    def _mine(self, owner: str, customer: str) -> list[Billable]:
        found = self._store.find(BILLABLES, "owner_customer", f"{owner} {customer}")
        return [one for one in found if one.state != rows.DIRECT and self._parts.may_invoice(one.state != rows.OPEN)]

    def _bill(self, one: Billable) -> Bill:
        """The bill with the rating that is in force now: a correction may have replaced the first one."""
        bill = self._store.get(BILLS, one.number)
        assert bill is not None
        session = self._store.get(SESSIONS, bill.session_id)
        assert session is not None and session.cdr_id is not None
        row = next(row for row in self._store.find(RATED, "cdr_id", session.cdr_id) if row.effective)
        rated = row.rated
        return replace(bill, rated_id=row.rated_id, gross=rated.gross, net=rated.net, vat=rated.vat)

    def _line(self, bill: Bill, seller: Seller) -> DraftLine:
        rated, content = self._store.get(RATED, bill.rated_id), msgspec.json.decode(bill.data)
        assert rated is not None
        session = content["session"]
        return DraftLine(
            kind="session",
            text=f"{session['place']}, {session['station']}, {session['started']['local']}",
            vat_percent=str(rated.rated.vat_percent),
            amount=bill.gross,
            start=session["started"]["local"][:10],
            until=session["stopped"]["local"][:10],
            quantity=session["kwh"],
            unit="kWh",
            bill=bill.number,
            session_id=bill.session_id,
        )


def _postings(seller: str, customer: str, bills: Sequence[Bill], table: tuple[VatSum, ...]) -> Sequence[Posting]:
    """The bills booked receivable, revenue and VAT each; now the sum is owed as one, with VAT by rate of the invoice."""
    currency, gross = bills[0].currency, gross_of(table)
    before, after = sum(bill.vat for bill in bills), sum(one.vat for one in table)
    return [
        Posting(f"invoiced:{customer}", currency, gross),
        Posting(f"receivable:{customer}", currency, -gross),
        Posting(f"vat:{seller}", currency, before),
        *vat_postings(seller, currency, table),
        Posting(f"rounding:{seller}", currency, after - before),
    ]


class Runs:
    """Begins runs when they are due, and takes one step of one run at a time."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        terms: Terms,
        drivers: DriverInvoices,
        subscriptions: Subscriptions,
        run_hour: int,
    ) -> None:
        self._store = store
        self._parts = parts
        self._terms = terms
        self._drivers = drivers
        self._subscriptions = subscriptions
        self._hour = run_hour
        self._cursors: dict[str, int] = {}
        self._not_before = Instant(0)
        self._wish: Instant | None = None
        self._stale = True

    def changed(self) -> None:
        """Contracts or the agenda were changed."""
        self._stale = True

    def next_due(self) -> Instant | None:
        """When `step` is wanted; it may lie in the past after a restart."""
        if self._stale:
            self._wish, self._stale = self._earliest(), False
        return self._wish if self._wish is None else max(self._wish, self._not_before)

    def step(self, now: Instant) -> None:
        """One invoice of a running run, or the beginning of the next one, as part of the running unit of work."""
        due = self.next_due()
        if due is None or due > now:
            return
        running = self._store.find(RUNS, "state", rows.OPEN)
        if running:
            self._go_on(running[0], now)
        else:
            self._begin_next(now)
        self._not_before = Instant(now + PAUSE)
        self._stale = True

    def expect(self, owner: str, now: Instant) -> None:
        """A bill waits for its invoice: the run after the end of this month will take it."""
        seller = self._terms.seller(owner)
        assert seller is not None
        until = midnight(first_of_month(local_day(now, seller.zone), 1), seller.zone)
        run_id = f"{rows.DRIVERS}/{owner}/{iso(until)}"
        if self._store.get(AGENDA, run_id) is None and self._store.get(RUNS, run_id) is None:
            at = midnight(local_day(until, seller.zone), seller.zone, self._hour)
            self._store.insert(AGENDA, Agenda(run_id=run_id, kind=rows.DRIVERS, scope=owner, until=iso(until), at=at))
            self._stale = True

    def order(self, kind: str, scope: str, until: Instant, now: Instant) -> str:
        """A run somebody asks for now, over what was supplied before `until`; returns its id."""
        base = f"{kind}/{scope}/{iso(until)}"
        run_id, n = base, 1
        while self._store.get(RUNS, run_id) is not None:
            n += 1
            run_id = f"{base}/{n}"
        self._begin(run_id, kind, scope, until, now)
        return run_id

    def _go_on(self, run: Run, now: Instant) -> None:
        cursor = self._cursors.get(run.run_id)
        if cursor is None:
            cursor = self._parts.resume_at(run.done)
        if cursor >= len(run.todo):
            self._store.update(RUNS, replace(run, state=rows.DONE, ended_at=now))
            return
        if run.kind == rows.DRIVERS:
            self._drivers.invoice(run.scope, run.todo[cursor], run, self._start_of(run), now)
        else:
            self._subscriptions.invoice(run.todo[cursor], run.until, run.run_id, now)
        self._cursors[run.run_id] = cursor + 1
        self._store.update(RUNS, replace(run, done=max(run.done, cursor + 1)))

    def _start_of(self, run: Run) -> str:
        """The first day a drivers' invoice covers: of the month, or after the last run that ended within it."""
        seller = self._terms.seller(run.scope)
        assert seller is not None
        month = first_of_month(local_day(parse_iso(run.until) - 1, seller.zone))
        ends = [
            local_day(parse_iso(one.until), seller.zone)
            for one in self._store.rows(RUNS)
            if one.kind == rows.DRIVERS and one.scope == run.scope and parse_iso(one.until) < parse_iso(run.until)
        ]
        return max([month, *ends]).isoformat()

    def _begin_next(self, now: Instant) -> None:
        agenda = [one for one in self._store.find(AGENDA, "state", rows.OPEN) if one.at <= now]
        if agenda:
            first = min(agenda, key=lambda one: (one.at, one.run_id))
            self._store.update(AGENDA, replace(first, state=rows.DONE))
            self._begin(first.run_id, first.kind, first.scope, parse_iso(first.until), now)
            return
        due = [(at, contract.seller) for contract in self._store.rows(CONTRACTS) if (at := self._due(contract)) <= now]
        if due:
            self.order(rows.SUBSCRIPTION, min(due)[1], now, now)

    def _begin(self, run_id: str, kind: str, scope: str, until: Instant, now: Instant) -> None:
        if kind == rows.DRIVERS:
            todo, end = self._drivers.customers(scope, until), iso(until)
        else:
            seller = self._terms.seller(scope)
            end = local_day(until, seller.zone if seller else "UTC").isoformat()
            mine = [one for one in self._store.rows(CONTRACTS) if one.seller == scope]
            todo = tuple(one.contract_id for one in mine if self._due(one) <= until)
        run = Run(run_id=run_id, kind=kind, scope=scope, until=end, todo=todo, done=0, state=rows.OPEN, started_at=now)
        self._store.insert(RUNS, run)
        self._stale = True

    def _due(self, contract: rows.Contract) -> Instant:
        due = self._subscriptions.due_at(contract, self._hour)
        return Instant(2**62) if due is None else due

    def _earliest(self) -> Instant | None:
        if self._store.find(RUNS, "state", rows.OPEN):
            return self._not_before
        wishes = [one.at for one in self._store.find(AGENDA, "state", rows.OPEN)]
        for contract in self._store.rows(CONTRACTS):
            due = self._subscriptions.due_at(contract, self._hour)
            if due is not None:
                wishes.append(due)
        return min(wishes, default=None)
