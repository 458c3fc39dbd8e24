"""The evidence file: what goes in comes out, what is missing stays missing, and one digest for it all."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.backend import Books, Unverifiable
from sim.errors import BadInput
from sim.evidence.canonical import canonical, scalar
from sim.evidence.reader import Evidence, line, note
from sim.evidence.schema import BOOKS, all_tables
from sim.evidence.store import open_evidence, run_digest, save_tables, write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.views import BookBill, BookEntry, View, WireLink
from sim.evidence.wire import WireRecorder

BILL = {"number": "N-1", "session_id": "s-1", "gross": 100, "net": 84, "vat": 16, "data": {"a": Decimal("1.50")}}


def books(**shown: Any) -> Books:
    """Empty books but for these."""
    return {**{book: [] for book in BOOKS}, **shown}


def write(path: Path | None = None, wire: WireRecorder | None = None, **more: Any) -> Evidence:
    truth = TruthRecorder()
    truth.note("events", {"at": 1, "kind": "plug"})
    if wire is None:
        wire = WireRecorder(salt="1")
        wire.link_opened(3, "S", "legacy", 1)
    given_books = more.pop("books", {"legacy": books(books_bills=[BILL]), "new": books()})
    return write_evidence(path, truth=truth, wire=wire, books=given_books, **more)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "evidence.sqlite"
    grid = [{"backend": "new", "site": "a", "grp": None, "at": 5, "component": "energy", "price": Decimal("0.490")}]
    written = write(path, quotes={"quotes_grid": grid}, plan={"move": {"site": "a"}}, ended_at=77, hash_seed="3")
    digest = written.digest
    written.close()
    with open_evidence(path) as evidence:
        (bill,) = evidence.read(BookBill)
        assert (bill.backend, bill.number, bill.gross, bill.currency) == ("legacy", "N-1", 100, None)
        assert evidence.rows("SELECT data FROM books_bills") == [{"data": '{"a":"1.50"}'}]
        assert evidence.rows("SELECT price FROM quotes_grid") == [{"price": "0.490"}]
        assert evidence.rows("SELECT kind FROM truth_events WHERE at = ?", 1) == [{"kind": "plug"}]
        assert [one.station for one in evidence.read(WireLink)] == ["S"]
        assert evidence.plan("move") == {"site": "a"} and evidence.plan("else", 5) == 5
        assert (evidence.digest, evidence.ended_at(), evidence.meta("hash_seed")) == (digest, 77, "3")
        assert evidence.missing("quotes_rerated") == ["the run: no quotes_rerated (no back-end was asked)"]


def test_every_table_of_the_schema_is_there_with_its_columns(tmp_path: Path) -> None:
    with save_tables(tmp_path / "e.sqlite", {}) as evidence:
        for table, columns in all_tables().items():
            assert [row["name"] for row in evidence.rows(f"PRAGMA table_info({table})")] == list(columns)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (Unverifiable("no ledger here"), "no ledger here"),
        (None, "showed no such book"),
        ([{"number": 1, "colour": "red"}], "unknown column colour"),
        ([{"gross": 1.5}], "float"),
    ],
)
def test_a_book_that_is_not_shown_or_not_readable_is_unverifiable_and_never_empty(shown: Any, reason: str) -> None:
    legacy = books(books_bills=shown)
    if shown is None:
        del legacy["books_bills"]
    with write(books={"legacy": legacy, "new": books()}) as evidence:
        (said,) = evidence.missing("books_bills")
        assert said.startswith("legacy: no books_bills") and reason in said
        assert evidence.missing("books_journal") == []
        assert evidence.backends() == ["legacy"]


def test_a_wire_that_was_not_recorded_is_unverifiable() -> None:
    with write(wire=WireRecorder(policy="off")) as evidence:
        assert evidence.missing("wire_calls") == ["the run: no wire_calls (the wire was not recorded)"]


def test_inv_39_the_digest_covers_wire_truth_and_books_and_nothing_else() -> None:
    def digest(wire: WireRecorder | None = None, **more: Any) -> str:
        with write(wire=wire, **more) as evidence:
            return evidence.digest

    first = digest()
    assert digest(plan={"x": 1}, ended_at=5, repeats=[("2", "d")], quotes={"quotes_grid": []}) == first
    assert digest(wire=WireRecorder(salt="2")) != first
    assert digest(books={"legacy": books(books_bills=[{**BILL, "gross": 101}]), "new": books()}) != first
    assert digest(books={"legacy": books(), "new": books(books_bills=[BILL])}) != first
    missing = books(books_bills=[BILL], books_access=Unverifiable("none"))
    assert digest(books={"legacy": missing, "new": books()}) != first


def test_inv_39_the_order_in_which_a_back_end_shows_its_rows_does_not_matter() -> None:
    rows = [{"seq": n, "kind": "bill", "postings": []} for n in range(5)]
    truth, wire = TruthRecorder(), WireRecorder()
    first = run_digest(truth, wire, {"a": books(books_journal=rows), "b": books()})
    assert run_digest(truth, wire, {"b": books(), "a": books(books_journal=rows[::-1])}) == first


def test_repeats_are_added_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    with write(path) as evidence:
        evidence.add_repeats([("own", evidence.digest), ("7", "other")])
    with open_evidence(path) as evidence:
        assert [row["hash_seed"] for row in evidence.rows("SELECT hash_seed FROM repeats")] == ["own", "7"]


def test_an_evidence_file_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "e.sqlite").close()
    with pytest.raises(BadInput, match="is there already"):
        write(tmp_path / "e.sqlite")


def test_what_is_no_evidence_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there"):
        open_evidence(tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello " * 100)
    with pytest.raises(BadInput, match="no SQLite file"):
        open_evidence(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE x (y)")
    other.close()
    with pytest.raises(BadInput, match="has no table"):
        open_evidence(tmp_path / "other")


def test_a_table_that_evidence_does_not_have_raises() -> None:
    with pytest.raises(ValueError, match="no table gossip"):
        save_tables(None, {"gossip": []})


def test_the_end_of_a_run_is_the_last_thing_on_the_wire_if_nobody_says_more() -> None:
    wire = WireRecorder()
    wire.link_opened(3, "S", "legacy", 1)
    wire.frame(4, 9, "S", "legacy", 1, "up", b"[]")
    with write(wire=wire) as evidence:
        assert evidence.ended_at() == 9


def test_an_evidence_line_names_plane_and_table_leaves_nulls_out_and_cuts_long_texts() -> None:
    entry = BookEntry("new", 1, None, "bill", None, "x" * 1_000, None, "h")
    shown = line(entry)
    assert (shown.plane, shown.table) == ("books", "books_journal")
    assert shown.row.keys() == {"backend", "seq", "kind", "postings", "hash"}
    assert len(str(shown.row["postings"])) == 403
    assert note("run", "repeats", hash_seed="1").row == {"hash_seed": "1"}


def test_every_view_fits_its_table() -> None:
    def views(kind: type[View]) -> list[type[View]]:
        return [one for child in kind.__subclasses__() for one in (child, *views(child))]

    assert len(views(View)) > 15
    for view in views(View):
        assert set(view.__struct_fields__) <= set(all_tables()[view.table]), view


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
json_values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=5), leaves, max_size=3)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


def test_canonical_json_has_sorted_keys_no_blanks_plain_text_and_no_floats() -> None:
    assert canonical({"b": [1, None, True], "a": Decimal("1.50"), "ä": "é"}) == '{"a":"1.50","b":[1,null,true],"ä":"é"}'
    with pytest.raises(TypeError, match="float"):
        canonical([1.0])
    with pytest.raises(TypeError):
        scalar({1, 2})
    assert scalar(True) == 1 and scalar(b"x\xff") == "x\\xff" and scalar(Decimal("1E+2")) == "100"
