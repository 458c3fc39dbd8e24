"""The books have every table and column of the contract, and quotes are made by the very rating that bills use."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from sim.backend import Setup
from sim.clock import HOUR, MINUTE, iso, parse_iso
from sim.evidence.schema import BOOKS
from sim.wire import ocmf

MONEY = {f"books_{name}" for name in (
    "contracts", "invoices", "invoice_lines", "billables", "prepaid", "runs", "claims", "payments", "accounts",
    "webhooks", "movements", "statement_lines",
)}  # fmt: skip
"""Empty where a back-end handles no money; see tests/reference_csms/money."""


def busy(bench: Any) -> Any:
    """A day with a bit of everything."""
    link = bench.boot()
    bench.charge(link, "TOK-S", idle=50 * MINUTE, lasts=3 * HOUR)
    bench.charge(link, wh=50)
    bench.stop(link, 4242, 1)
    bench.start(link)
    bench.bill_all()
    bench.close(link)
    link = bench.connect("CS-2", ("ocpp2.0.1",))
    boot = {"chargingStation": {"vendorName": "v", "model": "m"}, "reason": "PowerUp"}
    assert bench.call(link, "BootNotification", **boot)["status"] == "Accepted"
    event = {"eventType": "Updated", "timestamp": iso(bench.now), "triggerReason": "Trigger", "seqNo": 3}
    assert bench.call(link, "TransactionEvent", **event, transactionInfo={"transactionId": "tx"}) == {}
    return bench


def test_every_table_has_exactly_the_columns_of_the_contract(bench: Any) -> None:
    billed = next(row for row in busy(bench).csms.books(bench.now)["books_sessions"] if row["state"] == "billed")
    terms = {"grp": None if billed["grp"] else "staff"}
    bench.operate("correct-session", session_id=billed["session_id"], actor="kari@ops", reason="card", terms=terms)
    books = bench.csms.books(bench.now)
    assert tuple(books) == tuple(BOOKS)
    for name, columns in BOOKS.items():
        if name not in MONEY:
            assert books[name], name
        for row in books[name]:
            assert tuple(row) == columns, name


def test_every_row_can_be_written_to_sqlite_as_it_is(bench: Any) -> None:
    busy(bench)
    with sqlite3.connect(":memory:") as db:
        for name, rows in bench.csms.books(bench.now).items():
            db.execute(f"CREATE TABLE {name} ({', '.join(BOOKS[name])})")
            marks = ", ".join("?" * len(BOOKS[name]))
            db.executemany(f"INSERT INTO {name} VALUES ({marks})", [tuple(row.values()) for row in rows])
    db.close()


def test_signed_records_are_kept_byte_for_byte(bench: Any) -> None:
    """INV-29: whoever reads the books can verify them again."""
    busy(bench)
    for row in bench.book("records"):
        record = ocmf.parse(row["text"])
        assert ocmf.digest(record) == row["digest"]
        key = next(m["public_key"] for m in bench.setup.provision["meters"] if m["meter_id"] == row["meter_id"])
        assert ocmf.verify(record, key)


def test_every_closed_session_is_billed_free_or_held(bench: Any) -> None:
    """B01, INV-03."""
    busy(bench)
    states = {row["session_id"]: row["state"] for row in bench.book("sessions")}
    closed = [row["session_id"] for row in bench.book("transactions") if row["state"] == "closed"]
    assert [states[session_id] for session_id in closed] == ["billed", "free"]


def quote(bench: Any, **request: Any) -> Any:
    return bench.csms.quote(request, bench.now)


@pytest.mark.parametrize(
    ("at", "grp", "energy"),
    [
        ("2026-06-10T12:00:00Z", None, "0.49"),
        ("2026-06-10T12:00:00Z", "staff", "0.441"),
        ("2026-06-10T12:00:00Z", "nobody", "0.49"),
        ("2026-06-10T20:00:00Z", None, "0.39"),
        ("2026-06-10T19:59:59Z", None, "0.49"),
        ("2026-12-10T21:00:00Z", "staff", "0.351"),
    ],
)
def test_grid_prices_are_those_of_local_time_and_group(bench: Any, at: str, grp: str | None, energy: str) -> None:
    """INV-22: the price over the whole grid can be asked of any back-end."""
    answer = quote(bench, kind="grid", site="hall", grp=grp, at=parse_iso(at))
    assert answer["components"] == [
        {"component": "energy", "price": energy, "currency": "EUR", "vat_percent": "19"},
        {"component": "start", "price": "0.5", "currency": "EUR", "vat_percent": "19"},
        {"component": "idle", "price": "0.1", "currency": "EUR", "vat_percent": "19"},
    ]


def test_an_unknown_place_has_no_price_rather_than_0(bench: Any) -> None:
    """B11."""
    answer = quote(bench, kind="grid", site="moon", grp=None, at=0)
    assert (answer["components"], answer["problem"]) == ([], "unknown-tariff")


def test_the_other_back_ends_cdr_costs_here_what_it_cost_there(bench: Any, make_bench: Any, sheet: Any) -> None:
    """INV-22, M01: re-rating gives equal totals, though the station is only known as a place here."""
    for station in sheet["stations"]:
        station["backend"] = "legacy"
    new = make_bench(Setup(name="new", seed=7, provision=sheet))
    busy(bench)
    for cdr, rated in zip(bench.book("cdrs"), bench.book("rated"), strict=True):
        answer = quote(new, kind="cdr", cdr={**cdr, "backend": "legacy"})
        assert (answer["gross"], answer["net"], answer["vat"]) == (rated["gross"], rated["net"], rated["vat"])
        assert answer["lines"] == json.loads(rated["lines"])
    assert new.book("rated") == new.book("journal") == []


def test_a_cdr_of_an_unknown_tariff_is_not_priced(bench: Any) -> None:
    """B11."""
    busy(bench)
    answer = quote(bench, kind="cdr", cdr={**bench.book("cdrs")[0], "tariff_id": "lost"})
    assert answer == {"cdr_id": "legacy-c-000001", "problem": "unknown-tariff"}


def test_an_unknown_question_is_our_own_mistake(bench: Any) -> None:
    with pytest.raises(ValueError, match="weather"):
        quote(bench, kind="weather")
