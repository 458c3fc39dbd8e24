"""Each kind of book: CSV, OCPI by pages, SQL and invoices, read into rows of the evidence or refused with the place."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scenarios.targets.books import read_target
from scenarios.targets.file import make_target
from sim.backend import Books, Unverifiable
from sim.clock import parse_iso

INVOICES = Path(__file__).parent / "invoices"
CDRS: list[dict[str, Any]] = [
    {
        "id": f"c{number}",
        "start_date_time": "2024-05-01T10:00:00Z",
        "end_date_time": "2024-05-01T12:00:00Z",
        "session_id": f"s{number}",
        "cdr_token": {"uid": "AB12"},
        "cdr_location": {"evse_uid": "st-1", "connector_id": "2"},
        "meter_id": "M1",
        "currency": "EUR",
        "tariffs": [{"id": "day"}],
        "charging_periods": [
            {"start_date_time": "2024-05-01T10:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 7.310}]},
            {"start_date_time": "2024-05-01T11:30:00Z", "dimensions": [{"type": "PARKING_TIME", "volume": 0.5}]},
        ],
        "signed_data": {"encoding_method": "OCMF", "signed_values": [{"nature": "End", "signed_data": "OCMF|{}|{}"}]},
        "total_cost": {"excl_vat": 3.18, "incl_vat": 3.79},
        "total_energy": 7.31,
    }
    for number in range(5)
]


class _Api(BaseHTTPRequestHandler):
    """OCPI by pages, for who has the token; one list leads to another host and one for ever to itself."""

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if self.headers.get("Authorization") != "Token t0p-secret":
            return self._answer(401, {})
        asked = {key: int(values[0]) for key, values in parse_qs(place.query).items()}
        offset, limit = asked.get("offset", 0), asked.get("limit", 2)
        links = {"/away": "http://127.0.0.2:9/cdrs", "/round": "/round"}
        more = links.get(place.path) or (
            f"{place.path}?offset={offset + limit}&limit={limit}" if offset + limit < 5 else ""
        )
        if place.path == "/broken":
            return self._answer(200, {"data": [], "status_code": 3001, "status_message": "no licence"})
        page = {"data": CDRS[offset : offset + limit], "status_code": 1000}
        return self._answer(200, page, more)

    def _answer(self, code: int, data: dict[str, Any], more: str = "") -> None:
        body = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if more:
            self.send_header("Link", f'<{more}>; rel="next"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[dict[str, Any]]:
    (tmp_path / "token").write_text("t0p-secret")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    yield {"base_url": base, "token_file": "token", "authorization": "Token {token}"}
    server.shutdown()
    thread.join()
    server.server_close()


def books_of(tmp_path: Path, books: dict[str, Any], **tables: Any) -> Books:
    """What a target file with these books shows."""
    shown, _ = read_target(make_target({"books": books, **tables}, str(tmp_path / "target.toml")), {"": "x"})
    return shown["x"]


def reason(shown: Any) -> str:
    assert isinstance(shown, Unverifiable), shown
    return shown.reason


def test_ocpi_cdrs_of_all_pages_become_records_ratings_and_signed_values(tmp_path: Path, api: dict[str, Any]) -> None:
    book = {"kind": "ocpi", "url": "/cdrs", "page_size": 2}
    shown = books_of(tmp_path, {"cdrs": book, "rated": book, "records": book}, api=api)
    assert [row["cdr_id"] for row in shown["books_cdrs"]] == [f"c{number}" for number in range(5)]  # type: ignore[union-attr]
    cdr = shown["books_cdrs"][0]  # type: ignore[index]
    begin, end = parse_iso("2024-05-01T10:00:00Z"), parse_iso("2024-05-01T12:00:00Z")
    assert (cdr["station"], cdr["connector"], cdr["kwh"], cdr["idle_seconds"]) == ("st-1", 2, "7.31", 1800)
    assert (cdr["started_at"], cdr["stopped_at"], cdr["credit"], cdr["corrects"]) == (begin, end, 0, None)
    assert [(one["energy_kwh"], one["idle"]) for one in json.loads(cdr["periods"])] == [("7.31", False), ("0", True)]
    rated = shown["books_rated"][0]  # type: ignore[index]
    assert (rated["gross"], rated["net"], rated["vat"], rated["effective"]) == (379, 318, 61, 1)
    assert shown["books_records"][0]["text"] == "OCMF|{}|{}"  # type: ignore[index]
    assert "maps nothing" in reason(shown["books_rated.lines"])
    assert "maps nothing" in reason(shown["books_cdrs.tariff_version"])


def test_a_session_gets_its_record_and_a_record_its_bill(tmp_path: Path) -> None:
    """OCPI names the session in the record, and the invoice; a credit stands for neither."""
    first = {**CDRS[0], "invoice_reference_id": "B-1"}
    credit = {**first, "id": "c0-credit", "credit": True, "credit_reference_id": "c0"}
    (tmp_path / "cdrs.json").write_text(json.dumps([first, credit, CDRS[1]]))
    (tmp_path / "sessions.csv").write_text("session_id\ns0\ns1\ns9\n")
    ocpi = {"kind": "ocpi", "path": "cdrs.json"}
    shown = books_of(tmp_path, {"sessions": {"kind": "csv", "path": "sessions.csv"}, "cdrs": ocpi, "bills": ocpi})
    assert [(row["session_id"], row["cdr_id"]) for row in shown["books_sessions"]] == [  # type: ignore[union-attr]
        ("s0", "c0"),
        ("s1", "c1"),
        ("s9", None),
    ]
    (bill,) = shown["books_bills"]  # type: ignore[misc]
    assert (bill["number"], bill["session_id"], bill["cdr_id"], bill["gross"]) == ("B-1", "s0", "c0", 379)
    assert "maps nothing" in reason(shown["books_bills.seller"])
    assert "books_sessions.cdr_id" not in shown
    assert "has no column" in reason(shown["books_sessions.transaction_id"])
    alone = books_of(tmp_path, {"sessions": {"kind": "csv", "path": "sessions.csv"}})
    assert "has no column 'cdr_id'" in reason(alone["books_sessions.cdr_id"])


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("/broken", "answers status_code 3001: no licence"),
        ("/away", "leads away from"),
        ("/round", "again and again"),
    ],
)
def test_an_api_that_leads_astray_makes_the_book_unverifiable(
    tmp_path: Path, api: dict[str, Any], url: str, says: str
) -> None:
    assert says in reason(books_of(tmp_path, {"cdrs": {"kind": "ocpi", "url": url}}, api=api)["books_cdrs"])


def test_a_wrong_token_is_told_and_not_shown(tmp_path: Path, api: dict[str, Any]) -> None:
    (tmp_path / "token").write_text("wr0ng")
    told = reason(books_of(tmp_path, {"cdrs": {"kind": "ocpi", "url": "/cdrs"}}, api=api)["books_cdrs"])
    assert "401: the token is missing or wrong" in told
    assert "wr0ng" not in told


def test_a_field_that_no_cdr_has_is_a_gap_with_its_name(tmp_path: Path) -> None:
    lean = [{key: one[key] for key in one if key != "total_energy"} for one in CDRS]
    (tmp_path / "cdrs.json").write_text(json.dumps(lean))
    shown = books_of(tmp_path, {"cdrs": {"kind": "ocpi", "path": "cdrs.json"}})
    assert reason(shown["books_cdrs.kwh"]) == "cdrs.json has no total_energy"
    assert "kwh" not in shown["books_cdrs"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("cdr", "says"),
    [
        ({**CDRS[0], "start_date_time": "today"}, "object c0, start_date_time (for started_at)"),
        ({**CDRS[0], "total_energy": "much"}, "object c0, total_energy (for kwh): 'much' is no number"),
        ({**CDRS[0], "charging_periods": [{}]}, "object c0: its fields are not those of OCPI"),
        (5, "holds no list of objects"),
    ],
)
def test_an_object_that_cannot_be_read_is_named(tmp_path: Path, cdr: Any, says: str) -> None:
    (tmp_path / "cdrs.json").write_text(json.dumps([cdr]))
    assert says in reason(books_of(tmp_path, {"cdrs": {"kind": "ocpi", "path": "cdrs.json"}})["books_cdrs"])


@pytest.mark.parametrize(
    ("status", "cost", "state"),
    [
        ("ACTIVE", None, "open"),
        ("COMPLETED", 3.18, "billed"),
        ("COMPLETED", 0, "free"),
        ("INVALID", None, "quarantined"),
    ],
)
def test_a_session_of_ocpi_has_a_state(tmp_path: Path, status: str, cost: float | None, state: str) -> None:
    one = {
        "id": "s1",
        "start_date_time": "2024-05-01T10:00:00Z",
        "kwh": 7.314,
        "cdr_token": {"uid": "AB12", "contract_id": "C1"},
        "location_id": "site-1",
        "evse_uid": "st-1",
        "connector_id": "1",
        "status": status,
        **({} if cost is None else {"total_cost": {"excl_vat": cost}}),
    }
    (tmp_path / "sessions.json").write_text(json.dumps([one]))
    shown = books_of(tmp_path, {"sessions": {"kind": "ocpi", "path": "sessions.json"}})
    (row,) = shown["books_sessions"]  # type: ignore[misc]
    assert (row["state"], row["energy_wh"], row["stopped_at"], row["site"]) == (state, 7314, None, "site-1")


def test_a_csv_of_another_system_is_read_by_its_column_map(tmp_path: Path) -> None:
    (tmp_path / "bills.csv").write_text("\ufeffNr;Beløp;Valuta;Dato\nA1;24,46;NOK;03.06.2024 10:00\n", "utf-8")
    book = {
        "kind": "csv",
        "path": "b*.csv",
        "delimiter": ";",
        "decimal": ",",
        "zone": "Europe/Oslo",
        "columns": {
            "number": "Nr",
            "gross": "Beløp",
            "currency": "Valuta",
            "issued_at": {"from": "Dato", "format": "%d.%m.%Y %H:%M"},
        },
    }
    shown = books_of(tmp_path, {"bills": book})
    issued = parse_iso("2024-06-03T08:00:00Z")
    assert shown["books_bills"] == [{"number": "A1", "gross": 2446, "currency": "NOK", "issued_at": issued}]
    assert "has no column 'session_id'" in reason(shown["books_bills.session_id"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no header line"),
        ("number,gross\nA1\n", "line 2 has 1 cells, and the header has 2"),
        ("number,number\n", "has two columns 'number'"),
        ('number\n"A1\n', "line 2"),
    ],
)
def test_a_csv_that_is_none_is_unverifiable_with_the_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bills.csv").write_text(text)
    told = reason(books_of(tmp_path, {"bills": {"kind": "csv", "path": "bills.csv"}})["books_bills"])
    assert says in told
    assert str(tmp_path / "bills.csv") in told


@pytest.mark.parametrize("path", ["nothing.csv", "nothing-*.csv"])
def test_a_file_that_is_not_there_is_never_an_empty_book(tmp_path: Path, path: str) -> None:
    assert path in reason(books_of(tmp_path, {"bills": {"kind": "csv", "path": path}})["books_bills"])


def test_a_query_is_a_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "books.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE invoice (nr TEXT, total REAL, cur TEXT)")
    connection.execute("INSERT INTO invoice VALUES ('A1', 24.46, 'NOK')")
    connection.commit()
    connection.close()
    monkeypatch.setenv("RIG_DB", f"sqlite:///{file}")
    book = {
        "kind": "sql",
        "database_env": "RIG_DB",
        "sql": "SELECT nr AS number, total AS gross, cur AS currency FROM invoice",
    }
    shown = books_of(tmp_path, {"bills": book})
    assert shown["books_bills"] == [{"number": "A1", "gross": 2446, "currency": "NOK"}]
    assert "has no column 'net'" in reason(shown["books_bills.net"])
    told = reason(books_of(tmp_path, {"bills": {**book, "sql": "SELECT * FROM bill"}})["books_bills"])
    assert "the query failed (no such table: bill)" in told
    assert str(file) not in told
    monkeypatch.delenv("RIG_DB")
    assert "RIG_DB is not set" in reason(books_of(tmp_path, {"bills": book})["books_bills"])


@pytest.mark.parametrize("form", ["ubl", "cii"])
def test_both_forms_of_an_invoice_say_the_same(tmp_path: Path, form: str) -> None:
    shutil.copy(INVOICES / f"{form}.xml", tmp_path / "one.xml")
    book: dict[str, Any] = {"kind": "invoice-xml", "path": "*.xml", "zone": "Europe/Oslo"}
    kinds = {"kind": {"from": "kind", "values": {"380": "subscription"}}}
    shown = books_of(tmp_path, {"invoices": {**book, "columns": kinds}, "invoice_lines": book, "bills": book})
    (invoice,) = shown["books_invoices"]  # type: ignore[misc]
    assert (invoice["number"], invoice["kind"], invoice["seller"], invoice["customer"]) == (
        "FL-2024-0007", "subscription", "fjordlading", "C764935",
    )  # fmt: skip
    assert (invoice["net"], invoice["vat"], invoice["gross"], invoice["currency"]) == (1957, 489, 2446, "NOK")
    assert invoice["issued_at"] == parse_iso("2024-06-02T22:00:00Z")
    assert (invoice["reference"], invoice["account"], invoice["period_start"]) == (
        "000712345", "NO9386011117947", "2024-05-01",
    )  # fmt: skip
    lines = shown["books_invoice_lines"]
    assert [(row["number"], row["position"], row["amount"], row["quantity"], row["bill"]) for row in lines] == [  # type: ignore[union-attr]
        ("FL-2024-0007", 1, 1557, "4.189", "FL-B-1"),
        ("FL-2024-0007", 2, 400, "1", "FL-B-1"),
    ]
    assert "maps nothing" in reason(shown["books_bills.session_id"])
    assert "maps nothing" in reason(shown["books_invoices.state"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<Order/>", "is no invoice"),
        ("<Invoice", "is no XML"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><Invoice/>", "has a DOCTYPE"),
    ],
)
def test_a_file_that_is_no_invoice_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "one.xml").write_text(text)
    shown = books_of(tmp_path, {"invoices": {"kind": "invoice-xml", "path": "one.xml"}})
    assert says in reason(shown["books_invoices"])


def test_a_book_of_which_there_is_nothing_is_empty_by_the_word_of_the_file(tmp_path: Path) -> None:
    shown = books_of(tmp_path, {"contracts": {"kind": "none"}})
    assert shown["books_contracts"] == []
    assert "declares no [books.bills]" in reason(shown["books_bills"])


@pytest.mark.parametrize(("kind", "book"), [("ocpi", "journal"), ("invoice-xml", "sessions")])
def test_a_form_that_has_no_such_book_says_which_it_has(tmp_path: Path, kind: str, book: str) -> None:
    assert "allowed: " in reason(books_of(tmp_path, {book: {"kind": kind, "path": "x"}})[f"books_{book}"])
