"""What a session file becomes before the day begins: visits of an EV at a connector, without and with a person.

Plain frozen rows. Nothing here draws, reads a file or lives in time.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from sim.clock import Instant

BLOCKED_TOKEN = "blocked-token"
"""Word of `Visit.note`: this driver's token is blocked on purpose, so a refusal is right and no budget counts it."""


class RawVisit(Struct, frozen=True, kw_only=True):
    """One visit as the session file has it, after the rules for dirty rows were applied.

    `arrive` is the moment of plugging in, `leave` that of plugging out. `energy_wh` is what the EV wants and always
    fits `limit_w` (the power of the connector) over the time plugged in. `user` is the file's own name of the driver,
    if it has one; `registered` says whether the driver had signed up. `kinds` are the kinds of dirt found in the row.
    """

    visit_id: str
    line: int
    site: str
    station: str
    connector: int
    arrive: Instant
    leave: Instant
    energy_wh: int
    limit_w: int
    registered: bool
    user: str | None = None
    kinds: tuple[str, ...] = ()


class Visit(Struct, frozen=True, kw_only=True):
    """One visit with its driver: everything that a rig and an EvDriver need to live it.

    `driver` is the person, `token` the idTag that authorises, `contract` whether the person holds a card (guests have
    the app only). `channel` is what the driver uses first: "rfid" or "app". `power_w` is what the EV draws at this
    connector. `note` holds words separated by commas: kinds of dirt of the row, and BLOCKED_TOKEN.
    """

    visit_id: str
    site: str
    station: str
    connector: int
    driver: str
    token: str
    mobile: str
    group: str
    customer: str
    contract: bool
    channel: str
    arrive: Instant
    leave: Instant
    energy_wh: int
    power_w: int
    note: str = ""

    @property
    def machine(self) -> str:
        """The name of the driver's Machine in this visit."""
        return f"driver:{self.visit_id}"

    @property
    def rig(self) -> str:
        """The name of the rig that the visit happens at."""
        return f"rig:{self.station}"

    @property
    def refused_by_right(self) -> bool:
        """Whether a refusal of this visit is what the back-end should do."""
        return BLOCKED_TOKEN in self.note.split(",")


def assert_nowhere_twice(visits: Iterable[Visit]) -> None:
    """Nobody is in two places at once, and no connector holds two EVs. Raises AssertionError: our own mistake."""
    last_of: dict[tuple[str, object], Visit] = {}
    for visit in sorted(visits, key=lambda v: (v.arrive, v.leave, v.visit_id)):
        for key in (("driver", visit.driver), ("token", visit.token), ("place", (visit.station, visit.connector))):
            before = last_of.get(key)
            if before is not None and visit.arrive < before.leave:
                raise AssertionError(f"{key[0]} {key[1]}: visits {before.visit_id} and {visit.visit_id} overlap")
            last_of[key] = visit
