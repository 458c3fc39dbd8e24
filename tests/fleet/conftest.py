"""A scripted bench for one rig: a tiny virtual world with a fake back-end that answers by a table.

Every frame of the station is judged by the OCPP schema here, so no test has to ask for that.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fleet.profile import StationProfile, load_profile, read_profile
from fleet.rig import Rig, RigConfig
from fleet.station.status import ALLOWED
from sim.clock import Instant, iso, parse_iso
from sim.machine import Close, Closed, Command, LinkId, Note, Open, Opened, Received, Send, Settle, Tell, Tick
from sim.wire import ocmf, ocppj, schema
from sim.wire.dialect import DIALECTS

START = parse_iso("2019-06-12T06:00:00Z")
SILENT = object()
LATENCY = 50


class Denied(Exception):
    """Let the fake back-end answer with this CALLERROR."""


class Asked(msgspec.Struct):
    """One CALL of the station as the back-end got it."""

    at: int
    link: int
    action: str
    payload: Any
    id: str


class Bench:
    """One rig, its people (who only write down what they are told), and the fake back-end."""

    def __init__(
        self,
        profile: str | StationProfile = "ac-duo",
        *,
        connectors: tuple[int, ...] = (1,),
        seed: int = 7,
        url: str = "ws://legacy/ocpp",
        keys: dict[str, str] | None = None,
        max_power_w: int = 11_000,
        quirk: str = "",
        **changes: Any,
    ) -> None:
        kind = load_profile(profile) if isinstance(profile, str) else profile
        kind = msgspec.structs.replace(kind, configuration={**kind.configuration, **(keys or {})}, **changes)
        self.lenient = bool(quirk)  # a quirk may break every rule
        kind = kind.with_quirks(quirk) if quirk else kind
        self.config = RigConfig(
            station="ST-1",
            site="S",
            profile=kind,
            connectors=connectors,
            url=url,
            seed=seed,
            max_power_w=max_power_w,
            given=(quirk,) if quirk else (),
        )
        self.rig = Rig(self.config, START)
        self.now: int = START
        self.asked: list[Asked] = []
        self.answers: dict[str, list[Any]] = {}
        self.notes: list[Note] = []
        self.shown: list[tuple[int, str]] = []
        self.told: list[dict[str, Any]] = []
        self.opened: list[tuple[int, str]] = []
        self.closed: list[tuple[int, str]] = []
        self.settled: list[Settle] = []
        self.refusing = False
        self.stalled = False
        self.link: LinkId | None = None
        self.table: dict[str, Any] = {
            "BootNotification": lambda p: {"status": "Accepted", "currentTime": iso(self.now), "interval": 300},
            "Heartbeat": lambda p: {"currentTime": iso(self.now)},
            "Authorize": {"idTagInfo": {"status": "Accepted"}},
            "StartTransaction": self._start,
            "StopTransaction": {},
            "TransactionEvent": lambda p: {"idTokenInfo": {"status": "Accepted"}} if "idToken" in p else {},
            "NotifyReport": {},
            "MeterValues": {},
            "StatusNotification": {},
        }
        self.dialect = DIALECTS[kind.version]
        if kind.version == "2.0.1":
            self.table["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._links = 0
        self._transactions = 1000
        self._calls = 0
        self._pending: dict[str, str] = {}
        self._ids: set[str] = set()
        self.sent: list[bytes] = []

    def _start(self, payload: Any) -> Any:
        self._transactions += 1
        return {"idTagInfo": {"status": "Accepted"}, "transactionId": self._transactions}

    # -- time ---------------------------------------------------------------------------------------------------------

    def at(self, when: int, fn: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, fn))

    def run(self, seconds: float) -> Bench:
        end = self.now + round(seconds * 1000)
        while True:
            deadline = self.rig.next_deadline()
            event = self._heap[0][0] if self._heap else None
            when = min((t for t in (deadline, event) if t is not None), default=None)
            if when is None or when > end:
                break
            assert when >= self.now, "a deadline in the past"
            self.now = when
            if event == when:
                heapq.heappop(self._heap)[2]()
            else:
                self.give(Tick())
        self.now = end
        return self

    def give(self, event: Any) -> None:
        for effect in self.rig.handle(event, Instant(self.now)):
            self._perform(effect)

    def do(self, name: str, **args: Any) -> Bench:
        self.give(Command(name, args))
        return self

    # -- the world ----------------------------------------------------------------------------------------------------

    def _perform(self, effect: Any) -> None:
        if isinstance(effect, Send):
            self._send(effect)
        elif isinstance(effect, Open):
            self._open(effect)
        elif isinstance(effect, Close):
            self.closed.append((self.now, effect.reason))
            if effect.link == self.link:
                self.link = None
        elif isinstance(effect, Note):
            self.notes.append(effect)
        elif isinstance(effect, Tell):
            self.told.append(dict(effect.command.args))
            self.shown.append((self.now, effect.command.args["text"]))
        elif isinstance(effect, Settle):
            self.settled.append(effect)
        else:
            raise TypeError(effect)

    def _open(self, effect: Open) -> None:
        self.opened.append((self.now, effect.url))
        self._links += 1
        link = LinkId(self._links)
        if self.refusing:
            self.at(self.now + LATENCY, lambda: self.give(Closed(link, "refused")))
            return

        def up() -> None:
            self.link = link
            self.give(Opened(link, self.dialect.subprotocol))

        self.at(self.now + LATENCY, up)

    def _send(self, effect: Send) -> None:
        assert effect.link == self.link, "a frame on a link that is gone"
        try:
            frame = ocppj.parse(effect.frame)
        except ocppj.BadFrame:
            assert self.lenient
            self.sent.append(effect.frame)
            return
        if isinstance(frame, ocppj.Call):
            breach = schema.judge(self.dialect.version, frame.action, "request", frame.payload)
            assert breach is None or self.lenient, effect.frame
            assert frame.id not in self._ids or self.lenient, "an id used twice"
            self._ids.add(frame.id)
            self.sent.append(effect.frame)
            call = Asked(self.now, effect.link, frame.action, json.loads(frame.payload), frame.id)
            self.at(self.now + LATENCY, lambda: self._answer(call))
        elif isinstance(frame, ocppj.Result):
            action = self._pending.pop(frame.id) if not self.lenient else self._pending.pop(frame.id, frame.id)
            breach = self.lenient or schema.judge(self.dialect.version, action, "response", frame.payload)
            assert self.lenient or breach is None, effect.frame
            self.answers.setdefault(action, []).append(json.loads(frame.payload))
        else:
            self.answers.setdefault(self._pending.pop(frame.id, "?"), []).append(frame.code)

    def _answer(self, call: Asked) -> None:
        if self.stalled:
            return
        self.asked.append(call)
        answer = self.table[call.action]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        try:
            answer = answer(call.payload) if callable(answer) else answer
        except Denied as denied:
            frame = self.dialect.error(call.id, str(denied), "")
        else:
            if answer is SILENT:
                return
            frame = ocppj.encode_result(call.id, json.dumps(answer).encode())
        self.receive_later(frame, call.link)

    def receive_later(self, frame: bytes, link: int | None = None) -> None:
        to = LinkId(link if link is not None else self.link or 0)

        def arrive() -> None:
            if to == self.link:
                self.give(Received(to, frame))

        self.at(self.now + LATENCY, arrive)

    def call(self, action: str, **payload: Any) -> Any:
        """The back-end asks; returns the station's answer (a dict, or the code of a CALLERROR), None for silence."""
        self._calls += 1
        id = f"cs-{self._calls}"
        self._pending[id] = action
        before = len(self.answers.get(action, []))
        self.receive_later(ocppj.encode_call(id, action, json.dumps(payload).encode()))
        self.run(LATENCY / 1000)
        answers = self.answers.get(action, [])
        return answers[-1] if len(answers) > before else None

    def cut(self) -> Bench:
        """The network drops the connection."""
        link, self.link = self.link, None
        if link is not None:
            self.give(Closed(link, "reset"))
        return self

    # -- what happened ------------------------------------------------------------------------------------------------

    def boot(self) -> Bench:
        return self.run(5)

    def plug(self, connector: int = 1, energy_wh: int = 10_000, power_w: int = 11_000) -> Bench:
        return self.do(
            "plug",
            connector=connector,
            visit_id=f"v{self.now}",
            energy_wh=energy_wh,
            power_w=power_w,
            driver="driver:d",
        )

    def charge(self, connector: int = 1, energy_wh: int = 10_000, power_w: int = 11_000, token: str = "TAG") -> Bench:
        self.plug(connector, energy_wh, power_w).run(5)
        return self.do("swipe", connector=connector, token=token).run(5)

    def actions(self, *only: str) -> list[str]:
        return [call.action for call in self.asked if not only or call.action in only]

    def payloads(self, action: str) -> list[Any]:
        return [call.payload for call in self.asked if call.action == action]

    def statuses(self, connector: int = 1) -> list[str]:
        return [p["status"] for p in self.payloads("StatusNotification") if p["connectorId"] == connector]

    def texts(self) -> list[str]:
        return [text for _, text in self.shown]

    def events(self, kind: str) -> list[dict[str, Any]]:
        rows = [note.fields for note in self.notes if note.kind == "events"]
        return [{**row, "data": json.loads(row["data"])} for row in rows if row["kind"] == kind]

    def sessions(self) -> list[dict[str, Any]]:
        rows = [note.fields for note in self.notes if note.kind == "sessions"]
        return [{**row, "points": json.loads(row["points"])} for row in rows]

    def records(self, stop: int = -1) -> list[tuple[str, ocmf.Record]]:
        """The signed records of a StopTransaction with their contexts."""
        found = []
        for value in self.payloads("StopTransaction")[stop].get("transactionData", []):
            for sample in value["sampledValue"]:
                if sample.get("format") == "SignedData":
                    found.append((sample["context"], ocmf.parse(ocmf.unwrap(sample["value"]))))
        return found


@pytest.fixture(scope="session")
def bench() -> type[Bench]:
    return Bench


@pytest.fixture(scope="session")
def world() -> Any:
    """Names that tests need: START, SILENT, Denied, ALLOWED, profile."""

    class Names:
        start = START
        silent = SILENT
        denied = Denied
        allowed = ALLOWED
        profile = staticmethod(load_profile)
        read = staticmethod(read_profile)

    return Names
