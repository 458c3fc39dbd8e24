"""The virtual day that is measured: many equal stations, sessions spread by the seed, nothing goes wrong.

The fleet is cut into groups, each with a world and a shard of the back-end of its own; the shards rate, and one office
bills for all (`scenarios.bench.office`). Built from the same parts as a run, with everything on that a run has. It never
reads a clock; whoever measures it does.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fleet.ev_driver import EvDriver
from fleet.profile import load_profile
from fleet.rig import Rig, RigConfig, meters_of
from fleet.visits import Visit
from reference_csms import assemble
from reference_csms.backend import ReferenceCsms
from reference_csms.billing.central import CENTRAL, Parcel
from sim.backend import Row, Setup, Unverifiable
from sim.clock import HOUR, MINUTE, Instant, parse_iso
from sim.evidence.schema import TRUTH
from sim.evidence.store import run_digest, write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import Policy, WireRecorder
from sim.rng import stream
from sim.runtimes.virtual import VirtualWorld

START = parse_iso("2026-06-10T00:00:00Z")
SEED = 1
BACKEND = "bench"
SITE = "bench-site"
OWNER = "bench"
PROFILE = "ac-duo"
HEARTBEAT_S = 300
SAMPLE_S = 60
SESSION = 2 * HOUR
POWER_W = 11_000
WISH_WH = 80_000
"""More than any session can deliver: the EV draws to the end."""
LATENCY_MS = (15, 105)
WIRE_POLICY: Policy = "index"
WIRE_FILE, EVIDENCE_FILE = "wire.jsonl.zst", "evidence.sqlite"
TRANSACTIONS_FROM = 1_000
_SPARE = 10
"""So many times the transactions that a station is to have fit into its part of the number circle."""
_BOOT_SPREAD = MINUTE
_LEAD = 2 * MINUTE
_TAIL = 2 * MINUTE


class BenchFailed(RuntimeError):
    """The measured day was not a healthy one, so its figures are worth nothing."""


class Exchange(Struct, frozen=True):
    """One round trip as it went over the wire: `way` is up (the station called) or down; payloads are JSON objects."""

    way: str
    action: str
    request: bytes
    answer: bytes


class Group(Struct, frozen=True):
    """Some stations, by the number of the first and how many, for so many hours: what one shard of the day serves."""

    number: int
    first: int
    count: int
    hours: int

    @property
    def name(self) -> str:
        """The name of its shard of the back-end, and the beginning of all ids that it gives."""
        return f"{BACKEND}-{self.number:03d}"

    @property
    def stations(self) -> list[str]:
        """The identities of its stations; they do not depend on how the fleet is cut."""
        return [f"B{number:05d}" for number in range(self.first, self.first + self.count)]

    @property
    def transaction_base(self) -> int:
        """Where its part of the one circle of transaction ids begins."""
        return TRANSACTIONS_FROM + (self.first - 1) * sessions_for(self.hours)[0] * _SPARE


def cut(stations: int, hours: int, size: int) -> list[Group]:
    """The fleet in groups of `size` stations, the last one with what is left."""
    firsts = range(1, stations + 1, size)
    return [
        Group(number, first, min(size, stations + 1 - first), hours) for number, first in enumerate(firsts, start=1)
    ]


class Day(Struct):
    """A world that is ready to run, with its recorders and the sessions that will be driven in it."""

    group: Group
    world: VirtualWorld
    wire: WireRecorder
    truth: TruthRecorder
    rigs: list[Rig]
    visits: list[Visit]
    end: Instant

    def run(self) -> None:
        """Let the day happen."""
        self.world.run(self.end)
        self.wire.close()


class Outcome(Struct, frozen=True):
    """What the day of a group came to: round trips are CALLs of either side that were answered.

    `parcels` wait for the central billing. `wire_bytes` and `evidence_bytes` are 0 if nothing was written.
    """

    digest: str
    round_trips: int
    by_action: dict[str, int]
    unanswered: int
    sessions_driven: int
    energy_wh: int
    records: int
    parcels: list[Parcel]
    wire_bytes: int
    evidence_bytes: int


def sessions_for(hours: int) -> tuple[int, int]:
    """How many sessions a station has, and how long each is in ms: 4 of two hours a day, a third of the time always.

    Where the hours are no multiple of 6 the sessions are shorter, so that the mix of messages stays the same.
    """
    count = -(-hours * HOUR // (3 * SESSION))
    return count, hours * HOUR // (3 * count)


def build(group: Group, folder: Path | None = None, sink: Any = None) -> Day:
    """Put the world of a group up. With `folder` every frame goes into a file there; `sink` takes them instead."""
    end = Instant(START + group.hours * HOUR)
    policy: Policy = WIRE_POLICY if folder is None else "whole"
    wire = WireRecorder(None if folder is None else folder / WIRE_FILE, salt=f"{SEED}/{group.name}", policy=policy)
    truth = TruthRecorder()
    world = VirtualWorld(START, SEED, wire if sink is None else sink, truth, LATENCY_MS)
    configs = [_config(name, group) for name in group.stations]
    visits = [visit for name in group.stations for visit in _visits(name, group.hours)]
    options = {"transaction_base": group.transaction_base, "billing": CENTRAL}
    setup = Setup(name=group.name, seed=SEED, provision=_provision(group, configs, visits), options=options)
    world.add_backend(assemble, setup)
    rigs = [
        Rig(config, Instant(START + stream(SEED, "boot", config.station).randrange(_BOOT_SPREAD))) for config in configs
    ]
    for rig in rigs:
        world.add(f"rig:{rig.config.station}", rig)
    for visit in visits:
        world.add(visit.machine, EvDriver(visit, SEED))
    return Day(group, world, wire, truth, rigs, visits, end)


def _config(name: str, group: Group) -> RigConfig:
    profile = load_profile(PROFILE)
    url = f"ws://{group.name}/ocpp/1.6"
    return RigConfig(station=name, site=SITE, profile=profile, connectors=(1,), url=url, seed=SEED, max_power_w=POWER_W)


def _visits(station: str, hours: int) -> list[Visit]:
    """The visits of one station: the time is cut into equal slots, each with one visit at a drawn place."""
    count, length = sessions_for(hours)
    draw = stream(SEED, "visits", station)
    slot = hours * HOUR // count
    visits = []
    for number in range(count):
        arrive = START + number * slot + _LEAD + draw.randrange(slot - length - _LEAD - _TAIL)
        who = f"{station}-{number + 1}"
        visits.append(
            Visit(
                visit_id=who,
                site=SITE,
                station=station,
                connector=1,
                driver=who,
                token=f"T{who}",
                mobile="",
                group="public",
                customer=f"C{who}",
                contract=True,
                channel="rfid",
                arrive=Instant(arrive),
                leave=Instant(arrive + length),
                energy_wh=WISH_WH,
                power_w=POWER_W,
            )
        )
    return visits


def places() -> dict[str, list[Row]]:
    """The part of the instruction sheet that all shards and the office share: owner, site and tariff."""
    bands = [{"from": "06:00", "to": "22:00", "price": "0.49"}, {"from": "22:00", "to": "06:00", "price": "0.39"}]
    tariff = {
        "tariff_id": "bench",
        "version": 1,
        "currency": "EUR",
        "vat_percent": "19",
        "prices_include_vat": True,
        "energy": bands,
        "start_fee": "0.50",
        "idle_per_minute": "0.10",
        "idle_grace_s": 1800,
        "group_discounts": {},
        "minimum_wh": 100,
    }
    owner = {"owner": OWNER, "name": "Bench", "country": "DE", "currency": "EUR", "vat_percent": "19"}
    return {
        "owners": [{**owner, "zone": "Europe/Berlin", "tariff_id": "bench"}],
        "sites": [{"site": SITE, "owner": OWNER, "tariff_id": "bench"}],
        "tariffs": [tariff],
    }


def _provision(group: Group, configs: list[RigConfig], visits: list[Visit]) -> dict[str, list[Row]]:
    configuration = {"HeartbeatInterval": str(HEARTBEAT_S), "MeterValueSampleInterval": str(SAMPLE_S)}
    configuration["ClockAlignedDataInterval"] = "0"
    return {
        **places(),
        "stations": [
            {
                "station": config.station,
                "site": SITE,
                "backend": group.name,
                "power_w": POWER_W,
                "heartbeat_s": HEARTBEAT_S,
                "configuration": configuration,
            }
            for config in configs
        ],
        "meters": [
            {**meter, "station": config.station, "registered": True}
            for config in configs
            for meter in meters_of(config)
        ],
        "tokens": [
            {"token": visit.token, "status": "Accepted", "group": visit.group, "customer": visit.customer}
            for visit in visits
        ],
    }


# -- what came of it ------------------------------------------------------------------------------------------------------


def settle_up(day: Day, folder: Path | None = None) -> Outcome:
    """Compare what was driven with what was rated, and write the evidence into `folder` if there is one.

    Raises BenchFailed for anything that a healthy day does not show.
    """
    world, now, name = day.world, day.world.now, day.group.name
    shard = world.backend(name)
    assert isinstance(shard, ReferenceCsms)
    last = [note for rig in day.rigs for note in rig.final_notes(now)]
    for note in last:
        day.truth.note(note.kind, note.fields)
    books, parcels = {name: shard.books(now)}, shard.unbilled()
    digest = run_digest(day.truth, day.wire, books)
    if folder is not None:
        write_evidence(folder / EVIDENCE_FILE, truth=day.truth, wire=day.wire, books=books, ended_at=int(now)).close()
    cdrs, quarantine = _rows(books[name]["books_cdrs"]), _rows(books[name]["books_quarantine"])
    driven = _table(day.truth, "truth_sessions")
    by_action: dict[str, int] = {}
    errors = unanswered = 0
    for row in day.wire.counts():
        _, _, _, action, _, results, refused, open_calls = row
        by_action[str(action)] = by_action.get(str(action), 0) + int(str(results)) + int(str(refused))
        errors += int(str(refused))
        unanswered += int(str(open_calls))
    outcome = Outcome(
        digest=digest,
        round_trips=sum(by_action.values()),
        by_action=dict(sorted(by_action.items())),
        unanswered=unanswered,
        sessions_driven=len(driven),
        energy_wh=sum(int(row["register_stop"]) - int(row["register_start"]) for row in driven),
        records=len(_rows(books[name]["books_records"])),
        parcels=parcels,
        wire_bytes=_size(folder, WIRE_FILE),
        evidence_bytes=_size(folder, EVIDENCE_FILE),
    )
    expected = {
        "sessions driven": (outcome.sessions_driven, len(day.visits)),
        "sessions rated": (len({row["session_id"] for row in cdrs}), len(day.visits)),
        "CDRs for billing": (len(parcels), len(day.visits)),
        "Wh rated": (sum(Decimal(row["kwh"]) for row in cdrs) * 1000, outcome.energy_wh),
        "cases in quarantine": (len(quarantine), 0),
        "calls refused": (errors, 0),
        "running sessions": (sum(note.kind == "sessions" for note in last), 0),
    }
    wrong = [f"{what}: {got}, not {wanted}" for what, (got, wanted) in expected.items() if got != wanted]
    if unanswered > len(day.rigs):  # what is under way in the last instant
        wrong.append(f"calls unanswered: {unanswered}")
    if wrong:
        raise BenchFailed(f"the measured day of {name} was not a healthy one; " + "; ".join(wrong))
    return outcome


def _size(folder: Path | None, file: str) -> int:
    return 0 if folder is None else (folder / file).stat().st_size


def _rows(book: Any) -> list[Row]:
    if isinstance(book, Unverifiable):
        raise BenchFailed(f"the back-end shows no such book: {book.reason}")
    return list(book)


def _table(truth: TruthRecorder, name: str) -> list[Row]:
    return [dict(zip(TRUTH[name], row, strict=True)) for row in truth.rows()[name]]


# -- the messages themselves ------------------------------------------------------------------------------------------------


class _Tape:
    """Keeps what one station and its back-end said to each other, as pairs of CALL and CALLRESULT."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._open: dict[tuple[str, str], tuple[str, bytes]] = {}

    def frame(
        self, sent_at: int, delivered_at: int | None, station: str, backend: str, link: int, way: str, frame: bytes
    ) -> None:
        """Pair an answer with its call."""
        first, *rest = msgspec.json.decode(frame, type=list[msgspec.Raw])
        kind = bytes(first)
        id = msgspec.json.decode(rest[0], type=str)
        if kind == b"2":
            self._open[way, id] = (msgspec.json.decode(rest[1], type=str), bytes(rest[2]))
            return
        other = "down" if way == "up" else "up"
        action, request = self._open.pop((other, id))
        if kind != b"3":
            raise BenchFailed(f"{action} was refused: {frame.decode()}")
        self.exchanges.append(Exchange(other, action, request, bytes(rest[1])))

    def link_opened(self, at: int, station: str, backend: str, link: int, subprotocol: str | None) -> None:
        """Connections are no messages."""

    def link_closed(self, at: int, link: int, closed_by: str, reason: str) -> None:
        """Connections are no messages."""


def tape(hours: int) -> tuple[Exchange, ...]:
    """All round trips of one station in this time (a day at most), in order: the mix of messages of the measured day."""
    recorder = _Tape()
    build(Group(1, 1, 1, min(hours, 24)), sink=recorder).run()
    return tuple(recorder.exchanges)
