"""Sessions and tokens at the cut-over: one contract per token, one bill per session, the right partner (M03, M04, M06, M11).

The side of a session follows from the move and the wire, as in `moves`; bills, claims and money of both back-ends are held
against it.
"""

from __future__ import annotations

import json

from scenarios.checks.ends import ENDS
from scenarios.checks.invoices import collected
from scenarios.checks.joins import BILLED, Case, joined
from scenarios.checks.moves import PARTNER, crossed, moves
from scenarios.checks.plan import plan_of
from scenarios.checks.registry import Judge, check
from scenarios.checks.replays import bills_of
from scenarios.checks.stops import answer
from sim.evidence.billing_views import MoveOutcome
from sim.evidence.money_views import BookClaim, BookPayment, PartnerPayment
from sim.evidence.reader import Evidence, line, note
from sim.evidence.views import Access, BookCdr, BookSession, WireCall

HARD_NO = ("Invalid", "Blocked", "Expired")
ROLLED_BACK = "rolled-back"


@check(
    "M03",
    sentence="at any instant a token belongs to one customer: both back-ends agree, without a gap at the cut-over",
    planes=("books", "wire", "plan"),
    needs=("books_access", "books_sessions", "wire_calls"),
)
def one_contract_per_token(evidence: Evidence, judge: Judge) -> None:
    """Every token: once in the plan, once per site in each book, one customer over all sessions, no refusal by either."""
    plan, move = plan_of(evidence), moves(evidence)
    changed = {str(row["token"]).upper() for row in evidence.plan("access_changes") or ()}
    seen: dict[str, int] = {}
    for row in evidence.plan("tokens", []):
        seen[row["token"].upper()] = seen.get(row["token"].upper(), 0) + 1
    access: dict[str, list[Access]] = {}
    for known in evidence.read(Access):
        access.setdefault(known.token.upper(), []).append(known)
    customers: dict[str, dict[str, BookSession]] = {}
    for session in evidence.read(BookSession):
        if session.customer:
            customers.setdefault((session.id_tag or "").upper(), {}).setdefault(session.customer, session)
    refused = _refusals(evidence)
    for token, times in seen.items():
        judge.examined()
        mine = access.get(token, [])
        places = [(row.backend, row.site) for row in mine]
        bound = customers.get(token, {})
        asked = refused.get(token, []) if token not in changed and plan.tokens[token].status == "Accepted" else []
        due = plan.customer(token) or ""
        if times > 1:
            problem, rows = f"stands {times} times in the plan", [note("plan", "tokens", token=token)]
        elif len(set(places)) < len(places):
            problem, rows = "is answered for twice at one site", [line(row) for row in mine]
        elif len({row.grp or "" for row in mine if row.decision == "Accepted"}) > 1:
            problem, rows = "belongs to several contract groups", [line(row) for row in mine]
        elif {name.upper() for name in bound} - {due.upper()}:
            said = " and ".join(sorted(bound))
            problem, rows = f"is billed to {said}, and belongs to {due}", [line(row) for row in bound.values()]
        elif asked and plan.tokens[token].sites is None:
            sides = " and ".join(sorted({call.backend for call in asked}))
            problem, rows = f"was refused {len(asked)} times at {sides}, and has a contract", [line(asked[0])]
        else:
            continue
        judge.fail("token", token, f"the token {problem}", *rows)
    judge.say(f"{len(move.walks)} stations moved" if move.walks else "")


def _refusals(evidence: Evidence) -> dict[str, list[WireCall]]:
    """Answers of a back-end that said of a token that it has no contract."""
    found: dict[str, list[WireCall]] = {}
    for call in evidence.read(WireCall):
        if call.action in ("Authorize", "StartTransaction") and call.way == "up":
            told = answer(call)
            if told is not None and (told.get("idTagInfo") or {}).get("status") in HARD_NO:
                token = str(json.loads(call.payload or "{}").get("idTag", "")).upper()
                found.setdefault(token, []).append(call)
    return found


@check(
    "M04",
    sentence="a session that runs over the cut-over has exactly one bill, by the tariff of its start and the rule's side",
    planes=("truth", "wire", "books", "plan"),
    needs=("books_sessions", "books_bills", "books_cdrs", "books_quarantine"),
)
def billed_over_the_cut(evidence: Evidence, judge: Judge) -> None:
    """Every session that began before its station was sent away and ended after."""
    move, plan = moves(evidence), plan_of(evidence)
    cdrs = {(one.backend, one.cdr_id): one for one in evidence.read(BookCdr)}
    for case in joined(evidence).cases:
        if not crossed(move, case):
            continue
        judge.examined()
        ends = [row for row in case.rows if row.state in ENDS]
        bills, due = bills_of(evidence, case), move.due(case.truth)
        sold = plan.tariff(case.truth.site, case.truth.started_at)
        wanted = (sold["tariff_id"], str(sold.get("version", 1)))
        records = [cdrs[bill.backend, bill.cdr_id or ""] for bill in bills if (bill.backend, bill.cdr_id or "") in cdrs]
        other = [one for one in records if (one.tariff_id, str(one.tariff_version)) != wanted]
        if len(ends) + len(case.orphans[: 0 if ends else 1]) != 1:
            problem = f"ended up {len(ends)} times in the books"
        elif len(bills) != (ends[0].state == BILLED if ends else 0):
            problem = f"has {len(bills)} bills"
        elif any(due and bill.backend not in due for bill in bills):
            problem = f"is billed by {bills[0].backend}, and {' or '.join(sorted(due))} has it by the rule"
        elif other:
            problem = f"is sold by {other[0].tariff_id} {other[0].tariff_version}, and began under {' '.join(wanted)}"
        else:
            continue
        rows = [line(one) for one in (*case.rows, *case.handed, *bills, *other)]
        judge.fail("session", case.truth.session_id, f"the session {problem}", line(case.truth), *rows)


