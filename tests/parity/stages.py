"""The same stations, back-end and stimuli on any runtime. A stage knows how to begin, and how the network is told to fail.

A runtime more is a class more in `STAGES` of `test_parity`: `play` takes the stories and
returns what `Played` holds, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field

from fleet.profile import StationProfile, load_profile
from fleet.rig import Rig, RigConfig, meters_of
from reference_csms import assemble
from scenarios.sockets.sheet import SITE, default_sheet
from sim.backend import Row, Setup
from sim.clock import SECOND, Instant, parse_iso
from sim.evidence.truth import TruthRecorder
from sim.machine import Command, Effect, Event, Settled, Tell
from sim.runtimes.aio import AioWorld, Clock
from sim.runtimes.aio_backend import BackEndHost
from sim.runtimes.aio_lines import Lines
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.virtual import VirtualWorld

BEGIN = parse_iso("2026-06-10T10:00:00Z")
SEED = 7
PACE = 20.0
CSMS = "csms"
SOMEONE = "someone"
TOKEN, PHONE = "CARD-1", "+49170"


class Step(Struct, frozen=True):
    """One stimulus: seconds after the beginning; `what` is a command of the rig, or `operate`, `reset`, `refuse`."""

    at_s: float
    what: str
    args: Mapping[str, Any] = {}


class Story(Struct, frozen=True):
    """What happens at one station; `row` goes into its row of the instruction sheet."""

    station: str
    steps: tuple[Step, ...]
    row: Mapping[str, Any] = {}


class Played(Struct):
    """What was seen: calls as (way, frame) by station in order, outcomes of operations, truth, and the books."""

    frames: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    outcomes: dict[str, list[str]] = field(default_factory=dict)
    sessions: list[Row] = field(default_factory=list)
    books: dict[str, Any] = field(default_factory=dict)


class Stage(Protocol):
    """One runtime."""

    def play(self, stories: Sequence[Story], seconds: float) -> Played:
        """Let all stories happen in one world."""
        ...


class Wire:
    """Keeps every frame."""

    def __init__(self) -> None:
        self.frames: dict[str, list[tuple[str, bytes]]] = {}

    def frame(
        self, sent_at: int, delivered_at: int | None, station: str, backend: str, link: int, way: str, frame: bytes
    ) -> None:
        if delivered_at is not None:
            self.frames.setdefault(station, []).append((way, frame))

    def link_opened(self, *row: Any) -> None: ...

    def link_closed(self, *row: Any) -> None: ...


class Someone:
    """Whoever stands at the stations; the stories say what they do, so what the display shows moves nobody."""

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        return []

    def next_deadline(self) -> Instant | None:
        return None


class Hand:
    """An operator: asks the back-end what it is commanded to ask, and remembers what came of it."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[str]] = {}
        self._asked = 0

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        if isinstance(event, Command):
            args = dict(event.args)
            kind = args.pop("kind")
            self._asked += 1
            return [Tell(CSMS, Command(kind, args), f"{args['station']}/{self._asked}")]
        if isinstance(event, Settled):
            told = f"{type(event.outcome).__name__} {msgspec.json.encode(event.outcome).decode()}"
            self.outcomes.setdefault(event.call_id.partition("/")[0], []).append(told)
        return []

    def next_deadline(self) -> Instant | None:
        return None


def profile() -> StationProfile:
    """Back-off without chance, no samples and no heartbeats: what is left has one right order."""
    made = load_profile("ac-duo")
    configuration = {**made.configuration, "MeterValueSampleInterval": "0", "HeartbeatInterval": "86400"}
    return msgspec.structs.replace(
        made,
        configuration=configuration,
        reconnect=msgspec.structs.replace(made.reconnect, wait_min_s=4, random_s=0, repeats=0),
    )


def config(story: Story, url: str) -> RigConfig:
    """The station of a story."""
    return RigConfig(
        station=story.station,
        site=SITE,
        profile=profile(),
        connectors=(1,),
        url=url,
        seed=SEED,
        max_power_w=11_000,
    )


