"""What was held or corrected can be explained and undone: reason, evidence, actor, and the way back (INV-40, X01)."""

from __future__ import annotations

import json
from typing import Any

from scenarios.checks.joins import BILLED
from scenarios.checks.registry import Judge, check
from sim.evidence.reader import Evidence, line
from sim.evidence.upgrade_views import CaseFile, CorrectionNote, SignedDigest
from sim.evidence.views import BookCdr, BookSession, WireCall

HELD, RELEASED = "held", "released"

_DIGESTS = ("books_records", "books_records.digest")


@check(
    "INV-40",
    sentence="each quarantine and each correction has a reason, evidence that is there, an actor, and its inverse",
    planes=("wire", "books"),
    needs=("books_quarantine", "books_corrections", "books_cdrs", "books_sessions"),
)
def explained_and_undone(evidence: Evidence, judge: Judge) -> None:
    """Every case of the quarantine; every credit and replacement of a record with the note of who made it."""
    sessions = {(one.backend, one.session_id): one for one in evidence.read(BookSession)}
    messages = {(call.station, call.message_id) for call in evidence.read(WireCall) if call.way == "up"}
    digests = {one.digest for one in evidence.read_shown(SignedDigest)}
    for case in evidence.read(CaseFile):
        judge.examined()
        session = sessions.get((case.backend, case.session_id or ""))
        problems = _unexplained(case.reason, case.actor)
        problems += _pointers(evidence, judge, case, messages, digests) + _way_back(case, session)
        if problems:
            rows = [line(session)] if session is not None else []
            judge.fail("entry", case.quarantine_id, f"the case {' and '.join(problems)}", line(case), *rows)
    _corrections(evidence, judge)


def _unexplained(reason: str | None, actor: str | None) -> list[str]:
    """What is not said of who did it and why."""
    said = {"has no reason": reason, "names no actor": actor}
    return [problem for problem, value in said.items() if not (value or "").strip()]


def _pointers(
    evidence: Evidence, judge: Judge, case: CaseFile, messages: set[tuple[str, str]], digests: set[str]
) -> list[str]:
    """What it points at is there: the message on the wire, the signed records in a book."""
    try:
        proof: Any = json.loads(case.evidence or "null")
    except ValueError:
        return ["has evidence that cannot be read"]
    if not proof:
        return ["has no evidence"]
    if not isinstance(proof, dict):
        return []
    problems, message = [], proof.get("message_id")
    if message is not None and (case.station or "", str(message)) not in messages:
        if evidence.missing("wire_calls"):
            judge.unknown(f"nobody saw the message of {case.quarantine_id}")
        else:
            problems.append(f"points at a message that {case.station} never sent")
    lost = [one for one in proof.get("digests") or () if one not in digests]
    if lost:
        if evidence.missing(*_DIGESTS):
            judge.unknown(f"{case.backend} does not show the records of {case.quarantine_id}")
        else:
            problems.append(f"points at {len(lost)} records that are in no book")
    return problems


def _way_back(case: CaseFile, session: BookSession | None) -> list[str]:
    """A held case can be released as long as its session is not settled otherwise; a released one has left."""
    if case.state not in (HELD, RELEASED):
        return [f"is neither held nor released but {case.state}"]
    second = session is not None and session.state == BILLED and case.reason == "second-stop"
    if case.session_id is not None and session is None:
        return ["holds a session that is in no book"]
    if case.state == HELD and session is not None and session.state in (BILLED, "free") and not second:
        return [f"is held, and its session is {session.state}: there is nothing left to release"]
    if case.state == RELEASED and session is not None and session.state == "quarantined":
        return ["is released, and its session is still in quarantine"]
    return []


def _corrections(evidence: Evidence, judge: Judge) -> None:
    """Each record that corrects another: a credit and a replacement in pairs, with a note that names both."""
    cdrs = {(one.backend, one.cdr_id): one for one in evidence.read(BookCdr)}
    notes: dict[tuple[str, str], list[CorrectionNote]] = {}
    for note in evidence.read(CorrectionNote):
        judge.examined()
        notes.setdefault((note.backend, note.cdr_id), []).append(note)
        problems = _unexplained(note.reason, note.actor)
        credit = cdrs.get((note.backend, note.credit_id or ""))
        if credit is None or not credit.credit or credit.corrects != note.cdr_id:
            problems.append(f"has no credit that takes {note.cdr_id} back")
        if (note.backend, note.corrected_id or "") not in cdrs:
            problems.append(f"has no record in the place of {note.cdr_id}")
        if problems:
            rows = [line(credit)] if credit is not None else []
            judge.fail("entry", note.correction_id, f"the correction {' and '.join(problems)}", line(note), *rows)
    for cdr in cdrs.values():
        if not cdr.corrects:
            continue
        judge.examined()
        named = [one for one in notes.get((cdr.backend, cdr.corrects), ()) if cdr.cdr_id in _named(one)]
        if cdr.credit and not _mirrors(cdr, cdrs.get((cdr.backend, cdr.corrects))):
            judge.fail("bill", cdr.cdr_id, f"the credit is not {cdr.corrects} turned round", line(cdr))
        if not named:
            sentence = f"the record corrects {cdr.corrects}, and nobody says who did it and why"
            judge.fail("bill", cdr.cdr_id, sentence, line(cdr))


def _named(note: CorrectionNote) -> tuple[str | None, str | None]:
    return note.credit_id, note.corrected_id


def _mirrors(credit: BookCdr, old: BookCdr | None) -> bool:
    """Whether a credit takes back the whole energy of a record of the same session."""
    if old is None or old.session_id != credit.session_id:
        return False
    return old.kwh is None or credit.kwh is None or credit.kwh.lstrip("-") == old.kwh.lstrip("-") != credit.kwh
