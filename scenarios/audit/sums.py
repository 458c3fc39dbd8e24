"""Sums: the parts of a record, the periods of its energy, the lines of an invoice, net and VAT."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reference_csms.pricing.tariffs import minor_digits
from scenarios.audit.model import Bill, Exports, Invoice, InvoiceLine
from scenarios.audit.verdicts import found, result
from sim.evidence.verdict import CheckResult, Finding

_ZERO = Decimal(0)
_KWH = Decimal("0.0005")
"""Energies of periods may be rounded to the Wh each; the sum may be off by half of one for each."""


def of_records(check: str, claim: str, exports: Exports) -> CheckResult:
    """Partial totals and periods against the totals of a record.

    A total may be rounded or cut to the minor unit, and each part to its own last decimal; a least or highest price
    changes the total only.
    """
    findings: list[Finding] = []
    items = 0
    for bill in exports.bills:
        if bill.parts or bill.periods_kwh is not None:
            items += 1
            findings += [found(check, "bill", bill.name, sentence, bill) for sentence in _wrong(bill)]
    return result(check, claim, items, findings, "" if items else "no record tells its parts")


def _wrong(bill: Bill) -> Iterator[str]:
    if bill.periods_kwh is not None and abs(bill.periods_kwh - bill.kwh) > _KWH * len(bill.charge.periods):
        yield f"bills {bill.kwh:f} kWh, and its periods have {bill.periods_kwh:f}"
    limited = any(one.min_price or one.max_price for one in bill.tariffs)
    for side, total, parts in (
        ("without tax", bill.net, [net for _, net, _ in bill.parts]),
        ("with tax", bill.gross, [gross for _, _, gross in bill.parts]),
    ):
        told = [one for one in parts if one is not None]
        if total is None or not told or len(told) != len(parts) or limited:
            continue
        fine = sum((Decimal(1).scaleb(int(one.as_tuple().exponent)) / 2 for one in told), _ZERO)
        if abs(sum(told, _ZERO) - total) >= Decimal(1).scaleb(-minor_digits(bill.charge.currency)) + fine:
            yield f"costs {total} {side}, and its parts {sum(told, _ZERO)}"
    if bill.net is not None and bill.gross is not None and bill.gross < bill.net:
        yield f"costs {bill.gross} with tax, less than {bill.net} without"


def of_invoices(check: str, claim: str, exports: Exports) -> CheckResult:
    """Invoices against their lines, net and VAT against gross, lines against records."""
    if exports.invoices is None and exports.lines is None:
        return result(check, claim, 0, (), "there is no export of invoices")
    findings: list[Finding] = []
    lines: dict[str, list[InvoiceLine]] = {}
    for line in exports.lines or ():
        lines.setdefault(line.number, []).append(line)
    for invoice in exports.invoices or ():
        mine = lines.get(invoice.number, [])
        findings += [
            found(check, "bill", invoice.number, what, invoice, *mine) for what in _invoice(invoice, mine, exports)
        ]
    if exports.invoices is not None:
        known = {one.number for one in exports.invoices}
        findings += [
            found(check, "bill", number, "has lines, and there is no such invoice", *mine)
            for number, mine in lines.items()
            if number not in known
        ]
    by_cdr = {bill.cdr_id: bill for bill in exports.bills if bill.cdr_id}
    by_session = {bill.session_id: bill for bill in exports.bills if bill.session_id}
    for line in exports.lines or ():
        bill = by_cdr.get(line.cdr_id) or by_session.get(line.session_id)
        if bill is None:
            what = f"a line bills {line.cdr_id or line.session_id or 'nothing that has a name'}, which is no record"
            findings.append(found(check, "bill", line.number, what, line))
            continue
        for side, mine_amount, theirs in (("without", line.net, bill.net), ("with", line.gross, bill.gross)):
            if mine_amount is not None and theirs is not None and mine_amount != theirs:
                what = f"a line bills {mine_amount} {side} tax for {bill.name}, whose record says {theirs}"
                findings.append(found(check, "bill", line.number, what, line, bill))
    return result(check, claim, len(exports.invoices or ()) + len(exports.lines or ()), findings)


def _invoice(invoice: Invoice, lines: list[InvoiceLine], exports: Exports) -> Iterator[str]:
    net, vat, gross = invoice.net, invoice.vat, invoice.gross
    if net is not None and vat is not None and gross is not None and net + vat != gross:
        yield f"{net} without tax and {vat} of tax are not {gross}"
    if exports.lines is None:
        return
    if not lines:
        yield "has no line"
    for side, total, amounts in (
        ("without", invoice.net, [line.net for line in lines]),
        ("with", invoice.gross, [line.gross for line in lines]),
    ):
        told = [one for one in amounts if one is not None]
        if total is not None and told and len(told) == len(amounts) and sum(told, _ZERO) != total:
            yield f"says {total} {side} tax, and its lines add up to {sum(told, _ZERO)}"
