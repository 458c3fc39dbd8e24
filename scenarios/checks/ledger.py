"""Ratings, bills and the journal: each once, each balanced, none changed afterwards (INV-06, B02, B11, L01, L05)."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from scenarios.checks.joins import HANDED_OVER, ledgered
from scenarios.checks.plan import plan_of
from scenarios.checks.registry import Judge, check
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookBill, BookCdr, BookEntry, BookRated, BookSession, Held

GENESIS = ("", "0" * 64)
"""What may stand before the first entry."""
BILL, CORRECTION = "bill", "correction"


@check(
    "INV-06",
    sentence="a closed session has one bill and one bill entry; its amount changes through a correction entry only",
    planes=("books",),
    needs=("books_sessions", "books_bills", "books_journal", "books_rated", "books_cdrs"),
)
def one_bill_entry(evidence: Evidence, judge: Judge) -> None:
    """Per billed session: one bill, one entry of that amount, and no other price without a correction."""
    entries, corrected = _entries(evidence), _corrected(evidence)
    versions: dict[tuple[str, str], list[BookRated]] = {}
    for rating in evidence.read(BookRated):
        versions.setdefault((rating.backend, rating.cdr_id), []).append(rating)
    used: set[tuple[str, int]] = set()
    for entry in ledgered(evidence):
        judge.examined()
        session = entry.session
        if len(entry.bills) != 1:
            sentence = f"billed with {len(entry.bills)} bills"
            judge.fail("session", session.session_id, sentence, line(session), *map(line, entry.bills))
        if len(entry.bills) == 1 and entry.rated is not None and entry.cdr is not None and entry.cdr.corrects:
            _corrected_sum(evidence, judge, entry.bills[0], entry.rated)
        for bill in entry.bills:
            posted = entries.get((bill.backend, bill.number), [])
            used |= {(one.backend, one.seq) for one in posted}
            rated = versions.get((bill.backend, bill.cdr_id or ""), [])
            problem = _bill_problem(
                bill, posted, rated, bool(corrected & {bill.number, session.session_id, bill.cdr_id})
            )
            if problem:
                judge.fail("bill", bill.number, problem, line(bill), *map(line, posted), *map(line, rated))
    for group in entries.values():
        for one in (one for one in group if (one.backend, one.seq) not in used):
            judge.fail("entry", f"{one.backend} {one.seq}", "a bill entry that belongs to no bill", line(one))


def _corrected_sum(evidence: Evidence, judge: Judge, bill: BookBill, rated: BookRated) -> None:
    """A corrected session owes what its last record is rated at: the bill and all its corrections together."""
    about = [
        one
        for one in evidence.read(BookEntry)
        if one.backend == bill.backend
        and one.kind in (BILL, CORRECTION)
        and (one.ref or "").split(" ")[0] == bill.number
    ]
    owed = sum(amount for one in about for account, _, amount in _postings(one) if account.startswith("receivable:"))
    if owed != rated.gross:
        sentence = f"bill and corrections sum to {owed}, and the record in force is rated at {rated.gross}"
        judge.fail("bill", bill.number, sentence, line(bill), line(rated), *map(line, about))


def _bill_problem(bill: BookBill, posted: list[BookEntry], rated: list[BookRated], corrected: bool) -> str | None:
    if len(posted) != 1:
        return f"the bill has {len(posted)} bill entries"
    owed = sum(amount for account, _, amount in _postings(posted[0]) if account.startswith("receivable:"))
    if owed != bill.gross:
        return f"the bill says {bill.gross}, its entry {owed}"
    if any(one.gross != bill.gross for one in rated) and not corrected:
        return "the session was rated at another amount, and no correction entry says so"
    return None


def _entries(evidence: Evidence) -> dict[tuple[str, str], list[BookEntry]]:
    """Bill entries by back-end and the first word of their reference: the number of the bill."""
    found: dict[tuple[str, str], list[BookEntry]] = {}
    for one in evidence.read(BookEntry):
        if one.kind == BILL:
            found.setdefault((one.backend, (one.ref or "").split(" ")[0]), []).append(one)
    return found


def _corrected(evidence: Evidence) -> set[str | None]:
    """Everything that a correction entry refers to."""
    refs = [one.ref or "" for one in evidence.read(BookEntry) if one.kind == CORRECTION]
    return {word for ref in refs for word in ref.split(" ")}


@check(
    "B02",
    sentence="each charge detail record is rated exactly once per version, and exactly one version is effective",
    planes=("books", "plan"),
    needs=("books_sessions", "books_cdrs", "books_rated", "books_bills"),
)
def rated_once(evidence: Evidence, judge: Judge) -> None:
    """Versions, the effective one, and the one that the bill names; one record per session, and its session's terms."""
    _one_record_each(evidence, judge)
    _sums(evidence, judge)
    _credits(evidence, judge)
    versions: dict[tuple[str, str], list[BookRated]] = {}
    for rated in evidence.read(BookRated):
        versions.setdefault((rated.backend, rated.cdr_id), []).append(rated)
    billed = {(bill.backend, bill.cdr_id): bill for bill in evidence.read(BookBill)}
    free = {(one.backend, one.cdr_id) for one in evidence.read(BookSession) if one.state == "free"}
    known = {(cdr.backend, cdr.cdr_id) for cdr in evidence.read(BookCdr)}
    for cdr in evidence.read(BookCdr):
        ratings = versions.get((cdr.backend, cdr.cdr_id), [])
        bill = billed.get((cdr.backend, cdr.cdr_id))
        judge.examined()
        effective = [one for one in ratings if one.effective]
        if not ratings and (cdr.backend, cdr.cdr_id) in free:
            problem = ""
        elif not ratings:
            problem = "was never rated"
        elif len({one.version for one in ratings}) < len(ratings):
            problem = "was rated twice in one version"
        elif len(effective) != 1:
            problem = f"has {len(effective)} effective ratings"
        else:
            problem = "is billed by a rating that is not the effective one" if _other(bill, effective[0]) else ""
        if problem:
            rows = [line(bill)] if bill else []
            judge.fail("bill", cdr.cdr_id, f"the record {problem}", line(cdr), *map(line, ratings), *rows)
    for place, ratings in versions.items():
        if place not in known:
            judge.examined()
            judge.fail("bill", place[1], "a rating of a record that is not there", *map(line, ratings))


