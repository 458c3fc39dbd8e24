"""An issued invoice, cancellation or credit as a document, from the canonical JSON of `reference_csms.billing.invoices`.

Every amount comes from that JSON, whose hash stands in the journal. What the JSON does not hold (the bills behind its
lines, the customer's country, who takes the money) is handed in and only explains; nothing is looked up here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from reference_csms.billing import rows
from reference_csms.billing.documents.bill import charging_of, place_lines, price_steps
from reference_csms.billing.documents.model import (
    Account,
    Address,
    Charging,
    Customer,
    DocumentData,
    Kind,
    Line,
    Payment,
    References,
    Seller,
    VatRow,
)
from reference_csms.billing.documents.sums import with_table
from reference_csms.billing.documents.words import Words, load_words
from reference_csms.pricing.tariffs import minor_digits
from sim.backend import Row

_DAYS = re.compile(r"x (\d+) days")
_ABOUT = re.compile(r"(prepaid|credit) on (\S+)")


def invoice_document(
    data: str,
    bills: Mapping[str, str] | None = None,
    *,
    customer_country: str = "",
    cancelled: str | None = None,
    payment: Payment | None = None,
    templates: Path | None = None,
) -> DocumentData:
    """The document of the canonical JSON of an invoice (`Invoice.data`).

    `bills` holds the canonical JSON of the bills that its lines name, by number; `cancelled` is that of the document that
    this one cancels or credits. `customer_country` is ISO 3166 alpha-2: a customer abroad who is charged no VAT owes it
    itself. Without `payment` an invoice with an account is paid there. Raises ValueError, KeyError or TypeError for JSON
    that is of another kind.
    """
    invoice: Row = msgspec.json.decode(data)
    words = load_words(invoice["language"], templates)
    untaxed = all(not Decimal(row["percent"]) for row in invoice["vat_table"])
    seller = invoice["seller"]
    abroad = bool(customer_country) and customer_country != seller["country"]
    if payment is None and invoice["account"] and not invoice["cancels"]:
        payment = Payment(how="transfer", reference=invoice["reference"])
    document = DocumentData(
        kind=_kind(invoice),
        number=invoice["number"],
        issued=_issued(invoice),
        language=invoice["language"],
        seller=_seller(seller, invoice["account"], registered=not untaxed or abroad),
        customer=_customer(invoice["customer"], customer_country),
        currency=invoice["currency"],
        prices=invoice["basis"],
        due=date.fromisoformat(invoice["due"]) if invoice["due"] else None,
        lines=tuple(_lines(invoice, bills or {}, words)),
        payment=payment,
        references=_references(invoice, cancelled),
        exemption="" if not untaxed else "reverse-charge" if abroad else "not-registered",
        source=data,
    )
    return with_table(document, tuple(_vat(row) for row in invoice["vat_table"]))


def _kind(invoice: Row) -> Kind:
    return "credit-note" if invoice["kind"] in (rows.CANCELLATION, rows.CREDIT) else "invoice"


def _issued(invoice: Row) -> date:
    return date.fromisoformat(invoice["issued"]["local"][:10])


def _seller(seller: Row, account: str | None, registered: bool) -> Seller:
    """Who is not registered for VAT has a number all the same, but it is none of VAT."""
    return Seller(
        address=Address(name=seller["name"], lines=place_lines(seller["address"]), country=seller["country"]),
        organisation_number="" if registered else seller["vat_id"],
        vat_id=seller["vat_id"] if registered else "",
        account=Account(iban=account) if account else None,
    )


def _customer(customer: Row, country: str) -> Customer:
    """Drivers give no postal address; their documents go by e-mail."""
    lines = place_lines(customer["address"]) or ((customer["email"],) if customer["email"] else ())
    return Customer(address=Address(name=customer["name"], lines=lines, country=country), number=customer["id"])


def _references(invoice: Row, cancelled: str | None) -> References:
    period = invoice["period"]
    return References(
        contract=invoice["contract"] or "",
        period_from=date.fromisoformat(period["start"]) if period else None,
        period_to=_last_day(period["start"], period["until"]) if period else None,
        terms_version=invoice["terms"] or "",
        cancels=invoice["cancels"] or "",
        cancels_issued=_issued(msgspec.json.decode(cancelled)) if cancelled else None,
        partly=invoice["kind"] == rows.CREDIT,
    )


def _vat(row: Row) -> VatRow:
    return VatRow(percent=Decimal(row["percent"]), net=row["net"], vat=row["vat"], gross=row["gross"])


def _last_day(start: str, until: str) -> date:
    """The last day of days whose end is exclusive; of one moment, its day."""
    begin, end = date.fromisoformat(start), date.fromisoformat(until)
    return max(begin, end - timedelta(days=1))


def _lines(invoice: Row, bills: Mapping[str, str], words: Words) -> Iterator[Line]:
    for row in invoice["lines"]:
        bill = bills.get(row["bill"] or "")
        charging = charging_of(bill) if bill is not None else None
        quantity = Decimal(row["quantity"])
        if row["kind"] == "reversal":
            quantity = -quantity
        price = None if row["bill"] else _unit_price(row["amount"], quantity, invoice["currency"])
        yield Line(
            text=_text(row["text"], charging, words),
            detail=price_steps(bill, words) if bill is not None else _days(row, words),
            quantity=quantity,
            unit=_unit(row["unit"], words),
            unit_price=price if row["unit"] else None,
            amount=row["amount"],
            vat_percent=Decimal(row["vat_percent"]),
            charging=charging,
        )


def _text(text: str, charging: Charging | None, words: Words) -> str:
    if charging is not None:
        return words.text("item.session", place=charging.place)
    about = _ABOUT.fullmatch(text)
    if about:
        return words.text({"prepaid": "item.prepaid", "credit": "item.credited"}[about[1]], number=about[2])
    return words.named("product", text)


def _unit(unit: str, words: Words) -> str:
    days = _DAYS.fullmatch(unit)
    if days is None:
        return unit or "piece"
    return words.text("times.day" if days[1] == "1" else "times.days", days=days[1])


def _days(row: Row, words: Words) -> str:
    """The days that a line pays for; a session and a credit belong to one day, which the document has already."""
    if row["start"] == row["until"]:
        return ""
    begin, end = date.fromisoformat(row["start"]), _last_day(row["start"], row["until"])
    if begin == end:
        return words.short_date(begin)
    return words.text("format.period", **{"from": words.short_date(begin), "to": words.short_date(end)})


def _unit_price(amount: int, quantity: Decimal, currency: str) -> Decimal | None:
    """What one costs, where that is a whole number of minor units: a price that was rounded would not multiply."""
    each, rest = divmod(Decimal(amount), quantity) if quantity else (Decimal(0), Decimal(1))
    return each.scaleb(-minor_digits(currency)) if not rest else None
