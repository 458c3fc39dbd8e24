"""One behaviour on every runtime: the same stimuli bring the same calls of each station and the same books (point 11)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import pytest

from sim.runtimes.websocket_fast import listen_fast
from sim.runtimes.websocket_server import listen
from tests.parity.green_stage import GreenStage
from tests.parity.stages import PHONE, SOMEONE, TOKEN, AioStage, Played, Stage, Step, Story, VirtualStage

SECONDS = 150.0
BOOKS = ("books_sessions", "books_cdrs", "books_rated", "books_bills", "books_quarantine", "books_transactions")
PLUG = {"connector": 1, "visit_id": "v", "energy_wh": 100, "power_w": 11_000, "driver": SOMEONE}
"""Full after half a minute, long before anybody stops it: the energy does not depend on how late a runtime is."""
SWIPE = {"connector": 1, "token": TOKEN}
CONNECTOR = {"connector": 1}


def story(station: str, *steps: tuple[float, str, Mapping[str, Any]], **row: Any) -> Story:
    return Story(station, tuple(Step(at, what, args) for at, what, args in steps), row)


def operate(kind: str, **args: Any) -> dict[str, Any]:
    return {"kind": kind, **args}


BY_CARD = ((20, "plug", PLUG), (26, "swipe", SWIPE))
STORIES = (
    story("swipe-and-swipe", *BY_CARD, (90, "swipe", SWIPE), (96, "unplug", CONNECTOR)),
    story("swipe-and-pull", *BY_CARD, (90, "unplug", CONNECTOR)),
    story("swipe-first", (20, "swipe", SWIPE), (26, "plug", PLUG), (90, "unplug", CONNECTOR)),
    story(
        "unknown-card",
        (20, "plug", PLUG),
        (26, "swipe", {"connector": 1, "token": "NOBODY"}),
        (60, "unplug", CONNECTOR),
    ),
    story(
        "offline-while-charging",
        *BY_CARD,
        (40, "refuse", {"seconds": 70}),
        (40, "reset", {}),
        (90, "swipe", SWIPE),
        (96, "unplug", CONNECTOR),
    ),
    story("cut-while-charging", *BY_CARD, (40, "reset", {}), (90, "swipe", SWIPE), (96, "unplug", CONNECTOR)),
    story(
        "by-app",
        (20, "plug", PLUG),
        (26, "operate", operate("app-start", mobile=PHONE, connector=1)),
        (90, "operate", operate("app-stop", mobile=PHONE, connector=1)),
        (98, "unplug", CONNECTOR),
    ),
    story(
        "remote-start-of-an-operator",
        (20, "plug", PLUG),
        (
            26,
            "operate",
            operate("call", action="RemoteStartTransaction", payload={"idTag": TOKEN, "connectorId": 1}),
        ),
        (
            90,
            "operate",
            operate("call", action="ChangeAvailability", payload={"connectorId": 1, "type": "Inoperative"}),
        ),
        (98, "unplug", CONNECTOR),
    ),
    story(
        "soft-reset-while-charging",
        *BY_CARD,
        (80, "operate", operate("call", action="Reset", payload={"type": "Soft"})),
        (120, "unplug", CONNECTOR),
    ),
    story("power-loss", *BY_CARD, (80, "power-loss", {}), (95, "power-restored", {}), (130, "unplug", CONNECTOR)),
    story(
        "pending-then-accepted",
        (20, "operate", operate("accept-station")),
        (40, "plug", PLUG),
        (46, "swipe", SWIPE),
        (110, "swipe", SWIPE),
        (116, "unplug", CONNECTOR),
        registration="pending",
    ),
    story("asked-for-what-it-cannot", (20, "operate", operate("call", action="Reset", payload={"type": "Fly"}))),
)

STAGES: dict[str, Stage] = {
    "virtual": VirtualStage(),
    "aio": AioStage(listen),
    "aio-fast": AioStage(listen_fast),
    "greenlet": GreenStage(),
}

DEPENDS = ("idle_seconds", "journal_seq", "number", "during", "entry")
"""What depends on how late a runtime is, or on which station came first."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:[\d.,]+)?[^\" ]*")
_NUMBER = re.compile(r"\b10000\d\d\b|-0000\d\d\b")
_HASH = re.compile(r"\b[0-9a-f]{40,64}\b")
_EPOCH = 10**12


@cache
def play(runtime: str) -> Played:
    return STAGES[runtime].play(STORIES, SECONDS)


