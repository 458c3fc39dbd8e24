"""The sums of a document: VAT per rate, the check that all of them agree, and the credit note that undoes an invoice.

Rule of `vat_table`: amounts of one rate are summed first, VAT is calculated once per rate and rounded half up. A document
that took another rule (VAT per session) brings its own table; `problems` allows half a minor unit per line for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec.structs import replace

from reference_csms.billing.documents.model import (
    MONEY_KINDS,
    DocumentData,
    Line,
    Payment,
    VatRow,
    canonical,
    from_canonical,
)
from reference_csms.pricing.rating import half_up
from reference_csms.pricing.tariffs import minor_digits


def vat_table(lines: Sequence[Line], prices: Literal["gross", "net"]) -> tuple[VatRow, ...]:
    """One row per VAT rate in rising order; rates that are equal as numbers are one."""
    sums: dict[Decimal, int] = {}
    for line in lines:
        sums[line.vat_percent] = sums.get(line.vat_percent, 0) + line.amount
    return tuple(_row(percent, sums[percent], prices) for percent in sorted(sums))


def with_sums(data: DocumentData) -> DocumentData:
    """The document with VAT table and totals from its lines."""
    table = vat_table(data.lines, data.prices)
    return with_table(data, table)


def with_table(data: DocumentData, table: tuple[VatRow, ...]) -> DocumentData:
    """The document with this VAT table, and totals that are its sums."""
    return replace(
        data,
        vat=table,
        net_total=sum(row.net for row in table),
        vat_total=sum(row.vat for row in table),
        gross_total=sum(row.gross for row in table),
    )


def cancellation(invoice: DocumentData, number: str, issued: date, payment: Payment, reason: str = "") -> DocumentData:
    """The credit note that undoes a whole invoice or bill: every line and sum with the other sign (L07).

    Raises ValueError if the document is not one that can be cancelled.
    """
    if invoice.kind not in ("bill", "invoice"):
        raise ValueError(f"{invoice.kind} {invoice.number} is no invoice that could be cancelled")
    lines = tuple(replace(line, quantity=-line.quantity, amount=-line.amount) for line in invoice.lines)
    table = tuple(replace(row, net=-row.net, vat=-row.vat, gross=-row.gross) for row in invoice.vat)
    references = replace(invoice.references, cancels=invoice.number, cancels_issued=invoice.issued, reason=reason)
    note = replace(
        invoice,
        kind="credit-note",
        number=number,
        issued=issued,
        due=None,
        lines=lines,
        payment=payment,
        references=references,
        source="",
    )
    return with_table(note, table)


def problems(data: DocumentData) -> list[str]:
    """What is wrong with the data; empty for a document that may go out."""
    try:
        if from_canonical(canonical(data)) != data:
            return ["the data do not survive their canonical JSON"]
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as err:
        return [f"the data are not of their types: {err}"]
    return [*_kind_problems(data), *(_money_problems(data) if data.kind in MONEY_KINDS else ())]


def checked(data: DocumentData) -> DocumentData:
    """The document itself. Raises ValueError if its data contradict themselves: such a document never goes out."""
    found = problems(data)
    if found:
        raise ValueError(f"{data.kind} {data.number}: {'; '.join(found)}")
    return data


def _row(percent: Decimal, amount: int, prices: str) -> VatRow:
    sign = -1 if amount < 0 else 1
    if prices == "gross":
        net = sign * half_up(Decimal(abs(amount)) * 100, 100 + percent)
        return VatRow(percent=percent, net=net, vat=amount - net, gross=amount)
    vat = sign * half_up(abs(amount) * percent, 100)
    return VatRow(percent=percent, net=amount, vat=vat, gross=amount + vat)


def _kind_problems(data: DocumentData) -> Iterator[str]:
    if not data.number:
        yield "it has no number"
    if (data.kind == "notice") != (data.notice is not None):
        yield "a notice, and only a notice, says what it announces"
    if data.kind == "credit-note" and not data.references.cancels:
        yield "a credit note names the document that it cancels"
    if data.kind in MONEY_KINDS and len(data.currency) != 3:
        yield f"currency {data.currency!r} is no ISO 4217 code"
    if data.payment is not None and data.payment.how == "transfer" and data.account() is None:
        yield "a transfer needs an account"
    if data.notice is not None and data.notice.audience == "owner" and not data.notice.text:
        missing = [
            name for name in ("account", "terms_version", "onboarding_link", "onboarding_deadline")
            if not getattr(data.notice, name)
        ]  # fmt: skip
        if missing:
            yield f"the notice to an owner lacks {', '.join(missing)}"


def _money_problems(data: DocumentData) -> Iterator[str]:
    """Lines, VAT table and totals agree (L02), and VAT is right within half a minor unit a line (L08)."""
    for number, line in enumerate(data.lines, start=1):
        if abs(line.amount - _calculated(line, data.currency)) > 1:
            yield f"line {number} is not its quantity times its price"
    expected = {row.percent: row for row in vat_table(data.lines, data.prices)}
    if sorted(row.percent for row in data.vat) != sorted(expected):
        yield "the VAT table has other rates than the lines"
        return
    for row in data.vat:
        wanted, lines = expected[row.percent], sum(line.vat_percent == row.percent for line in data.lines)
        if getattr(row, data.prices) != getattr(wanted, data.prices):
            yield f"the lines at {row.percent} % do not sum up to the VAT table"
        if row.net + row.vat != row.gross:
            yield f"net and VAT at {row.percent} % do not make gross"
        if 2 * abs(row.vat - wanted.vat) > lines + 1:
            yield f"VAT at {row.percent} % is {row.vat}, not {wanted.vat}"
    for total, name in ((data.net_total, "net"), (data.vat_total, "vat"), (data.gross_total, "gross")):
        if total != sum(getattr(row, name) for row in data.vat):
            yield f"the {name} total is not the sum of the VAT table"


def _calculated(line: Line, currency: str) -> Decimal:
    """Quantity times price less discount in minor units, unrounded; the amount itself where no price is shown."""
    if line.unit_price is None:
        return Decimal(line.amount)
    quantity = line.quantity / 60 if line.unit == "s" else line.quantity
    return (quantity * line.unit_price * (100 - line.discount_percent) / 100).scaleb(minor_digits(currency))
