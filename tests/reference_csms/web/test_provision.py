"""Provisioning: rows are taken whole or not at all, typed and bounded; passwords go in and never out."""

from __future__ import annotations

from typing import Any

import pytest

from reference_csms.passwords import opens, sealed

PASSWORD = "0123456789abcdef0123"

ROWS: dict[str, dict[str, Any]] = {
    "owners": {"owner": "o", "currency": "EUR", "zone": "Europe/Berlin"},
    "sites": {"site": "s", "owner": "city"},
    "tariffs": {
        "tariff_id": "t",
        "currency": "EUR",
        "vat_percent": "19",
        "energy": [{"from": "00:00", "to": "24:00", "price": "0.40"}],
        "valid_from": "2026-01-01T00:00:00+01:00",
    },
    "stations": {"station": "N-1", "site": "hall", "power_w": 11_000, "password": PASSWORD},
    "meters": {"meter_id": "m", "station": "N-1", "connector": 1, "public_key": "3059"},
    "tokens": {"token": "N", "expires_at": 1_900_000_000_000, "sites": ["hall"]},
}
KEYS = {"owners": "owner", "sites": "site", "tariffs": "tariff_id", "meters": "meter_id", "tokens": "token"}


@pytest.mark.parametrize("what", ROWS)
def test_what_is_provisioned_is_read_again(api: Any, what: str) -> None:
    assert api.post(f"/{what}", {"rows": [ROWS[what]]}, "provisioner").json() == {"imported": 1}
    key = KEYS.get(what, "station")
    found = [row for row in api.walk(f"/{what}") if row[key] == ROWS[what][key]]
    assert len(found) == 1


def test_a_provisioned_station_boots_and_sells(api: Any) -> None:
    """The whole way: owner, site, tariff, station, meter, token; then a charge and its bill."""
    for what, row in ROWS.items():
        changes = {"stations": {"station": "CS-9"}, "meters": {"station": "CS-9"}}
        assert api.post(f"/{what}", {"rows": [{**row, **changes.get(what, {})}]}).status_code == 200
    from sim.wire import ocmf

    meter = api.bench.meter("CS-9")
    key = {"meter_id": meter.meter_id, "public_key": ocmf.public_key_hex(meter.key), "time_billing": "absolute"}
    api.post("/meters", {"rows": [{"station": "CS-9", "connector": 1, **key}]})
    api.bench.charge(api.bench.boot("CS-9"), "N")
    api.bench.bill_all()
    (bill,) = api.walk("/bills")
    assert bill["gross"] == 540 and bill["customer"] == "N"


@pytest.mark.parametrize(
    ("what", "changes", "field", "says"),
    [
        ("owners", {"zone": "Berlin/Mitte"}, "owners[1].zone", "IANA"),
        ("owners", {"currency": "euro"}, "body.rows[1].currency", "such as EUR"),
        ("owners", {"colour": "red"}, "body.rows[1]", "there is no field 'colour'"),
        ("sites", {"owner": ""}, "body.rows[1].owner", "of at least 1"),
        ("tariffs", {"vat_percent": 19.5}, "body.rows[1].vat_percent", "such as 19"),
        ("tariffs", {"energy": [{"from": "00:00", "to": "12:00", "price": "1"}]}, "t.energy", "no price at 12:00"),
        ("tariffs", {"energy": 7}, "body.rows[1].energy", "a list"),
        ("tariffs", {"valid_from": "2026-02-30T00:00:00Z"}, "t.valid_from", "no instant"),
        ("tariffs", {"start_fee": "1E-999999999"}, "body.rows[1].start_fee", "such as 0.49"),
        ("stations", {"password": "short"}, "body.rows[1].password", "of at least 16"),
        ("stations", {"security_profile": 4}, "body.rows[1].security_profile", "from 0 to 3"),
        (
            "stations",
            {"security_profile": 2, "password": None},
            "stations[1].password",
            "is missing for security profile 2",
        ),
        ("stations", {"power_w": 10**30}, "body.rows[1].power_w", "a whole number"),
        ("stations", {"station": "a\u0007"}, "body.rows[1].station", "a text"),
        ("stations", {"registration": "maybe"}, "body.rows[1].registration", "accepted, closed, pending, rejected"),
        ("meters", {"connector": 0}, "body.rows[1].connector", "from 1"),
        ("tokens", {"token": None}, "body.rows[1].token", "a text"),
        ("tokens", {"expires_at": "soon"}, "body.rows[1].expires_at", "a whole number from 0"),
    ],
)
def test_a_wrong_row_is_refused_by_place_and_nothing_is_taken(
    api: Any, what: str, changes: Any, field: str, says: str
) -> None:
    before = api.walk(f"/{what}")
    response = api.post(f"/{what}", {"rows": [ROWS[what], {**ROWS[what], **changes}]})
    problem = response.json()
    assert response.status_code == 422, problem
    assert problem["field"] == field
    assert says in problem["detail"]
    assert api.walk(f"/{what}") == before


def test_a_missing_field_is_named(api: Any) -> None:
    problem = api.post("/owners", {"rows": [{"owner": "o", "currency": "EUR"}]}).json()
    assert problem["field"] == "body.rows[0].zone" and "is missing" in problem["detail"]


def test_a_password_is_kept_as_a_digest_and_never_shown(api: Any) -> None:
    api.post("/stations", {"rows": [ROWS["stations"]]})
    kept = api.bench.csms._stations.find("N-1").row.secret
    assert kept is not None and PASSWORD not in kept and opens(kept, "N-1", PASSWORD.encode())
    told = [api.get(path).text for path in ("/stations", "/stations/N-1", "/export/stations.csv")]
    told.append(api.post("/operations/export", {"what": "station", "station": "N-1"}).text)
    assert all("N-1" in text and PASSWORD not in text and kept not in text for text in told)
    wrong = api.post("/stations", {"rows": [{**ROWS["stations"], "password": 12345678901234567890}]})
    assert wrong.status_code == 422 and "1234567890" not in wrong.text


def test_a_station_imported_again_keeps_its_password(api: Any) -> None:
    api.post("/stations", {"rows": [ROWS["stations"]]})
    again = {name: value for name, value in ROWS["stations"].items() if name != "password"}
    api.post("/stations", {"rows": [again]})
    assert opens(api.bench.csms._stations.find("N-1").row.secret, "N-1", PASSWORD.encode())
    api.bench.restart()
    assert opens(api.bench.csms._stations.find("N-1").row.secret, "N-1", PASSWORD.encode())
    api.post("/stations", {"rows": [{**again, "password": "another-password"}]})
    kept = api.bench.csms._stations.find("N-1").row.secret
    assert not opens(kept, "N-1", PASSWORD.encode()) and opens(kept, "N-1", b"another-password")


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        (bytes.fromhex(PASSWORD), True),
        (PASSWORD.encode(), True),
        (PASSWORD.upper().encode(), True),
        (PASSWORD.encode() + b"0", False),
        (b"", False),
        (b"\xff\xfe", False),
    ],
)
def test_a_hexadecimal_password_stands_for_its_bytes(given: bytes, fits: bool) -> None:
    assert opens(sealed("S", PASSWORD), "S", given) is fits
    assert not opens(sealed("T", PASSWORD), "S", given)
