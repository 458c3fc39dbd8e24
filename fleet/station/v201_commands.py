"""What a back-end may ask of a station of OCPP 2.0.1, and the answers: one function per action that it supports.

Each gives the answer and, if something follows, what to do once the answer is on its way. An action that OCPP knows and
this station does not support has no function here. Sources: OCPP 2.0.1 Part 2, the use case named at each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fleet.station.bay import Bay
from fleet.station.calls import Careless
from fleet.station.ears import Reply, Then
from fleet.station.metering import TRIGGER
from fleet.station.v201_variables import report_row
from fleet.station.v201_words import TRIGGERED
from sim.clock import iso
from sim.wire.payloads import v201

if TYPE_CHECKING:
    from fleet.station.v201 import Station

ROWS_PER_REPORT = 10
"""Variables in one NotifyReport."""
_SPOKEN = "OCPP20"
"""How a network profile names 2.0.1 (its schema knows no newer word)."""
_SCHEMES = {"ws": (0, 1), "wss": (2, 3)}
"""The security profiles that fit each scheme; 0 stands for none (reference ocpp-rpc §5)."""


def change_availability(station: Station, request: v201.ChangeAvailability) -> Reply:
    """G03, G04: the whole station, an EVSE, or its one connector."""
    place = request.evse
    if place is not None and (station.use.bay(place.id) is None or place.connector_id not in (None, 1)):
        return v201.ChangeAvailabilityResult(status="Rejected"), None
    status = station.availability.change(0 if place is None else place.id, request.operational_status)
    return v201.ChangeAvailabilityResult(status=status), station.availability.settle


def clear_cache(station: Station, request: v201.ClearCache) -> Reply:
    """C11."""
    return v201.ClearCacheResult(status="Accepted" if station.tokens.clear_cache() else "Rejected"), None


def data_transfer(station: Station, request: v201.DataTransfer) -> Reply:
    """P01: no vendor extension is implemented."""
    return v201.DataTransferResult(status="UnknownVendorId"), None


def get_variables(station: Station, request: v201.GetVariables) -> Reply:
    """B06."""
    rows = [station.variables.get(one) for one in request.get_variable_data]
    return v201.GetVariablesResult(get_variable_result=rows), None


def set_variables(station: Station, request: v201.SetVariables) -> Reply:
    """B05."""
    rows = [station.variables.set(one) for one in request.set_variable_data]
    return v201.SetVariablesResult(set_variable_result=rows), None


def get_base_report(station: Station, request: v201.GetBaseReport) -> Reply:
    """B07: the answer first, then the parts of the report."""
    if request.report_base == "SummaryInventory":
        return v201.GetBaseReportResult(status="NotSupported"), None
    rows = station.variables.all(settable=request.report_base == "ConfigurationInventory")

    def then() -> None:
        parts = [rows[at : at + ROWS_PER_REPORT] for at in range(0, len(rows), ROWS_PER_REPORT)]
        for number, part in enumerate(parts):
            report = v201.NotifyReport(
                request_id=request.request_id,
                generated_at=iso(station.desk.time()),
                seq_no=number,
                tbc=number < len(parts) - 1,
                report_data=[report_row(row) for row in part],
            )
            station.calls.ask("NotifyReport", report, Careless())

    return v201.GetBaseReportResult(status="Accepted"), then


def request_start(station: Station, request: v201.RequestStartTransaction) -> Reply:
    """F01, F02. A charging profile in it is ignored."""
    token = request.id_token.id_token
    bay = station.use.choose(request.evse_id, token)
    if bay is None:
        return v201.RequestStartTransactionResult(status="Rejected"), None
    begin: Then = lambda: station.use.start_remotely(bay, token, request.remote_start_id)  # noqa: E731
    return v201.RequestStartTransactionResult(status="Accepted"), begin


def request_stop(station: Station, request: v201.RequestStopTransaction) -> Reply:
    """F03."""
    bay = _running(station, request.transaction_id)
    if bay is None or not station.desk.accepted:
        return v201.RequestStopTransactionResult(status="Rejected"), None
    return v201.RequestStopTransactionResult(status="Accepted"), lambda: station.charging.end(bay, "Remote")


def _running(station: Station, transaction_id: str) -> Bay | None:
    for bay in station.bays:
        if bay.transaction is not None and bay.transaction.name == transaction_id:
            return bay
    return None


def reset(station: Station, request: v201.Reset) -> Reply:
    """B11 (OnIdle waits for whoever charges), B12 (Immediate); one EVSE alone cannot be reset (AllowReset)."""
    restart = station.restart
    if restart.decided or request.evse_id is not None:
        return v201.ResetResult(status="Rejected"), None
    station.reset_ordered(request.type)
    if request.type == "Immediate":
        return v201.ResetResult(status="Accepted"), lambda: restart.begin("Immediate")
    waits = any(bay.in_use for bay in station.bays)
    return v201.ResetResult(status="Scheduled" if waits else "Accepted"), lambda: restart.when_idle("OnIdle")


def set_network_profile(station: Station, request: v201.SetNetworkProfile) -> Reply:
    """B09: written down, used once NetworkConfigurationPriority names it and the station has restarted."""
    data, slot = request.connection_data, request.configuration_slot
    profiles = _SCHEMES.get(urlsplit(data.ocpp_csms_url).scheme, ())
    fits = data.ocpp_version == _SPOKEN and data.ocpp_transport == "JSON" and data.security_profile in profiles
    if not fits or data.message_timeout < 1 or station.desk.profile.migration.route != "network_profile":
        return v201.SetNetworkProfileResult(status="Rejected"), None
    name, _ = station.desk.keys.change(f"NetworkConnectionProfile{slot}", data.ocpp_csms_url)
    if not name:
        return v201.SetNetworkProfileResult(status="Rejected"), None
    station.desk.persist(f"config/{name}", station.desk.keys.text(name))
    return v201.SetNetworkProfileResult(status="Accepted"), None


def trigger_message(station: Station, request: v201.TriggerMessage) -> Reply:
    """F06: the answer first, then the message."""
    wanted = request.requested_message
    number = None if request.evse is None else request.evse.id
    bays = [bay for bay in station.bays if number in (None, bay.number)]
    then: dict[str, Then] = {
        "BootNotification": lambda: station.say_hello(TRIGGERED),
        "Heartbeat": station.liveness.send,
        "MeterValues": lambda: _trigger_values(station, bays),
        "StatusNotification": lambda: station.statuses.send(bays[0].number),
        "TransactionEvent": lambda: _trigger_events(station, bays),
    }
    if wanted not in then:
        return v201.TriggerMessageResult(status="NotImplemented"), None
    nowhere = request.evse is None or request.evse.connector_id is None
    refused = (
        not bays
        or (wanted == "BootNotification" and station.desk.accepted)
        or (wanted == "StatusNotification" and nowhere)
        or (wanted == "TransactionEvent" and all(bay.transaction is None for bay in bays))
    )
    if refused:
        return v201.TriggerMessageResult(status="Rejected"), None
    return v201.TriggerMessageResult(status="Accepted"), then[wanted]


def _trigger_values(station: Station, bays: list[Bay]) -> None:
    for bay in bays:
        station.calls.ask("MeterValues", station.teller.values(bay, _aligned(station)), Careless())


def _trigger_events(station: Station, bays: list[Bay]) -> None:
    for bay in bays:
        if bay.transaction is not None:
            station.teller.reading(bay, _aligned(station), TRIGGER)


def _aligned(station: Station) -> tuple[str, ...]:
    measurands: tuple[str, ...] = station.desk.keys["MeterValuesAlignedData"]
    return measurands or ("Energy.Active.Import.Register",)


Handler = Callable[["Station", Any], Reply]
HANDLERS: dict[str, Handler] = {
    "ChangeAvailability": change_availability,
    "ClearCache": clear_cache,
    "DataTransfer": data_transfer,
    "GetBaseReport": get_base_report,
    "GetVariables": get_variables,
    "RequestStartTransaction": request_start,
    "RequestStopTransaction": request_stop,
    "Reset": reset,
    "SetNetworkProfile": set_network_profile,
    "SetVariables": set_variables,
    "TriggerMessage": trigger_message,
}
