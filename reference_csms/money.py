"""The money part of a back-end, put together: what it does when a session begins, ends or is billed, when time passes,
when a partner answers, and what operators may ask of it.

Each step is one unit of work. Without `Setup.options["money"]` there is no such part and nothing here takes place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from msgspec.structs import replace

from reference_csms import records
from reference_csms.authorization import ACCEPTED
from reference_csms.billing import rows
from reference_csms.billing.credits import Credits
from reference_csms.billing.invoices import Invoicing
from reference_csms.billing.ledger import Ledger
from reference_csms.billing.rows import BILLABLES, CONTRACTS, Billable
from reference_csms.billing.runs import DriverInvoices, Runs
from reference_csms.billing.subscriptions import Subscriptions
from reference_csms.billing.terms import Terms
from reference_csms.catalogue import Catalogue
from reference_csms.numbers import Numbers
from reference_csms.options import MoneyOptions
from reference_csms.parts import Parts
from reference_csms.payments.bank import Bank
from reference_csms.payments.book import ClaimBook
from reference_csms.payments.customers import Customers
from reference_csms.payments.desk import Desk
from reference_csms.payments.fees import Fees
from reference_csms.payments.gate import Gate
from reference_csms.payments.rows import CLAIMS, Claim
from reference_csms.payments.settlements import Settlements
from reference_csms.payments.webhooks import Webhooks
from reference_csms.records import Bill, Session
from reference_csms.stage import Stage
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import Instant, parse_iso
from sim.errors import BadInput
from sim.machine import Answered, Outcome, Refused

Args = Mapping[str, Any]
WHATS = ("sellers", "contracts", "driver-terms", "accounts", "prepaid")


class _Room(Protocol):
    """What has something to do at times."""

    def next_due(self) -> Instant | None: ...

    def step(self, now: Instant) -> None: ...


class Money:
    """Contracts, invoices, claims and payments of one back-end."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        numbers: Numbers,
        ledger: Ledger,
        catalogue: Catalogue,
        stage: Stage,
        options: MoneyOptions,
        backend: str,
    ) -> None:
        self._store = store
        self._parts = parts
        self._options = options
        self._catalogue = catalogue
        self._terms = Terms(store, backend)
        self._book = ClaimBook(store, numbers, backend, options.route, parts.claim_route)
        self._customers = Customers(store, self._book, stage, options, backend)
        self._desk = Desk(store, parts, numbers, ledger, self._book, self._customers, stage, options, backend)
        self._customers.known = self._desk.plan
        self._book.opened = self._desk.plan
        self._book.method_of = self._method
        self._book.contact_of = self._contact
        invoicing = Invoicing(store, numbers, ledger, parts, backend, options.number_code)
        self._subscriptions = Subscriptions(store, parts, self._terms, invoicing, self._book, ledger, numbers, backend)
        self._drivers = DriverInvoices(store, parts, self._terms, invoicing, self._book)
        self._runs = Runs(store, parts, self._terms, self._drivers, self._subscriptions, options.run_hour)
        self._gate = Gate(store, parts, numbers, self._desk, stage, options, backend)
        self._desk.barred = self._gate.read_soon
        self._bank = Bank(store, ledger, stage, options, backend, parts.read_accounts, parts.heed_return)
        self._settlements = Settlements(store, parts, ledger, stage, options, backend)
        self._fees = Fees(store, parts, ledger, stage, options, backend)
        self._rooms: tuple[_Room, ...] = (
            self._runs,
            self._customers,
            self._desk,
            self._gate,
            self._bank,
            self._settlements,
            self._fees,
        )
        self._webhooks = Webhooks(store, parts, ledger, self._desk, self._gate, options)
        self._credits = Credits(store, parts, ledger, self._terms, invoicing, self._drivers, self._runs, self._desk)
        self._wish: Instant | None = None
        self._stale = True
        self.kinds: dict[str, Callable[[Args, Instant], Outcome]] = {
            "webhook": self._webhook,
            "end-contract": self._end_contract,
            "run-billing": self._run_billing,
            "refund": self._refund,
            "cancel-invoice": self._cancel_invoice,
        }

    # -- sessions -----------------------------------------------------------------------------------------------------

    def started(self, session: Session) -> None:
        """A session began: for a guest who pays at once an amount is held, if the owner's account can charge (P09)."""
        terms = self._terms.driver(session.customer or session.id_tag)
        owner = self._catalogue.owner_of(session.site)
        if terms is None or owner is None or terms.pays != rows.ADHOC or not self._options.holds:
            return
        if session.token_status != ACCEPTED:
            return
        amount = self._parts.hold_amount(owner.currency, self._options.hold_amounts)
        self._book.hold(
            owner.owner, terms.customer, session.session_id, owner.currency, amount, session.received_start_at
        )
        self._stale = True

    def closed(self, session: Session, now: Instant) -> None:
        """A session ended without a bill to come (free, quarantined, handed over): what is held for it is released."""
        if session.state == records.OPEN and session.transaction_state == records.CLOSED:
            return
        claim = self._book.of_session(session.session_id)
        if claim is not None and not claim.final:
            self._finish(replace(claim, final=True, reason=None), now)

    def billed(self, bill: Bill, session: Session, now: Instant) -> None:
        """A session has its bill: it waits for a collective invoice, or is collected directly, by the driver's terms."""
        terms = self._terms.driver(bill.customer)
        if terms is None:
            return
        collected = terms.pays == rows.CONTRACT
        billable = Billable(
            number=bill.number,
            owner=bill.seller,
            customer=bill.customer,
            supplied_at=session.stopped_at or now,
            state=rows.OPEN if collected else rows.DIRECT,
        )
        self._store.insert(BILLABLES, billable)
        claim = self._book.of_session(bill.session_id)
        if claim is not None:
            document = None if collected else bill.number
            amount = 0 if collected else bill.gross
            self._finish(
                replace(claim, final=True, amount=amount, document=document, reference=document or claim.claim_id), now
            )
        elif not collected:
            self._book.of_bill(bill.seller, bill.customer, bill.number, bill.session_id, bill.currency, bill.gross, now)
        if collected:
            self._runs.expect(bill.seller, now)
        self._stale = True

    def corrected(self, bill: Bill, difference: int, now: Instant) -> None:
        """A bill was corrected: what is owed for it changes with it."""
        self._credits.corrected(bill, difference, now)
        self._stale = True

    def _finish(self, claim: Claim, now: Instant) -> None:
        self._store.update(CLAIMS, claim)
        if claim.amount == 0:
            self._desk.withdraw(claim, now)
        self._desk.plan(self._claim(claim.claim_id), now)
        self._stale = True

    def _claim(self, claim_id: str) -> Claim:
        claim = self._store.get(CLAIMS, claim_id)
        assert claim is not None
        return claim

    def _method(self, customer: str) -> str | None:
        terms = self._terms.driver(customer)
        return terms.method if terms else None

    def _contact(self, customer: str) -> tuple[str, str]:
        terms = self._terms.driver(customer)
        return (terms.name or customer, terms.email) if terms else (customer, "")

    # -- time and partners --------------------------------------------------------------------------------------------

    def next_due(self) -> Instant | None:
        """The earliest of what is due; it may lie in the past after a restart."""
        if self._stale:
            wishes = [room.next_due() for room in self._rooms]
            self._wish = min((wish for wish in wishes if wish is not None), default=None)
            self._stale = False
        return self._wish

    def step(self, now: Instant) -> None:
        """One step of each room that has something due, as part of the running unit of work."""
        if self._wish is None or self._wish > now:
            return
        for room in self._rooms:
            room.step(now)
        self._stale = True

    def heard(self, call_id: str, outcome: Outcome, now: Instant) -> None:
        """What became of a request to a partner."""
        self._stale = True
        _, _, room, about = call_id.split(":", 3)
        name, kind, _ = about.rsplit(":", 2)
        if room == "pay":
            self._desk.heard(name, kind, outcome, now)
        elif room == "account":
            self._gate.heard(name, outcome, now)
        elif room == "customer":
            self._customers.heard(name, outcome, now)
        elif room == "settlement":
            self._settlements.heard(outcome, now)
        elif room == "fee":
            self._fees.heard(outcome, now)
        else:
            self._bank.heard(name, kind, outcome, now)

    # -- operators ----------------------------------------------------------------------------------------------------

    def load(self, provision: Mapping[str, Sequence[Row]]) -> None:
        """The rows of the instruction sheet, at the first start. Raises BadInput."""
        for what in WHATS[:3]:
            self._terms.take(what, provision.get(what, ()), first=True)
        self._gate.take(provision.get("accounts", ()), Instant(0))

    def take(self, what: str, given: Sequence[Row], now: Instant) -> int:
        """Rows that somebody hands over. Raises BadInput."""
        self._stale = True
        self._runs.changed()
        if what == "accounts":
            return self._gate.take(given, now)
        if what == "prepaid":
            return self._subscriptions.take(given)
        return self._terms.take(what, given)

    def prepaid(self, args: Args) -> list[Row]:
        """What was paid for in advance and will not be delivered here, of one contract or of all."""
        contract = args.get("contract")
        return self._subscriptions.export(None if contract is None else str(contract))

    def operate(self, kind: str, args: Args, now: Instant) -> Outcome:
        """One of `kinds`. Raises KeyError for a missing argument and BadInput for a wrong one."""
        self._stale = True
        return self.kinds[kind](args, now)

    def _webhook(self, args: Args, now: Instant) -> Outcome:
        return self._webhooks.take(str(args["partner"]), str(args["payload"]), str(args["signature"]), now)

    def _end_contract(self, args: Args, now: Instant) -> Outcome:
        contract = self._store.get(CONTRACTS, str(args["contract"]))
        if contract is None:
            return Refused("unknown-contract", str(args["contract"]))
        end = _day(args["end"])
        if contract.end is not None and contract.end != end:
            return Refused("ended", f"the contract ended on {contract.end}")
        self._runs.changed()
        return Answered({"prepaid": self._subscriptions.end(contract, end, now)})

    def _run_billing(self, args: Args, now: Instant) -> Outcome:
        """kind drivers (owner) or subscription (seller); `until` an instant, without it now."""
        kind = str(args["kind"])
        if kind not in (rows.DRIVERS, rows.SUBSCRIPTION):
            raise BadInput("run-billing", "kind", f"{kind!r} is unknown", (rows.DRIVERS, rows.SUBSCRIPTION))
        scope = str(args["owner"] if kind == rows.DRIVERS else args["seller"])
        if self._terms.seller(scope) is None:
            return Refused("unknown-seller", scope)
        return Answered({"run": self._runs.order(kind, scope, _instant(args.get("until"), now), now)})

    def _refund(self, args: Args, now: Instant) -> Outcome:
        amount = args["amount"]
        if isinstance(amount, bool) or not isinstance(amount, int):
            raise BadInput("refund", "amount", f"{amount!r} is no whole number", "minor units")
        return self._credits.refund(str(args["claim"]), amount, now)

    def _cancel_invoice(self, args: Args, now: Instant) -> Outcome:
        return self._credits.cancel(str(args["number"]), now)


def _day(given: Any) -> str:
    try:
        return date.fromisoformat(str(given)).isoformat()
    except ValueError:
        raise BadInput("end-contract", "end", f"{given!r} is no day", "an ISO day such as 2024-04-09") from None


def _instant(given: Any, now: Instant) -> Instant:
    try:
        return now if given is None else parse_iso(given) if isinstance(given, str) else Instant(int(given))
    except (TypeError, ValueError):
        raise BadInput("run-billing", "until", f"{given!r} is no instant", "ms or an RFC 3339 text") from None
