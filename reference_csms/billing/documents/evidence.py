"""What proves a charging line: registers, meter, public key and signed records, and the files that go along in the PDF.

German calibration law wants the signed records with the bill, as a file that the transparency software opens (D04,
S.A.F.E. XML container). A record is never changed here: one byte more and its signature fails.
"""

from __future__ import annotations

from reference_csms.billing.documents.model import Charging, DocumentData, canonical
from reference_csms.billing.documents.words import Words
from sim.backend import Row
from sim.metering.container import in_one_session, write_container

RECORDS_FILE = "signed-records.xml"
DATA_FILE = "data.json"


def attached(data: DocumentData) -> list[tuple[str, str, bytes]]:
    """Name, media type and content of the files inside the PDF: the data behind the fingerprint, and the signed records."""
    files = [(DATA_FILE, "application/json", data.source.encode() if data.source else canonical(data))]
    records = records_xml(data)
    return [*files, (RECORDS_FILE, "application/xml", records)] if records else files


def records_xml(data: DocumentData) -> bytes:
    """The signed records that the document carries, as a file for the transparency software; empty if there are none.

    A single record of a session stands alone; of several the first is its begin and the last its end, and those between
    belong to no transaction, since the software wants one begin and one end.
    """
    values = [
        value
        for number, charging in enumerate(_sessions(data), start=1)
        for value in in_one_session(
            [record.text for record in charging.records if record.text], charging.public_key, number
        )
    ]
    return write_container(values).encode()


def session_facts(charging: Charging, words: Words) -> list[str]:
    """A session in one or two texts, for a line of an invoice: where, when and the registers, then its signed records."""
    facts = [
        words.text("charging.place", station=charging.station, connector=str(charging.connector)),
        words.stretch(charging.started, charging.stopped),
    ]
    if charging.register_start is not None and charging.register_stop is not None:
        start, stop = words.decimal(charging.register_start), words.decimal(charging.register_stop)
        facts.append(words.text("charging.registers", start=start, stop=stop, unit=charging.register_unit))
    shown = [" · ".join(facts)]
    if charging.records:
        digests = ", ".join(f"{record.sha256[:12]}…" for record in charging.records)
        shown.append(words.text("charging.records", digests=digests))
    return shown


def evidence(data: DocumentData, words: Words) -> Row | None:
    """How the customer checks the meter values: the whole session of a bill, the meters and keys of an invoice."""
    sessions = [charging for charging in _sessions(data) if charging.meter_id or charging.records]
    if not sessions:
        return None
    carried = any(record.text for charging in sessions for record in charging.records)
    groups = [_session(charging, words) for charging in sessions] if data.kind == "bill" else []
    if not groups:
        keys = {(charging.meter_id, charging.public_key): None for charging in sessions}
        groups = [_meter(meter, key, words) for meter, key in keys if meter or key]
    return {
        "heading": words.text("evidence.heading"),
        "intro": words.text("evidence.intro" if carried else "evidence.intro_without_file"),
        "groups": groups,
    }


def _sessions(data: DocumentData) -> list[Charging]:
    """Every session once, though several lines may belong to it."""
    found: dict[str, Charging] = {}
    for line in data.lines:
        if line.charging is not None:
            found.setdefault(line.charging.session, line.charging)
    return list(found.values())


def _session(charging: Charging, words: Words) -> list[Row]:
    rows = {
        "session": charging.session,
        "place": charging.place,
        "station": words.text("charging.place", station=charging.station, connector=str(charging.connector)),
        "start": words.moment(charging.started),
        "stop": words.moment(charging.stopped),
    }
    for key, register in (("register_start", charging.register_start), ("register_stop", charging.register_stop)):
        if register is not None:
            rows[key] = f"{words.decimal(register)} {charging.register_unit}"
    rows["energy"] = f"{words.decimal(charging.kwh)} kWh"
    shown: list[Row] = [{"label": words.text(f"evidence.{key}"), "value": value} for key, value in rows.items()]
    shown += _meter(charging.meter_id, charging.public_key, words)
    shown += [{"label": words.text("evidence.record"), "code": record.sha256} for record in charging.records]
    return shown


def _meter(meter: str, key: str, words: Words) -> list[Row]:
    shown: list[Row] = [{"label": words.text("evidence.meter"), "value": meter}] if meter else []
    if key:
        shown.append({"label": words.text("evidence.public_key"), "code": key})
    return shown
