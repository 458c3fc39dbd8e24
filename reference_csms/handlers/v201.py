"""OCPP 2.0.1: payload to version-neutral command, and the answer back. No rule of business lives here.

Each handler gets a request that the schema accepts and gives back the bytes of the answer. TransactionEvents are always
answered, whatever they contain (E01 to E15, INV-05). Connector n of this house is EVSE n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from reference_csms.commands import Answer, Told
from reference_csms.handlers.house import Handler, Handlers, note_status, watt_hours
from reference_csms.handlers.orders import Order, Orders
from reference_csms.readings import ENERGY
from reference_csms.records import Session
from reference_csms.stations import StationState
from reference_csms.trails import ENDED, STARTED, UPDATED
from sim.clock import Instant, iso, parse_iso
from sim.wire.payloads import v201
from sim.wire.variables import ADDRESSES

_EMPTY = b"{}"
_BEGIN, _END = "Transaction.Begin", "Transaction.End"
_KINDS = {"Started": STARTED, "Updated": UPDATED, "Ended": ENDED}
_TOKEN_TYPE = "ISO14443"
_MOST_TEXT = 512
_UNKNOWN = "Unknown"
"""What 2.0.1 says of a token that nobody knows; Invalid is one that is known and must not charge (C01)."""


def _boot_notification(
    house: Handlers, state: StationState, request: v201.BootNotification, id: str, now: Instant
) -> bytes:
    status, told, interval = house.booted(state, msgspec.to_builtins(request), now)
    return v201.encode(v201.BootNotificationResult(status=status, current_time=told, interval=interval))


def _heartbeat(house: Handlers, state: StationState, request: v201.Heartbeat, id: str, now: Instant) -> bytes:
    return house.heartbeat(now)


def _status_notification(
    house: Handlers, state: StationState, request: v201.StatusNotification, id: str, now: Instant
) -> bytes:
    place = house.status_place(request.evse_id, request.connector_id)
    note_status(state, place, request.connector_status, "", parse_iso(request.timestamp))
    return house.acknowledge("StatusNotification")


def _authorize(house: Handlers, state: StationState, request: v201.Authorize, id: str, now: Instant) -> bytes:
    status, token = house.access.decide(request.id_token.id_token, state.row.site, now)
    expires = iso(token.expires_at) if token is not None and token.expires_at is not None else None
    info = _info(Answer(_UNKNOWN if token is None else status, token.grp if token else None), expires)
    assert info is not None
    return v201.encode(v201.AuthorizeResult(id_token_info=info))


def _transaction_event(
    house: Handlers, state: StationState, request: v201.TransactionEvent, id: str, now: Instant
) -> bytes:
    registers = dict(_registers(request.meter_value))
    connector = None if request.evse is None else request.evse.id
    latest = list(registers.values())
    told = Told(
        station=state.station,
        transaction_id=request.transaction_info.transaction_id,
        seq=request.seq_no,
        kind=_KINDS[request.event_type],
        at=parse_iso(request.timestamp),
        received_at=now,
        message_id=id,
        connector=connector,
        id_tag=None if request.id_token is None else request.id_token.id_token,
        begin_wh=registers.get(_BEGIN, latest[0] if latest else None),
        end_wh=registers.get(_END, latest[-1] if latest else None),
        reason=request.transaction_info.stopped_reason or "Local",
        values=tuple(_signed(request.meter_value)),
    )
    answer = house.trails.take(told)
    if answer.connector is not None and latest:
        state.register(answer.connector, latest[-1])
    session = house.sessions.of_start(f"{told.station}|{told.transaction_id}")
    info = _info(answer) if request.id_token is not None else None
    if info is not None and session is not None and told.kind == STARTED:
        info = replace(info, personal_message=_price(house, session))
    cost = None if session is None else _cost(house, session, told)
    return v201.encode(v201.TransactionEventResult(id_token_info=info, total_cost=cost))


def _price(house: Handlers, session: Session) -> v201.MessageContent | None:
    """The prices of a session, as the text that a display shows before it (I01)."""
    text = house.display.price(session)
    return None if text is None else v201.MessageContent(format="UTF8", language="en", content=text[:_MOST_TEXT])


def _cost(house: Handlers, session: Session, told: Told) -> float | None:
    """The cost so far (I02), or the final one (I03); left out where there is none, since 0 would mean free."""
    if told.kind == ENDED:
        cost = house.display.final(session)
    elif told.kind == STARTED or told.end_wh is None:
        cost = None
    else:
        cost = house.display.running(session, house.trails.samples(told.station, told.transaction_id))
    return None if cost is None else float(cost)


def _meter_values(house: Handlers, state: StationState, request: v201.MeterValues, id: str, now: Instant) -> bytes:
    for _, wh in _registers(request.meter_value):
        state.register(request.evse_id, wh)
    return _EMPTY


def _data_transfer(house: Handlers, state: StationState, request: v201.DataTransfer, id: str, now: Instant) -> bytes:
    return v201.encode(v201.DataTransferResult(status="UnknownVendorId"))


def _noted(house: Handlers, state: StationState, request: Any, id: str, now: Instant) -> bytes:
    """Notifications that need no more than an empty answer."""
    return _EMPTY


HANDLERS: dict[str, Handler] = {
    "Authorize": _authorize,
    "BootNotification": _boot_notification,
    "DataTransfer": _data_transfer,
    "FirmwareStatusNotification": _noted,
    "Heartbeat": _heartbeat,
    "LogStatusNotification": _noted,
    "MeterValues": _meter_values,
    "NotifyEvent": _noted,
    "NotifyReport": _noted,
    "SecurityEventNotification": _noted,
    "StatusNotification": _status_notification,
    "TransactionEvent": _transaction_event,
}


def _info(answer: Answer, expires: str | None = None) -> v201.IdTokenInfo | None:
    if answer.status is None:
        return None
    group = None if answer.parent is None else v201.IdToken(id_token=answer.parent, type=_TOKEN_TYPE)
    return v201.IdTokenInfo(status=answer.status, group_id_token=group, cache_expiry_date_time=expires)


def _registers(values: list[v201.MeterValue] | None) -> Iterator[tuple[str, int]]:
    """The energy registers with their contexts, in the order in which they came."""
    for value in values or ():
        for sample in value.sampled_value:
            if sample.measurand in (None, ENERGY) and sample.phase is None:
                unit = sample.unit_of_measure
                exponent = 0 if unit is None else unit.multiplier or 0
                wh = watt_hours(f"{sample.value}e{exponent}", None if unit is None else unit.unit)
                if wh is not None:
                    yield sample.context or "Sample.Periodic", wh


def _signed(values: list[v201.MeterValue] | None) -> Iterator[str]:
    """The signed values in the order in which they came, each as the JSON object that it travelled in."""
    for value in values or ():
        for sample in value.sampled_value:
            if sample.signed_meter_value is not None:
                yield v201.encode(sample.signed_meter_value).decode()


# -- what this house asks of stations ------------------------------------------------------------------------------------


def _start(token: str, connector: int, number: int) -> Order:
    # The house knows who it is and the station does not ask again: a Central token (C05, F01).
    payload = {"idToken": {"idToken": token, "type": "Central"}, "evseId": connector, "remoteStartId": number}
    return "RequestStartTransaction", payload


def _stop(transaction_id: object) -> Order:
    return "RequestStopTransaction", {"transactionId": str(transaction_id)}


def _write(key: str, value: str) -> Order | None:
    address = ADDRESSES.get(key)
    if address is None:
        return None
    variable = {"name": address.variable} | ({"instance": address.instance} if address.instance else {})
    row = {"component": {"name": address.component}, "variable": variable, "attributeValue": value}
    return "SetVariables", {"setVariableData": [row]}


def _token_of(action: str, payload: Mapping[str, Any]) -> str | None:
    return str(payload.get("idToken", {}).get("idToken", "")) if action == "RequestStartTransaction" else None


def _installs(action: str, payload: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    if action != "ChangeAvailability":
        return None
    place = payload.get("evse") or {}
    return action, {"connectorId": int(place.get("id", 0)), "type": payload["operationalStatus"]}


ORDERS = Orders(
    start=_start,
    stop=_stop,
    write=_write,
    written=lambda answer: str(answer["setVariableResult"][0]["attributeStatus"]),
    remote=frozenset(("RequestStartTransaction", "RequestStopTransaction")),
    token_of=_token_of,
    installs=_installs,
    numbered=True,
)
