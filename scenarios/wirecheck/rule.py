"""What a rule is, what it may say, and where that is gathered: one Tally for each rule and station.

A rule hears the frames of one station in the order of the trace. It keeps what it needs and no more: traces are long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from scenarios.wirecheck.message import Message

if TYPE_CHECKING:
    from scenarios.wirecheck.station import Station

KEPT = 3
"""Findings that are kept with their evidence, for each rule and station; all are counted."""
ALL = ("1.6", "2.0.1", "2.1")
V16 = ("1.6",)
V2 = ("2.0.1", "2.1")


class Limits(Struct, frozen=True):
    """What counts as too late or too far off; all in ms.

    `timeout` of an answer (30 s is what the specifications suggest), `skew` between a timestamp and its receipt,
    `start` from an accepted remote start to its transaction, if ConnectionTimeOut is not seen on the wire.
    """

    timeout: int = 30_000
    skew: int = 300_000
    start: int = 180_000


class Proof(Struct, frozen=True):
    """One line of the trace that a finding rests on."""

    place: str
    frame: str


class Breach(Struct, frozen=True):
    """A finding: at which station, who is to blame (station or back-end), what is wrong, and where it stands."""

    station: str
    side: str
    sentence: str
    proofs: tuple[Proof, ...]


class Tally:
    """What one rule found at one station."""

    __slots__ = ("at_backend", "at_station", "breaches", "examined", "notes", "unknown", "why")

    def __init__(self) -> None:
        self.examined = 0
        self.breaches: list[Breach] = []
        self.at_station = 0
        self.at_backend = 0
        self.notes: list[Breach] = []
        self.unknown = 0
        self.why = ""


class Rule:
    """One thing that the standard or common sense asks for. Subclasses name themselves and hear what they need.

    `actions`: the CALLs that `call` and `answer` hear (an answer by its call), None for all. `only_notes`: what it finds
    is worth knowing and breaks nothing.
    """

    id: ClassVar[str]
    requires: ClassVar[tuple[str, ...]]
    """Ids of requirements: invariants of this project, sections of OCPP 1.6, requirements of 2.0.1."""
    sentence: ClassVar[str]
    versions: ClassVar[tuple[str, ...]] = ALL
    side: ClassVar[str] = "station"
    """Whom it judges: station, back-end, or both."""
    only_notes: ClassVar[bool] = False
    actions: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, station: Station, tally: Tally) -> None:
        self.station = station
        self.limits = station.limits
        self.tally = tally

    # -- what a rule may hear; `self.station` already knows of it --------------------------------------------------------

    def frame(self, one: Message) -> None:
        """Any frame at all, before it is known what it is about."""

    def call(self, one: Message) -> None:
        """A CALL (or SEND) that can be read."""

    def answer(self, one: Message) -> None:
        """A CALLRESULT or CALLERROR; `one.call` is what it answers."""

    def overdue(self, call: Message, one: Message) -> None:
        """A CALL is not answered in time, although the other side lives: it sends `one`."""

    def stray(self, one: Message, why: str) -> None:
        """An answer to nothing that is known; `why` is empty, or why it may be known to others."""

    def opened(self, link: str, at: int) -> None:
        """A connection began."""

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """A connection ended; `left` are the CALLs that were not answered on it."""

    def end(self, at: int, left: list[Message]) -> None:
        """The trace is over; `left` are the CALLs that wait for their answer on living connections."""

    # -- what a rule says ------------------------------------------------------------------------------------------------

    def saw(self) -> None:
        """One more thing was examined."""
        self.tally.examined += 1

    def breach(self, sentence: str, *frames: Message, side: str | None = None) -> None:
        """A finding. Blames whom the rule judges; of a rule that judges both, the sender of the last frame."""
        guilty = side or (self.side if self.side != "both" else frames[-1].sender)
        found = Breach(self.station.name, guilty, sentence, tuple(Proof(one.place, one.shown()) for one in frames))
        if self.only_notes:
            if len(self.tally.notes) < KEPT:
                self.tally.notes.append(found)
            return
        if guilty == "station":
            self.tally.at_station += 1
        else:
            self.tally.at_backend += 1
        if len(self.tally.breaches) < KEPT:
            self.tally.breaches.append(found)

    def unsure(self, why: str) -> None:
        """Something could not be judged from this trace."""
        self.tally.unknown += 1
        self.tally.why = self.tally.why or why


def rules_hearing(rules: Iterable[Rule], name: str) -> list[Rule]:
    """Those rules that have an own method of this name."""
    return [rule for rule in rules if getattr(type(rule), name) is not getattr(Rule, name)]
