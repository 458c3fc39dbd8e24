"""Prices: a second opinion on each bill, and when time may cost.

T01, T10, T11 and INV-35. The oracle is asked for every bill; a back-end's rating code must never be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from scenarios import oracle
from scenarios.checks.joins import HANDED_OVER, Ledgered, joined, ledgered
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import letters
from scenarios.oracle import NoOpinion, Opinion, Point, Terms
from sim.clock import Instant, iso
from sim.evidence.reader import Evidence, line, note
from sim.evidence.views import BookCdr, BookRated, BookSession, TrueSession
from sim.rng import stream

TIME_COMPONENTS = ("idle", "time", "parking")
SAMPLE = 3
"""How many sessions the oracle prices twice, second by second, to prove itself."""


class Priced(Struct, frozen=True):
    """A closed session of the books with its true session and the oracle's terms for it."""

    session: BookSession
    truth: TrueSession
    points: tuple[Point, ...]
    terms: Terms


@check(
    "T01",
    sentence="every bill is what a second, independent calculation from the true session says, to the minor unit",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_rated", "books_bills", "books_cdrs"),
)
def second_opinion(evidence: Evidence, judge: Judge) -> None:
    """Gross, net, VAT and currency of bill and effective rating; free exactly where the oracle says so."""
    plan = plan_of(evidence)
    bills = {(one.session.backend, one.session.session_id): one for one in ledgered(evidence)}
    priced = []
    for session in evidence.read(BookSession):
        entry = bills.get((session.backend, session.session_id))
        case = priced_case(evidence, plan, session, judge) if entry is not None or session.state == "free" else None
        if case is None:
            continue
        judge.examined()
        priced.append(case)
        said = oracle.opinion(case.points, case.terms)
        if not said.free:
            _all_signed(judge, case)
        if entry is not None:
            _compare(judge, entry, case, said)
        elif not said.free and not _free_token(plan, case):
            sentence = f"free in the books, the oracle asks {said.gross} {said.currency}"
            judge.fail("session", session.session_id, sentence, line(session), line(case.truth), _why(said))
    _prove_oracle(evidence, judge, priced)


@check(
    "T02",
    sentence="each session is sold by the tariff version that was in force at its start; later ones do not touch it",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_cdrs"),
)
def version_at_start(evidence: Evidence, judge: Judge) -> None:
    """Tariff and version of each session and its record, whatever became of it, against the plan at the true start."""
    plan = plan_of(evidence)
    cdrs = {(cdr.backend, cdr.cdr_id): cdr for cdr in evidence.read(BookCdr)}
    several = 0
    for session in evidence.read(BookSession):
        truth = joined(evidence).truth_of(session)
        if truth is None:
            continue
        judge.examined()
        due = plan.tariff(truth.site, truth.started_at)
        wanted = (due["tariff_id"], str(due.get("version", 1)))
        several += len(plan.tariffs[due["tariff_id"]]) > 1
        cdr = cdrs.get((session.backend, session.cdr_id or ""))
        for row in (session, cdr):
            if row is not None and (row.tariff_id, str(row.tariff_version)) != wanted:
                sentence = f"sold by {row.tariff_id} {row.tariff_version}, and {wanted[0]} {wanted[1]} was in force"
                judge.fail("session", session.session_id, sentence, line(row), line(truth))
                break
    judge.say(f"{several} of them had more than one version to choose from")


def _compare(judge: Judge, entry: Ledgered, case: Priced, said: Opinion) -> None:
    if said.free:
        judge.fail("bill", entry.name, "billed, though below the minimum", line(entry.session), line(case.truth))
        return
    wanted = (said.currency, said.gross, said.net, said.vat)
    corrected = entry.cdr is not None and entry.cdr.corrects  # then the bill was wrong, and INV-06 holds the sum
    for row in (entry.rated,) if corrected else (*entry.bills, entry.rated):
        if row is not None and (row.currency, row.gross, row.net, row.vat) != wanted:
            sentence = (
                f"{row.currency} {row.gross} (net {row.net}, VAT {row.vat}) on the books, "
                f"{said.currency} {said.gross} (net {said.net}, VAT {said.vat}) by the oracle"
            )
            judge.fail("bill", entry.name, sentence, line(row), line(case.truth), _why(said))
            return


def _all_signed(judge: Judge, case: Priced) -> None:
    """A meter reads at a price change only if its back-end told the station when: what is not read is not priced."""
    for missed in oracle.changes_missed(case.points, case.terms):
        sentence = (
            f"at {iso(Instant(missed))} the price changes inside the session {case.truth.session_id}, "
            "and the meter was never asked to sign a reading"
        )
        judge.fail("session", case.session.session_id, sentence, line(case.session), line(case.truth))


def _free_token(plan: Plan, case: Priced) -> bool:
    token = plan.token(case.truth.token)
    return token is not None and token.free


def _why(said: Opinion) -> Any:
    lines = [f"{one.component} {one.quantity} x {one.price} = {one.amount}" for one in said.lines]
    return note("truth", "oracle", lines="; ".join(lines), gross=said.gross, net=said.net, vat=said.vat)


def _prove_oracle(evidence: Evidence, judge: Judge, priced: list[Priced]) -> None:
    """The oracle is judged too: a drawn sample priced second by second must give the same."""
    drawn = list(priced)
    stream(evidence.digest, "oracle-sample").shuffle(drawn)
    proven = 0
    for case in drawn:
        if proven < SAMPLE and oracle.changes_signed(case.points, case.terms):
            proven += 1
            exact, walked = (price(case.points, case.terms) for price in (oracle.opinion, oracle.second_by_second))
            if (exact.gross, exact.net, exact.free) != (walked.gross, walked.net, walked.free):
                judge.unknown(f"the oracle disagrees with itself on {case.truth.session_id}")
    judge.say(f"{proven} of them also priced second by second")


