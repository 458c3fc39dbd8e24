"""A session followed from the joule to the bill: meter, wire, books, each step with its proof.

For the report it chooses the session that shows most, for `chargerig trace` it follows any; it follows ids and never
guesses: a step whose rows are missing is left out. What became of the money is followed in `reports.money_walk`.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from reports import words
from reports.facts import delivered, lines_of
from reports.run import Row, Run, bill_file, points
from sim.clock import MINUTE

_MARKS = {
    "B": "begin",
    "T": "the price changes now",
    "S": "the car stops drawing: idle time begins",
    "C": "the car draws again: idle time ends",
    "E": "end",
    "W": "the station withholds power",
    "w": "power is offered again",
}
HANDED_OVER = "handed-over"
EVENT = "TransactionEvent"
_SHOWN = (
    "Authorize", "RemoteStartTransaction", "StartTransaction", "StopTransaction", "RemoteStopTransaction",
    "RequestStartTransaction", "RequestStopTransaction", EVENT,
)  # fmt: skip


class Walk(Struct, frozen=True):
    """Everything about one session. Rows as in the evidence; `calls` and `readings` are ready to be shown.

    `transaction` and `session` are those of the books that ended it, `handed` the transactions that were given away
    before. What no book or meter knows is empty.
    """

    truth: Row
    visit: Row
    transaction: Row
    handed: list[Row]
    session: Row
    cdr: Row
    rated: Row
    bill: Row
    lines: list[Row]
    readings: list[Row]
    calls: list[Row]
    meter_values: int
    records: list[Row]
    quarantine: list[Row]
    journal: Row
    bill_file: str
    why: str


def walk(run: Run) -> Walk | None:
    """The most telling billed session of the run, None if there is none."""
    best: tuple[int, Row, Row] | None = None
    bills = {(bill["backend"], bill["session_id"]): bill for bill in run.table("books_bills")}
    truths = {(t["station"], t["connector"], t["register_start"]): t for t in run.table("truth_sessions")}
    for transaction in run.table("books_transactions"):
        truth = truths.get((transaction["station"], transaction["connector"], transaction["meter_start"]))
        bill = bills.get((transaction["backend"], transaction["session_id"]))
        if truth is None or bill is None or truth["register_stop"] is None:
            continue
        score = _score(run, truth, transaction, bill)
        if best is None or score > best[0]:
            best = (score, truth, transaction)
    return follow(run, best[1], best[2]) if best else None


def _score(run: Run, truth: Row, transaction: Row, bill: Row) -> int:
    marks = {mark for _, _, mark in points(truth)}
    lines = lines_of(_one(run, "books_rated", bill["backend"], "rated_id", bill["rated_id"]))
    elsewhere = moved(transaction)
    return 4 * elsewhere + 2 * ("T" in marks) + 2 * ("S" in marks) + len(lines)


def of_truth(run: Run, truth: Row) -> Walk:
    """The walk of a true session, whatever the books know of it."""
    known = run.where(
        "books_transactions",
        station=truth["station"],
        connector=truth["connector"],
        meter_start=truth["register_start"],
    )
    return follow(run, truth, next((one for one in known if one["state"] != HANDED_OVER), known[-1] if known else {}))


def of_books(run: Run, transaction: Row) -> Walk:
    """The walk of a transaction of some books, whatever the meters know of it; handed on to where it ended."""
    truths = run.where(
        "truth_sessions",
        station=transaction["station"],
        connector=transaction["connector"],
        register_start=transaction["meter_start"],
    )
    return of_truth(run, truths[0]) if truths else follow(run, {}, transaction)


def follow(run: Run, truth: Row, transaction: Row) -> Walk:
    """Everything about one session, from its true row and its transaction; either may be empty, not both."""
    backend, session_id = transaction.get("backend"), transaction.get("session_id")
    mine = {"backend": backend, "session_id": session_id}
    known = bool(transaction) and session_id is not None
    session = (run.where("books_sessions", **mine) or [{}])[0] if known else {}
    bill = (run.where("books_bills", **mine) or [{}])[0] if known else {}
    cdr_id = bill.get("cdr_id") or session.get("cdr_id")
    cdr = _one(run, "books_cdrs", str(backend), "cdr_id", cdr_id) if cdr_id else {}
    rated = _rated(run, bill, cdr)
    journal = run.where("books_journal", backend=backend, seq=bill["journal_seq"]) if bill else []
    calls, meter_values = _calls(run, truth, transaction)
    file = bill_file(bill) if bill else ""
    visits = run.where("truth_visits", visit_id=truth["visit_id"]) if truth else []
    return Walk(
        truth=truth,
        visit=visits[0] if visits else {},
        transaction=transaction,
        handed=_handed(run, transaction),
        session=session,
        cdr=cdr,
        rated=rated,
        bill=bill,
        lines=lines_of(rated) if rated else [],
        readings=_readings(truth) if truth else [],
        calls=calls,
        meter_values=meter_values,
        records=sorted(run.where("books_records", **mine), key=_time_of) if known else [],
        quarantine=_quarantine(run, truth, transaction),
        journal=journal[0] if journal else {},
        bill_file=file if file and (run.folder / file).is_file() else "",
        why=_why(truth, transaction) if truth else "",
    )


def _rated(run: Run, bill: Row, cdr: Row) -> Row:
    """What the bill says, or the effective rating where there is no bill, as for a session that is free."""
    if bill:
        return _one(run, "books_rated", bill["backend"], "rated_id", bill["rated_id"])
    if not cdr:
        return {}
    found = run.where("books_rated", backend=cdr["backend"], cdr_id=cdr["cdr_id"])
    return next((row for row in reversed(found) if row["effective"]), {})


def _handed(run: Run, transaction: Row) -> list[Row]:
    """The same transaction where it was given away: same number, same station."""
    if not transaction:
        return []
    same = run.where("books_transactions", transaction_id=transaction["transaction_id"], station=transaction["station"])
    return [one for one in same if one["state"] == HANDED_OVER and one["backend"] != transaction["backend"]]


def _quarantine(run: Run, truth: Row, transaction: Row) -> list[Row]:
    """Entries that name this session or transaction, or hold an end with just this register of this station."""
    station = (truth or transaction)["station"]
    stop = truth.get("register_stop", transaction.get("meter_stop"))
    found = []
    for row in run.where("books_quarantine", station=station):
        named = row["session_id"] and (row["backend"], row["session_id"]) == (
            transaction.get("backend"),
            transaction.get("session_id"),
        )
        same_end = stop is not None and _json(row["evidence"]).get("meter_stop") == stop
        if named or (same_end and not row["session_id"]):
            found.append(row)
    return found


def _one(run: Run, table: str, backend: str, key: str, value: Any) -> Row:
    return (run.where(table, **{"backend": backend, key: value}) or [{}])[0]


def _time_of(record: Row) -> str:
    """The time of the first reading, as the meter wrote it."""
    return str(record["text"] or "").partition('"TM":"')[2][:23]


def _why(truth: Row, transaction: Row) -> str:
    marks = {mark for _, _, mark in points(truth)}
    told = [f"{words.kwh(delivered(truth))} on one plug"]
    if moved(transaction):
        told.append(
            f"begun at {transaction['issuer']} and billed at {transaction['backend']}, because its station moved"
        )
    if "T" in marks:
        told.append("the price changed while the car was charging")
    if "S" in marks:
        told.append("the car stayed plugged in after it was full")
    return "; ".join(told)


def _readings(truth: Row) -> list[Row]:
    first = int(truth["register_start"])
    return [
        {"at": at, "register_wh": wh, "since_begin_wh": wh - first, "mark": mark, "means": _MARKS.get(mark, mark)}
        for at, wh, mark in points(truth)
    ]


def _calls(run: Run, truth: Row, transaction: Row) -> tuple[list[Row], int]:
    """The calls of this session in order, and how many MeterValues there were besides."""
    begin, end = _when(truth or transaction)
    shown: list[Row] = []
    meter_values = 0
    for row in run.where("wire_calls", station=(truth or transaction)["station"]):
        if not begin - 2 * MINUTE <= int(row["sent_at"]) <= end + 2 * 60 * MINUTE:
            continue
        if row["action"] in _SHOWN and _concerns(row, truth, transaction):
            shown.append(row)
        elif row["action"] == EVENT and transaction:
            meter_values += _event_of(row) == transaction["transaction_id"]
        elif row["action"] == "MeterValues" and transaction:
            meter_values += _json(row["payload"]).get("transactionId") == transaction["transaction_id"]
    return shown, meter_values


def _when(row: Row) -> tuple[int, int]:
    """Begin and end of a session, true or booked; without an end, its begin."""
    begin = int(row["started_at"] or 0)
    return begin, begin if row["stopped_at"] is None else int(row["stopped_at"])


def _concerns(row: Row, truth: Row, transaction: Row) -> bool:
    payload, number = _json(row["payload"]), transaction.get("transaction_id")
    connector = truth.get("connector", transaction.get("connector"))
    if row["action"] == "StartTransaction":
        register = truth.get("register_start", transaction.get("meter_start"))
        return (payload.get("connectorId"), payload.get("meterStart")) == (connector, register)
    if row["action"] == EVENT:
        return number is not None and _event_of(row) == number and payload.get("eventType") != "Updated"
    if row["action"] in ("StopTransaction", "RemoteStopTransaction", "RequestStopTransaction"):
        same_end = bool(truth) and payload.get("meterStop") == truth["register_stop"] is not None
        return (number is not None and payload.get("transactionId") == number) or same_end
    begun = _when(truth or transaction)[0]
    tag = transaction.get("id_tag") or truth.get("token")
    return begun - 2 * MINUTE <= int(row["sent_at"]) <= begun + MINUTE and _token(payload) == tag


def _event_of(row: Row) -> str | None:
    """The transaction of an event (OCPP 2.0.1)."""
    info = _json(row["payload"]).get("transactionInfo")
    return str(info.get("transactionId")) if isinstance(info, dict) else None


def _token(payload: dict[str, Any]) -> Any:
    """The token that a call names, in either version."""
    named = payload.get("idToken")
    return payload.get("idTag") or (named.get("idToken") if isinstance(named, dict) else None)


def moved(transaction: Row) -> bool:
    """Whether another back-end gave the transaction its id; a station that gives its own (2.0.1) is none."""
    return transaction["issuer"] not in (None, "", transaction["backend"], transaction["station"])


def _json(text: Any) -> dict[str, Any]:
    """A JSON object of a row; empty if it is none."""
    try:
        payload = json.loads(text or "{}")
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}
