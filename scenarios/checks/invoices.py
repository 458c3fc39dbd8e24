"""Invoices of drivers: each bill collected once, by the right partner, under whole numbers (B03, B04, L06).

A bill of a driver with terms is collected by a line of a collective invoice or directly by a claim of its own. Both
back-ends are looked at together: what one has collected the other may not.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from scenarios.checks.joins import Case, joined
from scenarios.checks.moves import Moves, moves
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from sim.clock import DAY, Instant, to_datetime, zone
from sim.evidence.billing_views import BookBillable, BookInvoice, BookInvoiceLine
from sim.evidence.money_views import BookClaim, BookPayment
from sim.evidence.reader import Evidence, line
from sim.evidence.verdict import EvidenceLine
from sim.evidence.views import BookBill, BookCdr

GRACE = 2 * DAY
"""How long after the end of its month a bill may wait for its collective invoice, ms."""
DRIVERS, SUBSCRIPTION = "drivers", "subscription"
_COUNTED = re.compile(r"^(.*?)(\d+)$")


class Collected(Struct, frozen=True):
    """A bill of a driver with terms, and everything that collects it and was not cancelled.

    `since`: from when on it could be collected as it is: supplied, billed, and free of an invoice that was cancelled.
    """

    bill: BookBill
    case: Case | None
    billable: BookBillable | None
    lines: tuple[tuple[BookInvoiceLine, BookInvoice], ...]
    direct: tuple[BookClaim, ...]
    claims: tuple[BookClaim, ...]
    since: int

    def rows(self) -> list[EvidenceLine]:
        """The rows that a finding rests on."""
        found = [line(self.bill)] + ([line(self.billable)] if self.billable else [])
        found += [line(row) for pair in self.lines for row in pair]
        return found + [line(one) for one in self.claims]


def collected(evidence: Evidence) -> list[Collected]:
    """Every bill of a customer who has terms at any back-end, and how it is collected; made once."""
    return evidence.keep("collected", _collected)


def zone_of(plan: Plan, owner: str | None) -> str:
    """The zone of an owner by the plan, UTC for one without a site."""
    return next((plan.zone_of_site[site] for site, name in plan.owner_of_site.items() if name == owner), "UTC")


def local_day(at: int, zone_name: str) -> date:
    """The local day of an instant."""
    return to_datetime(Instant(at), zone(zone_name)).date()


@check(
    "B03",
    sentence="each bill of a driver with terms stands on one valid invoice line or is paid directly, over both back-ends",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_bills", "books_billables", "books_invoices", "books_invoice_lines", "books_claims"),
)
def collected_once(evidence: Evidence, judge: Judge) -> None:
    """Every bill by what became of it, and every true session over all its bills; every line leads to a bill."""
    plan = plan_of(evidence)
    of_case: dict[str, list[Collected]] = {}
    for one in collected(evidence):
        judge.examined()
        problem = _badly_collected(evidence, plan, one)
        if problem:
            judge.fail("bill", one.bill.number, f"the bill {problem}", *one.rows())
        if one.case is not None:
            of_case.setdefault(one.case.truth.session_id, []).append(one)
    for session, parts in of_case.items():
        times = sum(len(one.lines) + len(one.direct) for one in parts)
        if len(parts) > 1 and times > 1:
            sentence = f"the session is collected {times} times by {len(parts)} bills"
            judge.fail("session", session, sentence, *(row for one in parts for row in one.rows()))
    known = {(bill.backend, bill.number) for bill in evidence.read(BookBill)}
    for (backend, number), pairs in _lines(evidence).items():
        if (backend, number) not in known:
            judge.examined()
            rows = [line(row) for pair in pairs for row in pair]
            judge.fail("bill", number or "(none)", "an invoice line over a bill that is in no book", *rows)


def _badly_collected(evidence: Evidence, plan: Plan, one: Collected) -> str:
    """How a bill is not collected as it should; empty if it is."""
    lines, direct = len(one.lines), len(one.direct)
    if one.billable is None:
        return "of a driver with terms never came to be collected"
    state = one.billable.state
    if lines + direct > 1:
        return f"is collected {lines + direct} times: on {lines} invoice lines and by {direct} claims"
    if state == "open" and not lines and not direct:
        day = local_day(one.since, zone_of(plan, one.billable.owner))
        ended = local_day(evidence.ended_at() - GRACE, zone_of(plan, one.billable.owner))
        over = (ended.year, ended.month) > (day.year, day.month)
        return f"still waits for an invoice, and {day:%B} is over" if over else ""
    if (state, lines, direct) in (("invoiced", 1, 0), ("direct", 0, 1)):
        return _wrong_party(one) or _wrong_line(evidence, one)
    return f"is called {state}, and stands on {lines} invoice lines and in {direct} claims"


def _wrong_line(evidence: Evidence, one: Collected) -> str:
    """How a line over a bill is not over its session, or over other energy than a record of it has; empty if it is."""
    for row, _ in one.lines:
        if row.session_id is not None and row.session_id != one.bill.session_id:
            return f"is of the session {one.bill.session_id}, and its invoice line of {row.session_id}"
        known = _energies(evidence).get((one.bill.backend, one.bill.session_id), [])
        if row.unit == "kWh" and known and Decimal(row.quantity or 0) not in known:
            return f"is over {known[0]} kWh, and its invoice line over {row.quantity}"
    return ""


def _energies(evidence: Evidence) -> dict[tuple[str, str], list[Decimal]]:
    """What each session's records say of its energy in kWh, those that were corrected too."""

    def read(source: Evidence) -> dict[tuple[str, str], list[Decimal]]:
        found: dict[tuple[str, str], list[Decimal]] = {}
        for cdr in source.read(BookCdr):
            if cdr.kwh is not None and not cdr.credit:
                found.setdefault((cdr.backend, cdr.session_id or ""), []).append(Decimal(cdr.kwh))
        return found

    return evidence.keep("energies of sessions", read)


