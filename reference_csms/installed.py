"""What this back-end has put into its stations and what still lies there: charging profiles, reservations, the local list,
connectors set Inoperative.

A station keeps these over a reboot and takes them along to the next back-end, so they are told to whoever moves it (MF-14,
15, 16, 18). Only what a station confirmed is noted; nothing here is ever sent. Source: OCPP 1.6 §5.2, §5.5, §5.13, §5.15,
§5.16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from reference_csms.records import GIVEN, Given
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import Instant, parse_iso

Payload = Mapping[str, Any]


class Installed:
    """The notes of a store, one row per station."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes: dict[str, Callable[[Given, Payload], Given]] = {
            "SetChargingProfile": _set_profile,
            "ClearChargingProfile": _clear_profiles,
            "ReserveNow": _reserve,
            "CancelReservation": lambda given, payload: _end_reservation(given, int(payload["reservationId"])),
            "SendLocalList": _send_list,
            "ChangeAvailability": _change_availability,
        }

    def concerns(self, action: str) -> bool:
        """Whether calls of this action leave something in a station."""
        return action in self._changes

    def confirmed(self, station: str, action: str, payload: Payload, answer: Payload) -> None:
        """A station answered such a call; one that it did not take leaves nothing."""
        if answer.get("status") in ("Accepted", "Scheduled"):
            self._put(self._changes[action](self._of(station), payload))

    def used(self, station: str, reservation_id: int) -> None:
        """A StartTransaction used a reservation up (OCPP 1.6 §4.8)."""
        self._put(_end_reservation(self._of(station), reservation_id))

    def export(self, station: str, now: Instant) -> list[Row]:
        """What lies in the station, one row each; reservations only while they last."""
        given = self._of(station)
        rows: list[Row] = [{"what": "profile", **row} for row in given.profiles]
        rows += [{"what": "reservation", **row} for row in given.reservations if row["expires"] > now]
        if given.list_version:
            rows.append({"what": "list", "version": given.list_version, "entries": list(given.list_entries)})
        return rows + [{"what": "inoperative", "connector": connector} for connector in given.inoperative]

    def _of(self, station: str) -> Given:
        return self._store.get(GIVEN, station) or Given(station=station)

    def _put(self, given: Given) -> None:
        put(self._store, GIVEN, given)


def _set_profile(given: Given, payload: Payload) -> Given:
    profile, connector = payload["csChargingProfiles"], int(payload["connectorId"])
    row = {
        "id": int(profile["chargingProfileId"]),
        "connector": connector,
        "purpose": profile["chargingProfilePurpose"],
        "stack": int(profile["stackLevel"]),
    }
    place = ("purpose", "stack", "connector")
    kept = [one for one in given.profiles if one["id"] != row["id"] and any(one[key] != row[key] for key in place)]
    return replace(given, profiles=(*kept, row))


def _clear_profiles(given: Given, payload: Payload) -> Given:
    if "id" in payload:
        wanted = {"id": payload["id"]}
    else:
        names = {"connectorId": "connector", "chargingProfilePurpose": "purpose", "stackLevel": "stack"}
        wanted = {own: payload[name] for name, own in names.items() if name in payload}
    kept = [one for one in given.profiles if any(one[key] != value for key, value in wanted.items())]
    return replace(given, profiles=tuple(kept))


def _reserve(given: Given, payload: Payload) -> Given:
    row = {
        "id": int(payload["reservationId"]),
        "connector": int(payload["connectorId"]),
        "id_tag": str(payload["idTag"]),
        "expires": int(parse_iso(str(payload["expiryDate"]))),
    }
    kept = [one for one in given.reservations if one["id"] != row["id"]]
    return replace(given, reservations=(*kept, row))


def _end_reservation(given: Given, reservation_id: int) -> Given:
    return replace(given, reservations=tuple(one for one in given.reservations if one["id"] != reservation_id))


def _send_list(given: Given, payload: Payload) -> Given:
    """The list as it is in the station now (OCPP 1.6 §5.15): a Full one replaces, a Differential one changes."""
    rows = payload.get("localAuthorizationList") or ()
    full = payload["updateType"] == "Full"
    known = {} if full else {str(row["idTag"]).lower(): row for row in given.list_entries}
    for row in rows:
        known.pop(str(row["idTag"]).lower(), None)
        if row.get("idTagInfo") is not None:
            known[str(row["idTag"]).lower()] = row
    return replace(given, list_version=int(payload["listVersion"]), list_entries=tuple(known.values()))


def _change_availability(given: Given, payload: Payload) -> Given:
    """Connector 0 stands for the station and all its connectors; 0 among the inoperative ones says so."""
    connector = int(payload["connectorId"])
    kept = [one for one in given.inoperative if connector not in (0, one)]
    if payload["type"] == "Inoperative":
        kept.append(connector)
    return replace(given, inoperative=tuple(sorted(kept)))
