"""One station in a trace: pairs its calls with their answers, remembers what all rules ask for, and lets the rules hear.

Keeps a bounded amount for each station, whatever the trace holds: CALLs that wait, and a few ids that were answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from scenarios.wirecheck.actions import ONLY_16
from scenarios.wirecheck.lines import Line
from scenarios.wirecheck.message import CALL, ERROR, RESULT, SEND, Message, inside, items, message, text_of, whole
from scenarios.wirecheck.rule import Limits, Rule, Tally, rules_hearing
from scenarios.wirecheck.transactions import Transactions
from sim.wire.schema import VERSIONS, known_actions

MOST_WAITING = 1_000
MOST_ANSWERED = 16

ACCEPTED, PENDING, REJECTED, WAITING = "Accepted", "Pending", "Rejected", "asked and not answered"


class Booted(Struct):
    """How a station stands with one back-end: `status` of the last BootNotification answer, None if none was seen."""

    status: str | None = None
    before: str | None = None
    interval: int = 0
    answer: Message | None = None


class Wire(Struct):
    """One connection, and when it began (ms): CALLs each way (True: up) that wait for an answer, that wait for too long, and
    that were answered lately. Of the last two only a few are kept.
    """

    key: str
    first: int
    opened: int | None = None
    waiting: dict[bool, dict[str, Message]] = {}
    late: dict[bool, dict[str, Message]] = {}
    answered: dict[bool, dict[str, Message]] = {}


class Shared(Struct):
    """What all stations of a trace have in common.

    `given`: transaction ids by back-end, and to whom they went; `keys`: public keys (hex) by meter or station.
    """

    given: dict[tuple[str, int], tuple[str, str]] = {}
    keys: dict[str, str] = {}


class Station:
    """What is known of a station, and its rules.

    `version` is the forced or found OCPP version, `config` its 1.6 keys (or 2.x variables by name) as seen on the wire.
    """

    def __init__(
        self, name: str, kinds: Sequence[type[Rule]], limits: Limits, version: str | None, shared: Shared | None = None
    ) -> None:
        self.name = name
        shared = shared or Shared()
        self.given, self.keys = shared.given, shared.keys
        self.limits = limits
        self.forced = version is not None
        self.decided = version
        self.version = version or VERSIONS[0]
        self.config: dict[str, str] = {}
        self.boots: dict[str, Booted] = {}
        self.wires: dict[tuple[str, str], Wire] = {}
        self.begun: int | None = None
        self.last = 0
        self.transactions = Transactions()
        self.calls = 0
        self.tallies: dict[str, Tally] = {}
        self.rules: list[Rule] = []
        for kind in kinds:
            tally = self.tallies[kind.id] = Tally()
            self.rules.append(kind(self, tally))
        self._hearing = {
            name: rules_hearing(self.rules, name) for name in ("frame", "overdue", "stray", "opened", "closed", "end")
        }
        self._by_action: dict[tuple[str, str], list[Any]] = {}

    # -- what the trace tells ------------------------------------------------------------------------------------------

    def hear(self, line: Line) -> None:
        """One line of this station."""
        self.last = max(self.last, line.sent)
        self.begun = line.sent if self.begun is None else self.begun
        wire = self.wires.get((line.backend, line.link))
        if line.way == "close":
            if wire is not None:
                self._close(wire, line.sent)
            return
        if line.way == "open":
            if wire is not None:
                self._close(wire, line.sent)
            self._wire(line).opened = line.sent
            self._told(line.version or line.text)
            for rule in self._hearing["opened"]:
                rule.opened(_key(line), line.sent)
            return
        if wire is None and line.delivered is None:
            return  # lost when its connection ended, which is told first
        self._frame(wire or self._wire(line), line)

    def end(self, at: int) -> None:
        """The trace is over, at this instant (ms)."""
        left = [one for wire in self.wires.values() for way in wire.waiting.values() for one in way.values()]
        for rule in self._hearing["end"]:
            rule.end(at, left)

    def booted(self, backend: str) -> Booted:
        """How the station stands with this back-end."""
        return self.boots.setdefault(backend, Booted())

    def wire_of(self, one: Message) -> Wire:
        """The connection of a frame that is being heard."""
        return self.wires[(one.backend, one.link)]

    # -- inside --------------------------------------------------------------------------------------------------------

    def _wire(self, line: Line) -> Wire:
        wire = Wire(_key(line), line.sent)
        wire.waiting, wire.late = {True: {}, False: {}}, {True: {}, False: {}}
        wire.answered = {True: {}, False: {}}
        self.wires[(line.backend, line.link)] = wire
        return wire

    def _close(self, wire: Wire, at: int) -> None:
        left = [one for way in wire.waiting.values() for one in way.values()]
        self.wires = {key: one for key, one in self.wires.items() if one is not wire}
        for booted in self.boots.values():
            if booted.status == WAITING and booted.before == ACCEPTED:
                booted.status = ACCEPTED  # a repeated boot whose answer got lost says nothing
        for rule in self._hearing["closed"]:
            rule.closed(wire.key, at, left)

    def _frame(self, wire: Wire, line: Line) -> None:
        one = message(line)
        self._told(line.version)
        self._overdue(wire, one)
        for rule in self._hearing["frame"]:
            rule.frame(one)
        if one.kind in (CALL, SEND):
            self._call(wire, one)
        elif one.kind in (RESULT, ERROR):
            self._answer(wire, one)

    def _overdue(self, wire: Wire, one: Message) -> None:
        """Whoever sends a frame lives: what should it have answered before?"""
        waiting = wire.waiting[not one.up]
        overdue: list[Message] = []
        for call in waiting.values():
            if one.sent - call.arrived <= self.limits.timeout:
                break  # they stand in the order in which they came
            if call.id != one.id:
                overdue.append(call)
        for call in overdue:
            del waiting[call.id]
            _keep(wire.late[call.up], call, MOST_ANSWERED)
            for rule in self._hearing["overdue"]:
                rule.overdue(call, one)

    def _call(self, wire: Wire, one: Message) -> None:
        self.calls += 1
        self._decide(one)
        if one.action == "BootNotification" and one.up and wire.opened is None and wire.waiting[True]:
            self._close(wire, one.sent)  # no line tells of connections, and a boot forgets what was asked before
            wire.waiting = {True: {}, False: {}}
            self.wires[(one.backend, one.link)] = wire
        if one.up:
            self.transactions.hear(one)
        for heard in self._hearing_of("call", one.action):
            heard(one)
        self.transactions.heard(one)
        if one.action == "BootNotification" and one.up and one.delivered is not None:
            booted = self.booted(one.backend)
            if booted.status != WAITING:
                booted.before, booted.status = booted.status, WAITING
        if one.kind == CALL and one.delivered is not None:
            _keep(wire.waiting[one.up], one, MOST_WAITING)

    def _answer(self, wire: Wire, one: Message) -> None:
        call = wire.waiting[not one.up].pop(one.id, None)
        one.late = call is None
        call = call or wire.late[not one.up].pop(one.id, None)
        if call is None:
            why = ""
            if one.id not in wire.answered[not one.up] and wire.opened is None:
                soon = one.sent - wire.first <= self.limits.timeout
                why = "its call may stand before the trace begins" if soon else ""
            for rule in self._hearing["stray"]:
                rule.stray(one, why)
            return
        one.call = call
        _keep(wire.answered[call.up], call, MOST_ANSWERED)
        self.transactions.answered(one)
        if one.delivered is not None:
            self._learn(call, one)
        for heard in self._hearing_of("answer", call.action):
            heard(one)

    def _learn(self, call: Message, one: Message) -> None:
        """What an answer that was heard tells about the station."""
        payload = one.payload
        if call.action == "BootNotification" and call.up:
            booted = self.booted(one.backend)
            status = text_of(payload.get("status")) if one.kind == RESULT else ""
            if status in (ACCEPTED, PENDING, REJECTED):
                booted.status, booted.interval, booted.answer = status, whole(payload.get("interval")) or 0, one
        elif one.kind != RESULT:
            return
        elif call.action == "ChangeConfiguration" and payload.get("status") == "Accepted":
            self.config[text_of(call.payload.get("key"))] = text_of(call.payload.get("value"))
        elif call.action == "GetConfiguration":
            for row in items(payload.get("configurationKey")):
                if isinstance(row.get("value"), str):
                    self.config[text_of(row.get("key"))] = row["value"]
        elif call.action == "SetVariables":
            asked, told = items(call.payload.get("setVariableData")), items(payload.get("setVariableResult"))
            for row, result in zip(asked, told, strict=False):
                if result.get("attributeStatus") == "Accepted":
                    name = text_of(inside(row.get("variable")).get("name"))
                    self.config[name] = text_of(row.get("attributeValue"))

    def _hearing_of(self, name: str, action: str) -> list[Any]:
        found = self._by_action.get((name, action))
        if found is None:
            found = self._by_action[(name, action)] = [
                getattr(rule, name)
                for rule in rules_hearing(self.rules, name)
                if (rule.actions is None or action in rule.actions) and self.version in rule.versions
            ]
            if len(self._by_action) > MOST_WAITING:  # actions that nobody knows, one after the other
                self._by_action.clear()
        return found

    # -- which version -------------------------------------------------------------------------------------------------

    def _told(self, text: str) -> None:
        """Take the version from a subprotocol or the like, if there is one in the text."""
        if text and not self.forced:
            for version, name in (("2.1", "2.1"), ("2.0.1", "2.0"), ("1.6", "1.6")):
                if name in text:
                    self._set(version)
                    return

    def _decide(self, one: Message) -> None:
        """Take the version from what a CALL looks like, as long as nothing else told it."""
        if self.forced or self.decided == "2.1":
            return
        if one.action in known_actions("2.1") and not any(one.action in known_actions(v) for v in VERSIONS[:2]):
            self._set("2.1")
        elif self.decided is None:
            found = _looks_like(one)
            if found:
                self._set(found)

    def _set(self, version: str) -> None:
        if version != self.decided:
            self.decided = self.version = version
            self._by_action.clear()


def _keep(known: dict[str, Message], one: Message, most: int) -> None:
    """Put a CALL at the end, and let the first one go if there are too many."""
    known.pop(one.id, None)
    if len(known) >= most:
        del known[next(iter(known))]
    known[one.id] = one


_TELLS = {  # action: a field of 1.6, and one of 2.x
    "BootNotification": ("chargePointVendor", "chargingStation"),
    "StatusNotification": ("status", "connectorStatus"),
    "Authorize": ("idTag", "idToken"),
    "MeterValues": ("connectorId", "evseId"),
}


def _looks_like(one: Message) -> str:
    """The version that this CALL belongs to, "" if it may be any."""
    old, new = _TELLS.get(one.action, ("", ""))
    if old in one.payload or one.action in ONLY_16:
        return "1.6"
    if new in one.payload or (one.action in known_actions("2.0.1") and one.action not in known_actions("1.6")):
        return "2.0.1"
    return "1.6" if one.action in known_actions("1.6") and one.action not in known_actions("2.0.1") else ""


def _key(line: Line) -> str:
    return f"{line.backend}/{line.link}"
