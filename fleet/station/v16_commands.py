"""What a back-end may ask of a station, and the answers: one function per action of OCPP 1.6 that this station
supports.

Each gives the answer and, if something follows, what to do once the answer is on its way. An action that OCPP knows and
this station does not support has no function here. Sources: OCPP 1.6 §5, status values §7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleet.station.ears import Refusal, Reply, Then
from fleet.station.metering import TRIGGER
from fleet.station.v16_words import entry_of
from sim.clock import iso
from sim.wire.payloads import v16

if TYPE_CHECKING:
    from fleet.station.v16 import Station


def change_availability(station: Station, request: v16.ChangeAvailability) -> Reply:
    """OCPP 1.6 §5.2."""
    status = station.availability.change(request.connector_id, request.type)
    return v16.ChangeAvailabilityResult(status=status), station.availability.settle if status != "Rejected" else None


def change_configuration(station: Station, request: v16.ChangeConfiguration) -> Reply:
    """OCPP 1.6 §5.3."""
    name, status = station.desk.keys.change(request.key, request.value)
    if not name:
        return v16.ChangeConfigurationResult(status=status), None
    station.desk.persist(f"config/{name}", station.desk.keys.text(name))
    return v16.ChangeConfigurationResult(status=status), lambda: station.key_changed(name)


def clear_cache(station: Station, request: v16.ClearCache) -> Reply:
    """OCPP 1.6 §5.4."""
    return v16.ClearCacheResult(status="Accepted" if station.tokens.clear_cache() else "Rejected"), None


def data_transfer(station: Station, request: v16.DataTransfer) -> Reply:
    """OCPP 1.6 §5.6: no vendor extension is implemented."""
    return v16.DataTransferResult(status="UnknownVendorId"), None


def get_configuration(station: Station, request: v16.GetConfiguration) -> Reply:
    """OCPP 1.6 §5.8."""
    keys = station.desk.keys
    wanted = request.key or keys.names()
    if request.key and len(request.key) > keys["GetConfigurationMaxKeys"]:
        raise Refusal("OccurenceConstraintViolation", "more keys than GetConfigurationMaxKeys")
    found = [keys.entry(name) for name in wanted]
    rows = [v16.KeyValue(key=row[0], readonly=row[1], value=row[2]) for row in found if row is not None]
    unknown = [name for name, row in zip(wanted, found, strict=True) if row is None]
    return v16.GetConfigurationResult(configuration_key=rows or None, unknown_key=unknown or None), None


def get_local_list_version(station: Station, request: v16.GetLocalListVersion) -> Reply:
    """OCPP 1.6 §5.10."""
    return v16.GetLocalListVersionResult(list_version=station.tokens.list_version()), None


def send_local_list(station: Station, request: v16.SendLocalList) -> Reply:
    """OCPP 1.6 §5.15."""
    listed = request.local_authorization_list or []
    rows = [(row.id_tag, None if row.id_tag_info is None else entry_of(row.id_tag_info)) for row in listed]
    status = station.tokens.update(request.list_version, request.update_type, rows)
    return v16.SendLocalListResult(status=status), None


def remote_start(station: Station, request: v16.RemoteStartTransaction) -> Reply:
    """OCPP 1.6 §5.11. A charging profile in it is ignored: profiles come by SetChargingProfile."""
    bay = station.use.choose(request.connector_id, request.id_tag)
    if bay is None:
        return v16.RemoteStartTransactionResult(status="Rejected"), None
    return v16.RemoteStartTransactionResult(status="Accepted"), lambda: station.use.start_remotely(bay, request.id_tag)


def remote_stop(station: Station, request: v16.RemoteStopTransaction) -> Reply:
    """OCPP 1.6 §5.12."""
    bay = station.running(request.transaction_id)
    if bay is None or not station.desk.accepted:
        return v16.RemoteStopTransactionResult(status="Rejected"), None
    return v16.RemoteStopTransactionResult(status="Accepted"), lambda: station.charging.end(bay, "Remote")


def reserve_now(station: Station, request: v16.ReserveNow) -> Reply:
    """OCPP 1.6 §5.13."""
    try:
        status = station.reservations.reserve(request)
    except ValueError as err:
        raise Refusal("PropertyConstraintViolation", str(err)) from None
    return v16.ReserveNowResult(status=status), station.reservations.settle if status == "Accepted" else None


def cancel_reservation(station: Station, request: v16.CancelReservation) -> Reply:
    """OCPP 1.6 §5.1."""
    bay = station.reservations.cancel(request.reservation_id)
    if bay is None:
        return v16.CancelReservationResult(status="Rejected"), None
    return v16.CancelReservationResult(status="Accepted"), station.reservations.settle


def set_charging_profile(station: Station, request: v16.SetChargingProfile) -> Reply:
    """OCPP 1.6 §5.16."""
    profile, connector = request.cs_charging_profiles, request.connector_id
    bay = station.use.bay(connector)
    if bay is None and connector != 0:
        raise Refusal("PropertyConstraintViolation", f"there is no connector {connector}")
    running = bay.transaction.number if bay is not None and bay.transaction is not None else None
    if (
        running is not None
        and profile.transaction_id is not None
        and station.running(profile.transaction_id) is not bay
    ):
        running = None
    try:
        status = station.smart_charging.install(connector, profile, running)
    except ValueError as err:
        raise Refusal("PropertyConstraintViolation", str(err)) from None
    return v16.SetChargingProfileResult(status=status), station.smart_charging.settle if status == "Accepted" else None


def clear_charging_profile(station: Station, request: v16.ClearChargingProfile) -> Reply:
    """OCPP 1.6 §5.5."""
    status = station.smart_charging.clear(request)
    return v16.ClearChargingProfileResult(status=status), station.smart_charging.settle


def get_composite_schedule(station: Station, request: v16.GetCompositeSchedule) -> Reply:
    """OCPP 1.6 §5.7."""
    known = request.connector_id == 0 or station.use.bay(request.connector_id) is not None
    if not known or request.duration < 0:
        return v16.GetCompositeScheduleResult(status="Rejected"), None
    schedule = station.smart_charging.composite(request.connector_id, request.duration, request.charging_rate_unit)
    answer = v16.GetCompositeScheduleResult(
        status="Accepted",
        connector_id=request.connector_id,
        schedule_start=iso(station.desk.time()),
        charging_schedule=schedule,
    )
    return answer, None


def reset(station: Station, request: v16.Reset) -> Reply:
    """OCPP 1.6 §5.14."""
    if station.restart.decided:
        return v16.ResetResult(status="Rejected"), None
    return v16.ResetResult(status="Accepted"), lambda: station.restart.begin(request.type)


def update_firmware(station: Station, request: v16.UpdateFirmware) -> Reply:
    """OCPP 1.6 §5.19, for stations whose maker delivers images that way."""
    if station.desk.profile.migration.route != "firmware":
        raise Refusal("NotSupported", "this station takes no images over OCPP")
    try:
        station.firmware.update(request)
    except ValueError as err:
        raise Refusal("PropertyConstraintViolation", str(err)) from None
    return v16.UpdateFirmwareResult(), None


def unlock_connector(station: Station, request: v16.UnlockConnector) -> Reply:
    """OCPP 1.6 §5.18: a running transaction is ended first."""
    bay = station.use.bay(request.connector_id)
    if bay is None or not station.desk.profile.lock:
        return v16.UnlockConnectorResult(status="NotSupported"), None
    unlocked = v16.UnlockConnectorResult(status="Unlocked")
    if bay.transaction is None:
        return unlocked, None
    return unlocked, lambda: station.charging.end(bay, "UnlockCommand")


def trigger_message(station: Station, request: v16.TriggerMessage) -> Reply:
    """OCPP 1.6 §5.17: the answer first, then the message."""
    connector = request.connector_id
    whole_station = connector == 0 and request.requested_message != "MeterValues"  # there is no main meter
    known = connector is None or whole_station or station.use.bay(connector) is not None
    then: dict[str, Then] = {
        "BootNotification": station.boot.send,
        "Heartbeat": station.liveness.send,
        "StatusNotification": lambda: _trigger_status(station, connector),
        "MeterValues": lambda: _trigger_values(station, connector),
    }
    if request.requested_message not in then:
        return v16.TriggerMessageResult(status="NotImplemented"), None
    if not known or (request.requested_message == "BootNotification" and station.desk.accepted):
        return v16.TriggerMessageResult(status="Rejected"), None
    return v16.TriggerMessageResult(status="Accepted"), then[request.requested_message]


def _trigger_status(station: Station, connector: int | None) -> None:
    numbers = [0, *(bay.number for bay in station.bays)] if connector is None else [connector]
    for number in numbers:
        station.statuses.send(number)


def _trigger_values(station: Station, connector: int | None) -> None:
    for bay in station.bays:
        if connector in (None, bay.number):
            measurands = station.desk.keys["MeterValuesSampledData"] or ("Energy.Active.Import.Register",)
            value = station.metering.meter_value(bay, measurands, TRIGGER, station.desk.time())
            station.send_values(bay, value)


Handler = Callable[["Station", Any], Reply]
HANDLERS: dict[str, Handler] = {
    "CancelReservation": cancel_reservation,
    "ChangeAvailability": change_availability,
    "ChangeConfiguration": change_configuration,
    "ClearCache": clear_cache,
    "ClearChargingProfile": clear_charging_profile,
    "DataTransfer": data_transfer,
    "GetCompositeSchedule": get_composite_schedule,
    "GetConfiguration": get_configuration,
    "GetLocalListVersion": get_local_list_version,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "ReserveNow": reserve_now,
    "Reset": reset,
    "SendLocalList": send_local_list,
    "SetChargingProfile": set_charging_profile,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
    "UpdateFirmware": update_firmware,
}
