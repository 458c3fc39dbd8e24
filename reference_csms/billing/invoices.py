"""Documents of money: number, lines, VAT table, journal entry and claim, all in the running unit of work.

An issued document never changes; it is cancelled or credited by another one that names it (L07). The content is
canonical JSON whose sha256 stands in the journal (D01): enough to print the document and nothing looked up later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reference_csms.billing import rows
from reference_csms.billing.amounts import GROSS, ROUNDING, VatSum, vat_table
from reference_csms.billing.data import data_hash
from reference_csms.billing.ledger import CANCELLATION, CREDIT, INVOICE, Ledger, Posting
from reference_csms.billing.periods import local_day
from reference_csms.billing.rows import INVOICE_LINES, INVOICES, Invoice, InvoiceLine, Seller
from reference_csms.numbers import Numbers
from reference_csms.parts import Parts
from reference_csms.records import COUNTERS, JOURNAL, Counter
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import DAY, Instant, iso, to_datetime, zone

_encode = msgspec.json.Encoder(order="sorted").encode
_LETTERS = {rows.DRIVERS: "D", rows.SUBSCRIPTION: "S", rows.CANCELLATION: "X", rows.CREDIT: "C"}
_KINDS = {rows.CANCELLATION: CANCELLATION, rows.CREDIT: CREDIT}


class DraftLine(Struct, frozen=True, kw_only=True):
    """A line before it has a number; days are ISO texts, `until` exclusive. `kind`: session, item, credit, reversal."""

    kind: str
    text: str
    vat_percent: str
    amount: int
    start: str
    until: str
    quantity: str = "1"
    unit: str = ""
    bill: str | None = None
    session_id: str | None = None


class Draft(Struct, frozen=True, kw_only=True):
    """A document before it is issued. `customer` holds id, name, address, email and language.

    `postings(table, number)` says what it means for the ledger; `account` is where to pay, None where a partner takes the
    money.
    """

    kind: str
    seller: Seller
    customer: Row
    currency: str
    basis: str
    lines: tuple[DraftLine, ...]
    postings: Callable[[tuple[VatSum, ...]], Sequence[Posting]]
    period: tuple[str, str] | None = None
    contract_id: str | None = None
    terms: str | None = None
    account: str | None = None
    cancels: str | None = None
    run_id: str | None = None
    rounding_difference: Callable[[tuple[VatSum, ...]], int] = lambda table: 0
    claim: Callable[[str, int], str | None] = lambda number, gross: None


class Invoicing:
    """Issues documents in a store."""

    def __init__(
        self, store: Store, numbers: Numbers, ledger: Ledger, parts: Parts, backend: str, number_code: str
    ) -> None:
        self._store = store
        self._numbers = numbers
        self._ledger = ledger
        self._parts = parts
        self._backend = backend
        self._code = number_code or backend[:1].upper()

    def issue(self, draft: Draft, now: Instant) -> Invoice:
        """Number it, book it, open its claim and keep it."""
        invoice_id = f"{self._backend}-i-{self._numbers.next('invoice-id'):06d}"
        circle, number = self._number(draft)
        amounts = [(line.vat_percent, line.amount) for line in draft.lines]
        table = vat_table(amounts, draft.basis, self._parts.vat_rounding)
        net, vat = sum(one.net for one in table), sum(one.vat for one in table)
        due = None if draft.cancels else Instant(now + draft.seller.due_days * DAY)
        text = _content(number, draft, table, due, now)
        hashed = data_hash(text)
        kind = _KINDS.get(draft.kind, INVOICE)
        entry = self._ledger.append(kind, f"{number} sha256:{hashed}", draft.postings(table), now)
        invoice = Invoice(
            invoice_id=invoice_id,
            number=number,
            circle=circle,
            kind=draft.kind,
            seller=draft.seller.seller,
            customer=draft.customer["id"],
            contract_id=draft.contract_id,
            period_start=draft.period[0] if draft.period else None,
            period_until=draft.period[1] if draft.period else None,
            currency=draft.currency,
            basis=draft.basis,
            rounding=ROUNDING,
            net=net,
            vat=vat,
            gross=net + vat,
            rounding_difference=draft.rounding_difference(table),
            issued_at=now,
            due_at=due,
            account=draft.account,
            reference=number,
            terms=draft.terms,
            language=draft.customer["language"],
            cancels=draft.cancels,
            run_id=draft.run_id,
            claim_id=draft.claim(number, net + vat),
            data=text,
            data_hash=hashed,
            journal_seq=entry.seq,
        )
        self._store.insert(INVOICES, invoice)
        for position, line in enumerate(draft.lines, 1):
            self._store.insert(INVOICE_LINES, _line(invoice, position, line))
        return invoice

    def find(self, number: str) -> Invoice | None:
        """The document of this number."""
        found = self._store.find(INVOICES, "number", number)
        return found[0] if found else None

    def lines(self, invoice: Invoice) -> list[InvoiceLine]:
        """The lines of a document in order."""
        return self._store.find(INVOICE_LINES, "invoice_id", invoice.invoice_id)

    def cancel(self, invoice: Invoice, seller: Seller, now: Instant) -> Invoice:
        """Issue the cancellation of an issued document: every line and posting the other way round (L07)."""
        entry = self._store.get(JOURNAL, invoice.journal_seq)
        assert entry is not None and invoice.state == rows.ISSUED
        reversal = tuple(Posting(one.account, one.currency, -one.amount) for one in entry.postings)
        content = msgspec.json.decode(invoice.data)
        lines = tuple(
            DraftLine(
                kind="reversal",
                text=line.text,
                vat_percent=line.vat_percent,
                amount=-line.amount,
                start=line.start,
                until=line.until,
                quantity=line.quantity,
                unit=line.unit,
                bill=line.bill,
                session_id=line.session_id,
            )
            for line in self.lines(invoice)
        )
        draft = Draft(
            kind=rows.CANCELLATION,
            seller=seller,
            customer=content["customer"],
            currency=invoice.currency,
            basis=invoice.basis,
            lines=lines,
            postings=lambda table: reversal,
            period=(invoice.period_start, invoice.period_until)
            if invoice.period_start and invoice.period_until
            else None,
            contract_id=invoice.contract_id,
            terms=invoice.terms,
            cancels=invoice.number,
            rounding_difference=lambda table: -invoice.rounding_difference,
        )
        cancellation = self.issue(draft, now)
        self._store.update(INVOICES, replace(invoice, state=rows.CANCELLED, cancelled_by=cancellation.number))
        return cancellation

    def _number(self, draft: Draft) -> tuple[str, str]:
        """The next number of the circle of this seller, back-end and kind (L06, M07)."""
        circle = f"{draft.seller.prefix}-{self._code}{_LETTERS[draft.kind]}"
        counter = self._store.get(COUNTERS, f"invoice/{circle}")
        taken = self._parts.next_number(circle, counter.value if counter else 0, self._store.epoch)
        put(self._store, COUNTERS, Counter(f"invoice/{circle}", taken))
        return circle, f"{circle}-{taken:06d}"


def vat_postings(seller: str, currency: str, table: Sequence[VatSum]) -> list[Posting]:
    """What the seller owes the state, rate by rate."""
    return [Posting(f"vat:{seller}:{one.percent}", currency, -one.vat) for one in table]


def gross_of(table: Sequence[VatSum]) -> int:
    """The gross total of a VAT table."""
    return sum(one.gross for one in table)


def _line(invoice: Invoice, position: int, line: DraftLine) -> InvoiceLine:
    return InvoiceLine(
        line_id=f"{invoice.invoice_id}/{position:04d}",
        invoice_id=invoice.invoice_id,
        number=invoice.number,
        position=position,
        kind=line.kind,
        text=line.text,
        bill=line.bill,
        session_id=line.session_id,
        start=line.start,
        until=line.until,
        quantity=line.quantity,
        unit=line.unit,
        vat_percent=line.vat_percent,
        amount=line.amount,
    )


def _content(number: str, draft: Draft, table: Sequence[VatSum], due: Instant | None, now: Instant) -> str:
    """The canonical JSON (sorted keys, no blanks) of a document."""
    seller = draft.seller
    net, vat = sum(one.net for one in table), sum(one.vat for one in table)
    content: dict[str, Any] = {
        "number": number,
        "kind": draft.kind,
        "cancels": draft.cancels,
        "issued": _moment(now, seller.zone),
        "due": local_day(due, seller.zone).isoformat() if due is not None else None,
        "period": {"start": draft.period[0], "until": draft.period[1]} if draft.period else None,
        "seller": {
            "id": seller.seller,
            "name": seller.name,
            "address": seller.address,
            "country": seller.country,
            "vat_id": seller.vat_id,
        },
        "customer": draft.customer,
        "contract": draft.contract_id,
        "terms": draft.terms,
        "account": draft.account,
        "reference": number,
        "language": draft.customer["language"],
        "currency": draft.currency,
        "basis": draft.basis,
        "prices_include_vat": draft.basis == GROSS,
        "rounding": ROUNDING,
        "lines": [line_row(line) for line in draft.lines],
        "vat_table": [msgspec.structs.asdict(one) for one in table],
        "net": net,
        "vat": vat,
        "gross": net + vat,
    }
    return _encode(content).decode()


def line_row(line: DraftLine) -> Row:
    """A line as it stands in the content."""
    return msgspec.structs.asdict(line)


def _moment(instant: Instant, zone_name: str) -> Row:
    local = to_datetime(instant, zone(zone_name))
    return {"utc": iso(instant), "local": f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"}
