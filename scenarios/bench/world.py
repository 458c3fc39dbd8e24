"""The virtual day that is measured: many equal stations, sessions spread by the seed, one back-end, nothing goes wrong.

Built from the same parts as a run, with everything on that a run has. It never reads a clock; whoever measures it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from fleet.ev_driver import EvDriver
from fleet.profile import load_profile
from fleet.rig import Rig, RigConfig, meters_of
from fleet.visits import Visit
from reference_csms import assemble
from sim.backend import Row, Setup, Unverifiable
from sim.clock import HOUR, MINUTE, Instant, parse_iso
from sim.evidence.schema import TRUTH
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import WireRecorder
from sim.rng import stream
from sim.runtimes.virtual import VirtualWorld

START = parse_iso("2026-06-10T00:00:00Z")
SEED = 1
BACKEND = "bench"
SITE = "bench-site"
PROFILE = "ac-duo"
HEARTBEAT_S = 300
SAMPLE_S = 60
SESSION = 2 * HOUR
POWER_W = 11_000
WISH_WH = 80_000
"""More than any session can deliver: the EV draws to the end."""
LATENCY_MS = (15, 105)
WIRE_POLICY = "index"
_BOOT_SPREAD = MINUTE
_LEAD = 2 * MINUTE
_TAIL = 2 * MINUTE

Progress = Callable[[Instant, Instant, Instant, int], None]
"""start, now, end, frames so far."""


class BenchFailed(RuntimeError):
    """The measured day was not a healthy one, so its figures are worth nothing."""


class Exchange(Struct, frozen=True):
    """One round trip as it went over the wire: `way` is up (the station called) or down; payloads are JSON objects."""

    way: str
    action: str
    request: bytes
    answer: bytes


class Day(Struct):
    """A world that is ready to run, with its recorders and the sessions that will be driven in it."""

    world: VirtualWorld
    wire: WireRecorder
    truth: TruthRecorder
    rigs: list[Rig]
    visits: list[Visit]
    end: Instant

    def run(self, progress: Progress | None = None) -> str:
        """Let the day happen; returns the digest of wire and truth."""

        def beat(now: Instant, frames: int) -> None:
            if progress is not None:
                progress(START, now, self.end, frames)

        self.world.run(self.end, beat if progress is not None else None)
        return f"{self.wire.close()}-{self.truth.digest[:16]}"


class Outcome(Struct, frozen=True):
    """What the day came to: round trips are CALLs of either side that were answered."""

    round_trips: int
    by_action: dict[str, int]
    unanswered: int
    sessions_driven: int
    sessions_billed: int
    energy_wh: int
    gross: int
    records: int


def sessions_for(hours: int) -> tuple[int, int]:
    """How many sessions a station has, and how long each is in ms: 4 of two hours a day, a third of the time always.

    Where the hours are no multiple of 6 the sessions are shorter, so that the mix of messages stays the same.
    """
    count = -(-hours * HOUR // (3 * SESSION))
    return count, hours * HOUR // (3 * count)


def build(stations: int, hours: int, sink: Any = None) -> Day:
    """Put the world up. `sink` takes the frames instead of the recorder of a run."""
    end = Instant(START + hours * HOUR)
    wire, truth = WireRecorder(salt=str(SEED), policy="index"), TruthRecorder()
    world = VirtualWorld(START, SEED, wire if sink is None else sink, truth, LATENCY_MS)
    names = [f"B{number:05d}" for number in range(1, stations + 1)]
    configs = [_config(name) for name in names]
    visits = [visit for name in names for visit in _visits(name, hours)]
    setup = Setup(name=BACKEND, seed=SEED, provision=_provision(configs, visits), options={"transaction_base": 1_000})
    world.add_backend(assemble, setup)
    rigs = [
        Rig(config, Instant(START + stream(SEED, "boot", config.station).randrange(_BOOT_SPREAD))) for config in configs
    ]
    for rig in rigs:
        world.add(f"rig:{rig.config.station}", rig)
    for visit in visits:
        world.add(visit.machine, EvDriver(visit, SEED))
    return Day(world, wire, truth, rigs, visits, end)


def _config(name: str) -> RigConfig:
    profile = load_profile(PROFILE)
    url = f"ws://{BACKEND}/ocpp/1.6"
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


def _provision(configs: list[RigConfig], visits: list[Visit]) -> dict[str, list[Row]]:
    configuration = {"HeartbeatInterval": str(HEARTBEAT_S), "MeterValueSampleInterval": str(SAMPLE_S)}
    configuration["ClockAlignedDataInterval"] = "0"
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
    owner = {"owner": "bench", "name": "Bench", "country": "DE", "currency": "EUR", "vat_percent": "19"}
    return {
        "owners": [{**owner, "zone": "Europe/Berlin", "tariff_id": "bench"}],
        "sites": [{"site": SITE, "owner": "bench", "tariff_id": "bench"}],
        "tariffs": [tariff],
        "stations": [
            {
                "station": config.station,
                "site": SITE,
                "backend": BACKEND,
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


def settle_up(day: Day) -> Outcome:
    """Compare what was driven with what was billed. Raises BenchFailed for anything that a healthy day does not show."""
    world, now = day.world, day.world.now
    books = world.backend(BACKEND).books(now)
    bills, entries, records = (_rows(books[name]) for name in ("books_bills", "books_journal", "books_records"))
    driven = _table(day.truth, "truth_sessions")
    counts = day.wire.counts()
    by_action: dict[str, int] = {}
    errors = unanswered = 0
    for row in counts:
        _, _, _, action, _, results, refused, open_calls = row
        by_action[str(action)] = by_action.get(str(action), 0) + int(str(results)) + int(str(refused))
        errors += int(str(refused))
        unanswered += int(str(open_calls))
    outcome = Outcome(
        round_trips=sum(by_action.values()),
        by_action=dict(sorted(by_action.items())),
        unanswered=unanswered,
        sessions_driven=len(driven),
        sessions_billed=len({row["session_id"] for row in bills}),
        energy_wh=sum(int(row["register_stop"]) - int(row["register_start"]) for row in driven),
        gross=sum(int(row["gross"]) for row in bills),
        records=len(records),
    )
    sold = sum(int(row["energy_wh"] or 0) for row in _rows(books["books_sessions"]) if row["state"] == "billed")
    expected = {
        "sessions driven": (outcome.sessions_driven, len(day.visits)),
        "sessions billed": (outcome.sessions_billed, len(day.visits)),
        "bills": (len(bills), len(day.visits)),
        "journal entries": (len(entries), len(day.visits)),
        "Wh billed": (sold, outcome.energy_wh),
        "cases in quarantine": (len(_rows(books["books_quarantine"])), 0),
        "calls refused": (errors, 0),
        "running sessions": (sum(note.kind == "sessions" for rig in day.rigs for note in rig.final_notes(now)), 0),
    }
    wrong = [f"{what}: {got}, not {wanted}" for what, (got, wanted) in expected.items() if got != wanted]
    if unanswered > len(day.rigs):  # what is under way in the last instant
        wrong.append(f"calls unanswered: {unanswered}")
    if wrong:
        raise BenchFailed("the measured day was not a healthy one; " + "; ".join(wrong))
    return outcome


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

    def link_opened(self, at: int, station: str, backend: str, link: int) -> None:
        """Connections are no messages."""

    def link_closed(self, at: int, link: int, closed_by: str, reason: str) -> None:
        """Connections are no messages."""


def tape(hours: int) -> tuple[Exchange, ...]:
    """All round trips of one station in this time (a day at most), in order: the mix of messages of the measured day."""
    recorder = _Tape()
    build(1, min(hours, 24), recorder).run()
    return tuple(recorder.exchanges)