def _wrong_party(one: Collected) -> str:
    """What collects a bill is from its seller, to its customer and in its currency; empty if it is."""
    for invoice in (found for _, found in one.lines):
        if one.billable is not None and invoice.number != one.billable.invoice:
            return "stands on another invoice"
        for name in ("seller", "customer", "currency"):
            due, found = getattr(one.bill, name), getattr(invoice, name)
            if due is not None and due != found:
                return f"has the {name} {due}, and its invoice {invoice.number} has {found}"
    for claim in one.claims:
        for name in ("seller", "customer"):
            due, found = getattr(one.bill, name), getattr(claim, name)
            if due is not None and due != found:
                return f"has the {name} {due}, and its claim {claim.claim_id} has {found}"
    return ""


@check(
    "B04",
    sentence="each bill is collected by one partner: that of the back-end which has the session by the rule of its end",
    planes=("truth", "wire", "books", "plan"),
    needs=(
        "books_sessions",
        "books_bills",
        "books_billables",
        "books_invoices",
        "books_invoice_lines",
        "books_claims",
        "books_payments",
    ),
)
def one_partner_each(evidence: Evidence, judge: Judge) -> None:
    """Every claim that collects a bill: its route, its back-end, and the partners that were really asked for money."""
    move = moves(evidence)
    asked: dict[tuple[str, str], set[str]] = {}
    for attempt in evidence.read(BookPayment):
        if attempt.asked_at is not None:
            asked.setdefault((attempt.backend, attempt.claim_id), set()).add(attempt.partner)
    partners: dict[str, set[str]] = {}
    told: dict[str, list[Collected]] = {}
    for one in collected(evidence):
        for claim in one.claims:
            judge.examined()
            asked_of = asked.get((claim.backend, claim.claim_id), set())
            problem = _wrong_partner(move, one, claim, asked_of)
            if problem:
                judge.fail("bill", one.bill.number, f"the bill {problem}", *one.rows())
            if one.case is not None:
                name = one.case.truth.session_id
                partners[name] = partners.get(name, set()) | asked_of | ({claim.route} if claim.route else set())
                told.setdefault(name, []).append(one)
    for session, names in partners.items():
        if len(names) > 1:
            sentence = f"the money for this session goes through {' and '.join(sorted(names))}"
            judge.fail("session", session, sentence, *(row for one in told[session] for row in one.rows()))


def _wrong_partner(move: Moves, one: Collected, claim: BookClaim, asked_of: set[str]) -> str:
    due = move.due(one.case.truth) if one.case is not None else frozenset[str]()
    partner = move.partner(claim.backend)
    if due and claim.backend not in due:
        return f"is collected at {claim.backend}, and its session ended at {' or '.join(sorted(due))}"
    if partner is not None and claim.route != partner:
        return f"goes through {claim.route}, and {claim.backend} collects through {partner}"
    strange = sorted(asked_of - {claim.route or ""})
    return f"was asked of {' and '.join(strange)}, and goes through {claim.route}" if strange else ""


