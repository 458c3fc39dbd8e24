"""One session followed from the joule to the bill: meter, wire, books, each step with its proof.

Chooses the session that shows most; follows ids and never guesses: a step whose rows are missing is left out.
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
_SHOWN = ("Authorize", "RemoteStartTransaction", "StartTransaction", "StopTransaction", "RemoteStopTransaction")


class Walk(Struct, frozen=True):
    """Everything about one session. Rows as in the evidence; `calls` and `readings` are ready to be shown."""

    truth: Row
    visit: Row
    transaction: Row
    cdr: Row
    rated: Row
    bill: Row
    lines: list[Row]
    readings: list[Row]
    calls: list[Row]
    meter_values: int
    records: list[Row]
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
    return _follow(run, best[1], best[2], bills[best[2]["backend"], best[2]["session_id"]]) if best else None


def _score(run: Run, truth: Row, transaction: Row, bill: Row) -> int:
    marks = {mark for _, _, mark in points(truth)}
    lines = lines_of(_one(run, "books_rated", bill["backend"], "rated_id", bill["rated_id"]))
    moved = transaction["issuer"] not in (None, "", transaction["backend"])
    return 4 * moved + 2 * ("T" in marks) + 2 * ("S" in marks) + len(lines)


def _follow(run: Run, truth: Row, transaction: Row, bill: Row) -> Walk:
    backend = bill["backend"]
    visit = next((row for row in run.table("truth_visits") if row["visit_id"] == truth["visit_id"]), {})
    rated = _one(run, "books_rated", backend, "rated_id", bill["rated_id"])
    records = [
        r for r in run.table("books_records") if (r["backend"], r["session_id"]) == (backend, bill["session_id"])
    ]
    records.sort(key=_time_of)
    journal = [r for r in run.table("books_journal") if (r["backend"], r["seq"]) == (backend, bill["journal_seq"])]
    calls, meter_values = _calls(run, truth, transaction)
    file = bill_file(bill)
    return Walk(
        truth=truth,
        visit=visit,
        transaction=transaction,
        cdr=_one(run, "books_cdrs", backend, "cdr_id", bill["cdr_id"]),
        rated=rated,
        bill=bill,
        lines=lines_of(rated),
        readings=_readings(truth),
        calls=calls,
        meter_values=meter_values,
        records=records,
        journal=journal[0] if journal else {},
        bill_file=file if (run.folder / file).is_file() else "",
        why=_why(truth, transaction),
    )


def _one(run: Run, table: str, backend: str, key: str, value: Any) -> Row:
    return next((row for row in run.table(table) if row["backend"] == backend and row[key] == value), {})


def _time_of(record: Row) -> str:
    """The time of the first reading, as the meter wrote it."""
    return str(record["text"] or "").partition('"TM":"')[2][:23]


def _why(truth: Row, transaction: Row) -> str:
    marks = {mark for _, _, mark in points(truth)}
    told = [f"{words.kwh(delivered(truth))} on one plug"]
    if transaction["issuer"] not in (None, "", transaction["backend"]):
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
    begin, end = int(truth["started_at"]) - 2 * MINUTE, int(truth["stopped_at"]) + 2 * 60 * MINUTE
    shown: list[Row] = []
    meter_values = 0
    for row in run.table("wire_calls"):
        if row["station"] != truth["station"] or not begin <= int(row["sent_at"]) <= end:
            continue
        if row["action"] in _SHOWN and _concerns(row, truth, transaction):
            shown.append(row)
        elif row["action"] == "MeterValues" and _payload(row).get("transactionId") == transaction["transaction_id"]:
            meter_values += 1
    return shown, meter_values


def _concerns(row: Row, truth: Row, transaction: Row) -> bool:
    payload = _payload(row)
    if row["action"] == "StartTransaction":
        return (payload.get("connectorId"), payload.get("meterStart")) == (truth["connector"], truth["register_start"])
    if row["action"] in ("StopTransaction", "RemoteStopTransaction"):
        return bool(payload.get("transactionId") == transaction["transaction_id"])
    early = int(row["sent_at"]) <= int(truth["started_at"]) + MINUTE
    return early and payload.get("idTag") == transaction["id_tag"]


def _payload(row: Row) -> dict[str, Any]:
    try:
        payload = json.loads(row["payload"] or "{}")
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}
