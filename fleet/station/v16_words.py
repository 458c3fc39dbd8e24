"""What a station of OCPP 1.6 says that needs no more than the facts: boot, status, the question about a token.

Payloads from plain values and back; nothing is decided or sent here. Sources: OCPP 1.6 §4.1, §4.2, §4.9.
"""

from __future__ import annotations

from fleet.station.bay import Claim
from fleet.station.desk import Desk
from fleet.station.tokens import Entry
from sim.clock import iso, parse_iso
from sim.wire.payloads import v16


def hello(desk: Desk) -> v16.BootNotification:
    """The BootNotification of this station."""
    boot = desk.profile.boot
    return v16.BootNotification(
        charge_point_vendor=boot.vendor,
        charge_point_model=boot.model,
        charge_point_serial_number=desk.station[:25],
        firmware_version=boot.firmware,
        meter_type=desk.profile.meter.model or None,
    )


def status(desk: Desk, connector: int, word: str, info: str) -> v16.StatusNotification:
    """The StatusNotification of a connector."""
    return v16.StatusNotification(
        connector_id=connector, error_code="NoError", info=info or None, status=word, timestamp=iso(desk.time())
    )


def question(claim: Claim) -> v16.Authorize:
    """The Authorize for a claim."""
    return v16.Authorize(id_tag=claim.id_tag)


def verdict(payload: bytes) -> Entry:
    """What the answer to an Authorize says of its token."""
    answer: v16.AuthorizeResult = v16.decode_response("Authorize", payload)
    return entry_of(answer.id_tag_info)


def entry_of(info: v16.IdTagInfo) -> Entry:
    """The entry that an idTagInfo makes. It must have passed the schema."""
    return Entry(info.status, info.parent_id_tag, parse_iso(info.expiry_date) if info.expiry_date else None)
