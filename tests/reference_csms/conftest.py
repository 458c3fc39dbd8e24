"""A bench for the reference back-end: frames and signed records in, effects and books out, no station needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_csms import assemble
from sim.backend import Operation, Refusal, Row, Setup
from sim.clock import HOUR, MINUTE, Instant, iso, parse_iso
from sim.machine import Closed, Effect, LinkId, Opened, Received, Send, Settle
from sim.rng import derive
from sim.wire import ocmf, ocppj

NOON = parse_iso("2026-06-10T10:00:00Z")  # 12:00 in Berlin
STATION = "CS-1"

TARIFF: Row = {
    "tariff_id": "ac",
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


def meter_key(meter_id: str) -> Any:
    return ocmf.private_key(derive("test", meter_id))


def provision() -> dict[str, list[Row]]:
    """Two stations of one owner, one of another; tokens of every kind."""
    stations = ("CS-1", "CS-2", "CS-3")
    return {
        "owners": [
            {"owner": "city", "name": "City Energy", "country": "DE", "currency": "EUR", "zone": "Europe/Berlin"},
            {"owner": "port", "name": "Port of X", "country": "DE", "currency": "EUR", "zone": "Europe/Berlin"},
        ],
        "sites": [
            {"site": "hall", "owner": "city", "tariff_id": "ac"},
            {"site": "quay", "owner": "port", "tariff_id": "ac"},
        ],
        "tariffs": [dict(TARIFF)],
        "stations": [
            {"station": "CS-1", "site": "hall", "power_w": 22_000},
            {"station": "CS-2", "site": "hall", "power_w": 22_000, "configuration": {"MeterValueSampleInterval": "60"}},
            {"station": "CS-3", "site": "quay", "power_w": 22_000},
        ],
        "meters": [
            {
                "meter_id": f"M-{name}-{connector}",
                "station": name,
                "connector": connector,
                "public_key": ocmf.public_key_hex(meter_key(f"M-{name}-{connector}")),
                "time_billing": "absolute",
            }
            for name in stations
            for connector in (1, 2)
        ],
        "tokens": [
            {"token": "TOK-A", "status": "Accepted", "customer": "cust-a", "mobile": "+49170"},
            {"token": "TOK-S", "status": "Accepted", "customer": "cust-s", "grp": "staff"},
            {"token": "TOK-S2", "status": "Accepted", "customer": "cust-s", "grp": "staff", "mobile": "+49172"},
            {"token": "TOK-B", "status": "Blocked", "customer": "cust-b", "mobile": "+49171"},
            {"token": "TOK-H", "status": "Accepted", "customer": "cust-h", "sites": ["hall"]},
            {"token": "TOK-1", "status": "Accepted", "customer": "cust-1", "single": True},
            {"token": "GUEST-7", "status": "Accepted"},
        ],
    }


class Meter:
    """A meter that signs: register in Wh, pages counted."""

    def __init__(self, station: str, connector: int, register: int = 10_000, letter: str = "S") -> None:
        self.station = station
        self.connector = connector
        self.meter_id = f"M-{station}-{connector}"
        self.register = register
        self.letter = letter
        self.page = 0
        self.key = meter_key(self.meter_id)

    def reading(self, mark: str, at: int, add: int = 0) -> ocmf.Reading:
        self.register += add
        return ocmf.Reading(at=Instant(at), status=self.letter, mark=mark, value=ocmf.kwh(self.register))

    def sign(self, id_tag: str, *readings: ocmf.Reading, **changes: Any) -> str:
        self.page += 1
        fields: dict[str, Any] = {
            "meter_id": self.meter_id,
            "station_id": self.station,
            "connector": self.connector,
            "pagination": self.page,
            "id_tag": id_tag,
            "id_type": "ISO14443",
            "readings": readings,
            "key": self.key,
        }
        return ocmf.build(**{**fields, **changes})


def signed_data(*texts: str) -> list[Row]:
    """`transactionData` with one signed value for each record."""
    return [
        {"timestamp": iso(NOON), "sampledValue": [{"value": ocmf.wrap(text), "format": "SignedData"}]} for text in texts
    ]


class Bench:
    """One back-end on a disk, with as many connections as wanted. Time moves only when told."""

    def __init__(self, setup: Setup | None = None, **parts: Any) -> None:
        self.setup = setup or Setup(name="legacy", seed=7, provision=provision(), options={"transaction_base": 500})
        self.parts = parts
        self.now = NOON
        self.links: dict[int, Any] = {}
        self.out: list[Effect] = []
        self._next_link = 0
        self._next_id = 0
        self.meters: dict[tuple[str, int], Meter] = {}
        self.csms = assemble(self.setup, **parts)

    # -- running --------------------------------------------------------------------------------------------------

    def flush(self) -> list[Effect]:
        self.out = []
        self.csms.flush(self.now, self.out.append)
        return self.out

    def wait(self, ms: int) -> list[Effect]:
        """Let time pass, with every tick the back-end wants; returns all that was released."""
        until, released = self.now + ms, []
        while (deadline := self.csms.next_deadline()) is not None and deadline <= until:
            self.now = Instant(max(self.now, deadline))
            self.csms.tick(self.now)
            released += self.flush()
        self.now = Instant(until)
        return released

    def restart(self) -> None:
        """The process is gone; another one is started on the same disk."""
        self.links = {}
        self.csms = assemble(self.setup, **self.parts)

    # -- stations -------------------------------------------------------------------------------------------------

    def connect(self, station: str = STATION, subprotocols: tuple[str, ...] = ("ocpp1.6",)) -> int:
        self._next_link += 1
        link = LinkId(self._next_link)
        machine = self.csms.accept(link, station, subprotocols, self.now)
        if isinstance(machine, Refusal):
            raise LookupError(machine.status)
        self.links[link] = machine
        machine.handle(Opened(link), self.now)
        self.flush()
        return link

    def close(self, link: int) -> list[Effect]:
        self.links[link].handle(Closed(LinkId(link)), self.now)
        return self.flush()

    def stage(self, link: int, action: str, **payload: Any) -> str:
        """Send a CALL without flushing; returns its id."""
        self._next_id += 1
        id = f"m-{self._next_id}"
        frame = ocppj.encode_call(id, action, json.dumps(payload).encode())
        self.links[link].handle(Received(LinkId(link), frame), self.now)
        return id

    def call(self, link: int, action: str, **payload: Any) -> Any:
        """Send a CALL, flush, and return the payload of its answer, or the code of a CALLERROR."""
        id = self.stage(link, action, **payload)
        return self.reply(self.flush(), id)

    @staticmethod
    def reply(effects: list[Effect], id: str) -> Any:
        for effect in effects:
            if isinstance(effect, Send):
                frame = ocppj.parse(effect.frame)
                if isinstance(frame, ocppj.Result) and frame.id == id:
                    return json.loads(frame.payload)
                if isinstance(frame, ocppj.Error) and frame.id == id:
                    return frame.code
        return None

    @staticmethod
    def calls(effects: list[Effect]) -> list[ocppj.Call]:
        """The back-end's own CALLs among effects."""
        frames = [ocppj.parse(effect.frame) for effect in effects if isinstance(effect, Send)]
        return [frame for frame in frames if isinstance(frame, ocppj.Call)]

    def answer(self, link: int, call: ocppj.Call, **payload: Any) -> list[Effect]:
        frame = ocppj.encode_result(call.id, json.dumps(payload).encode())
        self.links[link].handle(Received(LinkId(link), frame), self.now)
        return self.flush()

    def raw(self, link: int, frame: bytes) -> list[Effect]:
        self.links[link].handle(Received(LinkId(link), frame), self.now)
        return self.flush()

    def boot(self, station: str = STATION) -> int:
        """Connect, boot and answer everything the back-end then wants with Accepted."""
        link = self.connect(station)
        self.settle_calls(link, self.out)
        id = self.stage(link, "BootNotification", chargePointVendor="v", chargePointModel="m")
        effects = self.flush()
        assert self.reply(effects, id)["status"] in ("Accepted", "Pending", "Rejected")
        self.settle_calls(link, effects)
        return link

    def settle_calls(self, link: int, effects: list[Effect]) -> list[ocppj.Call]:
        seen = []
        while calls := self.calls(effects):
            seen += calls
            effects = [e for call in calls for e in self.answer(link, call, status="Accepted")]
        return seen

    # -- charging -------------------------------------------------------------------------------------------------

    def meter(self, station: str = STATION, connector: int = 1) -> Meter:
        key = (station, connector)
        if key not in self.meters:
            self.meters[key] = Meter(station, connector)
        return self.meters[key]

    def start(self, link: int, token: str = "TOK-A", connector: int = 1, at: int | None = None, **more: Any) -> Any:
        station = self.links[link].state.station
        payload = {
            "connectorId": connector,
            "idTag": token,
            "meterStart": self.meter(station, connector).register,
            "timestamp": iso(self.now if at is None else at),
        }
        return self.call(link, "StartTransaction", **{**payload, **more})

    def stop(self, link: int, transaction_id: int, meter_stop: int, *texts: str, **more: Any) -> Any:
        payload: dict[str, Any] = {
            "transactionId": transaction_id,
            "meterStop": meter_stop,
            "timestamp": iso(self.now),
            "reason": "Local",
        }
        if texts:
            payload["transactionData"] = signed_data(*texts)
        return self.call(link, "StopTransaction", **{**payload, **more})

    def charge(
        self, link: int, token: str = "TOK-A", wh: int = 10_000, lasts: int = HOUR, idle: int = 0, connector: int = 1
    ) -> int:
        """A whole session with signed begin and end, and the end of drawing if it idles; returns its transaction id."""
        station = self.links[link].state.station
        meter = self.meter(station, connector)
        begun = self.now
        transaction_id = self.start(link, token, connector)["transactionId"]
        texts = [meter.sign(token, meter.reading("B", begun))]
        self.wait(lasts - idle)
        if idle:
            texts.append(meter.sign(token, meter.reading("S", self.now, wh)))
            self.wait(idle)
        texts.append(meter.sign(token, meter.reading("E", self.now, 0 if idle else wh)))
        self.stop(link, transaction_id, meter.register, *texts)
        return int(transaction_id)

    # -- operations and books -------------------------------------------------------------------------------------

    def operate(self, kind: str, **args: Any) -> Any:
        """Ask for an operation; returns its outcome if it came at once, else None."""
        self._next_id += 1
        call_id = f"op-{self._next_id}"
        self.csms.operate(Operation(kind, args), call_id, self.now)
        return self.outcome(self.flush(), call_id)

    @staticmethod
    def outcome(effects: list[Effect], call_id: str | None = None) -> Any:
        for effect in effects:
            if isinstance(effect, Settle) and call_id in (None, effect.call_id):
                return effect.outcome
        return None

    def book(self, name: str) -> list[Row]:
        rows = self.csms.books(self.now)["books_" + name]
        assert isinstance(rows, list)
        return rows

    def only(self, name: str) -> Row:
        rows = self.book(name)
        assert len(rows) == 1, rows
        return rows[0]

    def bill_all(self) -> None:
        self.wait(MINUTE)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def make_bench() -> type[Bench]:
    return Bench


@pytest.fixture
def make_meter() -> type[Meter]:
    return Meter


@pytest.fixture
def sheet() -> dict[str, list[Row]]:
    """The instruction sheet of the bench, to be changed by a test."""
    return provision()


@pytest.fixture(scope="module")
def shared_bench() -> Bench:
    """One bench for all cases of a module that only looks for exceptions."""
    return Bench()
