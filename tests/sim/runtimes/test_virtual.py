"""The virtual runtime: order, honesty to TCP, group commit and death at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.backend import BackEnd, Operation, Refusal, Setup, subprotocol_of
from sim.clock import HOUR, MINUTE, SECOND, Instant
from sim.machine import (
    Answered,
    Closed,
    Command,
    Note,
    Open,
    Opened,
    Received,
    Refused,
    Send,
    Settle,
    Settled,
    Tell,
    Unknown,
)
from sim.runtimes.virtual import Crash, VirtualWorld
from sim.runtimes.virtual_memory import Leftovers


class Wire:
    def __init__(self) -> None:
        self.frames: list[tuple[Any, ...]] = []
        self.closed: list[tuple[Any, ...]] = []

    def frame(self, *row: Any) -> None:
        self.frames.append(row)

    def link_opened(self, *row: Any) -> None:
        pass

    def link_closed(self, *row: Any) -> None:
        self.closed.append(row)


class Truth:
    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        self.notes.append((kind, fields))


class Phone:
    """A station that dials at once and sends what it is commanded to send."""

    def __init__(self, url: str = "ws://csms/ocpp/S1") -> None:
        self.url = url
        self.link: Any = None
        self.seen: list[tuple[int, Any]] = []
        self.deadline: Instant | None = Instant(0)

    def handle(self, event: Any, now: Instant) -> list[Any]:
        self.seen.append((now, event))
        if isinstance(event, Opened):
            self.link = event.link
        elif isinstance(event, Closed):
            self.link = None
        elif isinstance(event, Command) and event.name == "say":
            return [Send(self.link, text) for text in event.args["frames"]]
        elif isinstance(event, Command) and event.name == "dial":
            return [Open(self.url)]
        return []

    def next_deadline(self) -> Instant | None:
        return None

    def heard(self) -> list[bytes]:
        return [event.frame for _, event in self.seen if isinstance(event, Received)]


class Echo:
    """A back-end that stores every frame on commit and answers it afterwards."""

    def __init__(self, setup: Setup) -> None:
        self.name = setup.name
        self.disk = setup.disk.setdefault("stored", [])
        self.staged: list[tuple[Any, bytes]] = []
        self.operations: list[tuple[Operation, str]] = []

    def accept(self, link: Any, identity: str, subprotocols: Any, now: Instant) -> Any:
        return EchoLink(self, link) if identity == "S1" else Refusal(404, "unknown")

    def operate(self, operation: Operation, call_id: str, now: Instant) -> None:
        self.operations.append((operation, call_id))

    def flush(self, now: Instant, release: Callable[[Any], None]) -> None:
        staged, self.staged = self.staged, []
        self.disk.extend(frame for _, frame in staged)
        for link, frame in staged:
            release(Send(link, b"re:" + frame))
        for operation, call_id in self.operations:
            if operation.kind != "ignore":
                release(Settle(call_id, Answered(operation.kind)))
        self.operations = []

    def tick(self, now: Instant) -> None: ...

    def next_deadline(self) -> Instant | None:
        return None

    def books(self, now: Instant) -> dict[str, Any]:
        return {}

    def quote(self, request: Any, now: Instant) -> dict[str, Any]:
        return {}


class EchoLink:
    def __init__(self, home: Echo, link: Any) -> None:
        self.home = home
        self.link = link

    def handle(self, event: Any, now: Instant) -> list[Any]:
        if isinstance(event, Received):
            self.home.staged.append((self.link, event.frame))
        return []

    def next_deadline(self) -> Instant | None:
        return None


def world_with_phone(factory: Callable[[Setup], BackEnd] = Echo) -> tuple[VirtualWorld, Phone, Wire, Setup]:  # type: ignore[assignment]
    wire = Wire()
    world = VirtualWorld(Instant(0), 7, wire, Truth(), (10, 50))
    setup = Setup(name="csms", seed=7, provision={})
    world.add_backend(factory, setup)
    phone = Phone()
    world.add("rig:S1", phone)
    world.send_command("rig:S1", Command("dial"))
    world.run(Instant(SECOND))
    assert phone.link is not None
    return world, phone, wire, setup


def say(world: VirtualWorld, at: int, *frames: bytes) -> None:
    world.at(at, world.send_command, "rig:S1", Command("say", {"frames": list(frames)}))


@given(st.lists(st.integers(min_value=0, max_value=200), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_frames_of_one_direction_never_overtake_each_other(gaps: list[int]) -> None:
    world, phone, _, setup = world_with_phone()
    at, sent = 2 * SECOND, []
    for number, gap in enumerate(gaps):
        at += gap
        sent.append(b"%d" % number)
        say(world, at, sent[-1])
    world.run(Instant(at + MINUTE))
    assert setup.disk["stored"] == sent
    assert phone.heard() == [b"re:" + frame for frame in sent]


def test_a_stall_holds_frames_back_and_loses_nothing() -> None:
    world, phone, wire, _ = world_with_phone()
    say(world, 2 * SECOND, b"before")
    world.at(2 * SECOND + 5, world.uplink("S1").stall, 10 * MINUTE)
    say(world, 3 * SECOND, b"during")
    world.run(Instant(9 * MINUTE))
    assert phone.heard() == []
    world.run(Instant(11 * MINUTE))
    assert phone.heard() == [b"re:before", b"re:during"]
    assert all(row[1] is not None for row in wire.frames)


def test_a_dial_into_a_stalled_uplink_times_out() -> None:
    world, phone, _, _ = world_with_phone()
    world.uplink("S1").stall(world.now + HOUR)
    world.send_command("rig:S1", Command("dial"))
    world.run(Instant(MINUTE))
    assert isinstance(phone.seen[-1][1], Closed)
    assert phone.seen[-1][1].reason == "timeout"


def test_an_unknown_identity_is_refused_with_404() -> None:
    world, phone, _, _ = world_with_phone()
    phone.url = "ws://csms/ocpp/S2"
    world.send_command("rig:S1", Command("dial"))
    world.run(Instant(MINUTE))
    assert phone.seen[-1][1].reason == "404"


def test_a_reset_loses_what_is_in_flight_and_says_so() -> None:
    world, phone, wire, setup = world_with_phone()
    say(world, 2 * SECOND, b"lost")
    world.at(2 * SECOND + 1, world.links.reset, ["S1"])
    world.run(Instant(MINUTE))
    assert setup.disk["stored"] == []
    assert [row[1] for row in wire.frames] == [None]
    assert isinstance(phone.seen[-1][1], Closed)


@pytest.mark.parametrize(
    ("moment", "stored", "heard"),
    [
        ("before-commit", [], []),
        ("before-replies", [b"Stop a", b"Stop b"], []),
        ("after-first-reply", [b"Stop a", b"Stop b"], [b"re:Stop a"]),
    ],
)
def test_a_back_end_dies_at_the_moment_named(moment: str, stored: list[bytes], heard: list[bytes]) -> None:
    world, phone, wire, setup = world_with_phone()
    died: list[tuple[int, int]] = []
    crash = Crash(2 * SECOND, moment, "", 30 * SECOND, lambda at, back: died.append((at, back)))
    crash.action = b"Stop"
    world.backends.arm_crash("csms", crash)
    world.uplink("S1").ahead[:] = [11] * 20
    say(world, 3 * SECOND, b"Stop a", b"Stop b")
    world.run(Instant(20 * SECOND))
    assert setup.disk["stored"] == stored
    assert phone.heard() == heard or moment == "after-first-reply"  # the reply may be cut off by the reset behind it
    assert [row[2] for row in wire.closed] == ["crash"]
    assert died == [(died[0][0], died[0][0] + 30 * SECOND)]
    world.send_command("rig:S1", Command("dial"))
    world.run(Instant(25 * SECOND))
    assert phone.seen[-1][1].reason == "refused"
    world.at(40 * SECOND, world.send_command, "rig:S1", Command("dial"))
    world.run(Instant(41 * SECOND))
    assert phone.link is not None


def test_an_operation_at_a_dead_back_end_is_refused_and_one_under_way_is_unknown() -> None:
    world, _, _, _ = world_with_phone()

    class Asker:
        def __init__(self) -> None:
            self.outcomes: list[Any] = []

        def handle(self, event: Any, now: Instant) -> list[Any]:
            if isinstance(event, Settled):
                self.outcomes.append(event.outcome)
                return []
            return [Tell("csms", Command(event.args["kind"]), event.args["id"])]

        def next_deadline(self) -> Instant | None:
            return None

    asker = Asker()
    world.add("asker", asker)
    world.send_command("asker", Command("ask", {"kind": "ping", "id": "1"}))
    world.run(Instant(3 * SECOND))
    world.send_command("asker", Command("ask", {"kind": "ignore", "id": "2"}))
    world.run(Instant(4 * SECOND))
    world.backends.arm_crash("csms", Crash(5 * SECOND, "before-commit", "", MINUTE, lambda at, back: None))
    world.run(Instant(6 * SECOND))
    world.send_command("asker", Command("ask", {"kind": "ping", "id": "3"}))
    world.run(Instant(7 * SECOND))
    assert [type(outcome) for outcome in asker.outcomes] == [Answered, Unknown, Refused]


def test_power_loss_leaves_the_back_end_in_the_dark_until_its_pings_fail() -> None:
    world, phone, wire, _ = world_with_phone()
    world.links.close_by_station(phone.link, "power")
    world.run(Instant(30 * SECOND))
    assert wire.closed == []
    world.run(Instant(2 * MINUTE))
    assert [row[3] for row in wire.closed] == ["keep-alive"]


def test_an_event_in_the_past_is_our_own_mistake() -> None:
    world, _, _, _ = world_with_phone()
    with pytest.raises(ValueError, match="in the past"):
        world.at(0, lambda: None)


def test_notes_reach_the_truth_plane() -> None:
    truth = Truth()
    world = VirtualWorld(Instant(0), 1, Wire(), truth, (10, 10))

    class Teller:
        def handle(self, event: Any, now: Instant) -> list[Any]:
            return [Note("events", {"at": now})]

        def next_deadline(self) -> Instant | None:
            return None

    world.add("teller", Teller())
    world.send_command("teller", Command("go"))
    world.run(Instant(10))
    assert truth.notes == [("events", {"at": 0})]


class Shop:
    """A partner that settles what it is asked after a second, and counts."""

    def __init__(self) -> None:
        self.asked: list[tuple[Instant, dict[str, Any]]] = []
        self.due: list[tuple[Instant, str]] = []

    def handle(self, event: Any, now: Instant) -> list[Any]:
        if isinstance(event, Command):
            self.asked.append((now, dict(event.args)))
            self.due.append((Instant(now + SECOND), event.args["call_id"]))
        ready = [call for at, call in self.due if at <= now]
        self.due = [(at, call) for at, call in self.due if at > now]
        return [Settle(call, Answered({"paid": call})) for call in ready]

    def next_deadline(self) -> Instant | None:
        return min((at for at, _ in self.due), default=None)


class Payer(Echo):
    """A back-end that asks the shop for each operation, and writes down what it hears."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.tells: list[Tell] = []
        self.heard: list[tuple[str, Any]] = setup.disk.setdefault("heard", [])

    def operate(self, operation: Operation, call_id: str, now: Instant) -> None:
        self.tells.append(Tell("shop", Command("request", {"api": operation.kind}), f"pay/{call_id}"))

    def settled(self, call_id: str, outcome: Any, now: Instant) -> None:
        self.heard.append((call_id, outcome))

    def flush(self, now: Instant, release: Callable[[Any], None]) -> None:
        tells, self.tells = self.tells, []
        for tell in tells:
            release(tell)
        super().flush(now, release)


