"""The lines of a trace from joule to bill: rows of evidence in words, each with its instant and its row.

Words only. Energies are in kWh, amounts in the currency of their row, times in the zone of the site with its offset.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from reports import words
from reports.facts import delivered
from reports.run import Row
from reports.walk import EVENT, Walk, moved
from sim import clock

_LIFE = {
    "power-up": "powers up",
    "boot": "BootNotification answered",
    "offline": "loses its back-end",
    "switch-off": "is switched off",
    "reset": "resets",
    "set-url": "gets the address of a back-end",
    "technician": "a technician is there",
    "knock": "knocks at a back-end in its name",
    "left-over": "something is left in it",
    "left-over-gone": "a left-over is gone",
    "call-timeout": "gets no answer to a call",
    "power-loss": "loses its mains",
    "resent-stop": "sends a stop again",
}
_PER_CONNECTOR = ("plug", "unplug", "clock-set")


class Line(Struct, frozen=True):
    """One line: when it happened (ms, None where that means nothing), what, and the row that proves it."""

    at: int | None
    text: str
    table: str = ""
    row: Mapping[str, Any] = {}

    def shown(self, zone: str) -> str:
        """The line for a terminal."""
        return f"{local(self.at, zone):<26} {plain(self.text)}"

    def data(self, zone: str) -> dict[str, Any]:
        """The line for programs; without a row where it was worked out of several."""
        told: dict[str, Any] = {"at": self.at, "time": local(self.at, zone), "text": plain(self.text)}
        return {**told, "table": self.table, "row": dict(self.row)} if self.table else told


class Step(Struct, frozen=True):
    """Some lines with a title, and the plane that they come from: truth, wire, books or partners."""

    title: str
    plane: str
    lines: tuple[Line, ...]


def local(at: int | None, zone: str) -> str:
    """`2024-04-09 08:12:33 +02:00`; empty without an instant."""
    if at is None:
        return ""
    moment = clock.to_datetime(at, clock.zone(zone))
    offset = f"{moment:%z}"
    return f"{moment:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def plain(text: str) -> str:
    """A text without the narrow and fixed blanks of printed pages."""
    return text.replace("\u202f", " ").replace("\u00a0", " ").replace("\u2212", "-")


def wh_of(walk: Walk) -> int:
    """What the meter gave in a session; what the books say where no meter is known. Wh."""
    return delivered(walk.truth) if walk.truth else int(walk.session.get("energy_wh") or 0)


def driver(walk: Walk) -> tuple[Line, ...]:
    """Who came, plugged in, and left."""
    visit = walk.visit
    if not visit:
        return ()
    group = f", group {visit['grp']}" if visit["grp"] not in (None, "", "none") else ""
    by = "the app" if visit["channel"] == "app" else f"card {visit['token']}"
    wish = f", wants {words.kwh(int(visit['energy_wh']))}" if visit["energy_wh"] is not None else ""
    told = [
        (visit["arrive"], f"{visit['driver'] or 'a driver'}{group} arrives, starts with {by}{wish}"),
        (visit["plugged_at"], "plugs in"),
        (visit["started_at"], f"may charge, after {words.plural(int(visit['attempts'] or 0), 'attempt')}"),
        (visit["unplugged_at"], f"unplugs: {visit['outcome']}{_harm(visit)}"),
    ]
    return tuple(Line(at, text, "truth_visits", visit) for at, text in told if at is not None)


def _harm(visit: Row) -> str:
    told = []
    if visit["interrupted"]:
        told.append(f"interrupted {words.plural(int(visit['interrupted']), 'time')}")
    if visit["refusals"]:
        told.append(f"refused {words.plural(int(visit['refusals']), 'time')}")
    if int(visit["lost_ms"] or 0) >= clock.MINUTE:
        told.append(f"waited {words.duration(int(visit['lost_ms']))} in vain")
    return f" ({', '.join(told)})" if told else ""


def meter(walk: Walk) -> tuple[Line, ...]:
    """The register at each signed moment, and what it gave in all."""
    told = [
        Line(
            one["at"],
            f"register {words.kwh(one['register_wh'])}, in this session {words.kwh(one['since_begin_wh'])}: "
            f"{one['means']}",
            "truth_sessions",
            one,
        )
        for one in walk.readings
    ]
    if walk.truth:
        harm = f"; done to it on purpose: {walk.truth['harm']}" if walk.truth["harm"] else ""
        end = f"ended by {walk.truth['reason']}" if walk.truth["stopped_at"] is not None else "never ended"
        text = f"meter {walk.truth['meter_id']}: {words.kwh(wh_of(walk))} delivered, {end}{harm}"
        told.append(Line(walk.truth["stopped_at"], text, "truth_sessions", walk.truth))
    return tuple(told)


def calls(walk: Walk) -> tuple[Line, ...]:
    """What begins and ends the session on the wire, each with its retries, and the MeterValues between."""
    told, sent = [], dict[tuple[str, str], int]()
    after_start = 0
    for call in walk.calls:
        key = (call["action"], call["payload"] or "")
        sent[key] = sent.get(key, 0) + 1
        again = f", try {sent[key]}" if sent[key] > 1 else ""
        way = f"to {call['backend']}" if call["way"] == "up" else f"from {call['backend']}"
        name = name_of(call)
        told.append(Line(call["sent_at"], f"{name} {way}{again}: {answer_of(call)}", "wire_calls", call))
        after_start = len(told) if name in _BEGINS else after_start
    if walk.meter_values:
        events = any(call["action"] == EVENT for call in walk.calls)
        kind = "event" if events else "MeterValues message"
        told.insert(after_start, Line(None, words.plural(walk.meter_values, kind) + " meanwhile"))
    return tuple(told)


_BEGINS = ("StartTransaction", f"{EVENT} Started")


def name_of(call: Row) -> str:
    """The action of a call; an event also says which it is (OCPP 2.0.1)."""
    action = str(call["action"])
    return f"{action} {json.loads(call['payload'] or '{}').get('eventType')}" if action == EVENT else action


def answer_of(call: Row) -> str:
    """What became of a call, in words."""
    if call["delivered_at"] is None:
        return "never arrived"
    if call["answer_delivered_at"] is None:
        return "arrived, the answer did not" if call["answer_kind"] else "arrived, and was never answered"
    later = words.duration(int(call["answer_delivered_at"]) - int(call["sent_at"]))
    return f"answered after {later}{said_by(call)}"


def said_by(call: Row) -> str:
    """What matters of an answer: an error, the transaction's number, whether the token is accepted."""
    if call["answer_kind"] == "error":
        return f" with an error {call['answer'] or ''}".rstrip()
    try:
        answer = json.loads(call["answer"] or "{}")
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    info = answer.get("idTagInfo", answer.get("idTokenInfo"))
    status = answer.get("status") or (info.get("status") if isinstance(info, dict) else None)
    number = f"transaction {answer['transactionId']}" if "transactionId" in answer else ""
    told = ", ".join(str(one) for one in (number, status) if one)
    return f": {told}" if told else ""


