"""What a station is told once it is accepted: the times at which prices change, and the keys its row asks for.

`TariffChangeTimes` is a vendor key: a comma-separated list of UTC times `HH:MM` of the present UTC day at which the
meter signs a reading inside a transaction; empty for none. It is told again when a day brings other times (clock
changes). In 2.0.1 all of these are variables (`sim.wire.variables`).
"""

from __future__ import annotations

from reference_csms.calls import Asked, Welcome, encode_payload
from reference_csms.catalogue import Catalogue
from reference_csms.endpoint import Connection
from reference_csms.handlers.orders import Order
from reference_csms.stations import Stations, StationState
from sim.clock import DAY, Instant
from sim.machine import Answered, Outcome, Unknown

TARIFF_CHANGE_TIMES = "TariffChangeTimes"
MAX_TRIES = 10
"""How often one key is told on one connection if no answer comes; each try waits for the timeout of a call."""


class Configurator:
    """Keeps the configuration of accepted stations as it should be."""

    def __init__(self, catalogue: Catalogue, stations: Stations, welcome: Welcome) -> None:
        self._catalogue = catalogue
        self._stations = stations
        self._welcome = welcome
        self._given: dict[str, dict[str, str]] = {}
        self._next_day: Instant | None = None

    def ready(self, connection: Connection, booted: bool, now: Instant) -> None:
        """A station was accepted (`booted`) or came back: tell it everything, or only what it has not confirmed."""
        if self._next_day is None:
            self._next_day = Instant((now // DAY + 1) * DAY)
        for action, payload in self._welcome(connection.state.station, booted):
            connection.calls.ask(action, encode_payload(action, payload, connection.dialect), Asked(), now)
        self._tell(connection, now, everything=booted)

    def next_day(self) -> Instant | None:
        """When the change times have to be looked at again."""
        return self._next_day

    def begin_day(self, now: Instant) -> None:
        """A new UTC day: stations whose change times are others now are told."""
        if self._next_day is None or now < self._next_day:
            return
        self._next_day = Instant((now // DAY + 1) * DAY)
        for state in self._stations.connected():
            if state.accepted and state.connection is not None:
                self._tell(state.connection, now, everything=False)

    def wanted(self, state: StationState, now: Instant) -> dict[str, str]:
        """What the keys of a station should be."""
        times = ",".join(self._catalogue.change_times(state.station, now))
        return {TARIFF_CHANGE_TIMES: times, **state.row.configuration}

    def _tell(self, connection: Connection, now: Instant, everything: bool) -> None:
        state = connection.state
        given = self._given.setdefault(state.station, {})
        for key, value in self.wanted(state, now).items():
            # A key that asked for a reboot is not written again after it: that would go round for ever (MF-22).
            done = given.get(key) == value if everything else state.configuration.get(key) == value
            order = None if done else connection.orders.write(key, value)
            if order is not None:
                _Telling(connection, key, value, order, given).ask(now)


class _Telling:
    """Tells a station one key until it answers, and notes what it answered."""

    def __init__(self, connection: Connection, key: str, value: str, order: Order, given: dict[str, str]) -> None:
        self._connection = connection
        self._order = order
        self._key = key
        self._value = value
        self._given = given
        self._tries = 0

    def ask(self, now: Instant) -> None:
        """Put the call in line."""
        self._tries += 1
        action, payload = self._order
        raw = encode_payload(action, payload, self._connection.dialect)
        self._connection.calls.ask(action, raw, Asked(None, self._done), now)

    def _done(self, outcome: Outcome, now: Instant) -> None:
        state = self._connection.state
        if isinstance(outcome, Unknown):
            if state.connection is self._connection and self._tries < MAX_TRIES:
                self.ask(now)
        elif isinstance(outcome, Answered):
            status = self._connection.orders.written(outcome.payload)
            if status in ("Accepted", "RebootRequired"):
                state.configuration[self._key] = self._value
            if status != "Accepted":
                self._given[self._key] = self._value
