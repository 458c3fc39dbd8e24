"""A small run folder made by hand: two back-ends, three stations that move, faults, quarantine, a session to follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from sim.clock import HOUR, MINUTE, parse_iso
from sim.evidence.canonical import scalar
from sim.evidence.schema import all_tables
from sim.evidence.store import save_tables

MIDNIGHT = parse_iso("2019-06-11T22:00:00Z")
STATES = [
    "PLANNED",
    "PREFLIGHT_OK",
    "NOTIFIED",
    "DRAINING",
    "SWITCH_SENT",
    "OFFLINE_WINDOW",
    "SEEN_AT_NEW",
    "PROVISIONED",
    "VERIFIED",
    "CLOSED_AT_OLD",
]
OWNERS = {
    "fjord": {"name": "Fjordlading AS", "country": "NO", "currency": "NOK"},
    "werk": {"name": "Stadtwerk Lindenau GmbH", "country": "DE", "currency": "EUR"},
}

Tables = dict[str, list[dict[str, Any]]]


def at(hours: float) -> int:
    """Hours after local midnight of the day."""
    return int(MIDNIGHT + hours * HOUR)


def _sessions(tables: Tables) -> None:
    """24 visits: every one a session, billed except for one in quarantine and one below the minimum."""
    for number in range(24):
        station = f"S-{number % 12 + 1:02d}"
        site = "pier" if number % 12 < 3 else ("mill" if number % 12 < 8 else "dock")
        begin, hours, wh = 6.5 + number * 0.45, 2.5 + number % 5, 4_000 + number * 611
        backend = "new" if site == "dock" or (site == "pier" and begin + hours > 11) else "legacy"
        issuer = "legacy" if site == "pier" and begin < 10 else backend
        state = {5: "quarantined", 7: "free"}.get(number, "billed")
        wh = 60 if state == "free" else wh
        start_register = 100_000 + number * 30_000
        full = begin + hours * 0.6
        marks = [[at(begin), start_register, "B"], [at(full), start_register + wh, "S"]]
        if begin < 8 < full:
            marks.insert(1, [at(8), start_register + wh // 3, "T"])
        marks.append([at(begin + hours), start_register + wh, "E"])
        key = {"session_id": f"{backend}-s{number}", "station": station, "connector": 1}
        tables["truth_visits"].append(
            {**key, "visit_id": f"v{number}", "site": site, "grp": "staff", "channel": ("app", "rfid")[number % 2],
             "arrive": at(begin) - MINUTE, "leave": at(begin + hours), "energy_wh": wh, "outcome": "charged",
             "refusals": 0, "interrupted": 0, "lost_ms": 0}
        )  # fmt: skip
        del tables["truth_visits"][-1]["session_id"]
        tables["truth_sessions"].append(
            {**key, "session_id": f"t{number}", "visit_id": f"v{number}", "site": site, "meter_id": f"M{station}",
             "started_at": at(begin), "stopped_at": at(begin + hours), "register_start": start_register,
             "register_stop": start_register + wh, "reason": "Local", "points": marks, "harm": ""}
        )  # fmt: skip
        transaction = 1000 + number
        times = {"started_at": at(begin), "stopped_at": at(begin + hours)}
        tables["books_transactions"].append(
            {**key, **times, "backend": backend, "transaction_id": transaction, "issuer": issuer,
             "id_tag": f"TAG{number}",
             "meter_start": start_register, "meter_stop": start_register + wh, "state": "closed"}
        )  # fmt: skip
        if issuer != backend:
            handed = {**tables["books_transactions"][-1], "backend": issuer, "state": "handed-over", "session_id": "x"}
            tables["books_transactions"].append(handed)
        tables["books_sessions"].append(
            {**key, **times, "backend": backend, "site": site, "transaction_id": transaction, "energy_wh": wh,
             "state": state, "reason": {"free": "below-minimum", "quarantined": "wrong-signature"}.get(state, "")}
        )  # fmt: skip
        if state == "quarantined":
            tables["books_quarantine"].append(
                {"backend": backend, "quarantine_id": "q1", **key, "reason": "wrong-signature", "energy_wh": wh,
                 "detail": "record 1 of 2", "at": at(begin + hours), "state": "held"}
            )  # fmt: skip
            del tables["books_quarantine"][-1]["connector"]
        if state == "billed":
            _bill(tables, number, backend, str(key["session_id"]), wh, times)
        _calls(tables, number, backend, issuer, station, transaction, start_register, times)


def _bill(tables: Tables, number: int, backend: str, session: str, wh: int, times: Mapping[str, int]) -> None:
    amount = wh * 489 // 1000
    lines = [
        {"component": "energy", "quantity": f"{wh / 1000:.3f}", "unit": "kWh", "billed_quantity": f"{wh / 1000:.3f}",
         "unit_price": "4.89", "discount_percent": "15", "amount": amount, "reason": "day price, group staff"},
        {"component": "start", "quantity": "1", "unit": "session", "billed_quantity": "1", "unit_price": "5.00",
         "discount_percent": "0", "amount": 500, "reason": "start fee"},
        {"component": "idle", "quantity": "3700", "unit": "s", "billed_quantity": "3700", "unit_price": "0.50",
         "discount_percent": "0", "amount": 3083, "reason": "full since 10:31, grace 7200 s"},
    ]  # fmt: skip
    gross = amount + 3583
    net = gross * 100 // 125
    common = {"backend": backend, "currency": "NOK", "gross": gross, "net": net, "vat": gross - net}
    ids = {"cdr_id": f"c{number}", "rated_id": f"r{number}"}
    tables["books_cdrs"].append(
        {"backend": backend, "cdr_id": ids["cdr_id"], "session_id": session, "kwh": f"{wh / 1000:.3f}", "grp": "staff",
         "tariff_id": "fjord-public", "tariff_version": 3, "currency": "NOK", **times}
    )  # fmt: skip
    tables["books_rated"].append({**common, **ids, "version": 1, "effective": 1, "vat_percent": "25", "lines": lines})
    tables["books_bills"].append(
        {**common, **ids, "number": f"{backend}-2019-{number:04d}", "session_id": session, "seller": "fjord",
         "customer": f"K{number}", "issued_at": times["stopped_at"], "data": "{}", "journal_seq": number}
    )  # fmt: skip
    postings = [["receivable", "NOK", gross], ["revenue:fjord", "NOK", -net], ["vat:fjord", "NOK", net - gross]]
    tables["books_journal"].append(
        {"backend": backend, "seq": number, "at": times["stopped_at"], "kind": "bill", "postings": postings,
         "hash": "ab" * 32}
    )  # fmt: skip
    tables["books_records"].append(
        {"backend": backend, "digest": f"d{number}", "session_id": session, "verdict": "billable",
         "text": 'OCMF|{"FV":"1.0","RD":[{"RV":1.000}]}|{"SD":"3045"}'}
    )  # fmt: skip


def _calls(
    tables: Tables,
    number: int,
    backend: str,
    issuer: str,
    station: str,
    transaction: int,
    start: int,
    times: Mapping[str, int],
) -> None:
    begin, end = times["started_at"], times["stopped_at"]
    start_payload = {"connectorId": 1, "meterStart": start, "idTag": f"TAG{number}"}
    rows = [
        (begin - 900, issuer, "Authorize", {"idTag": f"TAG{number}"}),
        (begin, issuer, "StartTransaction", start_payload),
        (begin + 5 * MINUTE, issuer, "MeterValues", {"transactionId": transaction}),
        (end, backend, "StopTransaction", {"transactionId": transaction}),
    ]
    for sent, where, action, payload in rows:
        tables["wire_calls"].append(
            {"call_no": len(tables["wire_calls"]), "station": station, "backend": where, "link": 1, "way": "up",
             "action": action, "payload": json.dumps(payload), "well_formed": 1, "sent_at": sent,
             "delivered_at": sent + 40,
             "answer_kind": "result", "answered_at": sent + 40, "answer_delivered_at": sent + 85}
        )  # fmt: skip


def _world(tables: Tables) -> None:
    for number in range(12):
        station = f"S-{number + 1:02d}"
        moves = number < 3
        switch = 9.5 + number * 0.6
        tables["truth_meters"].append({"meter_id": f"M{station}", "station": station, "connector": 1})
        link = {"station": station, "closed_by": "station", "frames_up": 10, "frames_down": 10}
        first = "new" if number > 7 else "legacy"
        tables["wire_links"].append(
            {
                **link,
                "link": number,
                "backend": first,
                "opened_at": at(0.01),
                "closed_at": at(switch) if moves else None,
            }
        )
        if moves:
            tables["wire_links"].append({**link, "link": 20 + number, "backend": "new", "opened_at": at(switch + 0.05)})
            offsets = (-9, -8.9, -8.8, -0.3, 0, 0.01, 0.05, 0.1, 0.2, 0.25)
            for state, offset in zip(STATES, offsets, strict=True):
                row = {
                    "at": at(switch + offset),
                    "station": station,
                    "site": "pier",
                    "state": state,
                    "detail": f"at {offset}",
                }
                tables["truth_migration"].append(row)
    for kind, target, begin, lasts in (
        ("link.stall", "S-05", 10.2, 0.2), ("link.stall", "S-02", 9.9, 0.15), ("backend.crash", "new", 12.5, 0.05),
        ("meter.tamper", "S-06", 9.1, 0), ("meter.key-unregistered", "S-08", 0, 24),
    ):  # fmt: skip
        tables["truth_faults"].append(
            {
                "fault_id": kind,
                "kind": kind,
                "target": target,
                "at": at(begin),
                "until": at(begin + lasts),
                "data": "{}",
            }
        )


def _check(name: str, verdict: str, items: int, **more: Any) -> dict[str, Any]:
    sentence = {"INV-01": "Every Wh that a meter gave is billed, quarantined or free."}.get(
        name, f"The rule {name} holds."
    )
    return {
        "check": name,
        "verdict": verdict,
        "sentence": sentence,
        "items": items,
        "findings": [],
        "reason": "",
        **more,
    }


FINDING = {
    "check": "INV-02",
    "subject_kind": "session",
    "subject": "legacy-s3",
    "sentence": "the second from 10:00 to 11:00 is on two bills <script>alert(1)</script>",
    "evidence": [{"plane": "books", "table": "books_bills", "row": {"number": "legacy-2019-0003", "gross": 1234}}],
}


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run folder; `checks` replaces the verdicts, `keep` says which tables are filled, `change` edits them."""

    def make(
        checks: list[dict[str, Any]] | None = None,
        verdict: str = "PASS",
        keep: Callable[[str], bool] = bool,
        change: Callable[[Tables], object] = len,
        more: Mapping[str, Any] = MappingProxyType({}),
        command: str = "chargerig run tiny --seed 1",
    ) -> Path:
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        (folder / "bills").mkdir(parents=True)
        tables: Tables = {name: [] for name in all_tables()}
        _sessions(tables)
        _world(tables)
        stations = [
            {
                "station": f"S-{n + 1:02d}",
                "site": "pier" if n < 3 else ("mill" if n < 8 else "dock"),
                "backend": "legacy",
            }
            for n in range(12)
        ]
        kinds = [
            {
                "kind": "zero-energy",
                "rule": "No energy at all: plugged in, draws nothing.",
                "count_file": 12,
                "count_day": 1,
            },
            {"kind": "overlap", "rule": "Two on one connector.", "count_file": 0, "count_day": 0},
        ]
        source = {
            "file": "acn-2019-june.csv", "zone": "America/Los_Angeles", "first_day": "2019-06-03",
            "last_day": "2019-06-30",
            "rows_read": 2236, "rows_day": 24, "visits": 24, "day": "2019-06-12", "source_day": "2019-06-12",
            "weeks_shifted": 0, "kinds": kinds, "not_replayed": [],
        }  # fmt: skip
        for key, value in (("stations", stations), ("input", source)):
            tables["plan"].append({"key": key, "json": json.dumps(value)})
        tables["repeats"] += [{"hash_seed": "own", "digest": "cd" * 32}, {"hash_seed": "4711", "digest": "cd" * 32}]
        change(tables)
        cells = {
            name: [tuple(scalar(row.get(column)) for column in all_tables()[name]) for row in rows]
            if keep(name)
            else []
            for name, rows in tables.items()
        }
        save_tables(folder / "evidence.sqlite", cells).close()
        scenario = {
            "name": "tiny", "title": "A tiny day", "story": "Three stations move.", "owners": OWNERS,
            "day": {"date": "2019-06-12", "zone": "Europe/Oslo"}, "sites": {"pier": {"owner": "fjord"}},
            "claims": [{"says": "Every kWh is found again.", "checks": ["INV-01", "INV-03"]}],
            "sessions": {"file": "acn-2019-june.csv"},
            "budgets": {"refused_starts": 2, "interrupted_charges": 1, "connector_minutes_lost": 60},
            **more,
        }  # fmt: skip
        manifest = {
            "format": "chargerig-run/1", "scenario_name": "tiny", "seed": 1, "digest": "cd" * 32, "scenario": scenario,
            "command": command, "versions": {"python": "3.11"}, "timings": {"run": "4.2 s"},
        }  # fmt: skip
        everything = [_check("INV-01", "PASS", 24), _check("INV-03", "PASS", 24), _check("T01", "NOT_APPLICABLE", 0)]
        verdicts = {"format": "chargerig-run/1", "verdict": verdict, "checks": checks or everything}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "verdicts.json").write_text(json.dumps(verdicts))
        return folder

    return make
