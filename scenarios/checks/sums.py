"""Sums and VAT of every document, calculated again from its lines (INV-33, T07): whole numbers and fractions only.

The rule of rounding is stated once by each back-end, by name, and read here as words: whether the net sum or the VAT is
rounded. A rule of another name is held to what every rule must keep: VAT within half a minor unit of the exact one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from scenarios.checks.joins import ledgered
from scenarios.checks.registry import Judge, check
from sim.evidence.billing_views import BookInvoice, BookInvoiceLine
from sim.evidence.reader import Evidence, line, note
from sim.evidence.upgrade_views import RoundingRule
from sim.evidence.views import BookRated

NET_ROUNDED = ("line-half-up",)
"""Rules that round the net sum half up, and leave the rest to be VAT."""
VAT_ROUNDED = ("per-invoice-per-rate, half up",)
"""Rules that round the VAT half up."""


@check(
    "INV-33",
    sentence="the rounded lines of each bill and invoice sum to its total, its VAT is right per rate, by one stated rule",
    planes=("books",),
    needs=("books_bills", "books_rated", "books_invoices", "books_invoice_lines"),
)
def sums_and_vat(evidence: Evidence, judge: Judge) -> None:
    """Every bill with its rating, every invoice with its lines, and the names of the rules of each back-end."""
    policies = {(one.backend, one.rated_id): one.policy for one in evidence.read(RoundingRule)}
    bills = {}
    for entry in ledgered(evidence):
        if entry.rated is not None:
            judge.examined()
            name = policies.get((entry.rated.backend, entry.rated.rated_id))
            bills[entry.rated.backend, entry.rated.rated_id] = name
            problem = _bill_problem(entry.rated, name)
            if problem:
                judge.fail("bill", entry.name, f"the bill {problem}", line(entry.rated), *map(line, entry.bills))
    lines: dict[tuple[str, str], list[BookInvoiceLine]] = {}
    for one in evidence.read(BookInvoiceLine):
        lines.setdefault((one.backend, one.number), []).append(one)
    documents = evidence.read(BookInvoice)
    for document in documents:
        judge.examined()
        own = lines.get((document.backend, document.number), [])
        problem = _document_problem(document, own)
        if problem:
            judge.fail("bill", document.number, f"the {document.kind} {problem}", line(document), *map(line, own))
    _one_rule(judge, "bills", "books_rated", ((backend, name) for (backend, _), name in bills.items()))
    _one_rule(judge, "invoices", "books_invoices", ((one.backend, one.rounding) for one in documents))


def vat_of(total: int, percent: str, basis: str, rule: str | None) -> tuple[int, ...]:
    """The VAT that a rule allows for a sum that is gross or net, minor units: one value, or two for an unknown rule."""
    rate = Fraction(percent)
    exact = total * rate / ((100 + rate) if basis == "gross" else 100)
    if rule in VAT_ROUNDED or (rule in NET_ROUNDED and basis == "net"):
        return (_half_up(exact),)
    if rule in NET_ROUNDED:
        return (total - _half_up(total - exact),)
    return tuple(dict.fromkeys((_half_up(exact), total - _half_up(total - exact))))


def _half_up(value: Fraction) -> int:
    """Half up in size: what is taken back is rounded as it was when it was given."""
    size = (2 * abs(value).numerator + value.denominator) // (2 * value.denominator)
    return -size if value < 0 else size


def _bill_problem(rated: BookRated, rule: str | None) -> str:
    lines = json.loads(rated.lines or "[]")
    if not lines:
        return "has no lines"
    total = sum(int(one["amount"]) for one in lines)
    if total != rated.gross:
        return f"has lines of {total}, and its total is {rated.gross}"
    if rated.net is None or rated.vat is None or rated.net + rated.vat != rated.gross:
        return f"has {rated.net} net and {rated.vat} VAT of {rated.gross}"
    due = vat_of(total, rated.vat_percent or "0", "gross", rule)
    if rated.vat not in due:
        return f"has {rated.vat} VAT, and {rated.vat_percent} % of {total} gross are {due[0]}"
    return ""


def _document_problem(document: BookInvoice, lines: list[BookInvoiceLine]) -> str:
    if not lines:
        return "has no lines"
    basis = document.basis or "gross"
    sums: dict[Fraction, int] = {}
    for one in lines:
        rate = Fraction(one.vat_percent or "0")
        sums[rate] = sums.get(rate, 0) + one.amount
    table = {rate: vat_of(total, str(rate), basis, document.rounding) for rate, total in sums.items()}
    total = sum(sums.values())
    if total != (document.gross if basis == "gross" else document.net):
        return f"has lines of {total} {basis}, and is over {document.gross} gross, {document.net} net"
    if document.net + document.vat != document.gross:
        return f"has {document.net} net and {document.vat} VAT of {document.gross}"
    least, most = sum(map(min, table.values())), sum(map(max, table.values()))
    if not least <= document.vat <= most:
        return f"has {document.vat} VAT, and rate by rate it is {least}"
    return _content_problem(document, lines, table)


def _content_problem(
    document: BookInvoice, lines: list[BookInvoiceLine], table: dict[Fraction, tuple[int, ...]]
) -> str:
    """What the document itself says of each rate, where it shows its content."""
    content: dict[str, Any] = json.loads(document.data or "{}")
    if "lines" in content:
        printed = [(int(one["amount"]), Fraction(str(one["vat_percent"]))) for one in content["lines"]]
        ordered = sorted(lines, key=lambda one: one.position or 0)
        if printed != [(one.amount, Fraction(one.vat_percent or "0")) for one in ordered]:
            return "shows other lines than are booked"
    shown = content.get("vat_table")
    if shown is None:
        return ""
    said = {Fraction(str(one["percent"])): int(one["vat"]) for one in shown}
    if said.keys() != table.keys() or len(said) != len(shown):
        return f"shows VAT at {', '.join(f'{float(rate):g} %' for rate in said)}, and its lines have other rates"
    for rate, due in table.items():
        if said[rate] not in due:
            return f"shows {said[rate]} VAT at {float(rate):g} %, and it is {due[0]}"
    return ""


def _one_rule(judge: Judge, what: str, table: str, named: Iterable[tuple[str, str | None]]) -> None:
    """Each back-end rounds all its documents of one kind by one rule, and says by which."""
    rules: dict[str, dict[str | None, None]] = {}
    for backend, rule in named:
        rules.setdefault(backend, {})[rule] = None
    for backend, names in rules.items():
        if None in names or "" in names:
            judge.unknown(f"{backend} does not say by which rule it rounds its {what}")
        elif len(names) > 1:
            said = " and ".join(repr(name) for name in names)
            stated = [note("books", table, backend=backend, rule=name) for name in names]
            judge.fail("run", backend, f"its {what} are rounded by {said}", *stated)
