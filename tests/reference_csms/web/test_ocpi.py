"""OCPI-shaped records: envelope, paging headers, exact money, and what the books say in OCPI's words."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import msgspec
import pytest

BASE = "/ocpi/2.2.1"


def read(api: Any, name: str, **query: Any) -> list[Any]:
    """The objects of a list."""
    response = api.get(f"{BASE}/{name}", **query)
    assert response.status_code == 200
    body = response.json()
    assert body["status_code"] == 1000 and body["timestamp"].endswith("Z")
    data: list[Any] = body["data"]
    return data


class _Number(msgspec.Struct, rename={"excl": "excl_vat", "incl": "incl_vat"}):
    excl: Decimal
    incl: Decimal


class _Cdr(msgspec.Struct):
    id: str
    total_cost: _Number
    total_energy: Decimal
    credit: bool
    total_energy_cost: _Number | None = None


class _Cdrs(msgspec.Struct):
    data: list[_Cdr]


def test_a_cdr_costs_what_its_bill_costs_to_the_cent(settled: Any) -> None:
    bills = {row["cdr_id"]: row for row in settled.walk("/bills")}
    raw = settled.get(f"{BASE}/cdrs").content
    cdrs = {one.id: one for one in msgspec.json.decode(raw, type=_Cdrs).data}
    assert len(bills) == 3
    for cdr_id, bill in bills.items():
        cost = cdrs[cdr_id].total_cost
        assert (cost.incl * 100, cost.excl * 100) == (bill["gross"], bill["net"])
        assert cost.incl.as_tuple().exponent == -2, "two places for euros"
    shown = [one for one in read(settled, "cdrs") if one["id"] in bills]
    assert [one["invoice_reference_id"] for one in shown] == [bills[one["id"]]["number"] for one in shown]


def test_a_cdr_says_what_was_measured_and_signed(settled: Any) -> None:
    cdr = read(settled, "cdrs")[0]
    records = [row["text"] for row in settled.walk("/records", session_id="legacy-s-000001")]
    assert sorted(one["signed_data"] for one in cdr["signed_data"]["signed_values"]) == sorted(records)
    assert {one["nature"] for one in cdr["signed_data"]["signed_values"]} == {"Start", "Intermediate", "End"}
    assert cdr["signed_data"]["encoding_method"] == "OCMF"
    assert cdr["signed_data"]["public_key"] == settled.bench.setup.provision["meters"][0]["public_key"]
    volumes = [one for period in cdr["charging_periods"] for one in period["dimensions"]]
    assert sum(one["volume"] for one in volumes if one["type"] == "ENERGY") == cdr["total_energy"] == 10
    assert sum(one["volume"] for one in volumes if one["type"] == "PARKING_TIME") == cdr["total_parking_time"] == 0.75
    assert cdr["cdr_location"]["evse_uid"] == "CS-1*1" and cdr["cdr_location"]["id"] == "hall"
    assert (cdr["country_code"], cdr["party_id"], cdr["currency"]) == ("DE", "CRG", "EUR")
    assert cdr["cdr_token"]["uid"] == "TOK-A" and cdr["cdr_token"]["contract_id"] == "cust-a"
    parts = [cdr[f"total_{name}_cost"]["incl_vat"] for name in ("fixed", "energy", "parking")]
    assert parts == [0.5, 4.9, 1.5] and cdr["total_cost"]["incl_vat"] == 6.9


def test_a_correction_is_a_credit_with_negative_costs_only_and_a_new_record(settled: Any) -> None:
    cdrs = read(settled, "cdrs")
    (credit,) = [one for one in cdrs if one["credit"]]
    old = next(one for one in cdrs if one["id"] == credit["credit_reference_id"])
    assert credit["total_cost"]["incl_vat"] == -old["total_cost"]["incl_vat"] < 0
    assert credit["total_energy"] == old["total_energy"] > 0
    new = cdrs[cdrs.index(credit) + 1]
    assert new["session_id"] == old["session_id"] and new["total_cost"]["incl_vat"] > old["total_cost"]["incl_vat"]
    assert "credit_reference_id" not in new


def test_sessions_have_their_state(used: Any) -> None:
    link = next(link for link, one in used.bench.links.items() if one.state.station == "CS-1")
    used.bench.call(
        link,
        "MeterValues",
        connectorId=2,
        transactionId=505,
        meterValue=[
            {
                "timestamp": "2026-06-10T16:00:00Z",
                "sampledValue": [{"value": "10750", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}],
            }
        ],
    )
    sessions = read(used, "sessions")
    assert [one["status"] for one in sessions] == ["COMPLETED", "COMPLETED", "COMPLETED", "INVALID", "ACTIVE"]
    assert [one["kwh"] for one in sessions] == [10, 5, 7, 3, 0.75]
    assert "end_date_time" not in sessions[-1] and "total_cost" not in sessions[-1]
    assert sessions[1]["total_cost"] == read(used, "cdrs")[-1]["total_cost"]


def test_a_tariff_says_its_prices_net_and_all_terms_in_words(settled: Any) -> None:
    (tariff,) = read(settled, "tariffs")
    assert tariff["id"] == "ac@1"
    day, night, rest = tariff["elements"]
    assert day["restrictions"] == {"start_time": "06:00", "end_time": "22:00"}
    assert day["price_components"] == [{"type": "ENERGY", "price": 0.4118, "vat": 19, "step_size": 1}]
    assert night["price_components"][0]["price"] == 0.3277
    assert [(one["type"], one["price"]) for one in rest["price_components"]] == [
        ("FLAT", 0.4202),
        ("PARKING_TIME", 5.042),
    ]
    text = tariff["tariff_alt_text"][0]["text"]
    for words in ("0.49 per kWh", "after 30 min", "10 % less on energy for staff", "nothing below 100 Wh"):
        assert words in text


def test_a_location_shows_its_evses_and_what_they_do(used: Any) -> None:
    link = next(link for link, one in used.bench.links.items() if one.state.station == "CS-1")
    used.bench.call(link, "StatusNotification", connectorId=2, errorCode="NoError", status="Charging")
    hall, quay = read(used, "locations")
    assert [one["uid"] for one in hall["evses"]] == ["CS-1*1", "CS-1*2", "CS-2*1", "CS-2*2"]
    assert [one["status"] for one in hall["evses"]] == ["UNKNOWN", "CHARGING", "UNKNOWN", "UNKNOWN"]
    assert (hall["id"], hall["time_zone"], quay["id"]) == ("hall", "Europe/Berlin", "quay")


@pytest.mark.parametrize("name", ["cdrs", "sessions", "locations"])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_paging_by_link_and_by_offset_gives_the_same_list(settled: Any, name: str, limit: int) -> None:
    whole = read(settled, name, limit=1000)
    by_link: list[Any] = []
    url = f"http://csms.test{BASE}/{name}?limit={limit}"
    while True:
        response = settled.get(url)
        assert response.headers["X-Total-Count"] == str(len(whole)) and response.headers["X-Limit"] == str(limit)
        by_link += response.json()["data"]
        if "next" not in response.links:
            break
        url = response.links["next"]["url"]
    by_offset = [read(settled, name, limit=1, offset=n)[0] for n in range(len(whole))]
    assert by_link == whole == by_offset
    assert read(settled, name, offset=len(whole)) == []


def test_a_span_chooses_by_the_last_change(settled: Any) -> None:
    cdrs = read(settled, "cdrs")
    times = sorted(one["last_updated"] for one in cdrs)
    found = settled.get(f"{BASE}/cdrs", date_from=times[1], date_to=times[-1], limit=1)
    expected = [one for one in cdrs if times[1] <= one["last_updated"] < times[-1]]
    assert len(expected) >= 2 and found.headers["X-Total-Count"] == str(len(expected))
    second = settled.get(found.links["next"]["url"])
    assert [*found.json()["data"], *second.json()["data"]] == expected[:2]


def test_versions_lead_to_the_lists(settled: Any) -> None:
    (version,) = settled.get("/ocpi/versions").json()["data"]
    details = settled.get(version["url"]).json()["data"]
    assert version["version"] == details["version"] == "2.2.1"
    for endpoint in details["endpoints"]:
        assert settled.get(endpoint["url"]).json()["status_code"] == 1000
    assert sorted(one["identifier"] for one in details["endpoints"]) == ["cdrs", "locations", "sessions", "tariffs"]


@pytest.mark.parametrize("header", ["Token {base64}", "Token {plain}", "token {base64}", "Bearer {plain}"])
def test_ocpi_takes_its_own_form_of_token(api: Any, header: str) -> None:
    secret = "only-reads-0123456789"
    text = header.format(plain=secret, base64=base64.b64encode(secret.encode()).decode())
    headers = {"Authorization": text}
    assert api.ask("GET", f"{BASE}/cdrs", None, headers=headers).status_code == 200
    elsewhere = api.ask("GET", "/cdrs", None, headers=headers).status_code
    assert elsewhere == (200 if text.startswith("Bearer") else 401)


@pytest.mark.parametrize(
    ("path", "who", "status", "code"),
    [
        ("/cdrs?limit=0", "all", 422, 2001),
        ("/cdrs?date_from=2026", "all", 422, 2001),
        ("/cdrs?date_from=2026-02-31T00:00:00Z", "all", 422, 2001),
        ("/cdrs?colour=red", "all", 422, 2001),
        ("/cdrs", None, 401, 2000),
        ("/cdrs", "operator", 403, 2000),
        ("/tokens", "all", 404, 2000),
    ],
)
def test_what_fails_is_told_in_the_envelope(api: Any, path: str, who: str | None, status: int, code: int) -> None:
    response = api.ask("GET", f"{BASE}{path}", who)
    body = response.json()
    assert (response.status_code, body["status_code"]) == (status, code)
    assert body["status_message"].endswith(".") and "data" not in body


def test_a_back_end_that_stops_says_so_in_the_envelope(api: Any) -> None:
    api.office.why_not = "The database is gone."
    response = api.get(f"{BASE}/cdrs")
    assert (response.status_code, response.json()["status_code"]) == (503, 3000)
