"""What an operator puts right afterwards: a held session released, a billed one corrected, and nothing ever edited."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reference_csms.billing.ledger import entry_from_row, problems
from scenarios.checks import run_checks
from sim.backend import Row, Setup
from sim.clock import HOUR
from sim.evidence.schema import BOOKS
from sim.evidence.store import Evidence, save_tables
from sim.evidence.verdict import Verdict
from sim.machine import Answered, Refused

WHO: dict[str, Any] = {"actor": "kari@ops", "reason": "the key came by mail"}
TERMS: dict[str, Any] = {"actor": "kari@ops", "reason": "staff card not linked", "terms": {"grp": "staff"}}


@pytest.fixture
def unknown_key(make_bench: Any, sheet: Any) -> Any:
    """A back-end that was never told the key of CS-1, and a session there that it holds."""
    late = [row for row in sheet["meters"] if row["station"] == "CS-1"]
    sheet["meters"] = [row for row in sheet["meters"] if row["station"] != "CS-1"]
    bench = make_bench(Setup(name="legacy", seed=7, provision=sheet, options={"transaction_base": 500}))
    bench.late_keys = late
    bench.charge(bench.boot())
    bench.bill_all()
    return bench


def release(bench: Any, **more: Any) -> Any:
    row = bench.only("quarantine")
    outcome = bench.operate("release-quarantine", **{"quarantine_id": row["quarantine_id"], **WHO, **more})
    bench.bill_all()
    return outcome


def correct(bench: Any, **more: Any) -> Any:
    session = bench.only("sessions")
    return bench.operate("correct-session", **{"session_id": session["session_id"], **TERMS, **more})


def test_a_held_session_is_billed_after_its_release_and_the_row_says_who_and_why(unknown_key: Any) -> None:
    """INV-40, INV-03: held, then billed once; the row stays with actor and reason."""
    unknown_key.operate("import", what="meters", rows=unknown_key.late_keys)
    held = unknown_key.only("quarantine")
    assert held["state"] == "held"
    assert release(unknown_key) == Answered(
        {"quarantine_id": held["quarantine_id"], "session_id": held["session_id"], "billed": True}
    )
    row = unknown_key.only("quarantine")
    assert (row["state"], row["reason"], row["at"]) == ("released", "key-unknown", held["at"])
    assert row["actor"] == "kari@ops" and "the key came by mail" in row["detail"]
    assert unknown_key.only("sessions")["state"] == "billed"
    assert unknown_key.only("bills")["gross"] > 0
    assert {one["verdict"] for one in unknown_key.book("records")} == {"billable"}


def test_a_release_is_judged_again_and_never_bills_what_does_not_verify(unknown_key: Any) -> None:
    """INV-29: without the key the operator is told why, and nothing is booked."""
    outcome = release(unknown_key)
    assert isinstance(outcome, Refused) and outcome.code == "still-held" and "key-unknown" in outcome.description
    assert unknown_key.only("quarantine")["state"] == "held"
    assert unknown_key.only("sessions")["state"] == "quarantined"
    assert unknown_key.book("bills") == unknown_key.book("cdrs") == []


def test_a_row_is_released_once(unknown_key: Any) -> None:
    unknown_key.operate("import", what="meters", rows=unknown_key.late_keys)
    release(unknown_key)
    again = release(unknown_key)
    assert isinstance(again, Refused) and again.code == "already-released" and "kari@ops" in again.description
    assert len(unknown_key.book("bills")) == 1


@pytest.mark.parametrize("name", ["actor", "reason"])
def test_nobody_releases_or_corrects_without_a_name_and_a_reason(unknown_key: Any, bench: Any, name: str) -> None:
    """INV-40."""
    assert isinstance(release(unknown_key, **{name: " "}), Refused)
    bench.charge(bench.boot())
    bench.bill_all()
    assert isinstance(correct(bench, **{name: ""}), Refused)
    assert len(bench.book("cdrs")) == 1


def test_energy_of_a_transaction_that_nobody_started_cannot_be_released(bench: Any) -> None:
    """B11: there is no session that could be billed."""
    link, meter = bench.boot(), bench.meter()
    texts = (
        meter.sign("TOK-A", meter.reading("B", bench.now)),
        meter.sign("TOK-A", meter.reading("E", bench.now, 900)),
    )
    bench.stop(link, 77, meter.register, *texts)
    outcome = release(bench)
    assert isinstance(outcome, Refused) and outcome.code == "no-session"


def test_a_second_stop_is_released_without_booking_anything(bench: Any) -> None:
    """INV-06: the first stop won already; the row only has to be looked at."""
    link = bench.boot()
    transaction = bench.charge(link)
    bench.stop(link, transaction, 99_999)
    assert release(bench).payload["billed"] is False
    assert len(bench.book("bills")) == 1 and len(bench.book("cdrs")) == 1


def test_a_correction_is_a_credit_and_a_new_record_and_the_old_ones_stay(bench: Any) -> None:
    """INV-06, OCPI credit: two records and two journal entries more, none changed."""
    bench.charge(bench.boot())
    bench.bill_all()
    before = {name: bench.book(name) for name in ("cdrs", "rated", "bills", "journal")}
    outcome = correct(bench)
    bench.bill_all()
    after = {name: bench.book(name) for name in before}
    assert all(after[name][: len(rows)] == rows for name, rows in before.items())
    assert after["bills"] == before["bills"]
    old, credit, new = after["cdrs"]
    assert (credit["corrects"], credit["credit"], credit["kwh"]) == (old["cdr_id"], 1, "-" + old["kwh"])
    assert (new["corrects"], new["credit"], new["grp"], new["kwh"]) == (old["cdr_id"], 0, "staff", old["kwh"])
    gross = [row["gross"] for row in after["rated"]]
    assert gross[1] == -gross[0] and 0 < gross[2] < gross[0]
    assert outcome.payload == {"credit": credit["cdr_id"], "cdr": new["cdr_id"], "difference": gross[2] - gross[0]}
    assert [entry["kind"] for entry in after["journal"]] == ["bill", "correction", "correction"]
    owed = sum(amount for row in after["journal"] for who, _, amount in json.loads(row["postings"]) if "receiv" in who)
    assert owed == gross[2]
    assert list(problems(map(entry_from_row, after["journal"]))) == []
    assert bench.only("sessions")["cdr_id"] == new["cdr_id"]


def test_asking_twice_corrects_once(bench: Any) -> None:
    """INV-40: who asks again because an answer was lost books nothing more."""
    bench.charge(bench.boot())
    bench.bill_all()
    correct(bench)
    outcome = correct(bench)
    assert isinstance(outcome, Refused) and outcome.code == "nothing-to-correct"
    assert len(bench.book("cdrs")) == 3


def test_what_was_corrected_wrongly_is_corrected_back_to_the_amount_of_the_bill(bench: Any) -> None:
    """INV-40: every correction has an inverse."""
    bench.charge(bench.boot())
    bench.bill_all()
    correct(bench)
    correct(bench, terms={"grp": None}, reason="it was not a staff card after all")
    owed = sum(
        amount for row in bench.book("journal") for who, _, amount in json.loads(row["postings"]) if "rec" in who
    )
    assert owed == bench.only("bills")["gross"]


@pytest.mark.parametrize(
    ("terms", "said"), [({}, "grp"), ({"kwh": "1"}, "grp"), ({"tariff_version": 9}, "no version 9")]
)
def test_only_terms_are_corrected_never_what_the_meter_signed(bench: Any, terms: Row, said: str) -> None:
    """INV-31."""
    bench.charge(bench.boot())
    bench.bill_all()
    outcome = correct(bench, terms=terms)
    assert isinstance(outcome, Refused) and said in outcome.description
    assert len(bench.book("cdrs")) == 1


def test_a_session_that_was_never_billed_cannot_be_corrected(unknown_key: Any) -> None:
    outcome = correct(unknown_key)
    assert isinstance(outcome, Refused) and outcome.code == "not-billed"


def books(bench: Any, change: Callable[[str, Row], Row | None] = lambda name, row: row) -> Evidence:
    """The books as evidence, each row as `change` leaves it, or without it."""
    tables = {}
    for name, columns in BOOKS.items():
        rows = [change(name, dict(row)) for row in bench.csms.books(bench.now)[name]]
        tables[name] = [("legacy", *(row.get(column) for column in columns)) for row in rows if row is not None]
    owner = {"owner": "city", "zone": "Europe/Berlin", "tariff_id": "ac"}
    plan = {"owners": [owner], "sites": [{"site": "hall", **owner}], "tariffs": bench.setup.provision["tariffs"]}
    plan["stations"] = [{"station": "CS-1", "site": "hall"}]
    return save_tables(None, {**tables, "plan": [(key, json.dumps(value)) for key, value in plan.items()]})


def verdicts(evidence: Evidence) -> dict[str, Verdict]:
    return {result.check: result.verdict for result in run_checks(evidence, ["INV-06", "B02", "L01", "L05"])}


def _without_the_credit_entry(name: str, row: Row) -> Row | None:
    return None if name == "books_journal" and row["seq"] == 2 else row


def _credit_too_small(name: str, row: Row) -> Row | None:
    return {**row, "gross": -1, "net": -1, "vat": 0} if name == "books_rated" and row["gross"] < 0 else row


@pytest.mark.parametrize(
    ("change", "caught"),
    [(lambda name, row: row, None), (_without_the_credit_entry, "INV-06"), (_credit_too_small, "B02")],
)
def test_the_checks_hold_a_correction_to_its_sum_and_find_one_that_is_wrong(
    bench: Any, change: Any, caught: str | None
) -> None:
    """INV-06, B02: what is owed is what the record in force is rated at; a credit takes back what it credits."""
    bench.charge(bench.boot())
    bench.bill_all()
    correct(bench)
    found = verdicts(books(bench, change))
    assert (found[caught] is Verdict.FAIL) if caught else set(found.values()) == {Verdict.PASS}


def test_a_correction_survives_a_restart(bench: Any) -> None:
    bench.charge(bench.boot(), lasts=HOUR)
    bench.bill_all()
    correct(bench)
    before = bench.book("cdrs")
    bench.restart()
    assert bench.book("cdrs") == before
