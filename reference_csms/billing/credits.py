"""What is taken back: credit notes with their refund, corrected bills, and cancellations by document (L07).

Money goes back by the partner and method of the original payment (P12). A cancelled drivers' invoice frees its bills for
another one; a cancelled subscription period is not invoiced again by itself.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from reference_csms.billing import rows
from reference_csms.billing.amounts import GROSS, VatSum
from reference_csms.billing.invoices import Draft, DraftLine, Invoicing, gross_of, vat_postings
from reference_csms.billing.ledger import CORRECTION, Ledger, Posting
from reference_csms.billing.periods import local_day
from reference_csms.billing.rows import BILLABLES
from reference_csms.billing.runs import DriverInvoices, Runs
from reference_csms.billing.terms import Terms
from reference_csms.parts import Parts
from reference_csms.payments import rows as payment_rows
from reference_csms.payments.claims import Step
from reference_csms.payments.desk import Desk
from reference_csms.payments.rows import BANK, CLAIMS, Claim
from reference_csms.records import BILLS, Bill
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import Instant
from sim.machine import Answered, Outcome, Refused


class Credits:
    """Refunds and cancellations in a store."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        ledger: Ledger,
        terms: Terms,
        invoicing: Invoicing,
        drivers: DriverInvoices,
        runs: Runs,
        desk: Desk,
    ) -> None:
        self._store = store
        self._parts = parts
        self._ledger = ledger
        self._terms = terms
        self._invoicing = invoicing
        self._drivers = drivers
        self._runs = runs
        self._desk = desk

    def refund(self, claim_id: str, amount: int, now: Instant) -> Outcome:
        """A credit note over a part of what was paid, and its refund. Refused if that was not paid, or by bank."""
        claim = self._store.get(CLAIMS, claim_id)
        if claim is None:
            return Refused("unknown-claim", claim_id)
        if claim.route == BANK:
            return Refused("no-way-back", "a bank transfer is refunded by hand")
        if not 0 < amount <= claim.paid - max(claim.refunded, claim.credited):
            return Refused("not-paid", f"{claim.paid} paid, {max(claim.refunded, claim.credited)} given back before")
        seller = self._terms.seller(claim.seller)
        content = self._document(claim)
        rates = content.get("vat_table") or [{"percent": content.get("vat_percent", "0")}]
        if seller is None or len(rates) != 1:
            return Refused("mixed-vat", "the document has several VAT rates; cancel it instead")
        day = local_day(now, seller.zone).isoformat()
        line = DraftLine(
            kind="credit",
            text=f"credit on {claim.document}",
            vat_percent=str(rates[0]["percent"]),
            amount=-amount,
            start=day,
            until=day,
        )
        draft = Draft(
            kind=rows.CREDIT,
            seller=seller,
            customer=self._customer(claim),
            currency=claim.currency,
            basis=GROSS,
            lines=(line,),
            postings=partial(_postings, claim),
            cancels=claim.document,
            claim=lambda number, gross: claim.claim_id,
        )
        credit = self._invoicing.issue(draft, now)
        credited = replace(claim, credited=claim.credited + amount)
        self._store.update(CLAIMS, credited)
        self._desk.add(credited, Step(payment_rows.REFUND, amount), now)
        return Answered({"credit": credit.number})

    def cancel(self, number: str, now: Instant) -> Outcome:
        """Cancel an invoice by document; what was paid on it goes back. Refused while a payment of it is on its way."""
        invoice = self._invoicing.find(number)
        if invoice is None or invoice.kind not in (rows.DRIVERS, rows.SUBSCRIPTION):
            return Refused("unknown-invoice", number)
        if invoice.state == rows.CANCELLED:
            return Refused("cancelled", f"{number} was cancelled by {invoice.cancelled_by}")
        claim = self._store.get(CLAIMS, invoice.claim_id) if invoice.claim_id else None
        if claim is not None and claim.credited:
            return Refused("credited", f"{claim.credited} of {claim.claim_id} was credited before")
        if claim is not None and not self._desk.withdraw(claim, now):
            return Refused("payment-outstanding", f"a payment of {claim.claim_id} is on its way")
        seller = self._terms.seller(invoice.seller)
        assert seller is not None
        cancellation = self._invoicing.cancel(invoice, seller, now)
        if claim is not None:
            fresh = self._store.get(CLAIMS, claim.claim_id)
            assert fresh is not None
            self._give_back(fresh, now)
        if invoice.kind == rows.DRIVERS:
            self._drivers.reopen(invoice)
            self._runs.expect(invoice.seller, now)
        return Answered({"cancellation": cancellation.number})

    def corrected(self, bill: Bill, difference: int, now: Instant) -> None:
        """A bill has another gross now: its claim follows, and what was paid beyond it goes back, once.

        A bill that waits for its invoice is invoiced as corrected. On an invoice already, the difference moves with it from
        what is receivable to what is invoiced.
        """
        billable = self._store.get(BILLABLES, bill.number)
        change = self._parts.correction_to_claim(difference)
        if billable is None or billable.state == rows.OPEN or change == 0:
            return
        if billable.state == rows.DIRECT:
            claims = self._store.find(CLAIMS, "document", bill.number)
        else:
            invoice = self._invoicing.find(billable.invoice or "")
            claims = self._store.find(CLAIMS, "document", invoice.number) if invoice else []
        if not claims:
            return
        claim = claims[0]
        if claim.ledger != "receivable":
            postings = (
                Posting(f"{claim.ledger}:{claim.customer}", claim.currency, change),
                Posting(f"receivable:{claim.customer}", claim.currency, -change),
            )
            self._ledger.append(CORRECTION, f"{bill.number} {claim.claim_id}", postings, now)
        self._desk.withdraw(claim, now)
        self._adjust(claim.claim_id, change, now)

    def _adjust(self, claim_id: str, change: int, now: Instant) -> None:
        claim = self._store.get(CLAIMS, claim_id)
        assert claim is not None
        amount, credited = claim.amount + max(change, 0), claim.credited + max(-change, 0)
        changed = replace(claim, amount=amount, credited=credited)
        if changed.owed > 0 and claim.state == payment_rows.PAID:
            changed = replace(changed, state=payment_rows.DUE)
        elif changed.owed <= 0 and claim.state in (payment_rows.DUE, payment_rows.WAITING, payment_rows.OPEN):
            changed = replace(changed, state=payment_rows.PAID if claim.paid else payment_rows.RELEASED, settled_at=now)
        self._store.update(CLAIMS, changed)
        self._desk.plan(changed, now)

    def _give_back(self, claim: Claim, now: Instant) -> None:
        dropped = replace(claim, credited=claim.amount, state=payment_rows.CANCELLED, settled_at=now)
        self._store.update(CLAIMS, dropped)
        self._desk.plan(dropped, now)

    def _document(self, claim: Claim) -> dict[str, Any]:
        invoice = self._invoicing.find(claim.document or "")
        bill = self._store.get(BILLS, claim.document or "")
        data = invoice.data if invoice else bill.data if bill else "{}"
        content: dict[str, Any] = msgspec.json.decode(data)
        return content

    def _customer(self, claim: Claim) -> Row:
        driver = self._terms.driver(claim.customer)
        if driver is None:
            return {"id": claim.customer, "name": claim.customer, "address": "", "email": "", "language": "en"}
        return {
            "id": driver.customer,
            "name": driver.name,
            "address": driver.address,
            "email": driver.email,
            "language": driver.language,
        }


def _postings(claim: Claim, table: tuple[VatSum, ...]) -> list[Posting]:
    return [
        Posting(f"{claim.ledger}:{claim.customer}", claim.currency, gross_of(table)),
        Posting(f"revenue:{claim.seller}", claim.currency, -sum(one.net for one in table)),
        *vat_postings(claim.seller, claim.currency, table),
    ]
