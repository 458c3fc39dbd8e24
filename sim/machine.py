"""The one contract for everything that lives in time: events in, effects out, and the next deadline.

A Machine does no I/O, reads no clock, draws no entropy of its own, and never awaits or yields inside. Runtimes own clock
and sockets; the same Machine runs in virtual time and on real sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NewType, Protocol

from msgspec import Struct

from sim.clock import Instant

LinkId = NewType("LinkId", int)


class Answered(Struct, frozen=True):
    """The peer answered with a result; `payload` is the decoded answer."""

    payload: Any


class Refused(Struct, frozen=True):
    """The peer answered that it will not: an OCPP CALLERROR code, or the reason of an operation."""

    code: str
    description: str = ""


class Unknown(Struct, frozen=True):
    """Sent, and no reply seen: it may have happened. Sums must say "maybe"."""

    reason: str


Outcome = Answered | Refused | Unknown


class Opened(Struct, frozen=True, gc=False):
    """The connection is up. `subprotocol` is what the server chose, None if nothing."""

    link: LinkId
    subprotocol: str | None = "ocpp1.6"


class Received(Struct, frozen=True, gc=False):
    """One text frame arrived whole."""

    link: LinkId
    frame: bytes


class Closed(Struct, frozen=True, gc=False):
    """The connection is gone, or the attempt failed (`refused`, `timeout`, `404`, `reset`, `closed`)."""

    link: LinkId
    reason: str = "closed"


class Tick(Struct, frozen=True):
    """A deadline that the Machine named has come. Stale ticks are harmless."""


class Settled(Struct, frozen=True):
    """What became of an operation or call that this Machine asked for."""

    call_id: str
    outcome: Outcome


class Command(Struct, frozen=True):
    """Something outside the wire happened to this Machine: plug in, remote start, power loss."""

    name: str
    args: dict[str, Any] = {}


Event = Opened | Received | Closed | Tick | Settled | Command


class Open(Struct, frozen=True):
    """Dial this URL. The runtime answers with Opened or Closed."""

    url: str
    subprotocols: tuple[str, ...] = ("ocpp1.6",)


class Send(Struct, frozen=True, gc=False):
    """Put one text frame on the link."""

    link: LinkId
    frame: bytes


class Close(Struct, frozen=True):
    """Close the link."""

    link: LinkId
    reason: str = "closed"


class Actuate(Struct, frozen=True):
    """Move something physical: `contactor`, `offer`, `lock`, `display` of one connector."""

    connector: int
    what: str
    value: Any = None


class Persist(Struct, frozen=True):
    """Write one key of the flash. None deletes it."""

    key: str
    value: Any


class Note(Struct, frozen=True):
    """One line for the truth plane of the evidence."""

    kind: str
    fields: dict[str, Any]


class Tell(Struct, frozen=True):
    """Hand a Command to another Machine by name (people, tools, rigs). With a call_id the sender gets a Settled."""

    to: str
    command: Command
    call_id: str | None = None


class Settle(Struct, frozen=True):
    """Tell whoever asked under this call_id what became of it."""

    call_id: str
    outcome: Outcome


Effect = Open | Send | Close | Actuate | Persist | Note | Tell | Settle


class Machine(Protocol):
    """Anything that lives in time.

    One that never wants a Tick may say so by an attribute `tickless` that is True, and is spared being asked. One that
    has `hear(link, frame, now)` or `wake(now)` may be given frames and ticks by them: they do what `handle` does with a
    Received or a Tick, and spare the event.
    """

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """React to one event. Never raises for what a peer sent; raises loudly for our own mistakes."""
        ...

    def next_deadline(self) -> Instant | None:
        """When this Machine wants its next Tick, None for never. Asked after each `handle`."""
        ...