def _one_record_each(evidence: Evidence, judge: Judge) -> None:
    """A session has one record that corrects no other; each record is of a session, its end and its tariff."""
    sessions = {(one.backend, one.session_id): one for one in evidence.read(BookSession)}
    first: dict[tuple[str, str], BookCdr] = {}
    replaced = {(cdr.backend, cdr.corrects) for cdr in evidence.read(BookCdr) if cdr.corrects}
    for cdr in evidence.read(BookCdr):
        place = (cdr.backend, cdr.session_id or "")
        session = sessions.get(place)
        before = first.get(place) if not cdr.corrects else None
        if session is None:
            problem = "is of a session that is in no book"
        elif before is not None:
            problem = f"is a second one of its session, beside {before.cdr_id}, and corrects nothing"
        elif session.stopped_at is not None and cdr.stopped_at != session.stopped_at:
            problem = f"ends {(cdr.stopped_at or 0) - session.stopped_at:+d} ms from its session"
        elif not cdr.credit and (cdr.backend, cdr.cdr_id) not in replaced and _terms(cdr) != _terms(session):
            problem = f"is of another tariff than its session ({session.tariff_id} {session.tariff_version})"
        else:
            problem = ""
        if not cdr.corrects:
            first.setdefault(place, cdr)
        if problem:
            rows = [line(one) for one in (session, before) if one is not None]
            judge.fail("bill", cdr.cdr_id, f"the record {problem}", line(cdr), *rows)


def _terms(row: BookCdr | BookSession) -> tuple[str | None, str]:
    return row.tariff_id, str(row.tariff_version)


def _credits(evidence: Evidence, judge: Judge) -> None:
    """A credit takes back exactly what the record was rated at, once."""
    gross = {(one.backend, one.cdr_id): one.gross for one in evidence.read(BookRated) if one.effective}
    known: dict[tuple[str, str | None], BookCdr] = {}
    for cdr in (one for one in evidence.read(BookCdr) if one.credit):
        judge.examined()
        place = (cdr.backend, cdr.corrects)
        taken, given = gross.get((cdr.backend, cdr.cdr_id)), gross.get((cdr.backend, cdr.corrects or ""))
        if place in known:
            problem = f"takes back {cdr.corrects} a second time"
        elif given is None or taken != -given:
            problem = f"takes back {taken} of {cdr.corrects}, which was rated {given}"
        else:
            problem = ""
        known.setdefault(place, cdr)
        if problem:
            judge.fail("bill", cdr.cdr_id, f"the credit {problem}", line(cdr))


def _sums(evidence: Evidence, judge: Judge) -> None:
    """The lines of a rating sum to its gross, net and VAT too, and the VAT rate is the plan's."""
    plan = plan_of(evidence)
    site_of = {row["station"]: row["site"] for row in evidence.plan("stations", [])}
    cdrs = {(cdr.backend, cdr.cdr_id): cdr for cdr in evidence.read(BookCdr)}
    for rated in evidence.read(BookRated):
        total = sum(one["amount"] for one in json.loads(rated.lines or "[]"))
        cdr = cdrs.get((rated.backend, rated.cdr_id))
        site = site_of.get(cdr.station) if cdr else None
        vat = plan.tariff(site, cdr.started_at or 0)["vat_percent"] if cdr and site else None
        if total != rated.gross:
            problem = f"the lines sum to {total}, and the gross is {rated.gross}"
        elif (rated.net or 0) + (rated.vat or 0) != rated.gross:
            problem = f"net {rated.net} and VAT {rated.vat} are not the gross {rated.gross}"
        elif vat is not None and (rated.vat_percent is None or Decimal(rated.vat_percent) != Decimal(vat)):
            problem = f"rated with {rated.vat_percent} % VAT, and the plan says {vat} %"
        else:
            continue
        judge.fail("bill", rated.cdr_id, problem, line(rated), *([line(cdr)] if cdr else []))