def records(walk: Walk) -> tuple[Line, ...]:
    """Signed records and what the back-end thinks of each."""
    told = []
    for row in walk.records:
        why = f" ({row['reason']})" if row["reason"] else ""
        meter_id = f" of meter {row['meter_id']}" if row["meter_id"] else ""
        text = f"{row['verdict']}{why}: record {str(row['digest'])[:12]}{meter_id}"
        told.append(Line(row["received_at"], text, "books_records", row))
    return tuple(told)


def booked(walk: Walk) -> tuple[Line, ...]:
    """The transactions and the session, also where they were handed over."""
    told = []
    for row in [*walk.handed, *([walk.transaction] if walk.transaction else [])]:
        issuer = f", begun at {row['issuer']}" if moved(row) else ""
        at = row["received_stop_at"] or row["received_start_at"]
        text = f"transaction {row['transaction_id']} at {row['backend']}{issuer}: {row['state']}"
        told.append(Line(at, text, "books_transactions", row))
    row = walk.session
    if row:
        energy = f", {words.kwh(int(row['energy_wh']))}" if row["energy_wh"] is not None else ""
        why = f" ({row['reason']})" if row["reason"] else ""
        customer = f", customer {row['customer']}" if row["customer"] else ""
        text = f"session {row['session_id']} at {row['backend']}: {row['state']}{why}{energy}{customer}"
        told.append(Line(row["stopped_at"], text, "books_sessions", row))
    return tuple(told)


def quarantine(walk: Walk) -> tuple[Line, ...]:
    """Why it is held."""
    return held(walk.quarantine)


def held(rows: Iterable[Row]) -> tuple[Line, ...]:
    """Entries of the quarantine."""
    told = []
    for row in rows:
        means = words.QUARANTINE.get(str(row["reason"]), "")
        detail = "; ".join(str(one) for one in (means, row["detail"]) if one)
        energy = f", {words.kwh(int(row['energy_wh']))}" if row["energy_wh"] else ""
        text = f"{row['quarantine_id']} at {row['backend']}, {row['state']}: {row['reason']} ({detail}){energy}"
        told.append(Line(row["at"], text, "books_quarantine", row))
    return tuple(told)