@check(
    "L06",
    sentence="the numbers of documents are unique over both back-ends, and each circle is counted up without a gap",
    planes=("books",),
    needs=("books_invoices",),
)
def numbered_without_gap(evidence: Evidence, judge: Judge) -> None:
    """Every document: its number once, one seller per circle, numbers in the order of issue; no reason for a gap is kept."""
    seen: dict[str, BookInvoice] = {}
    circles: dict[tuple[str, str], list[tuple[int, BookInvoice]]] = {}
    for invoice in evidence.read(BookInvoice):
        judge.examined()
        known = seen.setdefault(invoice.number, invoice)
        if known is not invoice:
            judge.fail("bill", invoice.number, "the number was given twice", line(known), line(invoice))
        counted = _COUNTED.match(invoice.number)
        if counted is None:
            judge.fail("bill", invoice.number, "the number is not counted up", line(invoice))
            continue
        circle = invoice.circle or counted[1]
        circles.setdefault((invoice.backend, circle), []).append((int(counted[2]), invoice))
    homes: dict[str, str] = {}
    for (backend, circle), numbered in circles.items():
        if homes.setdefault(circle, backend) != backend:
            sentence = f"the circle {circle} is used by {homes[circle]} and {backend}"
            judge.fail("bill", numbered[0][1].number, sentence, line(numbered[0][1]))
        if len({invoice.seller for _, invoice in numbered}) > 1:
            sentence = f"the circle {circle} is used by several sellers"
            judge.fail("bill", numbered[0][1].number, sentence, *(line(one) for _, one in numbered))
        numbered.sort(key=lambda one: one[0])
        for (before, earlier), (number, invoice) in pairwise(numbered):
            if number > before + 1:
                sentence = f"stands behind number {before} of the circle {circle}"
                judge.fail("bill", invoice.number, sentence, line(earlier), line(invoice))
            elif (invoice.issued_at or 0) < (earlier.issued_at or 0):
                sentence = f"was issued before number {before} of the circle {circle}"
                judge.fail("bill", invoice.number, sentence, line(earlier), line(invoice))


def _lines(evidence: Evidence) -> dict[tuple[str, str | None], list[tuple[BookInvoiceLine, BookInvoice]]]:
    """Lines over sessions on documents that hold, by back-end and bill."""
    valid = {
        (one.backend, one.number): one
        for one in evidence.read(BookInvoice)
        if one.kind == DRIVERS and one.state != "cancelled" and not one.cancelled_by
    }
    found: dict[tuple[str, str | None], list[tuple[BookInvoiceLine, BookInvoice]]] = {}
    for one in evidence.read(BookInvoiceLine):
        invoice = valid.get((one.backend, one.number))
        if one.kind == "session" and invoice is not None:
            found.setdefault((one.backend, one.bill), []).append((one, invoice))
    return found


def _collected(evidence: Evidence) -> list[Collected]:
    billables = {(one.backend, one.number): one for one in evidence.read(BookBillable)}
    known = {one.customer for one in billables.values()}
    lines, cases = _lines(evidence), joined(evidence).case_of
    direct: dict[tuple[str, str], list[BookClaim]] = {}
    by_id: dict[tuple[str, str], BookClaim] = {}
    for claim in evidence.read(BookClaim):
        by_id[claim.backend, claim.claim_id] = claim
        if claim.kind == "session" and claim.state != "cancelled" and claim.document:
            direct.setdefault((claim.backend, claim.document), []).append(claim)
    reopened = _reopened(evidence)
    found = []
    for bill in evidence.read(BookBill):
        place = (bill.backend, bill.number)
        if place not in billables and bill.customer not in known:
            continue
        own, paid = tuple(lines.get(place, ())), tuple(direct.get(place, ()))
        owing = [by_id.get((bill.backend, one.claim_id or "")) for _, one in own]
        billable = billables.get(place)
        supplied = billable.supplied_at if billable is not None else 0
        found.append(
            Collected(
                bill=bill,
                case=cases.get((bill.backend, bill.session_id)),
                billable=billable,
                lines=own,
                direct=paid,
                claims=(*paid, *(claim for claim in owing if claim is not None)),
                since=max(supplied, bill.issued_at or 0, reopened.get(place, 0)),
            )
        )
    return found


def _reopened(evidence: Evidence) -> dict[tuple[str, str], int]:
    """When the last invoice over a bill was cancelled, by the lines of the cancellation."""
    issued = {(one.backend, one.number): one.issued_at or 0 for one in evidence.read(BookInvoice)}
    found: dict[tuple[str, str], int] = {}
    for one in evidence.read(BookInvoiceLine):
        if one.kind == "reversal" and one.bill:
            place = (one.backend, one.bill)
            found[place] = max(found.get(place, 0), issued.get((one.backend, one.number), 0))
    return found
