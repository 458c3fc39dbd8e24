"""The operator's subscriptions: the invoice of a period in advance, and what becomes of days paid for but not taken.

One clean rule for the overlap: the old company keeps what it was paid and owes it to the new one (account
`intercompany:<old seller>`); the new company credits the net price of those days, as they were paid, on its next
invoice, before VAT. Nobody pays a day twice and nobody is refunded for it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from msgspec.structs import asdict, replace

from reference_csms.billing import rows
from reference_csms.billing.amounts import NET, VatSum
from reference_csms.billing.invoices import Draft, DraftLine, Invoicing, gross_of, vat_postings
from reference_csms.billing.ledger import PREPAID as PREPAID_ENTRY
from reference_csms.billing.ledger import Ledger, Posting
from reference_csms.billing.periods import Span, local_day, midnight, period_end
from reference_csms.billing.rows import CONTRACTS, INVOICES, PREPAID, Contract, Invoice, Prepaid, Seller
from reference_csms.billing.terms import Terms
from reference_csms.numbers import Numbers
from reference_csms.parts import Parts
from reference_csms.payments.book import ClaimBook
from reference_csms.provision import RowReader
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import Instant

_EXPORTED = "exported"


class Subscriptions:
    """Invoices contracts in a store."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        terms: Terms,
        invoicing: Invoicing,
        claims: ClaimBook,
        ledger: Ledger,
        numbers: Numbers,
        backend: str,
    ) -> None:
        self._store = store
        self._parts = parts
        self._terms = terms
        self._invoicing = invoicing
        self._claims = claims
        self._ledger = ledger
        self._numbers = numbers
        self._backend = backend

    def due_at(self, contract: Contract, hour: int) -> Instant | None:
        """When the next period of a contract is to be invoiced: the morning of its first day; None after the end."""
        if contract.end is not None and contract.billed_until >= contract.end:
            return None
        seller = self._seller(contract)
        return midnight(date.fromisoformat(contract.billed_until), seller.zone, hour)

    def invoice(self, contract_id: str, until: str, run_id: str, now: Instant) -> Invoice | None:
        """Invoice one period of a contract that begins by the day `until`; None if that was done before."""
        contract = self._store.get(CONTRACTS, contract_id)
        assert contract is not None
        ended = contract.end is not None and contract.billed_until >= contract.end
        if ended or not self._parts.may_invoice(contract.billed_until > until):
            return None
        seller = self._seller(contract)
        start = date.fromisoformat(contract.billed_until)
        end = period_end(start, contract.period)
        if contract.end is not None:
            end = min(end, date.fromisoformat(contract.end))
        cuts = [local_day(rate.since, seller.zone) for rate in contract.vat if rate.since > 0]
        lines = [line for span in self._parts.split_period(start, end, cuts) for line in self._lines(contract, span)]
        credits = self._credits(contract, end, sum(line.amount for line in lines))
        lines += [_credit_line(prepaid, self._vat(contract, date.fromisoformat(prepaid.start))) for prepaid in credits]
        draft = Draft(
            kind=rows.SUBSCRIPTION,
            seller=seller,
            customer=_customer(contract),
            currency=contract.currency,
            basis=NET,
            lines=tuple(lines),
            postings=partial(_postings, seller.seller, contract, tuple(credits)),
            period=(start.isoformat(), end.isoformat()),
            contract_id=contract_id,
            terms=self._parts.terms_for(contract.terms, now),
            account=self._parts.payee_for(seller.accounts, now),
            run_id=run_id,
            claim=lambda number, gross: self._claims.of_invoice(
                rows.SUBSCRIPTION, seller.seller, contract.customer, number, contract.currency, gross, now
            ),
        )
        issued = self._invoicing.issue(draft, now)
        self._store.update(CONTRACTS, replace(contract, billed_until=end.isoformat()))
        for prepaid in credits:
            self._store.update(PREPAID, replace(prepaid, state=rows.DONE, credited_on=issued.number))
        return issued

    def end(self, contract: Contract, end: str, now: Instant) -> list[Row]:
        """End a contract on a day (exclusive); returns what of it is prepaid beyond. Ending it so again changes nothing."""
        if contract.end == end:
            return self.export(contract.contract_id)
        self._store.update(CONTRACTS, replace(contract, end=end))
        last = date.fromisoformat(end)
        for invoice in self._store.rows(INVOICES):
            ours = invoice.contract_id == contract.contract_id and invoice.kind == rows.SUBSCRIPTION
            if ours and invoice.state == rows.ISSUED and (invoice.period_until or "") > end:
                self._give_back(contract, invoice, last, now)
        return self.export(contract.contract_id)

    def export(self, contract_id: str | None = None) -> list[Row]:
        """What this back-end was paid for in advance and will not deliver, for the next seller; as often as asked."""
        return [
            asdict(one)
            for one in self._store.rows(PREPAID)
            if one.state == _EXPORTED and contract_id in (None, one.contract_id)
        ]

    def take(self, given: Sequence[Row]) -> int:
        """Prepaid rows of another back-end, to be credited here. One that came before is left as it is."""
        readers = [RowReader("prepaid", n, row) for n, row in enumerate(given)]
        fresh = [
            Prepaid(
                prepaid_id=row.text("prepaid_id"),
                contract_id=row.text("contract_id"),
                seller=row.text("seller"),
                customer=row.text("customer"),
                currency=row.text("currency"),
                net=row.whole("net"),
                start=row.text("start"),
                until=row.text("until"),
                invoice=row.text("invoice"),
                state=rows.OPEN,
            )
            for row in readers
        ]
        for prepaid in fresh:
            if self._store.get(PREPAID, prepaid.prepaid_id) is None:
                self._store.insert(PREPAID, prepaid)
        return len(fresh)

    def _seller(self, contract: Contract) -> Seller:
        seller = self._terms.seller(contract.seller)
        assert seller is not None
        return seller

    def _vat(self, contract: Contract, day: date) -> str:
        """The rate on the day of supply (billing.md §4.13)."""
        return self._parts.vat_for(contract.vat, midnight(day, self._seller(contract).zone)) or "0"

    def _lines(self, contract: Contract, span: Span) -> list[DraftLine]:
        percent = self._vat(contract, span.start)
        return [
            DraftLine(
                kind="item",
                text=item.text,
                vat_percent=percent,
                amount=item.quantity * self._parts.pro_rata(item.net, span),
                start=span.start.isoformat(),
                until=span.until.isoformat(),
                quantity=str(item.quantity),
                unit=_unit(span),
            )
            for item in contract.items
        ]

    def _credits(self, contract: Contract, end: date, limit: int) -> list[Prepaid]:
        """Prepaid days before the end of this period, as far as the invoice carries them."""
        found = []
        for prepaid in self._store.find(PREPAID, "open_of", contract.customer):
            if prepaid.currency == contract.currency and prepaid.start < end.isoformat() and prepaid.net <= limit:
                found.append(prepaid)
                limit -= prepaid.net
        return found

    def _give_back(self, contract: Contract, invoice: Invoice, end: date, now: Instant) -> None:
        """The days of one invoice after the end, by days of each line, half a minor unit up."""
        net, starts, untils = 0, [], []
        for line in self._invoicing.lines(invoice):
            start, until = date.fromisoformat(line.start), date.fromisoformat(line.until)
            if line.kind == "item" and until > end:
                first = max(start, end)
                share = Decimal(line.amount) * (until - first).days / (until - start).days
                net += int(share.quantize(Decimal(1), ROUND_HALF_UP))
                starts.append(first)
                untils.append(until)
        if net <= 0:
            return
        prepaid = Prepaid(
            prepaid_id=f"{self._backend}-v-{self._numbers.next('prepaid'):06d}",
            contract_id=contract.contract_id,
            seller=contract.seller,
            customer=contract.customer,
            currency=contract.currency,
            net=net,
            start=min(starts).isoformat(),
            until=max(untils).isoformat(),
            invoice=invoice.number,
            state=_EXPORTED,
        )
        self._store.insert(PREPAID, prepaid)
        postings = (
            Posting(f"revenue:{contract.seller}", contract.currency, net),
            Posting(f"intercompany:{contract.seller}", contract.currency, -net),
        )
        self._ledger.append(PREPAID_ENTRY, f"{invoice.number} {prepaid.prepaid_id}", postings, now)


def _unit(span: Span) -> str:
    """What the quantity of an item counts."""
    return f"x {span.days} days"


def _customer(contract: Contract) -> Row:
    return {
        "id": contract.customer,
        "name": contract.name,
        "address": contract.address,
        "email": contract.email,
        "language": contract.language,
    }


def _credit_line(prepaid: Prepaid, percent: str) -> DraftLine:
    return DraftLine(
        kind="credit",
        text=f"prepaid on {prepaid.invoice}",
        vat_percent=percent,
        amount=-prepaid.net,
        start=prepaid.start,
        until=prepaid.until,
    )


def _postings(
    seller: str, contract: Contract, credits: Sequence[Prepaid], table: tuple[VatSum, ...]
) -> Sequence[Posting]:
    """The customer owes gross; the seller earned the full net, part of which the old company was paid already."""
    credited = [Posting(f"intercompany:{one.seller}", one.currency, one.net) for one in credits]
    earned = sum(one.net for one in table) + sum(one.net for one in credits)
    return [
        Posting(f"invoiced:{contract.customer}", contract.currency, gross_of(table)),
        *credited,
        Posting(f"revenue:{seller}", contract.currency, -earned),
        *vat_postings(seller, contract.currency, table),
    ]
