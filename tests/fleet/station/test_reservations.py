"""Reservations: kept for one token or its group, for as long as they last."""

from __future__ import annotations

from typing import Any

import pytest

LATER = "2019-06-12T07:00:00Z"


def reserve(b: Any, connector: int = 1, tag: str = "VIP", id: int = 5, **more: Any) -> str:
    asked = {"connectorId": connector, "expiryDate": LATER, "idTag": tag, "reservationId": id, **more}
    answer: str = b.call("ReserveNow", **asked)["status"]
    return answer


def test_a_reserved_connector_is_shown_and_refuses_everybody_else(bench: Any) -> None:
    """OCPP 1.6 §5.13, MF-18."""
    b = bench("ac-duo").boot()
    assert reserve(b) == "Accepted"
    b.charge(token="STRANGER")
    assert b.statuses()[-1] == "Reserved"
    assert "refused" in b.texts()
    assert b.payloads("StartTransaction") == []


def test_its_token_uses_it_up(bench: Any) -> None:
    """OCPP 1.6 §4.8: the StartTransaction carries the reservation id, and the reservation ends."""
    b = bench("ac-duo").boot()
    reserve(b)
    b.run(1).charge(token="vip")
    (start,) = b.payloads("StartTransaction")
    assert (start["idTag"], start["reservationId"]) == ("vip", 5)
    assert b.statuses()[-3:] == ["Reserved", "Preparing", "Charging"]
    b.do("unplug", connector=1).run(5)
    assert b.statuses()[-1] == "Available"
    b.charge(token="STRANGER")
    assert len(b.payloads("StartTransaction")) == 2


@pytest.mark.parametrize(("parent", "starts"), [("FAMILY", 1), ("OTHERS", 0), (None, 0)])
def test_somebody_of_the_same_group_may_use_it(bench: Any, parent: str | None, starts: int) -> None:
    b = bench("ac-duo").boot()
    b.table["Authorize"] = {"idTagInfo": {"status": "Accepted", **({"parentIdTag": parent} if parent else {})}}
    reserve(b, parentIdTag="FAMILY")
    b.run(1).charge(token="CHILD")
    assert len(b.payloads("StartTransaction")) == starts
    assert b.statuses()[-1] == ("Charging" if starts else "Reserved")


def test_it_expires(bench: Any) -> None:
    b = bench("ac-duo").boot()
    reserve(b)
    b.plug().run(3590)
    assert b.statuses()[-1] == "Reserved"
    b.run(15)
    assert b.statuses()[-1] == "Preparing"  # the cable was in all the time


def test_it_is_cancelled_by_its_id_only(bench: Any) -> None:
    """OCPP 1.6 §5.1."""
    b = bench("ac-duo").boot()
    reserve(b)
    assert b.call("CancelReservation", reservationId=6) == {"status": "Rejected"}
    assert b.call("CancelReservation", reservationId=5) == {"status": "Accepted"}
    b.run(1)
    assert b.statuses()[-1] == "Available"


@pytest.mark.parametrize("event", ["reset", "power"])
def test_it_survives_a_reboot(bench: Any, event: str) -> None:
    b = bench("ac-duo").boot()
    reserve(b)
    if event == "reset":
        b.call("Reset", type="Soft")
    else:
        b.do("power-loss").run(5).do("power-restored")
    b.run(120).charge(token="STRANGER")
    assert b.statuses()[-1] == "Reserved"
    assert b.payloads("StartTransaction") == []


def test_an_unavailable_connector_loses_it(bench: Any) -> None:
    """OCPP 1.6 §5.13: set to Unavailable, a connector is no longer reserved."""
    b = bench("ac-duo").boot()
    reserve(b)
    b.call("ChangeAvailability", connectorId=0, type="Inoperative")
    b.run(1).call("ChangeAvailability", connectorId=0, type="Operative")
    b.run(1)
    assert b.statuses()[-3:] == ["Reserved", "Unavailable", "Available"]
    assert reserve(b) == "Accepted"


def test_a_remote_start_of_a_stranger_is_rejected(bench: Any) -> None:
    b = bench("ac-duo").boot()
    reserve(b)
    assert b.call("RemoteStartTransaction", idTag="STRANGER", connectorId=1) == {"status": "Rejected"}
    assert b.call("RemoteStartTransaction", idTag="VIP", connectorId=1) == {"status": "Accepted"}
    b.run(1).plug().run(5)
    assert b.payloads("StartTransaction")[0]["reservationId"] == 5


def test_what_cannot_be_reserved_says_why(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    assert reserve(b, connector=0) == "Rejected"  # ReserveConnectorZeroSupported is false
    assert reserve(b, connector=9) == "Rejected"
    assert reserve(b, expiryDate="2019-06-12T05:00:00Z") == "Rejected"
    b.plug(1).run(1)
    assert reserve(b, connector=1) == "Occupied"
    assert reserve(b, connector=2) == "Accepted"
    assert reserve(b, connector=2, id=6) == "Occupied"
    assert reserve(b, connector=2, tag="NEW") == "Accepted"  # the same id replaces
    b.call("ChangeAvailability", connectorId=2, type="Inoperative")
    b.run(1)
    assert reserve(b, connector=2, id=7) == "Unavailable"
