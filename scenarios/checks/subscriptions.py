"""Subscriptions: each contract and period once, pro rata by days, and days paid in advance credited once (L09).

The second calculation here knows calendars and fractions only: a month's price times days by days of that month, half a
minor unit up, for one piece or for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from msgspec import Struct

from scenarios.checks.registry import Judge, check
from scenarios.oracle import half_up
from sim.clock import DAY, Instant, to_datetime, zone
from sim.evidence.billing_views import BookContract, BookInvoice, BookInvoiceLine, BookPrepaid
from sim.evidence.reader import Evidence, line

SUBSCRIPTION = "subscription"
MONTHS = {"month": 1, "quarter": 3}
SLACK = DAY
"""How long after the morning of its first day a period may lack its invoice, ms."""


class Sold(Struct, frozen=True):
    """A contract with its invoices that hold, those that were cancelled, and their lines."""

    contract: BookContract
    invoices: tuple[BookInvoice, ...]
    cancelled: tuple[BookInvoice, ...]
    lines: dict[str, list[BookInvoiceLine]]


def sold(evidence: Evidence) -> list[Sold]:
    """Every contract with what was invoiced of it, by first day; made once."""
    return evidence.keep("sold", _sold)


def period_of(day: date, period: str) -> tuple[date, date]:
    """The calendar month or quarter in which a day lies, end exclusive. Raises KeyError for another word."""
    months = MONTHS[period]
    first = date(day.year, day.month - (day.month - 1) % months, 1)
    end = first
    for _ in range(months):
        end = _next_month(end)
    return first, end


def month_parts(start: date, until: date) -> Iterator[tuple[int, int]]:
    """(days taken, days of the month) of each month that some days lie in."""
    while start < until:
        end = min(until, _next_month(start.replace(day=1)))
        whole = (_next_month(start.replace(day=1)) - start.replace(day=1)).days
        yield (end - start).days, whole
        start = end


def pro_rata(net: int, quantity: int, start: date, until: date) -> tuple[int, int]:
    """What days cost, minor units: rounded for each piece, and rounded for all of them."""
    share = sum((Fraction(days, whole) for days, whole in month_parts(start, until)), Fraction(0))
    return quantity * half_up(net * share), half_up(quantity * net * share)


@check(
    "L09",
    sentence="each contract has each of its periods invoiced once, pro rata, none after its end, prepaid days credited once",
    planes=("books", "plan"),
    needs=("books_contracts", "books_invoices", "books_invoice_lines", "books_prepaid"),
)
def each_period_once(evidence: Evidence, judge: Judge) -> None:
    """Every contract by its calendar, every line of its invoices by a second calculation, every prepaid row."""
    plan = evidence.plan("upgrade") or {}
    zones = {row["seller"]: row.get("zone") or "UTC" for row in plan.get("sellers", ())}
    given = [one[key] for one in plan.get("owners", ()) for key in ("contract_old", "contract_new") if one.get(key)]
    begins = {row["contract"]: row.get("billed_until") or row["start"] for row in given}
    returned = {row.invoice for row in evidence.read(BookPrepaid) if row.state == "exported"}
    for one in sold(evidence):
        contract = one.contract
        zone_name = zones.get(contract.seller or "", "UTC")
        today = to_datetime(Instant(evidence.ended_at() - SLACK), zone(zone_name)).date()
        judge.examined()
        problem = _periods(one, begins.get(contract.contract_id), today, returned)
        if problem:
            sentence = f"the contract {contract.contract_id} {problem}"
            judge.fail("bill", contract.contract_id, sentence, line(contract), *map(line, one.invoices))
        for invoice in one.invoices:
            judge.examined()
            problem = _parties(contract, invoice)
            problem = problem or _amounts(contract, invoice, one.lines.get(invoice.number, []), zone_name)
            if problem:
                rows = map(line, one.lines.get(invoice.number, []))
                judge.fail("bill", invoice.number, problem, line(invoice), line(contract), *rows)
    _given_back(evidence, judge)


def _periods(one: Sold, begin: str | None, today: date, returned: set[str | None]) -> str:
    """How the periods of a contract are not its calendar; empty if they are. `returned`: invoices with prepaid days."""
    contract, held = one.contract, sorted((*one.invoices, *one.cancelled), key=lambda row: row.period_start or "")
    start = date.fromisoformat(max(begin or (held[0].period_start if held else None) or "", contract.start_day or ""))
    end = date.fromisoformat(contract.end_day) if contract.end_day else None
    due = start
    for invoice in held:
        first, until = date.fromisoformat(invoice.period_start or ""), date.fromisoformat(invoice.period_until or "")
        if first < start:
            return f"is invoiced from {first} on ({invoice.number}), before its first day {start}"
        if first < due:
            return f"is invoiced a second time from {first} on ({invoice.number})"
        if first > due:
            return f"lacks an invoice from {due} to {first}"
        whole = period_of(first, contract.period or "")[1]
        if until != whole and until != end:
            return f"is invoiced until {until} ({invoice.number}), and the period ends on {whole}"
        if end is not None and first >= end and invoice.number not in returned:
            return f"is invoiced from {first} on ({invoice.number}), and ended on {end}"
        due = until
    if due <= today and (end is None or due < end):
        return f"lacks an invoice from {due} on"
    return ""


def _parties(contract: BookContract, invoice: BookInvoice) -> str:
    """How an invoice is not from and to whom its contract says, or in another currency; empty if it is."""
    for name in ("seller", "customer", "currency"):
        due, found = getattr(contract, name), getattr(invoice, name)
        if due != found:
            return f"has the {name} {found}, and its contract {contract.contract_id} has {due}"
    return ""


def _amounts(contract: BookContract, invoice: BookInvoice, lines: Sequence[BookInvoiceLine], zone_name: str) -> str:
    """How the lines of an invoice are not the items of its contract over its period; empty if they are."""
    first, until = date.fromisoformat(invoice.period_start or ""), date.fromisoformat(invoice.period_until or "")
    items: list[dict[str, Any]] = json.loads(contract.items or "[]")
    rest = [one for one in lines if one.kind == "item"]
    for item in items:
        mine = sorted((one for one in rest if one.text == item["text"]), key=lambda one: one.start_day or "")
        rest = [one for one in rest if one.text != item["text"]]
        day = first
        for one in mine:
            start, end = date.fromisoformat(one.start_day or ""), date.fromisoformat(one.until_day or "")
            if start != day:
                return f"{item['text']} goes on from {start}, and {day} is due"
            due = pro_rata(int(item["net"]), int(item.get("quantity", 1)), start, end)
            if one.amount not in due:
                return f"{item['text']} from {start} to {end} costs {one.amount}, and {due[0]} is due pro rata"
            percent = _rate(contract, start, zone_name)
            if percent is not None and Fraction(one.vat_percent or 0) != percent:
                return f"{item['text']} from {start} has {one.vat_percent} % VAT, and {percent} % are due"
            day = end
        if day != until:
            return f"{item['text']} is invoiced until {day}, and the period ends on {until}"
    if rest:
        return f"{rest[0].text} is invoiced, and the contract does not have it"
    return ""


def _rate(contract: BookContract, day: date, zone_name: str) -> Fraction | None:
    """The VAT rate of a day by the contract; None if it names none."""
    found: list[tuple[date, Fraction]] = []
    for one in json.loads(contract.vat or "[]"):
        since = to_datetime(Instant(int(one["since"])), zone(zone_name)).date()
        if since <= day:
            found.append((since, Fraction(one["value"])))
    return max(found)[1] if found else None


def _given_back(evidence: Evidence, judge: Judge) -> None:
    """Days after an end that were paid for: known once, worth what their lines cost, credited once and as they are."""
    lines: dict[tuple[str, str], list[BookInvoiceLine]] = {}
    for one in evidence.read(BookInvoiceLine):
        lines.setdefault((one.backend, one.number), []).append(one)
    origin = {one.prepaid_id: one for one in evidence.read(BookPrepaid) if one.state == "exported"}
    ends = {(one.backend, one.contract_id): one.end_day for one in evidence.read(BookContract)}
    known: dict[tuple[str, str | None], BookPrepaid] = {}
    for row in origin.values():
        judge.examined()
        end = ends.get((row.backend, row.contract_id or ""))
        paid = [one for one in lines.get((row.backend, row.invoice or ""), ()) if one.kind == "item"]
        due = sum(_after(one, end) for one in paid) if end else None
        twice = known.setdefault((row.backend, row.invoice), row)
        if twice is not row:
            problem = f"gives days of {row.invoice} back a second time"
        elif due is None:
            problem = "is of a contract that did not end"
        elif due != row.net:
            problem = f"is worth {row.net}, and the days after {end} on {row.invoice} cost {due}"
        else:
            continue
        judge.fail("bill", row.prepaid_id, f"the prepaid row {problem}", line(row), *map(line, paid))
    credits: dict[tuple[str, str], list[BookInvoiceLine]] = {}
    for place, found in lines.items():
        for one in found:
            if one.kind == "credit" and one.start_day != one.until_day:
                credits.setdefault(place, []).append(one)
    customers = {(one.backend, one.number): one.customer for one in evidence.read(BookInvoice)}
    for row in (one for one in evidence.read(BookPrepaid) if one.state == "done"):
        judge.examined()
        got = customers.get((row.backend, row.credited_on or ""), row.customer)
        if got != row.customer:
            sentence = f"the prepaid row of {row.customer} is credited to {got}"
            judge.fail("bill", row.prepaid_id, sentence, line(row))
        mine = credits.get((row.backend, row.credited_on or ""), [])
        fit = [
            one
            for one in mine
            if (one.amount, one.start_day, one.until_day) == (-row.net, row.start_day, row.until_day)
        ]
        if len(fit) != 1:
            sentence = f"the prepaid row is credited {len(fit)} times on {row.credited_on}"
            judge.fail("bill", row.prepaid_id, sentence, line(row), *map(line, mine))
        for one in fit[:1]:
            mine.remove(one)
    for one in (one for rest in credits.values() for one in rest):
        judge.examined()
        judge.fail("bill", one.number, "days are credited that no prepaid row has", line(one))


def _after(one: BookInvoiceLine, end: str) -> int:
    """What the days of a line from an end on cost, by days of the line."""
    start, until, cut = (date.fromisoformat(day or "") for day in (one.start_day, one.until_day, end))
    return half_up(Fraction(one.amount * max(0, (until - max(start, cut)).days), (until - start).days))


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _sold(evidence: Evidence) -> list[Sold]:
    invoices: dict[tuple[str, str], list[BookInvoice]] = {}
    for one in evidence.read(BookInvoice):
        if one.kind == SUBSCRIPTION and one.contract_id and one.period_start and one.period_until:
            invoices.setdefault((one.backend, one.contract_id), []).append(one)
    lines: dict[tuple[str, str], list[BookInvoiceLine]] = {}
    for row in evidence.read(BookInvoiceLine):
        lines.setdefault((row.backend, row.number), []).append(row)
    found = []
    for contract in evidence.read(BookContract):
        mine = invoices.get((contract.backend, contract.contract_id), [])
        mine.sort(key=lambda row: row.period_start or "")
        found.append(
            Sold(
                contract,
                tuple(row for row in mine if row.state != "cancelled"),
                tuple(row for row in mine if row.state == "cancelled"),
                {row.number: lines.get((row.backend, row.number), []) for row in mine},
            )
        )
    return found