def plain(value: Any) -> Any:
    """Without what may differ: instants, signatures, and numbers that depend on who came first."""
    if isinstance(value, dict):
        kept = (name for name in value if name not in DEPENDS and (not name.endswith("_id") or name == "meter_id"))
        return {name: plain(value[name]) for name in kept}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, int) and value > _EPOCH:
        return "T"
    if isinstance(value, int) and 1_000_000 < value < 1_000_100:
        return "#"
    if isinstance(value, str):
        if value.startswith("T0NN"):  # base64 of OCMF
            return plain(base64.b64decode(value).decode())
        if value.startswith("OCMF|"):
            return plain(msgspec.json.decode(value.split("|")[1]))  # what was signed, without the signature
        if value.startswith(("{", "[")):
            return plain(msgspec.json.decode(value))
        return _HASH.sub("H", _NUMBER.sub("#", _TIME.sub("T", value)))
    return value


def calls(runtime: str, station: str, way: str) -> list[tuple[str, Any]]:
    """Action and payload of every CALL, in order."""
    found = []
    for told, frame in play(runtime).frames.get(station, []):
        message = msgspec.json.decode(frame)
        if told == way and message[0] == 2:
            found.append((message[2], plain(message[3])))
    return found


def answers(runtime: str, station: str) -> list[Any]:
    """What the back-end answered, in the order of its answers."""
    frames = (msgspec.json.decode(frame) for way, frame in play(runtime).frames[station] if way == "down")
    return [[message[0], plain(message[2])] for message in frames if message[0] != 2]


def book(runtime: str, name: str, station: str) -> list[Any]:
    rows = play(runtime).books[name]
    return sorted(msgspec.json.encode(plain(row)).decode() for row in rows if _of(runtime, row, station))


def _of(runtime: str, row: Mapping[str, Any], station: str) -> bool:
    """Whether a row is of this station, by its own word or that of its session."""
    if "station" in row:
        return bool(row["station"] == station)
    owned = {one["session_id"] for one in play(runtime).books["books_sessions"] if one["station"] == station}
    return row.get("session_id") in owned


@pytest.fixture(params=[name for name in STAGES if name != "virtual"])
def runtime(request: pytest.FixtureRequest) -> str:
    """Every runtime is held against virtual time; one more in `STAGES` is one more here."""
    return str(request.param)


each_story = pytest.mark.parametrize("told", STORIES, ids=lambda told: told.station)


@each_story
def test_a_station_makes_the_same_calls_and_gets_the_same_answers(runtime: str, told: Story) -> None:
    assert calls(runtime, told.station, "up") == calls("virtual", told.station, "up")
    assert calls(runtime, told.station, "down") == calls("virtual", told.station, "down")
    assert answers(runtime, told.station) == answers("virtual", told.station)


@each_story
def test_the_books_are_the_same(runtime: str, told: Story) -> None:
    for name in BOOKS:
        assert book(runtime, name, told.station) == book("virtual", name, told.station), name


@each_story
def test_operations_have_the_same_outcomes(runtime: str, told: Story) -> None:
    mine, theirs = (play(one).outcomes.get(told.station) for one in (runtime, "virtual"))
    assert mine == theirs


def test_the_stories_are_what_they_say() -> None:
    """A suite in which nothing happens would agree with itself for ever."""
    kinds = {told.station: [action for action, _ in calls("virtual", told.station, "up")] for told in STORIES}
    charged = [station for station, actions in kinds.items() if "StopTransaction" in actions]
    assert len(charged) >= 10 and "unknown-card" not in charged
    assert (
        kinds["power-loss"].count("BootNotification")
        == kinds["soft-reset-while-charging"].count("BootNotification")
        == 2
    )
    assert kinds["pending-then-accepted"].count("BootNotification") == 2
    assert [row["kwh"] for row in play("virtual").books["books_cdrs"]] == ["0.100"] * len(charged)
    assert len(play("virtual").books["books_bills"]) == len(charged)


def test_a_difference_between_runtimes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: one runtime that loses a call, one that books another energy."""
    from tests.parity import test_parity as here

    good = play("virtual")
    station = STORIES[0].station
    frames = {**good.frames, station: good.frames[station][:-2]}
    cdrs = [{**row, "kwh": "0.099"} for row in good.books["books_cdrs"]]
    bad = Played(frames, good.outcomes, good.sessions, {**good.books, "books_cdrs": cdrs})
    monkeypatch.setattr(here, "play", lambda runtime: bad if runtime == "bad" else good)
    with pytest.raises(AssertionError):
        here.test_a_station_makes_the_same_calls_and_gets_the_same_answers("bad", STORIES[0])
    with pytest.raises(AssertionError):
        here.test_the_books_are_the_same("bad", STORIES[0])
