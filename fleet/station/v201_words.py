"""What a station of OCPP 2.0.1 says that needs no more than the facts: boot, status, the question about a token.

Payloads from plain values and back; nothing is decided or sent here. Connector n of the house is connector 1 of EVSE n.
Sources: OCPP 2.0.1 B01 (boot), C01 (Authorize), G01 (status).
"""

from __future__ import annotations

from fleet.station.bay import Claim
from fleet.station.desk import Desk
from fleet.station.status import AVAILABLE, FAULTED, RESERVED, UNAVAILABLE
from fleet.station.tokens import Entry
from sim.clock import iso, parse_iso
from sim.wire.payloads import v201

POWER_UP, TRIGGERED = "PowerUp", "Triggered"
CENTRAL = "Central"
_TYPES = {"CENTRAL": CENTRAL}
"""Kinds of identification (OCMF IT) whose token type is called otherwise here."""
_KEPT = (AVAILABLE, RESERVED, UNAVAILABLE, FAULTED)


def hello(desk: Desk, reason: str) -> v201.BootNotification:
    """The BootNotification of this station."""
    boot = desk.profile.boot
    station = v201.ChargingStation(
        vendor_name=boot.vendor,
        model=boot.model,
        serial_number=desk.station[:25],
        firmware_version=boot.firmware,
    )
    return v201.BootNotification(charging_station=station, reason=reason)


def evse(number: int) -> v201.EVSE:
    """The place of a connector of the house."""
    return v201.EVSE(id=number, connector_id=1)


def connector_status(status: str) -> str:
    """The word for a status: what an EV does there is told by its transaction, here it is Occupied (G01)."""
    return status if status in _KEPT else "Occupied"


def status(desk: Desk, connector: int, word: str, info: str) -> v201.StatusNotification | None:
    """The StatusNotification of a connector; the station as a whole has none."""
    if connector == 0:
        return None
    return v201.StatusNotification(timestamp=iso(desk.time()), connector_status=word, evse_id=connector, connector_id=1)


def id_token(token: str, id_type: str) -> v201.IdToken:
    """A token with its type, from a kind of identification as the meter signs it."""
    return v201.IdToken(id_token=token, type=_TYPES.get(id_type, id_type))


def question(claim: Claim) -> v201.Authorize:
    """The Authorize for a claim."""
    return v201.Authorize(id_token=id_token(claim.id_tag, claim.id_type))


def verdict(payload: bytes) -> Entry:
    """What the answer to an Authorize says of its token."""
    answer: v201.AuthorizeResult = v201.decode_response("Authorize", payload)
    return entry_of(answer.id_token_info)


def entry_of(info: v201.IdTokenInfo) -> Entry:
    """The entry that an idTokenInfo makes. It must have passed the schema."""
    group = None if info.group_id_token is None else info.group_id_token.id_token
    expires = parse_iso(info.cache_expiry_date_time) if info.cache_expiry_date_time else None
    return Entry(info.status, group, expires)
