"""Reading: every book, filters, single rows, pages that are complete and stable, connections, the wire, CSV, prices."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from reference_csms.web.records import LISTS
from sim.clock import HOUR, iso
from sim.evidence.schema import BOOKS
from sim.wire import ocppj


@pytest.mark.parametrize("book", [one for one in LISTS if one.what in BOOKS], ids=lambda one: one.name)
def test_every_book_reads_as_it_stands(settled: Any, book: Any) -> None:
    """Page by page, with any limit, the very rows of the harvest."""
    rows = settled.office.books()[book.what]
    for limit in (1, 3, 1000):
        assert settled.walk(f"/{book.name}", limit=limit) == rows
    assert all(list(row) == list(book.columns) for row in rows)


def test_every_book_of_the_contract_can_be_read() -> None:
    assert {one.what for one in LISTS if one.what.startswith("books_")} == set(BOOKS)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("stations", "CS-1"),
        ("sessions", "legacy-s-000001"),
        ("cdrs", "legacy-c-000001"),
        ("bills", "CITY-legacy-000001"),
        ("journal", "1"),
        ("quarantine", "legacy-q-000001"),
        ("tariffs", "ac@1"),
        ("tokens", "tok-a"),
        ("owners", "city"),
        ("sites", "hall"),
    ],
)
def test_one_row_is_read_by_its_key(settled: Any, name: str, key: str) -> None:
    row = settled.get(f"/{name}/{key}").json()
    assert row in settled.walk(f"/{name}")
    gone = settled.get(f"/{name}/{key}x")
    assert gone.status_code == 404 and gone.json()["code"] == "unknown"


def test_filters_choose_rows_and_keep_the_order(settled: Any) -> None:
    sessions = settled.walk("/sessions")
    for query in (
        {"station": "CS-1"},
        {"state": "quarantined"},
        {"station": "CS-1", "connector": 2},
        {"customer": "x"},
    ):
        chosen = settled.walk("/sessions", limit=1, **query)
        assert chosen == [row for row in sessions if all(row[name] == value for name, value in query.items())]
    assert settled.walk("/transactions", state="open")[0]["connector"] == 2


@pytest.mark.parametrize("book", [one for one in LISTS if one.filters], ids=lambda one: one.name)
def test_every_filter_gives_the_rows_that_have_the_value(settled: Any, book: Any) -> None:
    """With an index behind it or without, page by page or at once."""
    rows = settled.walk(f"/{book.name}", limit=1000)
    for name in book.filters:
        for value in sorted({row[name] for row in rows if row[name] is not None}, key=str)[:4]:
            expected = [row for row in rows if row[name] == value]
            assert settled.walk(f"/{book.name}", limit=2, **{name: value}) == expected
            assert settled.walk(f"/{book.name}", limit=1000, **{name: value}) == expected


def test_a_filter_with_an_index_does_not_search_the_table(used: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One station of thousands is read without looking at the others."""
    monkeypatch.setattr(used.bench.csms._store, "after", lambda *args: pytest.fail("the whole table was searched"))
    assert len(used.walk("/sessions", station="CS-3", state="billed")) == 1
    assert used.walk("/bills", session_id="legacy-s-000003")[0]["customer"] == "cust-a"


def test_a_span_of_time_begins_inclusive_and_ends_exclusive(settled: Any) -> None:
    starts = [row["started_at"] for row in settled.walk("/sessions")]
    assert len(starts) == 5
    for since, until in ((starts[1], starts[3]), (iso(starts[1]), iso(starts[3]))):
        found = settled.walk("/sessions", **{"from": since, "until": until})
        assert [row["started_at"] for row in found] == starts[1:3]
    assert settled.walk("/sessions", **{"from": starts[-1] + 1}) == []


@pytest.mark.parametrize("path", ["/sessions", "/journal", "/bills", "/access", "/ocpi/2.2.1/cdrs"])
def test_a_walk_shows_what_was_there_once_while_rows_are_added(used: Any, path: str) -> None:
    """INV: pages are complete and stable. Between two pages somebody charges and is billed."""
    ocpi = path.startswith("/ocpi")
    key = {"/sessions": "session_id", "/journal": "seq", "/bills": "number", "/ocpi/2.2.1/cdrs": "id"}.get(path)
    link = next(link for link, one in used.bench.links.items() if one.state.station == "CS-3")

    def keys(rows: list[Any]) -> list[Any]:
        return [row[key] if key else (row["token"], row["site"]) for row in rows]

    before = keys(used.get(path, limit=1000).json()["data"] if ocpi else used.walk(path, limit=1000))
    seen: list[Any] = []
    query: Any = {"limit": 2}
    url = path
    for turn in range(100):
        response = used.get(url, **query)
        body = response.json()
        seen += keys(body["data"] if ocpi else body["rows"])
        if turn < 3:
            used.bench.charge(link, "GUEST-7", 4_000)
            used.bench.bill_all()
            used.bench.operate("import", what="tokens", rows=[{"token": f"AAA-{turn}"}])
        if ocpi:
            if "next" not in response.links:
                break
            url, query = response.links["next"]["url"], {}
        elif body["next"] is None:
            break
        else:
            query["after"] = body["next"]
    assert len(before) > 2 and len(seen) == len(set(seen))
    assert [one for one in seen if one in before] == before


