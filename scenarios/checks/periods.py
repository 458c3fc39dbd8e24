"""Periods cut by the day of the move: one invoice per period and company, no session and no day missing or twice (M08).

A driver has one collective invoice per month, owner and back-end. A site owner's days belong to the old company's
contract or to the new one's; days paid to both are credited, and none is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from scenarios.checks.invoices import DRIVERS, collected, local_day, zone_of
from scenarios.checks.plan import plan_of
from scenarios.checks.registry import Judge, check
from scenarios.checks.subscriptions import sold
from sim.evidence.billing_views import BookInvoice, BookPrepaid
from sim.evidence.reader import Evidence, line


@check(
    "M08",
    sentence="one invoice per period and company, over every session until its end; no day is paid to both companies",
    planes=("books", "plan"),
    needs=(
        "books_sessions",
        "books_bills",
        "books_billables",
        "books_invoices",
        "books_invoice_lines",
        "books_claims",
        "books_contracts",
        "books_prepaid",
    ),
)
def one_invoice_per_period(evidence: Evidence, judge: Judge) -> None:
    """Drivers: per customer, owner and back-end. Site owners: the days of the old contract and of the new one."""
    _drivers(evidence, judge)
    _owners(evidence, judge)


def _drivers(evidence: Evidence, judge: Judge) -> None:
    """Periods of one customer, owner and back-end do not overlap; what was supplied before an end is on an invoice."""
    plan = plan_of(evidence)
    periods: dict[tuple[str, str, str], list[BookInvoice]] = {}
    for invoice in evidence.read(BookInvoice):
        if invoice.kind == DRIVERS and invoice.state == "issued" and invoice.period_start and invoice.period_until:
            place = (invoice.backend, invoice.seller or "", invoice.customer or "")
            periods.setdefault(place, []).append(invoice)
    for invoices in periods.values():
        invoices.sort(key=lambda one: (one.period_start or "", one.period_until or ""))
        judge.examined(len(invoices))
        for earlier, later in pairwise(invoices):
            if (later.period_start or "") < (earlier.period_until or ""):
                sentence = f"its period begins on {later.period_start}, and {earlier.number} goes until then and beyond"
                judge.fail("bill", later.number, sentence, line(earlier), line(later))
    for one in collected(evidence):
        billable = one.billable
        if billable is None or billable.state == "direct":
            continue
        judge.examined()
        day = local_day(billable.supplied_at, zone_of(plan, billable.owner)).isoformat()
        place = (billable.backend, billable.owner or "", billable.customer or "")
        own = [invoice for _, invoice in one.lines]
        before = [invoice for invoice in own if day >= (invoice.period_until or "9")]
        ended = [invoice for invoice in periods.get(place, ()) if day < (invoice.period_until or "")]
        passed = [invoice for invoice in ended if (invoice.issued_at or 0) >= one.since]
        if before:
            sentence = f"was supplied on {day}, after the period of its invoice {before[0].number}"
        elif not own and passed:
            sentence = (
                f"was supplied on {day}, and the invoice {passed[0].number} of that period or a later one lacks it"
            )
        else:
            continue
        judge.fail("bill", one.bill.number, f"the bill {sentence}", *one.rows(), *map(line, passed))


def _owners(evidence: Evidence, judge: Judge) -> None:
    """Per owner of the plan: the days of both contracts that invoices cover, and those that were credited."""
    by_name = {one.contract.contract_id: one for one in sold(evidence)}
    prepaid = evidence.read(BookPrepaid)
    for owner in (evidence.plan("upgrade") or {}).get("owners", ()):
        names = [str((owner.get(key) or {}).get("contract")) for key in ("contract_old", "contract_new")]
        old, new = by_name.get(names[0]), by_name.get(names[1])
        if old is None or new is None or not old.invoices or not new.invoices:
            continue
        judge.examined()
        before, after = _days(old.invoices), _days(new.invoices)
        most = max(one.net or 0 for one in new.invoices)
        mine = [one for one in prepaid if one.customer == old.contract.customer]
        back = {day for one in mine if _credited(one, most) for day in _span(one.start_day, one.until_day)}
        twice, gap = sorted((before & after) - back), _gap((before - back) | after)
        if twice:
            problem = f"{len(twice)} days from {twice[0]} on are paid to both companies and not credited"
        elif gap:
            problem = f"nobody invoices {gap}, between the two contracts"
        else:
            continue
        rows = [line(one) for one in (old.contract, new.contract, *old.invoices, *new.invoices)]
        judge.fail("bill", owner["owner"], problem, *rows)


def _credited(one: BookPrepaid, most: int) -> bool:
    """Whether prepaid days are credited, or wait because no invoice of the new company could carry them yet."""
    return (one.state == "done" and one.credited_on is not None) or (one.state == "open" and one.net > most)


def _days(invoices: Sequence[BookInvoice]) -> set[date]:
    return {day for one in invoices for day in _span(one.period_start or "", one.period_until or "")}


def _span(start: str, until: str) -> Iterator[date]:
    day, end = date.fromisoformat(start), date.fromisoformat(until)
    while day < end:
        yield day
        day += timedelta(days=1)


def _gap(days: set[date]) -> date | None:
    """The first day between the first and the last that is missing."""
    ordered = sorted(days)
    return next((one + timedelta(days=1) for one in ordered[:-1] if one + timedelta(days=1) not in days), None)
