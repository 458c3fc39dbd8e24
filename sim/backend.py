"""The port of a back-end under test in virtual time: what a runtime, a scenario and the checks need of it.

The reference CSMS implements it; any other back-end may. Nothing here may assume how a back-end works inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from sim.clock import Instant
from sim.machine import Effect, LinkId, Machine, Outcome

Row = dict[str, Any]
Release = Callable[[Effect], None]


class Refusal(Struct, frozen=True):
    """The handshake fails with this HTTP status before the upgrade (404 unknown identity, 401 bad credentials)."""

    status: int
    reason: str


class Operation(Struct, frozen=True):
    """One thing an operator or app asks of a back-end. Its outcome comes back as `Settle(call_id, ...)`.

    `kind` is "call" (CSMS-initiated OCPP action: station, action, payload), "app-start" / "app-stop" (mobile, station,
    connector), "import" / "export" (what, rows), "accept-station", "hold-station", "close-station", "webhook" (partner,
    payload, signature), and for the money "end-contract" (contract, end), "run-billing" (kind, owner or seller, until),
    "refund" (claim, amount), "cancel-invoice" (number).

    Exports besides those of a station (what, station) answer `{"rows": [...]}`: `users` {token, status, group, customer,
    sites}, `prices` {site, tariff_id, version} in force now, `prepaid` (contract, or none for all) and `invoices`
    (customer) {number, kind, seller, customer, currency, gross, issued_at, due_at, account, reference, state, open}, money
    in minor units. Group, sites, tariff_id and version may be None.
    """

    kind: str
    args: Mapping[str, Any]


class Setup(Struct, kw_only=True):
    """Everything a back-end is told before its first connection, and what survives its crashes.

    `disk` is the only memory that a restart keeps: the factory is called again with the same Setup. `others` carries
    the instruction sheet (owners, tariffs, tokens, stations, meter keys) as plain rows, the same for every back-end.
    """

    name: str
    seed: int
    provision: Mapping[str, Sequence[Row]]
    options: Mapping[str, Any] = field(default_factory=dict)
    disk: dict[str, Any] = field(default_factory=dict)


class Unverifiable(Struct, frozen=True):
    """A book that this target does not keep or show. Checks that need it are UNKNOWN, never PASS."""

    reason: str


Books = dict[str, "Sequence[Row] | Unverifiable"]
"""By table. `table.column` may stand beside its table as Unverifiable: then that column is not shown, and the rest is."""


class BackEnd(Protocol):
    """A back-end in virtual time. One Machine per connection; writes and replies are staged and flushed in groups."""

    name: str

    def accept(self, link: LinkId, identity: str, subprotocols: Sequence[str], now: Instant) -> Machine | Refusal:
        """Judge a handshake. The Machine returned gets Opened, Received, Closed and Tick of this link only.

        `subprotocols` are those that the station offers, in its order. What the back-end chose of them is the attribute
        `subprotocol` of the Machine, see `subprotocol_of`.
        """
        ...

    def operate(self, operation: Operation, call_id: str, now: Instant) -> None:
        """Take an operation. Never returns a verdict: the outcome is released as `Settle(call_id, outcome)`."""
        ...

    def flush(self, now: Instant, release: Release) -> bool | None:
        """Commit what was staged at this instant, then release replies, commands, settlements and tells in order.

        True says that `next_deadline` is what it was before, and spares being asked.
        """
        ...

    def tick(self, now: Instant) -> None:
        """A deadline of the back-end itself (billing, watchdogs) has come. Stages work; the runtime flushes after it."""
        ...

    def next_deadline(self) -> Instant | None:
        """When `tick` is wanted next. Asked after each flush, unless that said that nothing has moved."""
        ...

    def books(self, now: Instant) -> Books:
        """All books as plain rows, table names and columns as in `sim.evidence.schema`."""
        ...

    def quote(self, request: Row, now: Instant) -> Row:
        """A price without booking anything: `{"kind": "grid", ...}` or `{"kind": "cdr", "cdr": row}`."""
        ...


class Proof(Struct, frozen=True, kw_only=True):
    """What a station shows of who it is before its handshake is answered (OCPP security profiles 0 to 3).

    `user` and `password` of Basic authentication (the password as the bytes that were sent), `certificate` the common
    name of a client certificate that the TLS layer has accepted, `secure` whether there is TLS at all. `malformed` says
    what is wrong with the Authorization header.
    """

    user: str | None = None
    password: bytes | None = None
    certificate: str | None = None
    secure: bool = False
    malformed: str | None = None


class Guarded(BackEnd, Protocol):
    """A back-end that asks stations who they are. A runtime with real sockets asks it before `accept`."""

    def authenticate(self, identity: str, proof: Proof, now: Instant) -> Refusal | None:
        """None if this station may connect; 401 for wrong or missing credentials, 403 for a missing TLS."""
        ...


class Asking(BackEnd, Protocol):
    """A back-end that tells partners something (`sim.partners.port`): it releases a `Tell` and hears what became of it."""

    def settled(self, call_id: str, outcome: Outcome, now: Instant) -> None:
        """What became of a `Tell` that this back-end released; stages work, the runtime flushes after it.

        A back-end that dies never hears of what it told before; its successor must ask again, under the same key.
        """
        ...


Factory = Callable[[Setup], BackEnd]

DEFAULT_SUBPROTOCOL = "ocpp1.6"


def subprotocol_of(accepted: Machine) -> str | None:
    """The subprotocol that a back-end chose for the link of this Machine: its attribute `subprotocol`.

    A Machine without one speaks OCPP 1.6. None: nothing in common; then the handshake is completed without a subprotocol,
    and the back-end closes the link (OCPP-J 1.6 §3.2, OCPP 2.0.1 Part 4 §3.1.2).
    """
    return getattr(accepted, "subprotocol", DEFAULT_SUBPROTOCOL)