def test_connections_are_shown_in_the_order_of_their_opening(settled: Any) -> None:
    both = settled.walk("/connections", limit=1)
    assert [row["station"] for row in both] == ["CS-1", "CS-3"]
    assert [row["station"] for row in settled.get("/connections", station="CS-3").json()["rows"]] == ["CS-3"]


def frame(n: int, station: str, text: str) -> dict[str, Any]:
    return {"n": n, "t": n, "d": n, "s": station, "b": "legacy", "l": 1, "w": "down", "f": text}


def test_the_wire_is_read_from_a_number_on(api: Any) -> None:
    api.office.frames = [frame(n, f"CS-{n % 2}", f'[2,"{n}","Heartbeat",{{}}]') for n in range(1, 8)]
    first = api.get("/wire", limit=3).json()
    assert first == {"rows": api.office.frames[:3], "next": 3}
    rest = api.get("/wire", after=3, station="CS-0").json()
    assert [row["n"] for row in rest["rows"]] == [4, 6] and rest["next"] == 6
    assert api.get("/wire", after=6, station="CS-0").json() == {"rows": [], "next": 6}


@pytest.mark.parametrize(
    "text",
    [
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"0123456789abcdef0123"}]',
        '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"0123456789abcdef0123"}]}]',
        '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"0123456789abcdef0123",'
        '"component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}}]}]',
        '[2,"1","GetDiagnostics",{"location":"ftp://me:0123456789abcdef0123@example.org/x"}]',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"0123456789abcdef0123"}',
    ],
)
def test_a_password_on_the_wire_is_not_shown(api: Any, text: str) -> None:
    api.office.frames = [frame(1, "CS-1", text), frame(2, "CS-1", '[ 2, "2", "Heartbeat", {} ]')]
    shown = api.get("/wire").json()["rows"]
    assert "0123456789abcdef0123" not in shown[0]["f"] and "(hidden)" in shown[0]["f"]
    assert shown[1]["f"] == '[ 2, "2", "Heartbeat", {} ]'


def test_a_configured_password_is_not_shown_with_its_station(api: Any) -> None:
    link = api.bench.boot()
    api.bench.operate("call", station="CS-1", action="GetConfiguration", payload={})
    (call,) = api.bench.calls(api.bench.out)
    assert isinstance(call, ocppj.Call)
    entry = {"key": "AuthorizationKey", "readonly": False, "value": "0123456789abcdef0123"}
    api.bench.answer(link, call, configurationKey=[entry])
    for response in (api.get("/stations"), api.get("/stations/CS-1"), api.get("/export/stations.csv")):
        assert response.status_code == 200
        assert "AuthorizationKey" in response.text and "0123456789abcdef0123" not in response.text
    told = api.post("/operations/export", {"what": "station", "station": "CS-1"})
    assert "AuthorizationKey" in told.text and "0123456789abcdef0123" not in told.text


@pytest.mark.parametrize("name", [one.name for one in LISTS if one.what in BOOKS])
def test_a_book_as_csv_has_the_columns_of_the_contract(settled: Any, name: str) -> None:
    response = settled.get(f"/export/{name}.csv")
    assert response.headers["content-type"].startswith("text/csv")
    head, *rows = list(csv.reader(io.StringIO(response.text)))
    what = f"books_{name.replace('-', '_')}"
    assert tuple(head) == BOOKS[what]
    books = settled.office.books()[what]
    assert rows == [["" if row[one] is None else str(row[one]) for one in head] for row in books]


def test_a_price_is_told_without_booking_anything(settled: Any) -> None:
    answer = settled.get("/prices", site="hall", group="staff").json()
    assert {one["component"]: one["price"] for one in answer["components"]}["start"] == "0.5"
    assert settled.get("/prices", site="nowhere").json()["problem"] == "unknown-tariff"


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("/sessions?limit=0", "query.limit", "from 1 to 1000"),
        ("/sessions?limit=ten", "query.limit", "a whole number"),
        ("/sessions?colour=red", "query", "there is no query parameter 'colour'"),
        ("/sessions?sttaion=CS-1", "query", "did you mean station?"),
        ("/sessions?station=a&station=b", "query.station", "given twice"),
        ("/sessions?station=%00", "query.station", "control character"),
        ("/sessions?from=yesterday", "query.from", "or an RFC 3339 text"),
        ("/sessions?from=2026-13-40T00:00:00Z", "query.from", "names no instant"),
        ("/journal?after=x", "query.after", "no cursor"),
        ("/journal?after=99999999999999999999", "query.after", "no cursor"),
        ("/access?after=x", "query.after", "no cursor"),
        ("/wire?after=-1", "query.after", "from 0"),
        ("/prices", "query.site", "is missing"),
        ("/health/live?x=1", "query", "nothing, because"),
    ],
)
def test_a_wrong_query_is_refused_by_name_with_what_is_allowed(settled: Any, path: str, field: str, says: str) -> None:
    response = settled.ask("GET", path)
    problem = response.json()
    assert response.status_code == 422 and response.headers["content-type"] == "application/problem+json"
    assert problem["field"] == field and says in problem["detail"]


def test_an_unknown_book_names_the_nearest(api: Any) -> None:
    response = api.get("/export/bill.csv")
    assert response.status_code == 404 and "did you mean bills?" in response.json()["detail"]


def test_an_hour_is_an_hour(settled: Any) -> None:
    """What the bench charged is what the records say, so that no test above compares nothing with nothing."""
    first = settled.get("/sessions/legacy-s-000001").json()
    assert first["stopped_at"] - first["started_at"] == HOUR and first["energy_wh"] == 10_000
