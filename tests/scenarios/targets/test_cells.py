"""Foreign values: exact ones become those of the evidence, anything doubtful is refused with the column."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from scenarios.targets.cells import ABSENT, Shape, Unreadable
from scenarios.targets.kinds import kind_of
from scenarios.targets.model import Book, Column
from scenarios.targets.sources import look
from sim.clock import parse_iso
from sim.evidence.schema import BOOKS, PARTNERS


def read(table: str, column: str, raw: Any, book: dict[str, Any] | None = None, **column_rule: Any) -> Any:
    """One value of one column, read by a rule."""
    made = Book(kind="csv", columns={column: Column(source="x", **column_rule)}, **(book or {}))
    (row,) = Shape(made, table, (column,), {}).read("file", [("file, line 2", look({"x": raw}))]).rows
    return row[column]


@pytest.mark.parametrize(
    ("raw", "currency", "minor"),
    [("3.79", "EUR", 379), ("3.7900", "EUR", 379), ("-1", "NOK", -100), ("400", "JPY", 400), ("1.234", "KWD", 1234)],
)
def test_money_becomes_minor_units_by_its_currency(raw: str, currency: str, minor: int) -> None:
    assert read("books_bills", "gross", raw, {"currency": currency}) == minor


@pytest.mark.parametrize(
    ("table", "column", "raw", "rule", "value"),
    [
        ("books_bills", "gross", "379", {"unit": "minor"}, 379),
        ("books_sessions", "energy_wh", Decimal("7.314"), {"unit": "kWh"}, 7314),
        ("books_sessions", "energy_wh", "7314", {}, 7314),
        ("books_sessions", "energy_wh", "7.3146", {"unit": "kWh", "round": True}, 7315),
        ("books_cdrs", "kwh", "7314", {"unit": "Wh"}, "7.314"),
        ("books_cdrs", "kwh", Decimal("7.310"), {}, "7.310"),
        ("books_cdrs", "kwh", "1.0850000000009459", {}, "1.0850000000009459"),
        ("books_cdrs", "kwh", Decimal("1e-17"), {"unit": "kWh"}, "0.00000000000000001"),
        ("books_cdrs", "idle_seconds", "1.5", {"unit": "h"}, 5400),
        ("books_cdrs", "credit", True, {}, 1),
        ("books_cdrs", "credit", "no", {}, 0),
        ("books_cdrs", "tariff_version", "2", {}, 2),
        ("books_cdrs", "tariff_version", "v2", {}, "v2"),
        ("books_sessions", "connector", "st-7*2", {"pattern": r"\*(\d+)$"}, 2),
        ("books_sessions", "state", "DONE", {"values": {"DONE": "billed"}}, "billed"),
        ("books_sessions", "state", "ODD", {"values": {"DONE": "billed", "*": "open"}}, "open"),
        ("books_sessions", "started_at", "1560307067396", {}, 1560307067396),
        ("books_sessions", "started_at", "1560307067", {"unit": "s"}, 1560307067000),
        ("books_sessions", "started_at", "2019-06-12T04:37:47+02:00", {}, parse_iso("2019-06-12T02:37:47Z")),
        (
            "books_sessions",
            "started_at",
            "2019-06-12 04:37:47",
            {"zone": "Europe/Oslo"},
            parse_iso("2019-06-12T02:37:47Z"),
        ),
        (
            "books_sessions",
            "started_at",
            "12.06.2019 04:37",
            {"zone": "Europe/Oslo", "format": "%d.%m.%Y %H:%M"},
            parse_iso("2019-06-12T02:37:00Z"),
        ),
        ("books_journal", "postings", [["a", "EUR", 1]], {}, '[["a","EUR",1]]'),
        ("books_sessions", "reason", "", {}, None),
    ],
)
def test_a_value_is_read_by_its_kind_and_rule(
    table: str, column: str, raw: Any, rule: dict[str, Any], value: Any
) -> None:
    assert read(table, column, raw, **rule) == value


@pytest.mark.parametrize(
    ("table", "column", "raw", "rule", "problem"),
    [
        ("books_bills", "gross", "3.795", {}, "is no whole minor unit"),
        ("books_bills", "gross", "1,79", {}, "is no number"),
        ("books_bills", "gross", "1e999999", {}, "more than 15 digits before or 40 behind the point"),
        ("books_cdrs", "kwh", "1e-999999", {}, "more than 15 digits before or 40 behind the point"),
        ("books_bills", "gross", "NaN", {}, "is no number"),
        ("books_sessions", "energy_wh", "7.3145", {"unit": "kWh"}, "is no whole Wh"),
        ("books_sessions", "connector", "2.5", {}, "is no whole number"),
        ("books_sessions", "started_at", "2019-06-12 04:37:47", {}, "time zone"),
        ("books_sessions", "started_at", "1560307067", {}, 'unit = "s"'),
        ("books_sessions", "started_at", "2019-10-27 02:30:00", {"zone": "Europe/Oslo"}, "twice or never"),
        ("books_sessions", "started_at", "2019-03-31 02:30:00", {"zone": "Europe/Oslo"}, "twice or never"),
        ("books_cdrs", "credit", "maybe", {}, "neither true nor false"),
        ("books_journal", "postings", "[", {}, "is no JSON"),
    ],
)
def test_a_doubtful_value_is_refused_with_place_and_column(
    table: str, column: str, raw: Any, rule: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        read(table, column, raw, {"currency": "EUR"}, **rule)
    assert str(caught.value).startswith(f"file, line 2, x (for {column}): ")
    assert problem in str(caught.value)


def test_an_amount_of_no_currency_is_refused() -> None:
    with pytest.raises(Unreadable, match="an amount of no currency"):
        read("books_bills", "gross", "3.79")


def test_a_decimal_comma_is_read_where_the_file_says_so() -> None:
    assert read("books_bills", "gross", "3,79", {"decimal": ",", "currency": "EUR"}) == 379
    with pytest.raises(Unreadable, match="is no number"):
        read("books_bills", "gross", "1.003,79", {"decimal": ",", "currency": "EUR"})


def test_a_path_that_no_row_has_is_a_gap_and_one_that_some_have_is_no_value() -> None:
    book = Book(kind="csv", columns={"kwh": Column(source="a.0.b"), "grp": Column(source="g", optional=True)})
    shape = Shape(book, "books_cdrs", ("kwh", "grp", "cdr_id"), {})
    some = shape.read("file", [("1", look({"a": [{"b": "1"}]})), ("2", look({"a": []}))])
    assert [row["kwh"] for row in some.rows] == ["1", None]
    assert some.gaps == {"cdr_id": "the target file maps nothing to it"}
    none = shape.read("file", [("1", look({}))])
    assert none.gaps["kwh"] == "file has no a.0.b"
    assert "kwh" not in none.rows[0] and none.rows[0]["grp"] is None


def test_only_the_rows_that_are_meant_are_taken() -> None:
    book = Book(kind="csv", columns={"cdr_id": Column(source="id")}, only={"party": "FJO"})
    raw = [("1", look({"id": "a", "party": "FJO"})), ("2", look({"id": "b", "party": "X"}))]
    assert Shape(book, "books_cdrs", ("cdr_id",), {}).read("file", raw).rows == [{"cdr_id": "a"}]


def test_every_column_has_a_kind_and_those_of_money_and_time_the_right_one() -> None:
    for table, columns in {**BOOKS, **PARTNERS}.items():
        for column in columns:
            kind = kind_of(table, column)
            assert kind == "instant" or not column.endswith("_at"), (table, column)
            assert kind == "energy" or not column.endswith("_wh"), (table, column)
            assert kind in ("money", "json") or column not in ("gross", "net", "vat", "amount"), (table, column)


def test_looking_into_json_never_raises() -> None:
    assert look({"a": [1]})("a.b") is ABSENT
    assert look({"a": 5})("a.b.c") is ABSENT
    assert look([{"a": None}])("0.a") is None
