"""The lines of a trace behind the bill: journal, invoice, claim, attempts, the partner's statement, payout, bank.

Words only, as in `trace_lines`. A run without money has none of these steps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from reports import words
from reports.money_walk import Attempt, ClaimWalk, Money, Payout
from reports.run import Row
from reports.trace_lines import Line, Step


def steps(money: Money, own_entry: Row) -> list[Step]:
    """Every step behind the bill, in the order in which money moves; `own_entry` is the journal entry of the document."""
    own = [own_entry] if own_entry else []
    entries = {(row["backend"], row["seq"]): row for row in [*own, *money.entries]}
    return [
        Step("The invoice", "books", tuple(_invoice(row) for row in money.invoices)),
        Step("How the bill is collected", "books", tuple(_billable(row) for row in money.billables)),
        Step("The claim", "books", tuple(_claim(one) for one in money.claims)),
        Step("Payment", "books", tuple(_attempt(one) for claim in money.claims for one in claim.attempts)),
        Step("The partner's statement", "partners", _partner(money.claims)),
        Step("The bank's statement in the books", "books", tuple(_read(row) for c in money.claims for row in c.bank)),
        Step("Payout (the first of the account after the money was available)", "partners", _payouts(money.payouts)),
        Step("The journal", "books", tuple(_entry(row) for row in entries.values())),
    ]


def invoice_lines(invoice: Row, rows: Sequence[Row]) -> tuple[Line, ...]:
    """The lines of an invoice."""
    told = []
    for row in rows:
        span = f", {row['start_day']} to before {row['until_day']}" if row["start_day"] else ""
        quantity = f", {row['quantity']} {row['unit'] or ''}".rstrip() if row["quantity"] not in (None, "") else ""
        amount = words.money(int(row["amount"] or 0), str(invoice["currency"]))
        text = f"{row['position']}. {row['kind']}: {row['text'] or row['bill']}{span}{quantity}: {amount}"
        told.append(Line(None, text, "books_invoice_lines", row))
    return tuple(told)


def _invoice(row: Row) -> Line:
    net, vat, gross = (words.money(int(row[key] or 0), str(row["currency"])) for key in ("net", "vat", "gross"))
    told = (
        f"{row['number']} ({row['kind']}, {row['state']}) of {row['seller']} to {row['customer']}: {net} net, {vat} VAT"
    )
    told += f", {gross} in all"
    told += f"; to be paid to {row['account']}, reference {row['reference']}" if row["account"] else ""
    told += f"; cancels {row['cancels']}" if row["cancels"] else ""
    told += f"; cancelled by {row['cancelled_by']}" if row["cancelled_by"] else ""
    return Line(row["issued_at"], told, "books_invoices", row)


def _billable(row: Row) -> Line:
    invoice = f" in {row['invoice']}" if row["invoice"] else ""
    return Line(row["supplied_at"], f"bill {row['number']}: {row['state']}{invoice}", "books_billables", row)


def _claim(one: ClaimWalk) -> Line:
    row = one.claim
    currency = str(row["currency"])
    parts = [
        f"{key} {words.money(int(row[key]), currency)}" for key in ("held", "paid", "refunded", "credited") if row[key]
    ]
    about = f" for {row['document']}" if row["document"] else f" for session {row['session_id']}"
    told = f"{row['claim_id']} ({row['state']}){about}: {words.money(int(row['amount']), currency)} by {row['route']}"
    told += f", account {row['account']}" if row["account"] else ""
    told += f"; {', '.join(parts)}" if parts else ""
    told += f"; {row['reason']}" if row["reason"] else ""
    return Line(row["created_at"], told, "books_claims", row)


def _attempt(one: Attempt) -> Line:
    row = one.row
    tries = f", {words.plural(int(row['tries']), 'try', 'tries')}" if row["tries"] else ", never sent"
    why = f" ({row['reason']})" if row["reason"] else ""
    amount = words.money(int(row["amount"]), str(row["currency"]))
    text = f"{row['purpose']} of {amount} at {row['partner']}, key {row['key']}{tries}: {row['state']}{why}"
    return Line(row["asked_at"] if row["asked_at"] is not None else row["created_at"], text, "books_payments", row)


def _partner(claims: Sequence[ClaimWalk]) -> tuple[Line, ...]:
    rows = [row for claim in claims for one in claim.attempts for row in one.partner]
    rows += [row for claim in claims for row in claim.besides]
    return tuple(_movement(row) for row in sorted(rows, key=lambda row: int(row["at"])))


def _movement(row: Row) -> Line:
    about = f" of {row['for_id']}" if row["for_id"] else ""
    amount = words.money(int(row["amount"]), str(row["currency"]))
    key = f", key {row['key']}" if row["key"] else ""
    text = f"{row['partner']}: {row['kind']} {row['id']}{about}, {amount}, {row['state']}{key}"
    return Line(row["at"], text, "partner_payments", row)


def _read(row: Row) -> Line:
    amount = words.money(int(row["amount"]), str(row["currency"]))
    text = f"line {row['line_id']} on {row['iban']}: {amount}, reference {row['reference']!r}, {row['state']}"
    return Line(row["booked_at"], text, "books_statement_lines", row)


def _payouts(payouts: Sequence[Payout]) -> tuple[Line, ...]:
    told: list[Line] = []
    for one in payouts:
        told.append(_movement(one.row))
        for row in one.bank:
            amount = words.money(int(row["amount"]), str(row["currency"]))
            told.append(
                Line(row["at"], f"bank: {amount} on {row['iban']}, reference {row['reference']}", "partner_bank", row)
            )
        for row in one.movements:
            amount = words.money(int(row["amount"]), str(row["currency"]))
            text = f"in the books of {row['backend']}: {row['kind']} {row['movement_id']}, {amount}, {row['state']}"
            told.append(Line(row["at"], text, "books_movements", row))
    return tuple(told)


def _entry(row: Row) -> Line:
    try:
        sides = ", ".join(f"{account} {words.money(amount, currency)}" for account, currency, amount in _sides(row))
    except (ValueError, TypeError):
        sides = str(row["postings"])
    return Line(row["at"], f"entry {row['seq']} of {row['backend']} ({row['kind']}): {sides}", "books_journal", row)


def _sides(row: Row) -> list[tuple[str, str, int]]:
    return [
        (str(account), str(currency), int(amount)) for account, currency, amount in json.loads(row["postings"] or "[]")
    ]
