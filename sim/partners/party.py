"""What every partner is made of: an agenda of its own, what it wants to tell others, and its statement.

A partner is no Machine itself: it lives behind its `Line`, which hands it requests and commands at the moment of execution
and carries away what it has to say. It never sees faults of the line but one: that it is to answer 500.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from typing import Any, Literal

from msgspec import Struct

from sim.backend import Row
from sim.clock import Instant
from sim.evidence.canonical import canonical
from sim.machine import Command, Outcome, Refused, Tell
from sim.partners.port import Request, Response
from sim.rng import derive

Tables = dict[str, list[Row]]
Failing = Literal["", "500-before", "500-after"]
"""Whether the partner breaks down in this request, before or after it did what it was asked."""


class Agenda:
    """What is to be done later, in the order of (instant, when it was put down)."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._count = 0

    def add(self, at: int, do: Callable[..., object], *args: Any) -> None:
        """Call `do(*args, now)` at that instant."""
        self._count += 1
        heappush(self._heap, (at, self._count, do, args))

    def next(self) -> Instant | None:
        """When the next entry is due."""
        return Instant(self._heap[0][0]) if self._heap else None

    def run(self, now: Instant) -> None:
        """Do all that is due, also what comes up meanwhile."""
        while self._heap and self._heap[0][0] <= now:
            _, _, do, args = heappop(self._heap)
            do(*args, now)


class Endpoint(Struct, frozen=True, kw_only=True):
    """A subscriber of events: the Machine or back-end `to`, its secret, and what it hears.

    `connect` says whose events: True those of connected accounts, False the partner's own towards the platform, None both.
    """

    to: str
    secret: str
    connect: bool | None = None
    types: tuple[str, ...] = ("*",)


class Notice(Struct, frozen=True, kw_only=True):
    """One event on its way to one subscriber."""

    event_id: str
    kind: str
    account: str | None
    payload: str
    endpoint: Endpoint


class Ids:
    """Ids of one partner, from the seed and a counter per prefix: the same run makes the same ids."""

    def __init__(self, seed: object, partner: str) -> None:
        self._salt = derive(seed, "partner", partner, "ids").hex()
        self._counts: dict[str, int] = {}

    def new(self, prefix: str, length: int = 24) -> str:
        """`<prefix>_<length hexadecimal digits>`, never the same twice."""
        count = self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}_{derive(self._salt, prefix, count).hex()[:length]}"


class Party:
    """The base of all partners. A subclass answers `execute` and `act`, and shows its `statement`.

    `apis` are the calls that it takes, `events` the types of events that it sends.
    """

    apis: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def __init__(self, name: str, seed: object, endpoints: Iterable[Endpoint] = ()) -> None:
        self.name = name
        self.seed = seed
        self.ids = Ids(seed, name)
        self.agenda = Agenda()
        self.endpoints = tuple(endpoints)
        self.tells: list[Tell] = []
        self.notices: list[Notice] = []
        self._waiting: dict[str, Callable[[Outcome, Instant], None]] = {}
        self._asks = 0

    # -- what the line calls ----------------------------------------------------------------------------------------

    def begin(self, request: Request, now: Instant) -> Response | None:
        """A request arrived; a Response ends it at once, None lets it be executed by `request` later."""
        return None

    def request(self, request: Request, now: Instant, failing: Failing = "") -> Response:
        """Do what is asked. With `failing` the answer is 500, and only after `500-after` was anything done."""
        if failing != "500-before":
            response = self.execute(request, now)
            if not failing:
                return response
        return self.broken()

    def command(self, command: Command, now: Instant) -> Outcome:
        """Something that a person, another partner or the world does to this partner, outside its API."""
        return self.act(command.name, command.args, now)

    def settled(self, call_id: str, outcome: Outcome, now: Instant) -> None:
        """What became of something that this partner asked of another."""
        heard = self._waiting.pop(call_id, None)
        if heard is not None:
            heard(outcome, now)

    def sign(self, payload: str, secret: str, now: Instant) -> str:
        """The signature of a delivery: `sha256=` and the HMAC in hex, unless the partner has a scheme of its own."""
        return "sha256=" + hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    # -- what a partner does ----------------------------------------------------------------------------------------

    def ask(self, to: str, command: Command, heard: Callable[[Outcome, Instant], None]) -> None:
        """Tell another Machine something, and hear what became of it."""
        self._asks += 1
        call_id = f"{self.name}/ask/{self._asks}"
        self._waiting[call_id] = heard
        self.tells.append(Tell(to, command, call_id))

    def execute(self, request: Request, now: Instant) -> Response:
        """Do what is asked. Never raises for what a caller sent."""
        return fail(404, "unknown_api", f"{self.name} has no {request.api}")

    def act(self, name: str, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Take a command. Never raises for what a caller sent."""
        return Refused("unknown-command", name)

    def broken(self) -> Response:
        """What this partner answers when it breaks down."""
        return fail(500, "internal_error", "Something went wrong on our side.")

    def too_many(self) -> Response:
        """What this partner answers when it is asked too often."""
        return fail(429, "rate_limit", "Too many requests.")

    def statement(self, now: Instant) -> Tables:
        """Its own records, as rows of the tables of `sim.evidence.schema.PARTNERS`."""
        return {}


def fail(status: int, code: str, message: str, **more: Any) -> Response:
    """An answer that says no, and why."""
    return Response(status, {"error": {"code": code, "message": message, **more}})


def fingerprint(request: Request) -> str:
    """What two requests have in common that ask for the same: SHA-256 of api, account and parameters, in hex."""
    try:
        text = canonical([request.api, request.account, request.params])
    except TypeError:
        text = repr((request.api, request.account, request.params))
    return hashlib.sha256(text.encode()).hexdigest()


def merge(statements: Iterable[Tables]) -> Tables:
    """The statements of several partners as one."""
    merged: Tables = {}
    for tables in statements:
        for table, rows in tables.items():
            merged.setdefault(table, []).extend(rows)
    return merged


class Wrong(ValueError):
    """What a caller sent cannot be used: `param` names the field."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


def text_of(params: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text of the parameters. Raises Wrong if it is missing, empty or none."""
    value = params.get(name, default)
    if not isinstance(value, str) or not value:
        raise Wrong(name, f"Missing required param: {name}." if value is None else f"Invalid string: {name}.")
    return value


def whole_of(params: Mapping[str, Any], name: str, default: int | None = None, least: int = 1) -> int:
    """A whole number of the parameters, also written in digits as in a form. Raises Wrong for anything else."""
    value = params.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        value = int(value)
    if value is None:
        raise Wrong(name, f"Missing required param: {name}.")
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 10**15:
        raise Wrong(name, f"Invalid integer: {name} must be at least {least}.")
    return value


def flag_of(params: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """A yes or no of the parameters, also written as in a form. Raises Wrong for anything else."""
    value = params.get(name, default)
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise Wrong(name, f"Invalid boolean: {name}.")
    return value


def dict_of(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A hash of the parameters, empty without one. Raises Wrong for anything else."""
    value = params.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Wrong(name, f"Invalid object: {name}.")
    return value
