"""A document said in its language: every text, date and amount ready to be shown, for PDF and plain text alike.

Renderers choose place and type, never words or numbers; so the letter and the e-mail of one document cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Any

from reference_csms.billing.documents.evidence import attached, evidence, session_facts
from reference_csms.billing.documents.model import Account, Address, DocumentData, Line, Payment, fingerprint
from reference_csms.billing.documents.notice import notice_view
from reference_csms.billing.documents.words import Words
from sim.backend import Row

View = dict[str, Any]


def view(data: DocumentData, words: Words) -> View:
    """Everything that a template shows. Facts are `{label, value}`, or `code` or `link` instead of the value."""
    files = [name for name, _, _ in attached(data)]
    shown: View = {
        "kind": data.kind,
        "language": data.language,
        "heading": _heading(data, words),
        "number": data.number,
        "seller": _address(data.seller.address, data.customer.address, words),
        "customer": _address(data.customer.address, data.seller.address, words),
        "info": list(_info(data, words)),
        "contact": _contact(data, words),
        "labels": {
            key: words.text(f"label.{key}")
            for key in ("number", "organisation_number", "vat_id", "fingerprint", "carried")
        },
        "page": words.text("label.page", page="{page}", pages="{pages}"),
        "fingerprint": fingerprint(data),
        "attached": words.text("label.attached", files=", ".join(files)),
        "notice": notice_view(data, words) if data.notice is not None else None,
        "intro": list(_intro(data, words)),
        "columns": {key: words.text(f"column.{key}") for key in _COLUMNS},
        "lines": list(_lines(data, words)),
        "sums": _sums(data, words),
        "vat": _vat(data, words),
        "notes": list(_notes(data, words)),
        "payment": _payment(data, words),
        "evidence": evidence(data, words),
    }
    return shown


_COLUMNS = ("text", "quantity", "price", "vat", "amount", "rate", "net", "gross")


def account_rows(account: Account, words: Words, holder: str = "") -> list[Row]:
    """The rows of a bank account; the IBAN in groups of four."""
    values = {"holder": account.holder or holder, "iban": account.grouped(), "bic": account.bic, "bank": account.bank}
    return [_row(words.text(f"label.{key}"), value) for key, value in values.items() if value]


def _heading(data: DocumentData, words: Words) -> str:
    if data.notice is not None and data.notice.subject:
        return data.notice.subject
    driver = data.notice is not None and data.notice.audience == "driver"
    return words.text("title.notice-driver" if driver else f"title.{data.kind}")


def _row(label: str, value: str) -> Row:
    return {"label": label, "value": value}


def _address(address: Address, other: Address, words: Words) -> Row:
    """Name and lines; the country only where letters cross a border."""
    lines = [line for line in address.lines if line]
    if address.country and other.country and address.country != other.country:
        lines.append(words.named("country", address.country))
    return {"name": address.name, "lines": lines}


def _info(data: DocumentData, words: Words) -> Iterator[Row]:
    references = data.references
    period = _period(references.period_from, references.period_to, words)
    same_day = references.period_from is not None and references.period_from == references.period_to
    values = (
        ("number", data.number),
        ("issued", words.long_date(data.issued)),
        ("due", words.long_date(data.due) if data.due else ""),
        ("credits" if references.partly else "cancels", references.cancels),
        ("supplied" if same_day else "period", period),
        ("customer_number", data.customer.number),
        ("customer_vat_id", data.customer.vat_id),
        ("customer_reference", references.customer_reference),
        ("contract", references.contract),
        ("terms_version", references.terms_version),
    )
    for key, value in values:
        if value:
            yield _row(words.text(f"label.{key}"), value)


def _period(begin: date | None, end: date | None, words: Words) -> str:
    if begin is None or end is None or begin == end:
        only = begin or end
        return words.long_date(only) if only else ""
    return words.text("format.period", **{"from": words.short_date(begin), "to": words.short_date(end)})


def _contact(data: DocumentData, words: Words) -> list[list[Row]]:
    """Three columns for the foot of the page: how to reach the seller, who it is before the law, its bank."""
    seller = data.seller
    reach = [("email", seller.email), ("phone", seller.phone), ("web", seller.web)]
    law = [("organisation_number", seller.organisation_number), ("vat_id", seller.vat_id)]
    columns = [[_row(words.text(f"label.{key}"), value) for key, value in rows if value] for rows in (reach, law)]
    columns.append(account_rows(seller.account, words) if seller.account is not None else [])
    return columns


def _intro(data: DocumentData, words: Words) -> Iterator[str]:
    references = data.references
    if data.kind == "bill":
        places = [line.charging.place for line in data.lines if line.charging]
        if places:
            yield words.text("intro.bill", place=places[0])
    elif data.kind == "invoice":
        yield words.text("intro.invoice")
    elif data.kind == "credit-note":
        key = "intro.credit-part" if references.partly else "intro.credit-note"
        issued = references.cancels_issued
        about = words.text("format.of", number=references.cancels, issued=words.long_date(issued)) if issued else ""
        yield words.text(key, invoice=about or references.cancels)
    if references.reason:
        yield words.text("intro.reason", reason=references.reason)


def _lines(data: DocumentData, words: Words) -> Iterator[Row]:
    """The lines, each with the sum up to and with it, for the head of the next page."""
    sums = accumulate(line.amount for line in data.lines)
    for line, so_far in zip(data.lines, sums, strict=True):
        yield {**_line(line, data, words), "carried": words.money(so_far, data.currency)}


def _line(line: Line, data: DocumentData, words: Words) -> Row:
    details = [line.detail] if line.detail else []
    if line.discount_percent:
        details.append(words.text("detail.discount", percent=words.percent(line.discount_percent)))
    if line.charging is not None and data.kind != "bill":
        details += session_facts(line.charging, words)
    return {
        "text": line.text,
        "details": details,
        "quantity": quantity(line.quantity, line.unit, words),
        "price": _unit_price(line, data.currency, words),
        "vat": words.percent(line.vat_percent),
        "amount": words.money(line.amount, data.currency),
    }


def quantity(amount: Decimal, unit: str, words: Words) -> str:
    """A quantity with its unit; seconds are written as hours, minutes and seconds."""
    if unit != "s":
        return f"{words.decimal(amount)} {words.named('unit', unit)}"
    minutes, seconds = divmod(int(abs(amount)), 60)
    sign = words.text("format.minus") if amount < 0 else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02d}:{seconds:02d} {words.named('unit', 'h')}"


def _unit_price(line: Line, currency: str, words: Words) -> str:
    if line.unit_price is None:
        return ""
    return words.per_unit(line.unit_price, currency, line.unit)


def _sums(data: DocumentData, words: Words) -> Row | None:
    if not data.lines:
        return None
    label = {"credit-note": "total_credit"}.get(data.kind, "total_due" if _is_due(data.payment) else "total")
    total = _row(words.text(f"label.{label}"), words.money(data.gross_total, data.currency))
    net = _row(words.text("label.subtotal_net"), words.money(data.net_total, data.currency))
    key = "subtotal_vat_included" if data.prices == "gross" else "subtotal_vat"
    vat = [
        _row(words.text(f"label.{key}", percent=words.percent(row.percent)), words.money(row.vat, data.currency))
        for row in data.vat
        if row.percent
    ]
    rows = [net, *vat] if vat or data.prices == "net" else []
    return {"rows": rows, "total": total, "total_first": data.prices == "gross"}


def _is_due(payment: Payment | None) -> bool:
    return payment is not None and payment.how == "transfer"


def _vat(data: DocumentData, words: Words) -> list[Row]:
    """The VAT table; one rate alone needs none, its sums say it."""
    if len(data.vat) < 2:
        return []
    return [
        {
            "rate": words.percent(row.percent),
            "net": words.money(row.net, data.currency),
            "vat": words.money(row.vat, data.currency),
            "gross": words.money(row.gross, data.currency),
        }
        for row in data.vat
    ]


def _notes(data: DocumentData, words: Words) -> Iterator[str]:
    if any(row.percent for row in data.vat):
        yield words.text(f"note.prices_{data.prices}")
    if data.exemption:
        yield words.text(f"exemption.{data.exemption}")


def _payment(data: DocumentData, words: Words) -> Row | None:
    payment = data.payment
    if payment is None:
        return None
    amount = words.money(data.gross_total, data.currency)
    rows: list[Row] = []
    if payment.how == "transfer":
        due = words.long_date(data.due) if data.due else ""
        key = "transfer" if due else "transfer_no_date"
        text = words.text(f"payment.{key}", amount=amount, due=due)
        account = data.account()
        assert account is not None  # `checked`
        rows = account_rows(account, words, data.seller.address.name)
        if payment.reference:
            rows.append(_row(words.text("label.reference"), payment.reference))
        rows.append(_row(words.text("label.amount"), amount))
    elif payment.how == "card":
        key = "card" if payment.card_ending else "card_unknown"
        text = words.text(f"payment.{key}", ending=payment.card_ending)
    else:
        text = words.text(
            f"payment.{payment.how}", **({"partner": payment.partner} if payment.how == "partner" else {})
        )
    return {"heading": words.text("payment.heading"), "text": text, "rows": rows}
