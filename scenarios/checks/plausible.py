"""Energy and time that can be: no more than the station can deliver (INV-08), and no second lost or doubled (INV-32).

Power comes from the plan, time from the truth; nothing of a back-end is asked but its rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from scenarios.checks.joins import BILLED, NEAR, book_wh, joined
from scenarios.checks.registry import Judge, check
from sim.clock import HOUR, MINUTE, SECOND
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookCdr, BookRated, BookSession

_RESOLUTION_WH = 1
"""What a register may be off by its last digit."""
_UNITS = {"s": SECOND, "min": MINUTE, "h": HOUR}
"""Units in which a line may count time, in ms."""


@check(
    "INV-08",
    sentence="what is billed or given away is not negative and at most 1.1 times what its station can deliver meanwhile",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_cdrs"),
)
def possible_energy(evidence: Evidence, judge: Judge) -> None:
    """Energy in the books against power by the plan and the true duration; more belongs into the quarantine."""
    power = {str(row["station"]): row.get("power_w") for row in evidence.plan("stations", [])}
    held = 0
    for session in evidence.read(BookSession):
        held += session.state == "quarantined"
        if session.state not in (BILLED, "free"):
            continue
        judge.examined()
        energy, duration = book_wh(evidence, session), _duration(evidence, session)
        most_w = power.get(session.station)
        if energy is None or duration is None:
            judge.unknown(f"{session.backend} does not say how much, or how long, {session.session_id} charged")
        elif energy < 0:
            judge.fail("session", session.session_id, f"{session.state} with {energy:f} Wh", line(session))
        elif most_w is None:
            judge.unknown(f"the plan does not say what {session.station} can deliver")
        elif (energy - _RESOLUTION_WH) * 10 * HOUR > 11 * int(most_w) * duration:
            sentence = (
                f"{energy:f} Wh in {duration // SECOND} s is more than {most_w} W can deliver, and {session.state}"
            )
            truth = joined(evidence).truth_of(session)
            judge.fail("session", session.session_id, sentence, line(session), *([line(truth)] if truth else []))
    judge.say(f"{held} sessions were held" if held else "")


def _duration(evidence: Evidence, session: BookSession) -> int | None:
    """How long it truly lasted, ms; by the books if there is no such session, None if they do not say."""
    truth = joined(evidence).truth_of(session)
    if truth is not None and truth.stopped_at is not None:
        return truth.stopped_at - truth.started_at
    if session.started_at is None or session.stopped_at is None:
        return None
    return session.stopped_at - session.started_at


@check(
    "INV-32",
    sentence="the stretches of each charge detail record follow each other in UTC, and sum to its session and its idle time",
    planes=("truth", "books"),
    needs=("books_cdrs", "books_sessions", "books_rated"),
)
def no_second_lost(evidence: Evidence, judge: Judge) -> None:
    """Every record: its stretches against the session and the truth, its energy, its idle time and the lines for that."""
    sessions = {(one.backend, one.session_id): one for one in evidence.read(BookSession)}
    rated = {(one.backend, one.cdr_id): one for one in evidence.read(BookRated) if one.effective}
    for cdr in evidence.read(BookCdr):
        stretches = json.loads(cdr.periods or "[]")
        if not stretches or cdr.started_at is None or cdr.stopped_at is None:
            judge.unknown(f"{cdr.backend} shows no stretches of {cdr.cdr_id}")
            continue
        judge.examined()
        session = sessions.get((cdr.backend, cdr.session_id or ""))
        price = rated.get((cdr.backend, cdr.cdr_id))
        problems = [_broken(stretches), _off(evidence, cdr, session, stretches), _energy(cdr, stretches)]
        problems += [_idle(cdr, stretches), *_idle_lines(price, stretches)]
        for problem in filter(None, problems):
            rows = [line(one) for one in (session, price) if one is not None]
            judge.fail("bill", cdr.cdr_id, f"the record {problem}", line(cdr), *rows)


def _length(stretch: Mapping[str, Any]) -> int:
    return int(stretch["end"]) - int(stretch["start"])


def _idle_ms(stretches: Sequence[Mapping[str, Any]]) -> int:
    return sum(_length(one) for one in stretches if one.get("idle"))


def _broken(stretches: Sequence[Mapping[str, Any]]) -> str:
    for one in stretches:
        if _length(one) < 0:
            return f"has a stretch that ends {-_length(one)} ms before it begins"
    for before, after in pairwise(stretches):
        if after["start"] != before["end"]:
            return f"has {after['start'] - before['end']:+d} ms between two stretches"
    return ""


def _off(evidence: Evidence, cdr: BookCdr, session: BookSession | None, stretches: Sequence[Mapping[str, Any]]) -> str:
    """The sum of the stretches against the record, the session in the books and the true session."""
    total = sum(_length(one) for one in stretches)
    spans = {"it": (cdr.started_at, cdr.stopped_at)}
    if session is not None:
        spans["its session"] = (session.started_at, session.stopped_at)
        truth = joined(evidence).truth_of(session)
        if truth is not None:
            spans["the true session"] = (truth.started_at, truth.stopped_at)
    for whose, (start, stop) in spans.items():
        if start is not None and stop is not None and abs(total - (stop - start)) > NEAR:
            return f"has stretches of {total} ms, and {whose} lasted {stop - start} ms"
    return ""


def _energy(cdr: BookCdr, stretches: Sequence[Mapping[str, Any]]) -> str:
    total = sum((Decimal(str(one["energy_kwh"])) for one in stretches), Decimal(0))
    if cdr.kwh is not None and total != Decimal(cdr.kwh):
        return f"has stretches of {total:f} kWh, and says {cdr.kwh}"
    return ""


def _idle(cdr: BookCdr, stretches: Sequence[Mapping[str, Any]]) -> str:
    idle = _idle_ms(stretches)
    if cdr.idle_seconds is not None and abs(cdr.idle_seconds * SECOND - idle) >= SECOND:
        return f"says {cdr.idle_seconds} s idle, and its stretches {idle} ms"
    return ""


def _idle_lines(price: BookRated | None, stretches: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that charge for idle time count what the stretches count; on a credit it is turned round."""
    problems = []
    for one in json.loads(price.lines or "[]") if price is not None else ():
        unit = _UNITS.get(one.get("unit"))
        if one.get("component") == "idle" and unit is not None:
            counted = abs(Decimal(str(one["quantity"]))) * unit
            if abs(counted - _idle_ms(stretches)) >= unit:
                problems.append(f"has a line for {counted:f} ms idle, and stretches of {_idle_ms(stretches)} ms")
    return problems
