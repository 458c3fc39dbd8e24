"""Who may charge where: the same answer before and after the move (INV-21), and no bill for whom it was no (INV-20)."""

from __future__ import annotations

from collections.abc import Callable

from scenarios.checks.joins import NEAR, joined
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import WireStart, answer, starts, token_asked, verdict
from sim.evidence.reader import Evidence, line, note
from sim.evidence.views import Access, BookBill, BookSession, WireCall

_PASSING = "ConcurrentTx"
"""An answer that depends on what the token does at the moment, and says nothing about the contract."""

Planned = Callable[[str, str | None], bool]


@check(
    "INV-21",
    sentence="a token is accepted or refused at a site alike by both back-ends, and as the plan says",
    planes=("books", "wire", "plan"),
    needs=("books_access", "wire_calls"),
)
def same_access(evidence: Evidence, judge: Judge) -> None:
    """Decision and group per (token, site) in both books, Authorize and StartTransaction answers, and the plan.

    Planned changes are left out.
    """
    changed = {(row["token"].upper(), row.get("site")) for row in evidence.plan("access_changes") or ()}

    def planned(token: str, site: str | None) -> bool:
        return (token.upper(), site) in changed or (token.upper(), None) in changed

    backends = evidence.backends()
    _as_planned(evidence, judge, planned)
    if len(backends) > 1:
        _same_books(evidence, judge, backends, planned)
    site_of = {row["station"]: row["site"] for key in ("stations", "probes") for row in evidence.plan(key, [])}
    plan = plan_of(evidence)
    parents: dict[tuple[str, str], dict[str, WireCall]] = {}
    answers: dict[tuple[str, str], dict[str, WireCall]] = {}
    asked_at: dict[tuple[str, str], list[str]] = {}
    for call in evidence.read(WireCall):
        asked = token_asked(call) if call.way == "up" else None
        told = verdict(answer(call)) if asked is not None else None
        if asked is None or told is None:
            continue
        token, (status, parent) = asked.upper(), told
        if status != _PASSING:
            place = (token, site_of.get(call.station, call.station))
            answers.setdefault(place, {}).setdefault(status, call)
            if call.backend not in asked_at.setdefault(place, []):
                asked_at[place].append(call.backend)
            if status == "Accepted":
                parents.setdefault(place, {}).setdefault(parent, call)
    for (token, site), statuses in answers.items():
        if planned(token, site):
            continue
        judge.examined()
        if len(statuses) > 1:
            sentence = f"at {site} this token was told {' and '.join(sorted(statuses))}"
            judge.fail("token", token, sentence, *map(line, statuses.values()))
        elif plan.status(token, site) not in statuses:
            due = plan.status(token, site)
            sentence = f"at {site} this token was told {' and '.join(statuses)}, and the plan says {due}"
            judge.fail("token", token, sentence, *map(line, statuses.values()))
    for (token, site), groups in parents.items():
        if not planned(token, site):
            judge.examined()
            _one_group(judge, plan, token, site, groups)
    _all_tapped(evidence, judge, plan, asked_at)
    both = sum(len(names) > 1 for names in asked_at.values())
    judge.say(f"{len(answers)} pairs of token and site were asked about on the wire, {both} of them at both back-ends")


def _one_group(judge: Judge, plan: Plan, token: str, site: str, groups: dict[str, WireCall]) -> None:
    """The parentIdTag that came with an acceptance: the same everywhere, and the group of the plan."""
    known = plan.token(token)
    due = (known.group or "") if known is not None else ""
    if list(groups) != [due]:
        said = " and ".join(name or "no group" for name in sorted(groups))
        sentence = f"at {site} this token was said to be of {said}, and the plan says {due or 'no group'}"
        judge.fail("token", token, sentence, *map(line, groups.values()))


def _all_tapped(evidence: Evidence, judge: Judge, plan: Plan, asked_at: dict[tuple[str, str], list[str]]) -> None:
    """Every token of the plan must have been asked about at each test station."""
    for probe in evidence.plan("probes", []):
        missed = [key for key in plan.tokens if probe["backend"] not in asked_at.get((key, probe["site"]), ())]
        if missed:
            judge.unknown(f"{probe['backend']} gave no answer on {len(missed)} of {len(plan.tokens)} tokens")


