"""What this process knows of its stations: the row of the operator, the live state, and the connection.

The process that holds the sockets caches the state and writes it in batches; what must last (registration, boots) is
written at once with its unit of work. Live state never opens or closes a session (scenarios B-25).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reference_csms import records
from reference_csms.records import STATION_LIVES, STATIONS, Station, StationLife
from reference_csms.storage.port import Store, put
from sim.clock import MINUTE, Instant

if TYPE_CHECKING:
    from reference_csms.endpoint import Connection

SAVE_EVERY = 15 * MINUTE
"""How long live state may stay unwritten, ms."""

_REGISTRATION = {
    records.ACCEPT: records.ACCEPTED,
    records.HOLD: records.PENDING,
    records.REJECT: records.REJECTED,
}


ClosePolicy = Callable[[str], str]


def shut(policy: str) -> str:
    """The default for the part `close_station`: a closed identity is refused from then on, whatever it was."""
    return records.CLOSE


class StationState:
    """One station as this process sees it. `accepted`: its last boot was answered Accepted."""

    __slots__ = (
        "accepted",
        "configuration",
        "connection",
        "last_seen",
        "messages",
        "registers",
        "row",
        "station",
        "statuses",
        "unsaved",
    )

    def __init__(self, row: Station, life: StationLife | None) -> None:
        self.station = row.station
        self.row = row
        self.accepted = row.registration == records.ACCEPTED
        self.connection: Connection | None = None
        self.last_seen: int | None = life.last_seen if life else None
        self.messages = life.messages if life else 0
        self.statuses: dict[int, tuple[str, str, Instant]] = dict(life.statuses) if life else {}
        self.registers: dict[int, int] = dict(life.registers) if life else {}
        self.configuration: dict[str, str] = dict(life.configuration) if life else {}
        self.unsaved = False

    def register(self, connector: int, wh: int) -> None:
        """Keep the register last seen; an older message never turns it back."""
        if wh >= self.registers.get(connector, 0):
            self.registers[connector] = wh


class Stations:
    """All stations of this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._states: dict[str, StationState] = {}
        self._unsaved: list[StationState] = []
        self._save_at: Instant | None = None

    def find(self, station: str) -> StationState | None:
        """The state of a station that the operator told us about, None for any other."""
        state = self._states.get(station)
        if state is None:
            row = self._store.get(STATIONS, station)
            if row is None:
                return None
            state = self._states[station] = StationState(row, self._store.get(STATION_LIVES, station))
        return state

    def refresh(self, station: str) -> None:
        """The row was written by somebody else: take it over."""
        state = self.find(station)
        row = self._store.get(STATIONS, station)
        if state is not None and row is not None:
            state.row = row
            state.accepted = row.registration == records.ACCEPTED

    def set_policy(self, state: StationState, policy: str) -> None:
        """What the next boot gets. A closed station is no longer accepted."""
        changes: dict[str, Any] = {"policy": policy}
        if policy == records.CLOSE:
            changes["registration"] = records.UNKNOWN
        self._write(state, changes)

    def boot(self, state: StationState, data: dict[str, Any], now: Instant) -> str:
        """Note a boot and return the registration it gets by the operator's policy."""
        registration = _REGISTRATION[state.row.policy]
        first_seen = now if state.row.first_seen is None else state.row.first_seen
        boots = state.row.boots + 1
        self._write(state, {"registration": registration, "boots": boots, "first_seen": first_seen, "boot": data})
        return registration

    def _write(self, state: StationState, changes: dict[str, Any]) -> None:
        state.row = replace(state.row, **changes)
        state.accepted = state.row.registration == records.ACCEPTED
        self._store.update(STATIONS, state.row)

    # -- live state --------------------------------------------------------------------------------------------

    def plan_to_save(self, state: StationState, now: Instant) -> None:
        """There is news of this station: write its live state with the next batch."""
        state.unsaved = True
        self._unsaved.append(state)
        if self._save_at is None:
            self._save_at = Instant(now + SAVE_EVERY)

    def next_save(self) -> Instant | None:
        """When `save` is wanted."""
        return self._save_at

    def save(self, now: Instant) -> None:
        """Write the live state of all stations heard of since the last time, if it is time."""
        if self._save_at is None or now < self._save_at:
            return
        for state in self._unsaved:
            state.unsaved = False
            put(self._store, STATION_LIVES, self.life(state))
        self._unsaved.clear()
        self._save_at = None

    @staticmethod
    def life(state: StationState) -> StationLife:
        """The live state as a row."""
        return StationLife(
            station=state.station,
            last_seen=Instant(state.last_seen or 0),
            messages=state.messages,
            statuses=dict(state.statuses),
            registers=dict(state.registers),
            configuration=dict(state.configuration),
        )

    def connected(self) -> list[StationState]:
        """All stations with a live connection, in order of their names."""
        return [state for _, state in sorted(self._states.items()) if state.connection is not None]