def priced_case(evidence: Evidence, plan: Plan, session: BookSession, judge: Judge) -> Priced | None:
    """The oracle's question about a session that truly ended; one that cannot be asked leaves a doubt."""
    truth = joined(evidence).truth_of(session)
    if truth is None or truth.stopped_at is None or session.state == HANDED_OVER:
        return None
    points = tuple(Point(at, wh, mark) for at, wh, mark in json.loads(truth.points))
    token = plan.token(truth.token)
    try:
        oracle.complete(points)
        terms = Terms(
            tariff=plan.tariff(truth.site, truth.started_at),
            zone=plan.zone_of_site[truth.site],
            group=token.group if token else None,
            idle_billable=_time_allowed(evidence, plan, session, truth.station, truth.connector),
        )
    except NoOpinion as err:
        judge.unknown(f"session {session.session_id}: {err}")
        return None
    return Priced(session, truth, points, terms)


def _time_allowed(
    evidence: Evidence, plan: Plan, session: BookSession | None, station: str, connector: int | None
) -> bool:
    """Whether idle may be billed: by the meter's approval, and by the clock's letter on each reading from its S on.

    The letter is the one that was signed; without the wire, the one of the plan.
    """
    meter = plan.meters[station, connector or 0]
    signed = letters(evidence, station, session.transaction_id) if session else ()
    if not signed and meter.letter is None and meter.time_billing != "none":
        raise NoOpinion(f"nobody says how good the clock of meter {meter.meter_id} is")
    return all(oracle.may_bill_time(meter.time_billing, letter) for letter in signed or (meter.letter,))


@check(
    "T10",
    sentence="no time is billed from a station whose meter or clock may not be used for it",
    planes=("books", "plan"),
    needs=("books_sessions", "books_cdrs", "books_rated"),
)
def time_allowed(evidence: Evidence, judge: Judge) -> None:
    """Every effective rating from a meter that may not bill time, and every one that has a time line."""
    plan = plan_of(evidence)
    sessions = {(one.backend, one.session_id): one for one in evidence.read(BookSession)}
    for cdr, rated in _effective(evidence):
        session = sessions.get((cdr.backend, cdr.session_id or ""))
        times = [one for one in _lines(rated) if _is_time(one)]
        if (cdr.station, cdr.connector or 0) not in plan.meters:
            judge.examined()
            judge.fail("bill", cdr.cdr_id, "the record is of a connector that has no meter", line(cdr), line(rated))
            continue
        allowed = _time_allowed(evidence, plan, session, cdr.station, cdr.connector)
        if allowed and not times:
            continue
        judge.examined()
        if times and not allowed:
            meter = plan.meters[cdr.station, cdr.connector or 0]
            sentence = f"time is billed from {cdr.station}*{cdr.connector}, whose time billing is {meter.time_billing}"
            judge.fail("bill", cdr.cdr_id, sentence, line(cdr), line(rated))


@check(
    "T11",
    sentence="minutes in which the station withheld power never enter idle time",
    planes=("truth", "books"),
    needs=("books_sessions", "books_cdrs", "books_rated", "books_bills"),
)
def withheld_is_no_idle(evidence: Evidence, judge: Judge) -> None:
    """Idle seconds of each charge detail record against those in which the EV itself did not draw."""
    plan = plan_of(evidence)
    for entry in ledgered(evidence):
        case = priced_case(evidence, plan, entry.session, judge)
        if case is None or entry.cdr is None or not entry.cdr.idle_seconds:
            continue
        judge.examined()
        true_seconds = oracle.idle_ms(case.points) // 1000
        if entry.cdr.idle_seconds > true_seconds + 1:
            sentence = f"{entry.cdr.idle_seconds} s of idle time, but the EV itself rested for {true_seconds} s only"
            judge.fail("session", entry.session.session_id, sentence, line(entry.cdr), line(case.truth))


@check(
    "INV-35",
    sentence="an idle fee is taken only for time after the EV's own end and after the grace, never for withheld power",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_cdrs", "books_rated", "books_bills"),
)
def idle_after_grace(evidence: Evidence, judge: Judge) -> None:
    """The money on idle lines against what the true idle time costs after the grace, one second of rounding allowed."""
    plan = plan_of(evidence)
    for entry in ledgered(evidence):
        charged = sum(one["amount"] for one in _lines(entry.rated) if _is_time(one)) if entry.rated else 0
        case = priced_case(evidence, plan, entry.session, judge) if charged else None
        if case is None:
            continue
        judge.examined()
        most = oracle.idle_cost(case.terms, oracle.idle_ms(case.points) // 1000 + 1)
        if charged > most:
            sentence = f"an idle fee of {charged}, where at most {most} is due"
            rows = [line(one) for one in (entry.rated, entry.cdr) if one is not None]
            judge.fail("session", entry.session.session_id, sentence, *rows, line(case.truth))


def _effective(evidence: Evidence) -> list[tuple[BookCdr, BookRated]]:
    cdrs = {(cdr.backend, cdr.cdr_id): cdr for cdr in evidence.read(BookCdr)}
    ratings = [rated for rated in evidence.read(BookRated) if rated.effective]
    return [(cdrs[rated.backend, rated.cdr_id], rated) for rated in ratings if (rated.backend, rated.cdr_id) in cdrs]


def _lines(rated: BookRated | None) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(rated.lines or "[]") if rated else []
    return found


def _is_time(one: Mapping[str, Any]) -> bool:
    return one["component"] in TIME_COMPONENTS and one["amount"] != 0