class Counted(Echo):
    """Counts how often it is asked for its next deadline; `steady` is what its flush tells."""

    steady: bool | None = None

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.asked = 0

    def flush(self, now: Instant, release: Callable[[Any], None]) -> bool | None:  # type: ignore[override]
        super().flush(now, release)
        return self.steady

    def next_deadline(self) -> Instant | None:
        self.asked += 1
        return None


@pytest.mark.parametrize("steady", [True, False, None])
def test_a_back_end_that_says_that_nothing_moved_is_not_asked_for_its_deadline(steady: bool | None) -> None:
    world, phone, _, _ = world_with_phone(Counted)
    world.run(Instant(SECOND))
    home: Any = world.backend("csms")
    home.steady, before = steady, home.asked
    say(world, 2 * SECOND, b"a")
    world.run(Instant(3 * SECOND))
    assert phone.heard() == [b"re:a"]
    assert (home.asked == before) == (steady is True)


@pytest.mark.parametrize("tickless", [True, False])
def test_a_connection_that_never_ticks_is_not_asked_for_its_deadline(tickless: bool) -> None:
    asked: list[Instant | None] = []

    class Asked(EchoLink):
        def __init__(self, home: Echo, link: Any) -> None:
            super().__init__(home, link)
            self.tickless = tickless

        def next_deadline(self) -> Instant | None:
            asked.append(None)
            return None

    class Home(Echo):
        def accept(self, link: Any, identity: str, subprotocols: Any, now: Instant) -> Any:
            return Asked(self, link)

    world, phone, _, _ = world_with_phone(Home)
    say(world, 2 * SECOND, b"a")
    world.run(Instant(3 * SECOND))
    assert phone.heard() == [b"re:a"]
    assert bool(asked) is not tickless