def setup(stories: Sequence[Story]) -> Setup:
    """What the back-end is told."""
    rows = default_sheet()
    rows["stations"] = [{"station": one.station, "site": SITE, "power_w": 11_000, **one.row} for one in stories]
    rows["meters"] = [
        {**meter, "station": one.station} for one in stories for meter in meters_of(config(one, "ws://x"))
    ]
    rows["tokens"] = [{"token": TOKEN, "customer": "c", "mobile": PHONE}]
    return Setup(name=CSMS, seed=SEED, provision=rows, options={"heartbeat_interval": 86_400, "retry_interval": 600})


def direct(stories: Sequence[Story], at: Callable[..., None], acts: Mapping[str, Callable[[str, Any], None]]) -> None:
    """Put every step on the world's calendar."""
    for story in stories:
        for step in story.steps:
            at(BEGIN + int(step.at_s * SECOND), acts.get(step.what, acts["command"]), story.station, step)


class VirtualStage:
    """Virtual time."""

    def play(self, stories: Sequence[Story], seconds: float) -> Played:
        wire, truth, hand = Wire(), TruthRecorder(), Hand()
        world = VirtualWorld(BEGIN, SEED, wire, truth, (5, 10))
        world.add_backend(assemble, setup(stories))
        world.add("operator", hand)
        world.add(SOMEONE, Someone())
        for story in stories:
            world.add(f"rig:{story.station}", Rig(config(story, f"ws://{CSMS}/ocpp"), BEGIN))
        acts = {
            "command": lambda station, step: world.send_command(f"rig:{station}", Command(step.what, step.args)),
            "operate": lambda station, step: world.send_command(
                "operator", Command("ask", {"station": station, **step.args})
            ),
            "reset": lambda station, step: world.links.reset([station]),
            "refuse": lambda station, step: world.uplink(station).refuse(
                int(world.now + step.args["seconds"] * SECOND)
            ),
        }
        direct(stories, world.at, acts)
        world.run(Instant(BEGIN + int(seconds * SECOND)))
        return played(wire, truth, hand, world.backend(CSMS).books(world.now))


def acts_on(world: AioWorld) -> dict[str, Callable[[str, Step], None]]:
    """What each stimulus does in a world of real time."""

    def refuse(station: str, step: Step) -> None:
        world.line(station).refuses = True
        heal = int(world.now + step.args["seconds"] * SECOND)
        world.at(heal, setattr, world.line(station), "refuses", False)

    return {
        "command": lambda station, step: world.send_command(f"rig:{station}", Command(step.what, step.args)),
        "operate": lambda station, step: world.send_command(
            "operator", Command("ask", {"station": station, **step.args})
        ),
        "reset": lambda station, step: world.line(station).reset(),
        "refuse": refuse,
    }


class AioStage:
    """Real sockets on asyncio, `PACE` times as fast as the wall clock."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack

    def play(self, stories: Sequence[Story], seconds: float) -> Played:
        return asyncio.run(self._play(stories, seconds))

    async def _play(self, stories: Sequence[Story], seconds: float) -> Played:
        wire, truth, hand, clock = Wire(), TruthRecorder(), Hand(), Clock(BEGIN, PACE)
        backend = BackEndHost(assemble(setup(stories)), clock)
        theirs, ours = Keeper(Limits()), Keeper(Limits())
        server = await self._stack("127.0.0.1", 0, theirs, backend.judge, backend.count_handshake)
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        world = AioWorld(clock, truth, Lines(clock.now, wire, ours))
        world.add_operator(CSMS, backend)
        world.add("operator", hand)
        world.add(SOMEONE, Someone())
        for story in stories:
            world.add(f"rig:{story.station}", Rig(config(story, url), BEGIN))
        direct(stories, world.at, acts_on(world))
        await world.run(Instant(BEGIN + int(seconds * SECOND)))
        books = backend.books()
        assert not backend.failed.done()
        ours.cut_all("the play is over")
        server.close()
        await backend.stop(theirs, "the play is over")
        return played(wire, truth, hand, books)


def played(wire: Wire, truth: TruthRecorder, hand: Hand, books: Any) -> Played:
    """What a stage hands back."""
    from sim.evidence.schema import TRUTH

    names = TRUTH["truth_sessions"]
    sessions = [dict(zip(names, row, strict=True)) for row in truth.rows()["truth_sessions"]]
    return Played(wire.frames, hand.outcomes, sessions, dict(books))
