"""When the meters are read: samples during transactions, samples on the grid of the clock, and tariff-change instants.

It writes MeterValues and says when a tariff changes; signed readings are taken by the charging part. Sources: OCPP 1.6
§3.16 (sampled and clock-aligned data), §9.1 (the keys). The grid begins at UTC midnight, and its samples carry the
grid's time. There is no main meter, so connector 0 has no values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from fleet.station.bay import Bay
from fleet.station.desk import Desk
from fleet.station.keys import MEASURANDS
from fleet.station.outbox import Outbox, Sample
from fleet.station.timers import NEVER
from sim.clock import DAY, MINUTE, iso, iso_bytes
from sim.wire import templates
from sim.wire.payloads import v16

Send = Callable[[Bay, tuple[str, ...], str], None]
"""Tells a reading of these measurands in this context, taken now."""
PERIODIC, CLOCK, TRIGGER, END = "Sample.Periodic", "Sample.Clock", "Trigger", "Transaction.End"
_FIRST_FOUR = MEASURANDS[:4]
_UNITS = {
    "Energy.Active.Import.Register": "Wh",
    "Power.Active.Import": "W",
    "Power.Offered": "W",
    "Current.Import": "A",
    "Voltage": "V",
}


class Metering:
    """The reading schedules of all connectors."""

    __slots__ = (
        "_bays",
        "_desk",
        "_displays",
        "_fixed",
        "_grid",
        "_kept",
        "_offered",
        "_outbox",
        "_plan",
        "_sampling",
        "_send",
        "_tariff",
        "on_tariff_change",
    )

    def __init__(
        self,
        desk: Desk,
        outbox: Outbox,
        bays: Sequence[Bay],
        offered: Callable[[int], int | None],
        send: Send | None = None,
    ) -> None:
        """`offered` gives the limit of a connector by its charging profiles, in W, None for none. `send` tells a reading
        in a version that has other words for it than MeterValues."""
        self._desk = desk
        self._send = send
        self._offered = offered
        self._outbox = outbox
        self._bays = bays
        self._plan = self._planned()
        self._kept: tuple[Any, str, Any, bool] = (None, "", None, False)
        self._fixed: dict[int, tuple[bytes, ...]] = {}
        self._displays = {bay.number: desk.counter.display(bay.number) for bay in bays}
        desk.counter.on_reset = self._anew
        self._sampling = {bay.number: desk.timers.slot(self._sampler(bay)) for bay in bays}
        self._grid = desk.timers.slot(self._on_grid)
        self._tariff = desk.timers.slot(self._tariff_changes)
        self.on_tariff_change: Callable[[], None] = lambda: None

    # -- schedules ----------------------------------------------------------------------------------------------------

    def begin(self, bay: Bay) -> None:
        """A transaction began: its samples count from now."""
        self._arm_sampling(bay)
        self._arm_tariff()

    def end(self, bay: Bay) -> None:
        """The transaction is over."""
        self._desk.timers.set(self._sampling[bay.number], NEVER)

    def arm(self) -> None:
        """The clock was set: everything that goes by the time of day follows."""
        self._arm_grid()
        self._arm_tariff()

    def _anew(self, connector: int) -> None:
        """A counter begins at 0 again."""
        self._displays[connector] = self._desk.counter.display(connector)

    def key_changed(self, name: str) -> None:
        """A configuration key has a new value."""
        self._plan = self._planned()
        if name == "MeterValueSampleInterval":
            for bay in self._bays:
                if bay.transaction is not None:
                    self._arm_sampling(bay)
        elif name == "ClockAlignedDataInterval":
            self._arm_grid()
        elif name == "TariffChangeTimes":
            self._arm_tariff()

    def _planned(self) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
        """What the keys say of samples: interval in ms, what is sent, and what is kept for the end."""
        keys = self._desk.keys
        interval = keys.seconds("MeterValueSampleInterval")
        return interval, keys["MeterValuesSampledData"], keys["StopTxnSampledData"]

    def _arm_sampling(self, bay: Bay) -> None:
        interval = self._desk.keys.seconds("MeterValueSampleInterval")
        self._desk.timers.set(self._sampling[bay.number], self._desk.now + interval if interval else NEVER)

    def _arm_grid(self) -> None:
        desk = self._desk
        interval = desk.keys.seconds("ClockAlignedDataInterval")
        into_day = desk.time() % DAY
        wait = min(interval - into_day % interval, DAY - into_day) if interval else NEVER - desk.now
        desk.timers.set(self._grid, desk.now + wait)

    def _arm_tariff(self) -> None:
        desk = self._desk
        minutes: tuple[int, ...] = desk.keys["TariffChangeTimes"]
        into_day = desk.time() % DAY
        waits = [(minute * MINUTE - into_day - 1) % DAY + 1 for minute in minutes]
        running = waits and any(bay.transaction is not None for bay in self._bays)
        desk.timers.set(self._tariff, desk.now + min(waits) if running else NEVER)

    def _tariff_changes(self) -> None:
        self.on_tariff_change()
        self._arm_tariff()

    # -- samples ------------------------------------------------------------------------------------------------------

    def _sampler(self, bay: Bay) -> Callable[[], None]:
        """What is to be done at each sample of a connector."""
        desk, number = self._desk, bay.number

        def sampled() -> None:
            running = bay.transaction
            if running is None:
                return
            now, (interval, sent, kept) = desk.now, self._plan
            desk.timers.set(self._sampling[number], now + interval)
            self._push(bay, running.number, sent, PERIODIC)
            if kept:
                self._keep(bay, kept, PERIODIC, now + desk.clock.offset)

        return sampled

    def _on_grid(self) -> None:
        desk = self._desk
        self._arm_grid()
        for bay in self._bays:
            number = bay.transaction.number if bay.transaction is not None else 0
            self._push(bay, number, desk.keys["MeterValuesAlignedData"], CLOCK)
            self._keep(bay, desk.keys["StopTxnAlignedData"], CLOCK, desk.time())

    def _push(self, bay: Bay, transaction: int, measurands: tuple[str, ...], context: str) -> None:
        if not measurands:
            return
        if self._send is not None:
            self._send(bay, measurands, context)
            return
        kept = self._kept
        if kept[0] is not measurands or kept[1] is not context:
            kept = self._kept = (measurands, context, self._template(measurands, context), measurands == _FIRST_FOUR)
        desk, number = self._desk, bay.number
        if kept[3]:  # as `_read`, for what is nearly always wanted
            register, power = self._displays[number](desk.now)
            first, others = b"%d" % register, self._fixed.get(power) or self._fix(power)
        else:
            first, *rest = self._read(bay, measurands)
            others = tuple(rest)
        self._outbox.push_sample(
            transaction, Sample(kept[2], number, iso_bytes(desk.now + desk.clock.offset), first, others)
        )

    def _keep(self, bay: Bay, measurands: tuple[str, ...], context: str, at: int) -> None:
        if measurands and bay.transaction is not None:
            bay.transaction.samples.append(msgspec.to_builtins(self.meter_value(bay, measurands, context, at)))
            self._desk.persist(f"tx/{bay.number}", bay.transaction.saved())

    def _template(self, measurands: tuple[str, ...], context: str) -> templates.MeterValuesTemplate:
        return templates.meter_values(tuple(self._described(measurands, context, ("0",) * len(measurands))))

    def _described(self, measurands: tuple[str, ...], context: str, values: Sequence[str]) -> list[v16.SampledValue]:
        return [
            v16.SampledValue(value=value, context=context, measurand=measurand, unit=_UNITS[measurand])
            for measurand, value in zip(measurands, values, strict=True)
        ]

    def shown(self, bay: Bay, measurands: tuple[str, ...]) -> list[tuple[str, str, str]]:
        """What the meter shows now: measurand, digits and unit of each."""
        values = zip(measurands, self._read(bay, measurands), strict=True)
        return [(measurand, value.decode(), _UNITS[measurand]) for measurand, value in values]

    def meter_value(self, bay: Bay, measurands: tuple[str, ...], context: str, at: int) -> v16.MeterValue:
        """One meter value with these measurands, read now."""
        values = [value.decode() for value in self._read(bay, measurands)]
        return v16.MeterValue(timestamp=iso(at), sampled_value=self._described(measurands, context, values))

    def _read(self, bay: Bay, measurands: tuple[str, ...]) -> tuple[bytes, ...]:
        """What the meter shows now, as texts of digits."""
        desk = self._desk
        register, power = self._displays[bay.number](desk.now)
        fixed = self._fixed.get(power) or self._fix(power)
        offers = bay.transaction is not None and bay.offered and not bay.blocked
        limit = self._offered(bay.number)
        most = desk.config.max_power_w if limit is None else min(limit, desk.config.max_power_w)
        offered = b"%d" % most if offers else b"0"
        shown = (b"%d" % register, *fixed, offered)
        return tuple([shown[MEASURANDS.index(measurand)] for measurand in measurands])

    def _fix(self, power: int) -> tuple[bytes, ...]:
        """What follows from the power alone."""
        meter = self._desk.profile.meter
        made = self._fixed[power] = _follows(power, meter.voltage, meter.phases)
        return made


@lru_cache(maxsize=4096)
def _follows(power: int, voltage: int, phases: int) -> tuple[bytes, ...]:
    """Texts of power, current per phase cut to a tenth of an ampere, and voltage: one object for a whole fleet."""
    return b"%d" % power, b"%d.%d" % divmod(power * 10 // (voltage * phases), 10), b"%d" % voltage
