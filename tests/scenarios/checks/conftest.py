"""An honest day in rows: two stations, one move, six sessions, everything signed and booked as it should be.

Each test spoils one row of it and asks one check. Bills are priced by the oracle, which has tests of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from scenarios import oracle
from scenarios.checks import run_checks
from scenarios.oracle import Point, Terms
from sim.clock import HOUR, MINUTE, SECOND, Instant, iso, parse_iso
from sim.evidence.canonical import canonical, scalar
from sim.evidence.reader import Evidence
from sim.evidence.schema import all_tables
from sim.evidence.store import save_tables
from sim.evidence.verdict import CheckResult
from sim.wire import ocmf

Row = dict[str, Any]
MIDNIGHT = parse_iso("2019-06-12T00:00:00+02:00")
ZONE = "Europe/Berlin"
TARIFF: Row = {
    "tariff_id": "day-night",
    "version": 1,
    "currency": "EUR",
    "vat_percent": "19",
    "prices_include_vat": True,
    "energy": [{"from": "06:00", "to": "22:00", "price": "0.49"}, {"from": "22:00", "to": "06:00", "price": "0.39"}],
    "start_fee": "0.50",
    "idle_per_minute": "0.10",
    "idle_grace_s": 1800,
    "group_discounts": {"staff": "10"},
    "minimum_wh": 100,
}
TIME_BILLING = {"S1": ("none", "I"), "S2": ("absolute", "S")}
SITE = {"S1": "alpha", "S2": "beta"}
GROUP = {"AA01": "staff", "BB01": None, "GUEST-7": None, "BAD1": None}
KEYS = {station: ocmf.private_key(station.encode().ljust(32)) for station in SITE}


def local(text: str) -> Instant:
    """The instant of a local time HH:MM[:SS] of the day."""
    return parse_iso(f"2019-06-12T{text if text.count(':') == 2 else text + ':00'}+02:00")


class Day:
    """The rows of every table. Change them, then ask `check`."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {table: [] for table in all_tables()}
        self.plan: dict[str, Any] = {}
        self.registers = {"S1": 100_000, "S2": 500_000}
        self.pages = dict.fromkeys(SITE, 0)
        self._plan()
        self._wire_frame()
        self._sessions()
        self._after()

    # -- asking ----------------------------------------------------------------------------------------------------

    def rows(self, table: str, **where: Any) -> list[Row]:
        """The rows of a table that have these values."""
        return [row for row in self.tables[table] if all(row.get(key) == value for key, value in where.items())]

    def row(self, table: str, **where: Any) -> Row:
        """The one row that has these values."""
        (found,) = self.rows(table, **where)
        return found

    def add(self, table: str, **row: Any) -> Row:
        """One more row."""
        assert row.keys() <= set(all_tables()[table]), (table, row.keys() - set(all_tables()[table]))
        self.tables[table].append(row)
        return row

    def evidence(self) -> Evidence:
        """The evidence of this day, in memory."""
        plan = [{"key": key, "json": json.dumps(value)} for key, value in self.plan.items()]
        tables = {**self.tables, "plan": plan}
        columns = all_tables()
        cells = {
            name: [tuple(scalar(row.get(c)) for c in columns[name]) for row in rows] for name, rows in tables.items()
        }
        return save_tables(None, cells)

    def check(self, name: str) -> CheckResult:
        """What this check says of the day."""
        with self.evidence() as evidence:
            (result,) = run_checks(evidence, [name])
        return result

    # -- the plan --------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        self.plan = {
            "owners": [{"owner": "city", "country": "DE", "currency": "EUR", "vat_percent": "19", "zone": ZONE}],
            "sites": [{"site": site, "owner": "city", "tariff_id": "day-night"} for site in SITE.values()],
            "stations": [{"station": station, "site": site, "power_w": 22_000} for station, site in SITE.items()],
            "tariffs": [TARIFF],
            "tokens": [
                {
                    "token": token,
                    "customer": f"c-{token}",
                    "group": group,
                    "status": "Blocked" if "BAD" in token else "Accepted",
                }
                for token, group in GROUP.items()
            ],
            "meters": [
                {
                    "meter_id": f"M-{station}",
                    "station": station,
                    "connector": 1,
                    "public_key": ocmf.public_key_hex(KEYS[station]),
                    "registered": True,
                    "time_billing": TIME_BILLING[station][0],
                }
                for station in SITE
            ],
            "budgets": {"refused_starts": 1, "interrupted_charges": 0, "connector_minutes_lost": 5},
            "move": {
                "site": "alpha",
                "old": "legacy",
                "new": "new",
                "stations": ["S1"],
                "configuration": {"S1": {"HeartbeatInterval": ["900"]}},
            },
        }

    # -- the wire besides transactions -------------------------------------------------------------------------------

    def call(
        self, at: int, station: str, backend: str, action: str, payload: Any, answer: Any, way: str = "up", **more: Any
    ) -> Row:
        """One call and its answer, 20 ms each way."""
        kind = "error" if isinstance(answer, dict) and "code" in answer else None if answer is None else "result"
        row: Row = {
            "call_no": len(self.tables["wire_calls"]) + 1,
            "station": station,
            "backend": backend,
            "link": next(
                link["link"]
                for link in self.rows("wire_links", station=station, backend=backend)
                if link["opened_at"] <= at and (link["closed_at"] is None or at <= link["closed_at"])
            ),
            "way": way,
            "message_id": f"m-{len(self.tables['wire_calls'])}",
            "action": action,
            "payload": canonical(payload),
            "well_formed": 1,
            "sent_at": at,
            "delivered_at": at + 20,
            "answer_kind": kind,
            "answer": None if answer is None else canonical(answer),
            "answered_at": None if answer is None else at + 30,
            "answer_delivered_at": None if answer is None else at + 50,
        }
        return self.add("wire_calls", **{**row, **more})

    def boot(self, at: int, station: str, backend: str, status: str) -> Row:
        """A BootNotification."""
        answer = {"status": status, "currentTime": iso(at), "interval": 300}
        return self.call(at, station, backend, "BootNotification", {"chargePointVendor": "V"}, answer)

    def authorize(self, at: int, station: str, backend: str, token: str, status: str = "Accepted") -> Row:
        """An Authorize."""
        return self.call(at, station, backend, "Authorize", {"idTag": token}, {"idTagInfo": self.info(token, status)})

    @staticmethod
    def info(token: str, status: str = "Accepted") -> Row:
        """What is said of a token: its group with an acceptance."""
        group = GROUP.get(token) if status == "Accepted" else None
        return {"status": status, **({"parentIdTag": group} if group else {})}

    def _wire_frame(self) -> None:
        def link(number: int, station: str, backend: str, opened: str, closed: str | None) -> None:
            end = None if closed is None else local(closed)
            by = None if closed is None else "station"
            self.add(
                "wire_links",
                link=number,
                station=station,
                backend=backend,
                opened_at=local(opened),
                closed_at=end,
                closed_by=by,
                frames_up=9,
                frames_down=9,
                last_frame_at=end or local("23:50"),
            )

        link(1, "S1", "legacy", "06:00", "10:30")
        link(2, "S1", "new", "10:31", None)
        link(3, "S2", "new", "06:00", None)
        self.boot(local("06:00:01"), "S1", "legacy", "Accepted")
        self.boot(local("06:00:01"), "S2", "new", "Accepted")
        self.authorize(local("07:59:50"), "S1", "legacy", "AA01")
        self.boot(local("10:31:01"), "S1", "new", "Pending")
        trigger = {"requestedMessage": "StatusNotification"}
        status = {"connectorId": 1, "status": "Charging", "errorCode": "NoError"}
        refused = {"code": "SecurityError", "description": "", "details": {}}
        self.call(local("10:31:05"), "S1", "new", "StatusNotification", status, refused)
        self.call(local("10:31:10"), "S1", "new", "TriggerMessage", trigger, {"status": "Accepted"}, way="down")
        self.call(local("10:31:11"), "S1", "new", "StatusNotification", status, {})
        interval = {"key": "HeartbeatInterval", "value": "900"}
        self.call(local("10:32:00"), "S1", "new", "ChangeConfiguration", interval, {"status": "Accepted"}, way="down")
        self.boot(local("10:35:00"), "S1", "new", "Accepted")
        self.authorize(local("18:00"), "S1", "new", "AA01")
        remote = {"idTag": "BB01", "connectorId": 1}
        self.call(local("08:59:58"), "S2", "new", "RemoteStartTransaction", remote, {"status": "Accepted"}, way="down")
        sample = {"connectorId": 1, "transactionId": 500_000_001, "meterValue": []}
        self.call(local("09:30"), "S2", "new", "MeterValues", sample, {})
        self.add("wire_counts", station="S2", backend="new", way="up", action="Heartbeat", calls=9, results=9)

    # -- sessions --------------------------------------------------------------------------------------------------

    def _sessions(self) -> None:
        # repeated start and stop at legacy; charged for staff
        first = self.session("S1", "AA01", 1001, "legacy", [("08:00", 0, "B"), ("09:00", 7_000, "E")])
        for message in (first["start"], first["stop"]):
            again = {**message, "call_no": 900 + message["call_no"], "message_id": "again"}
            self.add("wire_calls", **{**again, "sent_at": again["sent_at"] + 5_000})
        # runs through the move: begun at legacy, ended and billed at new
        self.session("S1", "GUEST-7", 1002, "new", [("09:30", 0, "B"), ("11:00", 9_000, "E")], issuer="legacy")
        # idle from 10:00 to 12:00, with a quarter of an hour in which power was withheld
        marks = [("09:00", 0, "B"), ("10:00", 8_000, "S"), ("10:30", 8_000, "C"), ("10:30", 8_000, "W")]
        marks += [("10:45", 8_000, "w"), ("10:45", 8_000, "S"), ("12:00", 8_000, "E")]
        self.session("S2", "BB01", 500_000_001, "new", marks)
        # across the price change
        evening = [("21:30", 0, "B"), ("22:00", 3_500, "T"), ("22:30", 7_000, "E")]
        self.session("S2", "AA01", 500_000_002, "new", evening)
        # its end record is tampered with
        self.session("S2", "GUEST-7", 500_000_003, "new", [("13:00", 0, "B"), ("13:30", 2_000, "E")], harm="tampered")
        # below the minimum
        self.session("S2", "BB01", 500_000_004, "new", [("14:00", 0, "B"), ("14:01", 50, "E")])

    def session(
        self,
        station: str,
        token: str,
        tid: int,
        backend: str,
        marks: list[tuple[str, int, str]],
        *,
        issuer: str = "",
        harm: str = "",
    ) -> dict[str, Row]:
        """One session in truth, on the wire and in the books. Returns its start and stop calls."""
        issuer = issuer or backend
        base = self.registers[station]
        points = [Point(local(at), base + wh, mark) for at, wh, mark in marks]
        begin, end = points[0], points[-1]
        self.registers[station] = end.wh
        session_id = f"T{tid}"
        self.add(
            "truth_sessions",
            session_id=session_id,
            visit_id=f"v-{tid}",
            site=SITE[station],
            station=station,
            connector=1,
            meter_id=f"M-{station}",
            token=token,
            started_at=begin.at,
            stopped_at=end.at,
            register_start=begin.wh,
            register_stop=end.wh,
            reason="EVDisconnected",
            points=[[point.at, point.wh, point.mark] for point in points],
            harm=harm,
        )
        self.add(
            "truth_visits", visit_id=f"v-{tid}", station=station, connector=1, driver="d", token=token,
            outcome="charged", attempts=1, refusals=0, interrupted=0, lost_ms=0, note="",
        )  # fmt: skip
        start = self.call(
            begin.at,
            station,
            issuer,
            "StartTransaction",
            {"connectorId": 1, "idTag": token, "timestamp": iso(begin.at), "meterStart": begin.wh},
            {"transactionId": tid, "idTagInfo": self.info(token)},
        )
        values = [
            {"timestamp": iso(at), "sampledValue": [{"value": ocmf.wrap(text), "format": "SignedData"}]}
            for at, text in self._records(station, token, points, harm)
        ]
        stop = self.call(
            end.at,
            station,
            backend,
            "StopTransaction",
            {"transactionId": tid, "timestamp": iso(end.at), "meterStop": end.wh, "transactionData": values},
            {"idTagInfo": {"status": "Accepted"}},
        )
        self._book(station, token, tid, backend, issuer, points, harm)
        return {"start": start, "stop": stop}

    def _records(self, station: str, token: str, points: list[Point], harm: str) -> list[tuple[int, str]]:
        records = []
        for point in (point for point in points if point.mark in oracle.SIGNED):
            self.pages[station] += 1
            text = ocmf.build(
                meter_id=f"M-{station}",
                station_id=station,
                connector=1,
                pagination=self.pages[station],
                id_tag=token,
                id_type="ISO14443",
                readings=[ocmf.Reading(Instant(point.at), TIME_BILLING[station][1], point.mark, ocmf.kwh(point.wh))],
                key=KEYS[station],
            )
            spoilt = harm == "tampered" and point.mark == "E"
            records.append((point.at, ocmf.tamper(text) if spoilt else text))
        return records

    def _book(
        self, station: str, token: str, tid: int, backend: str, issuer: str, points: list[Point], harm: str
    ) -> None:
        begin, end = points[0], points[-1]
        common = {"station": station, "connector": 1, "id_tag": token, "started_at": begin.at}
        times = {"received_start_at": begin.at + 20, "received_stop_at": end.at + 20}
        session_id = f"s-{tid}"
        if issuer != backend:
            tx = {
                **common,
                "transaction_id": tid,
                "issuer": issuer,
                "meter_start": begin.wh,
                "received_start_at": begin.at + 20,
            }
            self.add("books_transactions", backend=issuer, state="handed-over", session_id=session_id, **tx)
            handed = {"session_id": session_id, "transaction_id": tid, "site": SITE[station], "state": "handed-over"}
            handed |= {"tariff_id": "day-night", "tariff_version": 1}
            self.add("books_sessions", backend=issuer, **common, **handed)
        self.add(
            "books_transactions", backend=backend, transaction_id=tid, issuer=issuer, **common, **times,
            meter_start=begin.wh, meter_stop=end.wh, stopped_at=end.at, state="closed", session_id=session_id,
        )  # fmt: skip
        energy = end.wh - begin.wh
        state = "quarantined" if harm else "free" if energy < TARIFF["minimum_wh"] else "billed"
        reason = {"quarantined": "wrong-signature", "free": "below-minimum"}.get(state)
        cdr_id = None if state == "quarantined" else f"c-{tid}"
        self.add(
            "books_sessions", backend=backend, session_id=session_id, **common, site=SITE[station], transaction_id=tid,
            customer=f"c-{token}", grp=GROUP[token], stopped_at=end.at, energy_wh=energy, state=state, reason=reason,
            cdr_id=cdr_id, tariff_id="day-night", tariff_version=1,
        )  # fmt: skip
        if state == "quarantined":
            self.add(
                "books_quarantine", backend=backend, quarantine_id=f"q-{tid}", session_id=session_id, station=station,
                transaction_id=tid, reason=reason, energy_wh=energy, at=end.at, state="held", actor="gate",
                detail="the signature does not fit", evidence={"message_id": self.tables["wire_calls"][-1]["message_id"]},
            )  # fmt: skip
        else:
            self._price(station, token, tid, backend, points, common)

    def _price(self, station: str, token: str, tid: int, backend: str, points: list[Point], common: Row) -> None:
        begin, end = points[0], points[-1]
        billable = oracle.may_bill_time(*TIME_BILLING[station])
        said = oracle.opinion(points, Terms(TARIFF, ZONE, GROUP[token], billable))
        kwh = str(ocmf.kwh(end.wh - begin.wh))
        idle = oracle.idle_ms(points) // SECOND
        signed = [point for point in points if point.mark in oracle.SIGNED]
        periods = [
            {
                "start": one.at,
                "end": after.at,
                "energy_kwh": str(ocmf.kwh(after.wh - one.wh)),
                "idle": one.mark == "S",
            }
            for one, after in pairwise(signed)
        ]
        self.add(
            "books_cdrs", backend=backend, cdr_id=f"c-{tid}", session_id=f"s-{tid}", **common, grp=GROUP[token],
            tariff_id="day-night", tariff_version=1, currency="EUR", stopped_at=end.at, kwh=kwh, idle_seconds=idle,
            periods=periods,
        )  # fmt: skip
        lines = []
        for one in said.lines:
            quantity = str(ocmf.kwh(one.quantity)) if one.component == "energy" else str(one.quantity)
            unit = {"energy": "kWh", "idle": "s"}.get(one.component, "session")
            lines.append(
                {
                    "component": one.component,
                    "quantity": quantity,
                    "unit": unit,
                    "billed_quantity": quantity,
                    "amount": one.amount,
                }
            )
        amounts = {"currency": "EUR", "gross": said.gross, "net": said.net, "vat": said.vat}
        rated = {"rated_id": f"r-{tid}", "cdr_id": f"c-{tid}"}
        self.add(
            "books_rated", backend=backend, **rated, version=1, effective=1, **amounts, vat_percent="19", lines=lines,
            policy="line-half-up",
        )  # fmt: skip
        if not said.free:
            number = f"CITY-{backend}-{len(self.rows('books_bills', backend=backend)) + 1:06d}"
            content = {"number": number, "seller": {"id": "city"}, "lines": lines, **amounts}
            data = json.dumps(content, sort_keys=True)
            digest = hashlib.sha256(data.encode()).hexdigest()
            entry = self.post(
                backend, end.at + MINUTE, "bill", f"{number} sha256:{digest}", f"c-{token}", said.gross, said.net
            )
            self.add(
                "books_bills", backend=backend, number=number, session_id=f"s-{tid}", **rated, seller="city",
                customer=f"c-{token}", **amounts, issued_at=end.at + MINUTE, journal_seq=entry["seq"],
                data=data, data_hash=digest,
            )  # fmt: skip

    def post(self, backend: str, at: int, kind: str, ref: str, customer: str, gross: int, net: int) -> Row:
        """One journal entry, chained."""
        before = self.rows("books_journal", backend=backend)
        postings = [
            [f"receivable:{customer}", "EUR", gross],
            ["revenue:city", "EUR", -net],
            ["vat:city", "EUR", net - gross],
        ]
        body = {
            "seq": len(before) + 1,
            "at": at,
            "kind": kind,
            "ref": ref,
            "postings": postings,
            "prev_hash": before[-1]["hash"] if before else "0" * 64,
        }
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return self.add("books_journal", backend=backend, **body, hash=hashlib.sha256(text.encode()).hexdigest())

    # -- afterwards ------------------------------------------------------------------------------------------------

    def _after(self) -> None:
        for station, register in self.registers.items():
            first = 100_000 if station == "S1" else 500_000
            self.add(
                "truth_meters", meter_id=f"M-{station}", station=station, connector=1,
                public_key=ocmf.public_key_hex(KEYS[station]), register_start=first, register_stop=register,
            )  # fmt: skip
        walk = ("PLANNED", "PREFLIGHT_OK", "NOTIFIED", "DRAINING", "SWITCH_SENT", "OFFLINE_WINDOW", "SEEN_AT_NEW")
        for number, state in enumerate((*walk, "PROVISIONED", "VERIFIED", "CLOSED_AT_OLD")):
            self.add("truth_migration", at=local("10:26") + number * MINUTE, station="S1", site="alpha", state=state)
        knock = {"backend": "legacy", "outcome": "404"}
        self.add("truth_events", at=local("10:36"), station="S1", kind="knock", data=canonical(knock))
        refused = {
            "station": "S1",
            "connector": 1,
            "driver": "bad",
            "token": "BAD1",
            "outcome": "refused",
            "refusals": 3,
        }
        self.add("truth_visits", visit_id="v-bad", note="blocked-token", lost_ms=HOUR, **refused)
        for backend in ("legacy", "new"):
            for token in GROUP:
                decision = "Blocked" if token == "BAD1" else "Accepted"
                for site in SITE.values():
                    self.add(
                        "books_access", backend=backend, token=token, site=site, grp=GROUP[token], decision=decision
                    )
            for at in (local("12:00"), local("23:00")):
                price = "0.441" if at == local("12:00") else "0.351"
                for site in SITE.values():
                    for component, asked in (("energy", price), ("start", "0.50"), ("idle", "0.10")):
                        quote = {"site": site, "grp": "staff", "at": at, "component": component, "price": asked}
                        self.add("quotes_grid", backend=backend, currency="EUR", vat_percent="19", **quote)
        for rated in list(self.tables["books_rated"]):
            other = "new" if rated["backend"] == "legacy" else "legacy"
            amounts = {key: rated[key] for key in ("cdr_id", "currency", "gross", "net", "vat")}
            self.add("quotes_rerated", backend=other, of_backend=rated["backend"], **amounts)
        for key, value in (("digest", "d1"), ("hash_seed", "1"), ("ended_at", str(local("23:59")))):
            self.add("meta", key=key, value=value)
        self.add("repeats", hash_seed="2", digest="d1")
        self.add("repeats", hash_seed="3", digest="d1")


@pytest.fixture
def day() -> Day:
    """A fresh honest day."""
    return Day()


@pytest.fixture
def at() -> Callable[[str], Instant]:
    """The instant of a local time of the day."""
    return local
