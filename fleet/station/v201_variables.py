"""The device model of a station of OCPP 2.0.1: its settings as variables of components, and what only can be read.

Addresses and answers; what a setting means and who reacts to it lies with the parts. Sources: OCPP 2.0.1 B05 to B07,
Part 2 appendix 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from fleet.station.desk import Desk
from fleet.station.keys import NOT_SUPPORTED
from sim.wire.payloads import v201
from sim.wire.variables import ADDRESSES, COMPONENTS, setting_at

ACTUAL = "Actual"
METER = ("FiscalMetering", "PublicKey")
"""Where the public key of the meter of an EVSE stands (reference ocmf §2.3)."""
_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", tuple: "MemberList", str: "string"}


class Variable(Struct, frozen=True):
    """One variable as it stands now. `setting` is empty where it can only be read."""

    component: v201.Component
    variable: v201.Variable
    value: str
    kind: str
    setting: str = ""
    writable: bool = False


class Variables:
    """The variables of one station. `written` hears the setting that was changed."""

    def __init__(self, desk: Desk, connectors: tuple[int, ...], written: Callable[[str], None]) -> None:
        self._desk = desk
        self._connectors = connectors
        self._written = written

    def all(self, settable: bool = False) -> list[Variable]:
        """Everything there is, or only what can be set (ConfigurationInventory)."""
        rows = [self._setting(name) for name in sorted(ADDRESSES) if self._desk.keys.entry(name) is not None]
        rows += self._fixed()
        return [row for row in rows if row.writable or not settable]

    def get(self, wanted: v201.GetVariableData) -> v201.GetVariableResult:
        """Answer for one variable (B06)."""
        status, value = "Accepted", None
        if wanted.attribute_type not in (None, ACTUAL):
            status = "NotSupportedAttributeType"
        else:
            found = self._find(wanted.component, wanted.variable)
            if isinstance(found, str):
                status = found
            else:
                value = found.value
        return v201.GetVariableResult(
            attribute_status=status,
            attribute_type=wanted.attribute_type,
            attribute_value=value,
            component=wanted.component,
            variable=wanted.variable,
        )

    def set(self, wanted: v201.SetVariableData) -> v201.SetVariableResult:
        """Write one variable (B05)."""
        return v201.SetVariableResult(
            attribute_status=self._write(wanted),
            attribute_type=wanted.attribute_type,
            component=wanted.component,
            variable=wanted.variable,
        )

    def _write(self, wanted: v201.SetVariableData) -> str:
        if wanted.attribute_type not in (None, ACTUAL):
            return "NotSupportedAttributeType"
        found = self._find(wanted.component, wanted.variable)
        if isinstance(found, str):
            return found
        if not found.setting:
            return "Rejected"
        name, status = self._desk.keys.change(found.setting, wanted.attribute_value)
        if name:
            self._desk.persist(f"config/{name}", self._desk.keys.text(name))
            self._written(name)
        return "Rejected" if status == NOT_SUPPORTED else status

    def _find(self, component: v201.Component, variable: v201.Variable) -> Variable | str:
        """The variable, or the status that says what of it is unknown."""
        if component.evse is None and not component.instance:
            name = setting_at(component.name, variable.name, variable.instance)
            if name is not None and self._desk.keys.entry(name) is not None:
                return self._setting(name)
        fixed = self._fixed()
        for row in fixed:
            if _same(row.component, component) and row.variable.name.lower() == variable.name.lower():
                return row
        known = component.evse is None and component.name.lower() in COMPONENTS
        known = known or any(_same(row.component, component) for row in fixed)
        return "UnknownVariable" if known else "UnknownComponent"

    def _setting(self, name: str) -> Variable:
        address, keys = ADDRESSES[name], self._desk.keys
        entry = keys.entry(name)
        assert entry is not None
        return Variable(
            v201.Component(name=address.component),
            v201.Variable(name=address.variable, instance=address.instance or None),
            entry[2],
            _TYPES[type(keys[name])],
            name,
            not entry[1],
        )

    def _fixed(self) -> list[Variable]:
        """What can only be read: what the station is, and the keys of its meters."""
        boot = self._desk.profile.boot
        whole = v201.Component(name="ChargingStation")
        told = {"Model": boot.model, "VendorName": boot.vendor, "FirmwareVersion": boot.firmware}
        rows = [Variable(whole, v201.Variable(name=name), text, "string") for name, text in told.items()]
        for number in self._connectors:
            place = v201.Component(name=METER[0], evse=v201.EVSE(id=number))
            text = self._desk.keys.text(f"MeterPublicKey{number}")
            rows.append(Variable(place, v201.Variable(name=METER[1]), text, "string"))
        return rows


def report_row(row: Variable) -> v201.ReportData:
    """A variable as it stands in a NotifyReport (B07)."""
    attribute = v201.VariableAttribute(
        type=ACTUAL, value=row.value, mutability="ReadWrite" if row.writable else "ReadOnly", persistent=True
    )
    traits = v201.VariableCharacteristics(data_type=row.kind, supports_monitoring=False)
    return v201.ReportData(
        component=row.component,
        variable=row.variable,
        variable_attribute=[attribute],
        variable_characteristics=traits,
    )


def _same(one: v201.Component, other: v201.Component) -> bool:
    own, asked = (None if place.evse is None else place.evse.id for place in (one, other))
    return own == asked and one.name.lower() == other.name.lower() and not other.instance
