"""What a back-end knows of the things it put into a station: told to whoever moves it, and only while they are there."""

from __future__ import annotations

from typing import Any

import pytest

PROFILE = {
    "chargingProfileId": 7,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}]},
}
LATE = "2030-01-01T00:00:00Z"
RESERVE = {"connectorId": 1, "expiryDate": LATE, "idTag": "TOK-1", "reservationId": 3}
ENTRY = {"idTag": "TOK-1", "idTagInfo": {"status": "Accepted"}}


def give(bench: Any, link: Any, action: str, status: str = "Accepted", **payload: Any) -> None:
    bench.operate("call", station="CS-1", action=action, payload=payload)
    call = [one for one in bench.calls(bench.out) if one.action == action][-1]
    bench.answer(link, call, status=status)


def left(bench: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = bench.operate("export", what="left-overs", station="CS-1").payload["rows"]
    return rows


def whats(bench: Any) -> list[str]:
    return [row["what"] for row in left(bench)]


def test_what_a_station_took_is_told_and_what_it_refused_is_not(bench: Any) -> None:
    """INV-28: the move cleans up by this."""
    link = bench.boot()
    give(bench, link, "SetChargingProfile", connectorId=0, csChargingProfiles=PROFILE)
    give(bench, link, "ReserveNow", **RESERVE)
    give(bench, link, "SendLocalList", listVersion=4, updateType="Full", localAuthorizationList=[ENTRY])
    give(bench, link, "ChangeAvailability", connectorId=1, type="Inoperative")
    give(bench, link, "ReserveNow", status="Occupied", **{**RESERVE, "reservationId": 9})
    assert whats(bench) == ["profile", "reservation", "list", "inoperative"]
    assert [row.get("id") for row in left(bench)] == [7, 3, None, None]
    assert left(bench)[2] == {"what": "list", "version": 4, "entries": [ENTRY]}


def test_it_survives_a_restart(bench: Any) -> None:
    give(bench, bench.boot(), "SetChargingProfile", connectorId=0, csChargingProfiles=PROFILE)
    bench.restart()
    assert whats(bench) == ["profile"]


@pytest.mark.parametrize(
    "wanted", [{"id": 7}, {}, {"chargingProfilePurpose": "TxDefaultProfile"}, {"connectorId": 0, "stackLevel": 0}]
)
def test_cleared_profiles_are_gone(bench: Any, wanted: dict[str, Any]) -> None:
    link = bench.boot()
    give(bench, link, "SetChargingProfile", connectorId=0, csChargingProfiles=PROFILE)
    give(bench, link, "ClearChargingProfile", id=8)
    assert whats(bench) == ["profile"]
    give(bench, link, "ClearChargingProfile", **wanted)
    assert left(bench) == []


def test_a_reservation_ends_by_cancelling_by_use_and_by_time(bench: Any) -> None:
    link = bench.boot()
    give(bench, link, "ReserveNow", **RESERVE)
    give(bench, link, "CancelReservation", reservationId=3)
    assert left(bench) == []
    give(bench, link, "ReserveNow", **RESERVE)
    bench.start(link, reservationId=3)
    assert left(bench) == []
    give(bench, link, "ReserveNow", **{**RESERVE, "expiryDate": "2000-01-01T00:00:00Z"})
    assert left(bench) == []


def test_a_differential_list_changes_the_one_before(bench: Any) -> None:
    link = bench.boot()
    give(bench, link, "SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=[ENTRY])
    other = {**ENTRY, "idTag": "TOK-2"}
    rows = [other, {"idTag": "tok-1"}]
    give(bench, link, "SendLocalList", listVersion=2, updateType="Differential", localAuthorizationList=rows)
    assert left(bench) == [{"what": "list", "version": 2, "entries": [other]}]


def test_operative_again_takes_the_flag_away(bench: Any) -> None:
    link = bench.boot()
    give(bench, link, "ChangeAvailability", connectorId=0, status="Scheduled", type="Inoperative")
    assert left(bench) == [{"what": "inoperative", "connector": 0}]
    give(bench, link, "ChangeAvailability", connectorId=0, type="Operative")
    assert left(bench) == []
