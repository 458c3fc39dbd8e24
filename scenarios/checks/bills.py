"""What a bill says and posts: the right customer, the right seller, the right accounts, nothing beside them (L02).

The content of a bill is read as text and hashed again here; no renderer and no ledger of a back-end is asked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from scenarios.checks.entries import Entries
from scenarios.checks.joins import HANDED_OVER, joined
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BillContent, BookBill, BookEntry, BookSession

BILL, CORRECTION = "bill", "correction"
TOTALS = ("number", "currency", "gross", "net", "vat")
"""Names in the content of a bill that must hold what its columns hold."""
_COUNTED = re.compile(r"^(.*?)(\d+)$")


class Parties(Struct, frozen=True):
    """Who owes and who earns, by the plan; None where the plan does not say."""

    customer: str | None
    owner: str | None


@check(
    "L02",
    sentence="each bill names and posts the plan's customer and seller, and each entry what stands behind it, nothing else",
    planes=("truth", "books", "plan"),
    needs=("books_bills", "books_journal", "books_sessions"),
)
def rightly_posted(evidence: Evidence, judge: Judge) -> None:
    """Every bill with its session, parties, content and entry; every entry with its bill; every series of numbers."""
    plan = plan_of(evidence)
    sessions = {(one.backend, one.session_id): one for one in evidence.read(BookSession)}
    entries = {(one.backend, one.seq): one for one in evidence.read(BookEntry)}
    contents = {(one.backend, one.number): one for one in evidence.read(BillContent)}
    bills = evidence.read(BookBill)
    for bill in bills:
        judge.examined()
        session = sessions.get((bill.backend, bill.session_id))
        entry = entries.get((bill.backend, bill.journal_seq or 0))
        content = contents[bill.backend, bill.number]
        if session is None:
            problems = ["bills a session that is in no book"]
        elif session.state == HANDED_OVER:
            problems = ["bills a session that these books handed over"]
        else:
            problems = _wrong_parties(bill, _parties(evidence, plan, session))
        if content.data is None:
            judge.unknown(f"nobody shows what the bill {bill.number} says")
        else:
            problems += _wrong_content(bill, content.data, content.data_hash)
        problems += _wrong_entry(bill, entry, content.data_hash)
        if problems:
            rows = [line(row) for row in (session, entry) if row is not None]
            judge.fail("bill", bill.number, f"the bill {' and '.join(problems)}", line(bill), *rows)
    _series(judge, bills)
    _only_of_bills(judge, bills, list(entries.values()), Entries(evidence))


def _parties(evidence: Evidence, plan: Plan, session: BookSession) -> Parties:
    """By the token that truly charged, or for a session that never happened by the one in the books."""
    truth = joined(evidence).truth_of(session)
    token = truth.token if truth is not None else session.id_tag
    site = truth.site if truth is not None else session.site
    return Parties(plan.customer(token), plan.owner_of_site.get(site or ""))


def _wrong_parties(bill: BookBill, due: Parties) -> list[str]:
    problems = []
    if due.customer is None or (bill.customer or "").upper() != due.customer.upper():
        problems.append(f"goes to {bill.customer}, and the customer is {due.customer or 'unknown to the plan'}")
    if bill.seller != due.owner:
        problems.append(f"is sold by {bill.seller}, and the site belongs to {due.owner}")
    return problems


def _wrong_content(bill: BookBill, data: str, data_hash: str | None) -> list[str]:
    problems = []
    if hashlib.sha256(data.encode()).hexdigest() != data_hash:
        problems.append("is not what its hash says")
    try:
        content = json.loads(data)
    except ValueError:
        return [*problems, "says nothing that can be read"]
    for name in TOTALS:
        if content.get(name) != getattr(bill, name):
            problems.append(f"says {name} {content.get(name)}, and {getattr(bill, name)} is booked")
    if (content.get("seller") or {}).get("id") != bill.seller:
        problems.append("names another seller than is booked")
    if sum(one["amount"] for one in content.get("lines", ())) != bill.gross:
        problems.append("has lines that do not sum to its gross")
    return problems


def _wrong_entry(bill: BookBill, entry: BookEntry | None, data_hash: str | None) -> list[str]:
    if entry is None:
        return ["points to no entry of the journal"]
    words = (entry.ref or "").split(" ")
    if entry.kind != BILL or words[0] != bill.number:
        return [f"points to entry {entry.seq}, which is of {entry.kind} {words[0]}"]
    problems = []
    if any(word.startswith("sha256:") and word != f"sha256:{data_hash}" for word in words):
        problems.append("is not the one whose hash its entry holds")
    found = sorted(posting for posting in _postings(entry) if posting[2])
    if found != sorted(posting for posting in _due(bill) if posting[2]):
        posted = ", ".join(f"{account} {amount} {currency}" for account, currency, amount in found)
        problems.append(f"is posted as {posted}")
    return problems


def _due(bill: BookBill) -> list[tuple[str, str, int]]:
    currency = bill.currency or ""
    return [
        (f"receivable:{bill.customer}", currency, bill.gross),
        (f"revenue:{bill.seller}", currency, -(bill.net or 0)),
        (f"vat:{bill.seller}", currency, -(bill.vat or 0)),
    ]


def _postings(entry: BookEntry) -> list[tuple[str, str, int]]:
    found: list[Any] = json.loads(entry.postings)
    return [(str(account), str(currency), amount) for account, currency, amount in found]


def _series(judge: Judge, bills: Sequence[BookBill]) -> None:
    """The numbers of one seller at one back-end: counted up without a gap, none given twice."""
    series: dict[tuple[str, str | None, str], list[tuple[int, BookBill]]] = {}
    for bill in bills:
        counted = _COUNTED.match(bill.number)
        if counted is None:
            judge.fail("bill", bill.number, "the number of the bill is not counted up", line(bill))
            continue
        series.setdefault((bill.backend, bill.seller, counted[1]), []).append((int(counted[2]), bill))
    for numbered in series.values():
        numbered.sort(key=lambda one: one[0])
        for place, (number, bill) in enumerate(numbered, numbered[0][0]):
            if number != place:
                sentence = f"stands where number {place} of its series is due"
                judge.fail("bill", bill.number, sentence, line(bill))
                break


def _only_of_bills(judge: Judge, bills: Sequence[BookBill], entries: Sequence[BookEntry], others: Entries) -> None:
    """No entry of no bill, document or movement, or, as a correction, to accounts of other parties than its bill's."""
    names: dict[tuple[str, str], BookBill] = {}
    for bill in bills:
        for name in (bill.number, bill.session_id, bill.cdr_id):
            names[bill.backend, name or ""] = bill
    for entry in entries:
        judge.examined()
        found = [names[entry.backend, word] for word in (entry.ref or "").split(" ") if (entry.backend, word) in names]
        if entry.kind not in (BILL, CORRECTION):
            problem = others.problem(entry)
            if not problem:
                continue
        elif not found:
            problem = f"a {entry.kind} entry that belongs to no bill"
        elif not {posting[:2] for posting in _postings(entry)} <= {posting[:2] for posting in _due(found[0])}:
            problem = f"posts to accounts that are none of the bill {found[0].number}"
        else:
            continue
        judge.fail("entry", f"{entry.backend} {entry.seq}", problem, line(entry))
