"""`chargerig trace`: the story of a session, a station or an invoice, as steps of lines that each name their proof.

Finds what the user means and puts the steps in order; the rows come from the walks, the words from `trace_lines`. An id
that the run does not know is one sentence with the nearest ones.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from reports import trace_lines as lines
from reports import trace_money, words
from reports.money_walk import Money, money_of
from reports.run import Row, Run
from reports.seed import zones_of
from reports.trace_lines import Step
from reports.walk import Walk, of_books, of_truth
from sim.clock import MINUTE
from sim.errors import BadInput
from sim.evidence.verdict import Finding

_NEAREST = 3
_NEAR = 0.7
"""How alike an id must be to be offered for another one; 1 is the same, one of four letters mistyped 0.75."""
_AROUND = 30 * MINUTE
"""How long before a session a step of the move still belongs to its story, ms."""


class Trace(Struct, frozen=True):
    """One story: who it is about, the zone of its times, and its steps; empty steps are left out."""

    subject: str
    zone: str
    steps: tuple[Step, ...]

    def text(self) -> str:
        """The story for a terminal."""
        told = [self.subject, f"times are local ({self.zone})"]
        for number, step in enumerate(self.steps, 1):
            told += ["", f"{number:>2} {step.title}  [{step.plane}]"]
            told += [f"   {line.shown(self.zone)}" for line in step.lines]
        return "\n".join(told)

    def data(self) -> dict[str, Any]:
        """The story for programs: each line with its instant, its text, and the row of evidence behind it."""
        steps = [
            {"title": step.title, "plane": step.plane, "lines": [line.data(self.zone) for line in step.lines]}
            for step in self.steps
        ]
        return {"subject": self.subject, "zone": self.zone, "steps": steps}


def session_traces(run: Run, name: str) -> list[Trace]:
    """The session of this id: that of the books or of the truth, a transaction, or a visit (each of its sessions).

    Raises BadInput for an id that the run does not know.
    """
    walks = walks_of(run, name)
    if not walks:
        known = [row["session_id"] for row in (*run.table("truth_sessions"), *run.table("books_sessions"))]
        known += [row["visit_id"] for row in run.table("truth_visits")]
        known += [row["transaction_id"] for row in run.table("books_transactions")]
        raise _unknown("--session", "session", name, known)
    return [_story(run, one) for one in walks]


def walks_of(run: Run, name: str) -> list[Walk]:
    """The walks of every session that this id may mean; none for an id that the run does not know."""
    truths = run.where("truth_sessions", session_id=name) + run.where("truth_sessions", visit_id=name)
    if truths:
        return [of_truth(run, truth) for truth in truths]
    booked = run.where("books_transactions", session_id=name)
    if not booked:
        number = int(name) if name.isdecimal() else name
        booked = run.where("books_transactions", transaction_id=number)
    found: list[Walk] = []
    for row in booked:
        walk = of_books(run, row)
        if (walk.truth, walk.transaction) not in [(one.truth, one.transaction) for one in found]:
            found.append(walk)
    return found


def _story(run: Run, walk: Walk) -> Trace:
    truth, booked = walk.truth, walk.transaction
    where = truth or booked
    site = str(truth.get("site") or walk.session.get("site") or "")
    name = str(walk.session.get("session_id") or booked.get("session_id") or truth.get("session_id"))
    subject = f"session {name} at {where['station']}, connector {where['connector']}"
    subject += f", site {site}{_owner(run, site)}" if site else ""
    documents = [str(walk.bill["number"])] if walk.bill else []
    sessions = [name] if walk.session and not documents else []
    money = money_of(run, documents, sessions)
    steps = [
        Step("The driver", "truth", lines.driver(walk)),
        Step("The meter", "truth", lines.meter(walk)),
        Step("The station and its back-end", "wire", lines.calls(walk)),
        Step("The move of the station meanwhile", "truth", lines.moves(_moves_during(run, where))),
        Step("Signed records", "books", lines.records(walk)),
        Step("The session in the books", "books", lines.booked(walk)),
        Step("In quarantine", "books", lines.quarantine(walk)),
        Step("The price", "books", lines.price(walk)),
        Step("The bill", "books", lines.bill(walk)),
        *trace_money.steps(money, walk.journal),
    ]
    return Trace(subject, _zone(run, site), tuple(step for step in steps if step.lines))


def _moves_during(run: Run, where: Row) -> list[Row]:
    begin = int(where["started_at"] or 0)
    end = int(where["stopped_at"] or run.evidence.ended_at())
    rows = run.where("truth_migration", station=where["station"])
    return [row for row in rows if begin - _AROUND <= int(row["at"]) <= end + _AROUND]


def _owner(run: Run, site: str) -> str:
    plan: Row = next((row for row in run.plan("sites") or [] if row["site"] == site), {})
    owner = run.scenario.get("owners", {}).get(plan.get("owner"), {})
    return f" of {owner['name']}" if "name" in owner else ""


def _zone(run: Run, site: str) -> str:
    return zones_of(run.evidence).get(site, run.zone)


def station_trace(run: Run, name: str) -> Trace:
    """The life of a station in the run. Raises BadInput for one that the run does not know."""
    plans = run.plan("stations") or []
    plan: Row = next((row for row in plans if row["station"] == name), {})
    sessions = run.where("truth_sessions", station=name)
    if not plan and not sessions and not run.where("truth_meters", station=name):
        known = [row["station"] for row in (*plans, *run.table("truth_meters"), *run.table("truth_sessions"))]
        raise _unknown("--station", "station", name, known)
    site = str(plan.get("site") or (sessions[0]["site"] if sessions else ""))
    subject = f"station {name}" + (f", site {site}{_owner(run, site)}" if site else "")
    subject += f", vendor profile {plan['profile']}" if plan.get("profile") else ""
    events = run.where("truth_events", station=name)
    steps = [
        Step("Its life", "truth", lines.life(events)),
        Step("Connections", "wire", lines.links(run.where("wire_links", station=name))),
        Step("The move", "truth", lines.moves(run.where("truth_migration", station=name))),
        Step("What hit it", "truth", lines.faults(_faults(run, name))),
        Step("Sessions", "truth", tuple(lines.one_line(of_truth(run, session)) for session in sessions)),
        Step("In quarantine", "books", lines.held(run.where("books_quarantine", station=name))),
    ]
    return Trace(subject, _zone(run, site), tuple(step for step in steps if step.lines))


def _faults(run: Run, station: str) -> list[Row]:
    """Faults that name the station, and those of its back-end while it was connected there."""
    links = run.where("wire_links", station=station)

    def hits(fault: Row) -> bool:
        begin = int(fault["at"] or 0)
        until = int(fault["until"] or begin)
        return fault["target"] == station or any(
            link["backend"] == fault["target"]
            and int(link["opened_at"] or 0) <= until
            and (link["closed_at"] is None or int(link["closed_at"]) >= begin)
            for link in links
        )

    return [fault for fault in run.table("truth_faults") if hits(fault)]


def invoice_trace(run: Run, name: str) -> Trace:
    """An invoice or a bill back to each session and joule, and on to payment and payout.

    Raises BadInput for a number that the run does not know.
    """
    bills, invoices = run.where("books_bills", number=name), run.where("books_invoices", number=name)
    if not bills and not invoices:
        known = [row["number"] for row in (*run.table("books_bills"), *run.table("books_invoices"))]
        raise _unknown("--invoice", "bill or invoice", name, known)
    if not invoices:
        walk = _walk_of_bill(run, bills[0])
        story = _story(run, walk)
        return Trace(f"bill {name}: {story.subject}", story.zone, story.steps)
    invoice = invoices[0]
    rows = run.where("books_invoice_lines", backend=invoice["backend"], number=name)
    billed = [bill for row in rows if row["bill"] for bill in run.where("books_bills", number=row["bill"])]
    walks = [_walk_of_bill(run, bill) for bill in billed]
    money: Money = money_of(run, [name])
    own = run.where("books_journal", backend=invoice["backend"], seq=invoice["journal_seq"])
    wh = sum(lines.wh_of(walk) for walk in walks)
    title = f"Back to the joule: {words.plural(len(walks), 'session')}, {words.kwh(wh)} by the meters"
    steps = [
        Step("The lines", "books", trace_money.invoice_lines(invoice, rows)),
        Step(title, "truth", tuple(lines.one_line(walk) for walk in walks)),
        *trace_money.steps(money, own[0] if own else {}),
    ]
    sites = [str(walk.truth["site"]) for walk in walks if walk.truth]
    subject = f"invoice {name} ({invoice['kind']}) of {invoice['seller']} to {invoice['customer']}"
    return Trace(subject, _zone(run, sites[0] if sites else ""), tuple(step for step in steps if step.lines))


def walk_of(run: Run, finding: Finding) -> Walk | None:
    """The session that a finding is about, None if it is about no session."""
    if finding.subject_kind == "bill":
        bills = run.where("books_bills", number=finding.subject)
        rows = bills and run.where("books_transactions", backend=bills[0]["backend"], session_id=bills[0]["session_id"])
        return of_books(run, rows[0]) if rows else None
    named = [finding.subject] if finding.subject_kind in ("session", "transaction", "visit") else []
    named += [str(line.row["session_id"]) for line in finding.evidence if line.row.get("session_id")]
    return next((walks[0] for walks in (walks_of(run, name) for name in named) if walks), None)


def _walk_of_bill(run: Run, bill: Row) -> Walk:
    rows = run.where("books_transactions", backend=bill["backend"], session_id=bill["session_id"])
    if rows:
        return of_books(run, rows[0])
    raise BadInput(f"bill {bill['number']}", None, "belongs to a session that no book of the run knows")


def _unknown(option: str, what: str, name: str, known: Iterable[object]) -> BadInput:
    """One sentence with the nearest ids."""
    names = list(dict.fromkeys(str(one) for one in known if one not in (None, "")))
    alike = sorted((-_likeness(name, one), _apart(name, one), place) for place, one in enumerate(names))
    near = [names[place] for likeness, _, place in alike[:_NEAREST] if -likeness >= _NEAR]
    some = f"none of its {len(names)} is called nearly so, for instance {names[0]}" if names else ""
    listed = f"nearest: {', '.join(near)}" if near else some or "the run has none"
    return BadInput("command line", option, f"the run knows no {what} {name!r} ({listed})")


def _likeness(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, name.lower(), other.lower(), autojunk=False).ratio()


def _apart(name: str, other: str) -> int:
    """How far the numbers at the ends of two ids are from each other: of ids that are equally alike, it decides."""
    ends = [re.search(r"\d+$", one) for one in (name, other)]
    first, second = (int(end[0]) if end else 0 for end in ends)
    return abs(first - second)