def _as_planned(evidence: Evidence, judge: Judge, planned: Planned) -> None:
    """What each back-end would answer, against the status of the token in the plan."""
    plan = plan_of(evidence)
    for row in evidence.read(Access):
        if planned(row.token, row.site):
            continue
        judge.examined()
        due = plan.status(row.token, row.site)
        known = plan.token(row.token)
        if row.decision != due:
            sentence = f"at {row.site} {row.backend} says {row.decision}, and the plan says {due}"
            judge.fail("token", row.token, sentence, line(row))
        elif known is not None and (row.grp or None) != known.group:
            said, wanted = row.grp or "no group", known.group or "no group"
            judge.fail(
                "token", row.token, f"at {row.site} {row.backend} has it in {said}, and the plan in {wanted}", line(row)
            )


def _same_books(evidence: Evidence, judge: Judge, backends: list[str], planned: Planned) -> None:
    plan = plan_of(evidence)
    sites = evidence.plan("sites", [])
    decisions: dict[tuple[str, str], dict[str, Access]] = {
        (token, str(site["site"])): {} for token in plan.tokens for site in sites
    }
    for row in evidence.read(Access):
        decisions.setdefault((row.token.upper(), row.site), {})[row.backend] = row
    for (token, site), rows in decisions.items():
        if planned(token, site):
            continue
        judge.examined()
        silent = [name for name in backends if name not in rows]
        if silent:
            sentence = f"{' and '.join(silent)} says nothing about this token at {site}"
            judge.fail(
                "token", token, sentence, *(map(line, rows.values()) if rows else [note("plan", "tokens", token=token)])
            )
        elif len({(row.decision, row.grp) for row in rows.values()}) > 1:
            said = ", ".join(f"{name} says {row.decision} ({row.grp or 'no group'})" for name, row in rows.items())
            judge.fail("token", token, f"at {site} {said}", *map(line, rows.values()))


@check(
    "INV-20",
    sentence="no bill is for a token that was not accepted at the start of its session, by the plan or by the answer",
    planes=("truth", "wire", "books", "plan"),
    needs=("wire_calls", "books_bills", "books_sessions"),
)
def billed_to_the_accepted(evidence: Evidence, judge: Judge) -> None:
    """Every bill: the token that truly charged, its status in the plan at that site, and what its start was answered."""
    changed = {row["token"].upper() for row in evidence.plan("access_changes") or ()}
    plan = plan_of(evidence)
    sessions = {(one.backend, one.session_id): one for one in evidence.read(BookSession)}
    begun: dict[tuple[str, int, str], list[WireStart]] = {}
    for start in starts(evidence):
        begun.setdefault((start.call.station, start.connector, start.id_tag.upper()), []).append(start)
    unplanned = 0
    for bill in evidence.read(BookBill):
        judge.examined()
        session = sessions.get((bill.backend, bill.session_id))
        if session is None:
            judge.fail("bill", bill.number, "a bill of a session that is in no book: nobody was accepted", line(bill))
            continue
        truth = joined(evidence).truth_of(session)
        token = (truth.token if truth is not None else session.id_tag or "").upper()
        site = truth.site if truth is not None else session.site or ""
        if token in changed:
            unplanned += 1
        elif plan.status(token, site) != "Accepted":
            sentence = f"the plan says {plan.status(token, site)} to this token at {site}, and {bill.number} bills it"
            judge.fail("token", token, sentence, line(bill), line(session))
        place = (session.station, session.connector or 0, token)
        for start in begun.get(place, ()):
            said = verdict(answer(start.call))
            status = None if said is None else said[0]
            if abs(start.at - (session.started_at or 0)) <= NEAR and status not in (None, "Accepted"):
                sentence = f"its start was answered {status}, and {bill.number} bills it"
                judge.fail("token", token, sentence, line(bill), line(session), line(start.call))
    judge.say(f"{unplanned} bills are for tokens whose access was to change" if unplanned else "")