def _other(bill: BookBill | None, effective: BookRated) -> bool:
    return bill is not None and bill.rated_id is not None and bill.rated_id != effective.rated_id


@check(
    "B11",
    sentence="a session with an unknown tariff, token or meter key is held, never billed and never priced 0 in silence",
    planes=("books", "plan"),
    needs=("books_sessions", "books_cdrs", "books_rated", "books_bills", "books_quarantine"),
)
def nothing_unknown_billed(evidence: Evidence, judge: Judge) -> None:
    """Every closed session: known throughout or held, a price above 0 or free with a reason, held with a reason."""
    plan = plan_of(evidence)
    held: dict[tuple[str, str | None, str | None], int] = {}
    for case in (case for case in evidence.read(Held) if case.state == "held"):
        held[case.backend, case.session_id, case.reason] = held.get((case.backend, case.session_id, case.reason), 0) + 1
    gross = {entry.session: [bill.gross for bill in entry.bills] for entry in ledgered(evidence)}
    versions = {(name, str(row.get("version", 1))) for name, rows in plan.tariffs.items() for row in rows}
    for session in evidence.read(BookSession):
        if session.state in ("open", HANDED_OVER):
            continue
        judge.examined()
        meter = plan.meters.get((session.station, session.connector or 0))
        unknown = []
        if (session.tariff_id or "", str(session.tariff_version)) not in versions:
            unknown.append(f"tariff {session.tariff_id or '(none)'}")
        if not plan.knows_token(session.id_tag):
            unknown.append(f"token {session.id_tag}")
        if meter is None or not meter.registered:
            unknown.append("meter key")
        if session.state == "quarantined":
            cases = held.get((session.backend, session.session_id, session.reason), 0)
            problem = "" if cases == 1 else f"held as {session.reason}, with {cases} such cases in the quarantine"
            problem = problem if session.reason else "held without a reason"
        elif unknown:
            problem = f"{session.state} with an unknown {' and '.join(unknown)}"
        elif session.state == "free":
            problem = "" if session.reason else "free without a reason"
        else:
            problem = "billed at nothing" if 0 in gross.get(session, [0]) else ""
        if problem:
            judge.fail("session", session.session_id, problem, line(session))


@check(
    "L01",
    sentence="every journal entry balances in every currency",
    planes=("books",),
    needs=("books_journal",),
)
def balanced(evidence: Evidence, judge: Judge) -> None:
    """Debits and credits of each entry, in whole minor units."""
    for entry in evidence.read(BookEntry):
        judge.examined()
        sums: dict[str, int] = {}
        for _, currency, amount in _postings(entry):
            sums[currency] = sums.get(currency, 0) + amount
        if not sums or any(sums.values()):
            off = ", ".join(f"{amount} {currency}" for currency, amount in sums.items() if amount) or "no postings"
            judge.fail("entry", f"{entry.backend} {entry.seq}", f"the entry does not balance: {off}", line(entry))


@check(
    "L05",
    sentence="the journal is append-only: its hash chain verifies from end to end, and no bill points beyond it",
    planes=("books",),
    needs=("books_journal", "books_bills"),
)
def chained(evidence: Evidence, judge: Judge) -> None:
    """Sequence without gaps, each hash recomputed, each entry chained to the one before."""
    last: dict[str, tuple[int, str]] = {}
    for entry in sorted(evidence.read(BookEntry), key=lambda one: (one.backend, one.seq)):
        judge.examined()
        seq, hash_before = last.get(entry.backend, (0, ""))
        if entry.seq != seq + 1:
            problem = f"entry {entry.seq} stands where {seq + 1} is due"
        elif (entry.prev_hash or "") not in (GENESIS if seq == 0 else (hash_before,)):
            problem = f"entry {entry.seq} does not follow the one before it"
        elif entry_hash(entry) != entry.hash:
            problem = f"entry {entry.seq} is not what its hash says"
        else:
            problem = ""
        if problem:
            judge.fail("entry", f"{entry.backend} {entry.seq}", problem, line(entry))
        last[entry.backend] = (entry.seq, entry.hash or "")
    for bill in evidence.read(BookBill):
        if bill.journal_seq is not None and bill.journal_seq > last.get(bill.backend, (0, ""))[0]:
            sentence = f"the bill points to entry {bill.journal_seq}, and the journal ends before it"
            judge.fail("bill", bill.number, sentence, line(bill))


def entry_hash(entry: BookEntry) -> str:
    """SHA-256 over the canonical JSON of everything but the hash, the hash of the entry before included."""
    body: dict[str, Any] = {"seq": entry.seq, "at": entry.at, "kind": entry.kind, "ref": entry.ref}
    body |= {"postings": json.loads(entry.postings), "prev_hash": entry.prev_hash}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _postings(entry: BookEntry) -> list[tuple[str, str, int]]:
    found: list[Any] = json.loads(entry.postings)
    for one in found:
        if not isinstance(one[2], int):
            raise TypeError(f"entry {entry.seq} of {entry.backend} posts {one[2]!r}, no whole number")
    return [(str(account), str(currency), amount) for account, currency, amount in found]
