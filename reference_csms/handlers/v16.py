"""OCPP 1.6: payload to version-neutral command, and the answer back. No rule of business lives here.

Each handler gets a request that the schema accepts and gives back the bytes of the answer. Transaction-related ones are
always answered, whatever they contain (OCPP 1.6 §4.8 to §4.10, INV-05).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from reference_csms.commands import Answer, Start, Stop
from reference_csms.handlers.house import Handler, Handlers, note_status, watt_hours
from reference_csms.handlers.orders import Orders
from reference_csms.readings import MAX_DIGITS, is_register
from reference_csms.stations import StationState
from sim.clock import Instant, iso, parse_iso
from sim.wire.payloads import v16

_EMPTY = b"{}"


def _boot_notification(
    house: Handlers, state: StationState, request: v16.BootNotification, id: str, now: Instant
) -> bytes:
    status, told, interval = house.booted(state, msgspec.to_builtins(request), now)
    return v16.encode(v16.BootNotificationResult(status=status, current_time=told, interval=interval))


def _heartbeat(house: Handlers, state: StationState, request: v16.Heartbeat, id: str, now: Instant) -> bytes:
    return house.heartbeat(now)


def _status_notification(
    house: Handlers, state: StationState, request: v16.StatusNotification, id: str, now: Instant
) -> bytes:
    at = parse_iso(request.timestamp) if request.timestamp else now
    note_status(state, request.connector_id, request.status, request.error_code, at)
    return house.acknowledge("StatusNotification")


def _authorize(house: Handlers, state: StationState, request: v16.Authorize, id: str, now: Instant) -> bytes:
    status, token = house.access.decide(request.id_tag, state.row.site, now)
    expires = iso(token.expires_at) if token is not None and token.expires_at is not None else None
    info = v16.IdTagInfo(status=status, parent_id_tag=token.grp if token else None, expiry_date=expires)
    return v16.encode(v16.AuthorizeResult(id_tag_info=info))


def _start_transaction(
    house: Handlers, state: StationState, request: v16.StartTransaction, id: str, now: Instant
) -> bytes:
    start = Start(
        station=state.station,
        connector=request.connector_id,
        id_tag=request.id_tag,
        meter_start=request.meter_start,
        at=parse_iso(request.timestamp),
        received_at=now,
        message_id=id,
    )
    answer = house.sessions.start(start)
    if request.reservation_id is not None:
        house.installed.used(state.station, request.reservation_id)
    state.register(request.connector_id, request.meter_start)
    assert isinstance(answer.transaction_id, int)  # 1.6 stations give no ids
    info = v16.IdTagInfo(status=answer.status or "Invalid", parent_id_tag=answer.parent)
    return v16.encode(v16.StartTransactionResult(id_tag_info=info, transaction_id=answer.transaction_id))


def _stop_transaction(
    house: Handlers, state: StationState, request: v16.StopTransaction, id: str, now: Instant
) -> bytes:
    stop = Stop(
        station=state.station,
        transaction_id=request.transaction_id,
        meter_stop=request.meter_stop,
        at=parse_iso(request.timestamp),
        id_tag=request.id_tag,
        reason=request.reason or "Local",
        values=_signed_values(request.transaction_data),
        received_at=now,
        message_id=id,
    )
    answer = house.sessions.stop(stop)
    if answer.connector is not None:
        state.register(answer.connector, request.meter_stop)
    return v16.encode(v16.StopTransactionResult(id_tag_info=_info(answer)))


def _meter_values(house: Handlers, state: StationState, request: v16.MeterValues, id: str, now: Instant) -> bytes:
    for sample in request.meter_value[-1].sampled_value if request.meter_value else ():
        if is_register(sample):
            value, unit = sample.value, sample.unit
            plain = unit != "kWh" and len(value) < MAX_DIGITS and value.isdecimal()
            wh = int(value) if plain else watt_hours(value, unit)
            if wh is not None:
                state.register(request.connector_id, wh)
            break
    return _EMPTY


def _data_transfer(house: Handlers, state: StationState, request: v16.DataTransfer, id: str, now: Instant) -> bytes:
    return v16.encode(v16.DataTransferResult(status="UnknownVendorId"))


def _noted(house: Handlers, state: StationState, request: Any, id: str, now: Instant) -> bytes:
    """Notifications that need no more than an empty answer."""
    return _EMPTY


def _sign_certificate(
    house: Handlers, state: StationState, request: v16.SignCertificate, id: str, now: Instant
) -> bytes:
    """There is no certificate authority behind this back-end."""
    return v16.encode(v16.SignCertificateResult(status="Rejected"))


HANDLERS: dict[str, Handler] = {
    "Authorize": _authorize,
    "BootNotification": _boot_notification,
    "DataTransfer": _data_transfer,
    "DiagnosticsStatusNotification": _noted,
    "FirmwareStatusNotification": _noted,
    "Heartbeat": _heartbeat,
    "LogStatusNotification": _noted,
    "MeterValues": _meter_values,
    "SecurityEventNotification": _noted,
    "SignCertificate": _sign_certificate,
    "SignedFirmwareStatusNotification": _noted,
    "StartTransaction": _start_transaction,
    "StatusNotification": _status_notification,
    "StopTransaction": _stop_transaction,
}

QUIET = frozenset({"Heartbeat", "MeterValues"})
"""Requests that only change the live state: they write no row and move no deadline."""


def _info(answer: Answer) -> v16.IdTagInfo | None:
    return v16.IdTagInfo(status=answer.status, parent_id_tag=answer.parent) if answer.status is not None else None


def _signed_values(data: list[v16.MeterValue] | None) -> tuple[str, ...]:
    """The signed values of a stop in the order in which they came (OCA note on signed meter values §3.1)."""
    return tuple(s.value for value in data or () for s in value.sampled_value if s.format == "SignedData")


# -- what this house asks of stations ------------------------------------------------------------------------------------


def _token_of(action: str, payload: Mapping[str, Any]) -> str | None:
    return str(payload.get("idTag", "")) if action == "RemoteStartTransaction" else None


ORDERS = Orders(
    start=lambda token, connector, number: ("RemoteStartTransaction", {"idTag": token, "connectorId": connector}),
    stop=lambda transaction_id: ("RemoteStopTransaction", {"transactionId": transaction_id}),
    write=lambda key, value: ("ChangeConfiguration", {"key": key, "value": value}),
    written=lambda answer: str(answer["status"]),
    remote=frozenset(("RemoteStartTransaction", "RemoteStopTransaction")),
    token_of=_token_of,
    installs=lambda action, payload: (action, payload),
)