def shop_world() -> tuple[VirtualWorld, Shop, Setup]:
    world, _, _, setup = world_with_phone(Payer)
    shop = Shop()
    world.add("shop", shop)
    return world, shop, setup


def test_a_back_end_hears_what_a_partner_answered_after_the_time_of_a_request_each_way() -> None:
    world, shop, setup = shop_world()
    world.at(world.now + SECOND, world.backends.operate, Tell("csms", Command("capture"), None))
    start = world.now
    world.run(Instant(start + MINUTE))
    (asked_at, args), *others = shop.asked
    assert not others and args["api"] == "capture"
    assert start + SECOND + 20 <= asked_at < start + SECOND + 80
    assert setup.disk["heard"] == [("pay/", Answered({"paid": "pay/"}))]


def test_a_back_end_that_died_never_hears_what_it_had_asked() -> None:
    world, shop, setup = shop_world()
    start = world.now
    world.at(start + SECOND, world.backends.operate, Tell("csms", Command("capture"), None))
    world.backends.arm_crash("csms", Crash(start + SECOND + 500, "before-replies", "", 100, lambda *_: None))
    world.run(Instant(start + MINUTE))
    assert len(shop.asked) == 1
    assert setup.disk["heard"] == []


def test_what_a_world_left_is_collected_before_the_next_one_and_never_between_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[int] = []
    monkeypatch.setattr("sim.runtimes.virtual_memory.gc.collect", lambda: looks.append(1))
    monkeypatch.setattr(Leftovers, "frames", 0)
    monkeypatch.setattr(Leftovers, "MANY", 6)

    def busy_world() -> int:
        """Three frames there and three back, in several steps; says how often the collector had looked before them."""
        world, _, _, _ = world_with_phone()
        before = len(looks)
        for step in range(2, 5):
            say(world, step * SECOND, b"x")
            world.run(Instant((step + 1) * SECOND))
        return before

    assert [busy_world() for _ in range(3)] == [0, 1, 2]
    assert looks == [1, 1] and Leftovers.frames == 6


@pytest.mark.parametrize("chosen", ["ocpp2.0.1", "ocpp1.6", None])
def test_both_ends_and_the_wire_hear_which_subprotocol_a_back_end_chose(chosen: str | None) -> None:
    told: list[Any] = []

    class Chooser(Echo):
        def accept(self, link: Any, identity: str, subprotocols: Any, now: Instant) -> Any:
            accepted = super().accept(link, identity, subprotocols, now)
            accepted.subprotocol = chosen
            return accepted

    class Listening(Wire):
        def link_opened(self, *row: Any) -> None:
            told.append(row[-1])

    world = VirtualWorld(Instant(0), 1, Listening(), Truth(), (10, 0))
    world.add_backend(Chooser, Setup(name="csms", seed=1, provision={}))
    phone = Phone()
    world.add("S1", phone)
    world.at(1, world.send_command, "S1", Command("dial"))
    world.run(Instant(1_000))
    opened = [event for _, event in phone.seen if isinstance(event, Opened)]
    assert [event.subprotocol for event in opened] == [chosen] == told


def test_a_back_end_that_says_nothing_of_it_speaks_1_6() -> None:
    assert subprotocol_of(Phone()) == "ocpp1.6"
