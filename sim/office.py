"""One running back-end as its operators reach it: what web faces and tools need of the process. Never how it is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from sim.backend import Books, Operation, Row
from sim.clock import Instant
from sim.machine import Outcome


class ConnectionView(Struct, frozen=True, kw_only=True):
    """One living connection: identity, subprotocol, instants in ms, frames and bytes both ways."""

    link: int
    station: str
    subprotocol: str | None
    peer: str
    opened_at: Instant
    last_frame_at: Instant | None
    frames_up: int
    frames_down: int
    bytes_up: int
    bytes_down: int


class Counters(Struct, kw_only=True):
    """What the process has counted since its start. `lag_ms` is how late its loop ran, the worst of late, fading.

    Handshakes by HTTP status (101, 401, 404, 503), calls by action and by what was answered: `result`, or the code of
    the error. Actions beyond the first few hundred names count as `other`, since names come from the wire.
    """

    handshakes: dict[int, int] = field(default_factory=dict)
    calls: dict[tuple[str, str], int] = field(default_factory=dict)
    groups: int = 0
    commit_ms_total: float = 0.0
    closed_oversize: int = 0
    shed: int = 0
    lag_ms: float = 0.0


class Office(Protocol):
    """One running back-end, as its operators reach it. Everything here runs in the loop that runs the back-end."""

    name: str
    started_at: Instant
    counters: Counters

    def now(self) -> Instant:
        """The present instant."""
        ...

    def ready(self) -> str | None:
        """None if it serves, else in one sentence why not (a database that is gone, a stop under way)."""
        ...

    async def operate(self, operation: Operation, timeout_s: float) -> Outcome:
        """Ask it something, and wait for the outcome; Unknown after that many seconds (it may have happened)."""
        ...

    def books(self) -> Books:
        """All books as plain rows, after what is staged has been committed."""
        ...

    def quote(self, request: Row) -> Row:
        """A price without booking anything (`sim.backend.BackEnd.quote`)."""
        ...

    def connections(self) -> Sequence[ConnectionView]:
        """All living connections, in the order of their opening."""
        ...

    def wire(self, station: str | None, after: int, limit: int) -> Sequence[Row]:
        """The newest frames kept (`sim.evidence.wire.WireLine` as rows) with a number above `after`, oldest first."""
        ...