def price(walk: Walk) -> tuple[Line, ...]:
    """The charge detail record and its rated lines, each with its reason."""
    told = []
    cdr, rated = walk.cdr, walk.rated
    if cdr:
        group = f", group {cdr['grp']}" if cdr["grp"] else ""
        text = (
            f"CDR {cdr['cdr_id']}: {cdr['kwh']} kWh, tariff {cdr['tariff_id']} version {cdr['tariff_version']}{group}"
        )
        told.append(Line(cdr["stopped_at"], text, "books_cdrs", cdr))
    for one in walk.lines:
        quantity = f"{one.get('billed_quantity') or one.get('quantity')} {one.get('unit') or ''}".strip()
        off = one.get("discount_percent")
        less = f" less {off} %" if off and str(off) != "0" else ""
        amount = words.money(int(one["amount"]), str(rated["currency"]))
        text = f"{one['component']}: {quantity} at {one.get('unit_price')} {rated['currency']}{less} = {amount}"
        told.append(Line(None, f"{text} ({one.get('reason')})", "books_rated", one))
    return tuple(told)


def bill(walk: Walk) -> tuple[Line, ...]:
    """The bill; its journal entry comes with the others."""
    row = walk.bill
    if not row:
        return ()
    net, vat, gross = (words.money(int(row[key] or 0), str(row["currency"])) for key in ("net", "vat", "gross"))
    text = f"bill {row['number']} of {row['seller']} to {row['customer']}: {net} net, {vat} VAT, {gross} in all"
    return (Line(row["issued_at"], text, "books_bills", row),)


def moves(rows: Sequence[Row]) -> tuple[Line, ...]:
    """States of the move with their reason."""
    told = []
    for row in rows:
        detail = f" [{row['detail']}]" if row["detail"] else ""
        text = f"{row['state']}: {words.STATES.get(str(row['state']), '')}{detail}"
        told.append(Line(row["at"], text, "truth_migration", row))
    return tuple(told)


def faults(rows: Iterable[Row]) -> tuple[Line, ...]:
    """What was done to it on purpose."""
    told = []
    for row in rows:
        lasts = int(row["until"] or row["at"]) - int(row["at"])
        long = f", for {words.duration(lasts)}" if lasts else ""
        means = words.FAULTS.get(str(row["kind"]), "")
        text = f"{row['kind']} at {row['target']}{long}" + (f": {means}" if means else "")
        told.append(Line(row["at"], text, "truth_faults", row))
    return tuple(told)


def life(events: Iterable[Row]) -> tuple[Line, ...]:
    """Boots, resets, addresses and what else happened to a station; cars have lines of their own."""
    told = []
    for row in events:
        if row["kind"] in _PER_CONNECTOR:
            continue
        detail = f" {row['data']}" if row["data"] not in (None, "", "{}") else ""
        text = f"{row['kind']}: {_LIFE[row['kind']]}" if row["kind"] in _LIFE else str(row["kind"])
        told.append(Line(row["at"], f"{text}{detail}", "truth_events", row))
    return tuple(told)


def links(rows: Iterable[Row]) -> tuple[Line, ...]:
    """Connections, from their begin to their end."""
    told = []
    for row in rows:
        lasted = ""
        if row["closed_at"] is not None and row["opened_at"] is not None:
            lasted = f" for {words.duration(int(row['closed_at']) - int(row['opened_at']))}"
        how = f", closed by {row['closed_by']} ({row['reason']})" if row["closed_by"] else ", open to the end"
        text = f"connected to {row['backend']}{lasted}{how}"
        told.append(Line(row["opened_at"], text, "wire_links", row))
    return tuple(told)


def one_line(walk: Walk) -> Line:
    """A whole session on one line: where, how much by the meter, and what became of it."""
    truth, session = walk.truth, walk.session
    row = truth or session or walk.transaction
    name = session.get("session_id") or row.get("session_id") or "in no book"
    registers = ""
    if truth and truth["register_stop"] is not None:
        registers = f" (register {words.kwh(truth['register_start'])} to {words.kwh(truth['register_stop'])})"
    state = f"{session['state']} at {session['backend']}" if session else "in no book"
    reason = f" ({session['reason']})" if session.get("reason") else ""
    number = f", bill {walk.bill['number']}" if walk.bill else ""
    amount = f", {words.money(int(walk.bill['gross']), str(walk.bill['currency']))}" if walk.bill else ""
    text = f"{name} at {row['station']}*{row['connector']}: {words.kwh(wh_of(walk))}{registers}, {state}{reason}"
    table = "truth_sessions" if truth else ("books_sessions" if session else "books_transactions")
    return Line(row["started_at"], f"{text}{number}{amount}", table, row)
