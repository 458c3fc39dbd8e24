"""What a back-end shows of users, prices and invoices, to whoever prepares a move or pays."""

from __future__ import annotations

from typing import Any

from sim.clock import HOUR
from sim.machine import Refused


def test_users_are_shown_with_status_and_group_and_again_after_they_were_mended(bench: Any) -> None:
    rows = {row["token"]: row for row in bench.operate("export", what="users").payload["rows"]}
    assert rows["TOK-S"] == {
        "token": "TOK-S", "status": "Accepted", "group": "staff", "customer": "cust-s", "sites": None
    }  # fmt: skip
    assert (rows["TOK-B"]["status"], rows["TOK-H"]["sites"]) == ("Blocked", ["hall"])
    assert list(rows) == sorted(rows)
    bench.operate("import", what="tokens", rows=[{"token": "TOK-A", "customer": "cust-a", "group": "staff"}])
    rows = {row["token"]: row for row in bench.operate("export", what="users").payload["rows"]}
    assert rows["TOK-A"]["group"] == "staff"


def test_prices_are_the_tariff_and_version_in_force_of_each_site(bench: Any, make_bench: Any, sheet: Any) -> None:
    hall = {"site": "hall", "tariff_id": "ac", "version": 1}
    assert bench.operate("export", what="prices").payload["rows"] == [hall, {**hall, "site": "quay"}]
    newer = {**sheet["tariffs"][0], "version": 2, "valid_from": bench.now + HOUR}
    bench.operate("import", what="tariffs", rows=[newer])
    assert bench.operate("export", what="prices").payload["rows"][0]["version"] == 1
    bench.wait(2 * HOUR)
    assert bench.operate("export", what="prices").payload["rows"][0]["version"] == 2


def test_a_site_without_a_price_has_none(bench: Any) -> None:
    bench.operate("import", what="sites", rows=[{"site": "attic", "owner": "city"}])
    rows = bench.operate("export", what="prices").payload["rows"]
    assert rows[0] == {"site": "attic", "tariff_id": None, "version": None}


def test_a_back_end_without_money_shows_no_invoices_and_names_what_it_shows(bench: Any) -> None:
    refused = bench.operate("export", what="invoices", customer="city")
    assert isinstance(refused, Refused) and refused.code == "bad-input"
    assert refused.description == "export knows open-transactions, left-overs, station, users, prices, not 'invoices'"