@check(
    "M06",
    sentence="the old partner gets no claim of a session that ended at the new back-end, and no capture a second time",
    planes=("truth", "wire", "books", "run"),
    needs=(
        "books_sessions",
        "books_bills",
        "books_billables",
        "books_invoices",
        "books_invoice_lines",
        "books_claims",
        "books_payments",
        "partner_payments",
    ),
)
def nothing_new_at_the_old(evidence: Evidence, judge: Judge) -> None:
    """Every claim that goes through the old partner with the sessions it is over; every authorisation with its captures."""
    move = moves(evidence)
    over: dict[tuple[str, str], list[Case]] = {}
    for one in collected(evidence):
        for claim in one.claims:
            if one.case is not None:
                over.setdefault((claim.backend, claim.claim_id), []).append(one.case)
    cases = joined(evidence).case_of
    for claim in evidence.read(BookClaim):
        if claim.route != PARTNER["old"] or not claim.amount:
            continue
        judge.examined()
        own = cases.get((claim.backend, claim.session_id or ""))
        for case in over.get((claim.backend, claim.claim_id), [own] if own else []):
            due = move.due(case.truth)
            if due and move.old not in due:
                sentence = f"its session {case.truth.session_id} ended at {' or '.join(sorted(due))}"
                judge.fail("bill", claim.document or claim.claim_id, sentence, line(claim), line(case.truth))
    attempts = {(one.partner, one.key): one for one in evidence.read(BookPayment)}
    captures: dict[str, list[PartnerPayment]] = {}
    moved = [one for one in evidence.read(PartnerPayment) if one.partner == PARTNER["old"]]
    for row in moved:
        if row.kind == "capture" and not (row.state or "").startswith(("declined", "failed")):
            captures.setdefault(row.for_id or row.id, []).append(row)
    for auth in (row for row in moved if row.kind == "auth"):
        judge.examined()
        taken = captures.get(auth.id, [])
        asked = [attempts.get((row.partner, row.key or "")) for row in taken]
        strangers = [row for row in asked if row is not None and row.backend != move.old]
        if len(taken) > 1:
            judge.fail("entry", auth.id, f"captured {len(taken)} times", line(auth), *map(line, taken))
        elif strangers and move.walks:
            sentence = f"an authorisation of {move.old} is captured by {strangers[0].backend}"
            judge.fail("entry", auth.id, sentence, line(auth), *map(line, taken), line(strangers[0]))


@check(
    "M11",
    sentence="a rollback leaves no session unbilled and none billed twice",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_bills", "books_quarantine"),
)
def rolled_back_whole(evidence: Evidence, judge: Judge) -> None:
    """Every session of a station that went back to the old back-end, from the beginning of its move to the end."""
    move, plan = moves(evidence), plan_of(evidence)
    back = {one.station for one in evidence.read(MoveOutcome) if one.outcome == ROLLED_BACK}
    back |= {name for name, walk in move.walks.items() if any(one.state == "ROLLBACK" for one in walk)}
    for case in joined(evidence).cases:
        truth, window = case.truth, move.window(case.truth.station)
        if truth.station not in back or window is None or truth.stopped_at is None or truth.stopped_at < window[0]:
            continue
        judge.examined()
        ends = [row for row in case.rows if row.state in ENDS]
        bills = bills_of(evidence, case)
        open_there = [row.backend for row in (*case.rows, *case.handed) if row not in ends]
        small = (case.energy_wh or 0) < plan.minimum_wh(truth.site, truth.started_at)
        if not ends and not case.orphans:
            problem = f"is in no final state ({'open at ' + ' and '.join(open_there) if open_there else 'in no book'})"
        elif not ends and open_there:
            problem = f"is open at {' and '.join(open_there)}, and its stop is held as {case.orphans[0].reason}"
        elif len(ends) > 1 or len(bills) > 1:
            problem = f"ended up {len(ends)} times, with {len(bills)} bills"
        elif bool(bills) != any(row.state == BILLED for row in ends) or (bills and small):
            problem = f"has {len(bills)} bills, and is {ends[0].state if ends else 'held'}"
        else:
            continue
        rows = [line(one) for one in (*case.rows, *case.handed, *case.orphans, *bills)]
        judge.fail("session", truth.session_id, f"of a station that went back, and {problem}", line(truth), *rows)
    judge.say(f"{len(back)} stations went back")
