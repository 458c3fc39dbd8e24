"""Checks of how sessions end, of repeated and late messages, and of prices that were shown: each finds what was planted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.checks.subscriptions import month_parts, period_of, pro_rata
from sim.clock import HOUR, MINUTE
from sim.evidence.verdict import Verdict


def session_lost(day: Any) -> None:
    day.tables["books_sessions"].remove(day.row("books_sessions", session_id="s-500000004"))


def ended_twice(day: Any) -> None:
    row = day.row("books_sessions", session_id="s-1002", backend="new")
    day.add("books_sessions", **{**row, "session_id": "s-other", "state": "quarantined", "reason": "x"})


def never_closed(day: Any) -> None:
    day.row("books_sessions", session_id="s-500000004")["state"] = "open"


def free_without_a_reason(day: Any) -> None:
    day.row("books_sessions", session_id="s-500000004")["reason"] = None


def held_nowhere(day: Any) -> None:
    day.tables["books_quarantine"] = []


def billed_without_a_bill(day: Any) -> None:
    day.tables["books_bills"].remove(day.row("books_bills", session_id="s-1001"))


def free_and_billed(day: Any) -> None:
    day.row("books_sessions", session_id="s-1001").update(state="free", reason="below-minimum")


def ghost_in_no_state(day: Any) -> None:
    day.add("books_sessions", backend="new", session_id="s-9", station="S9", state="forgotten")


def billed_while_charging(day: Any) -> None:
    day.row("truth_sessions", session_id="T1001").update(stopped_at=None, register_stop=None)


def billed_before_the_end(day: Any) -> None:
    day.row("books_bills", session_id="s-1001")["issued_at"] -= HOUR


def billed_before_the_stop_came(day: Any) -> None:
    day.row("books_transactions", session_id="s-500000002")["received_stop_at"] += HOUR


def correct(day: Any) -> None:
    """An operator takes AA01's first session back and puts one without the discount in its place."""
    first = day.row("books_cdrs", cdr_id="c-1001")
    number = day.row("books_bills", session_id="s-1001")["number"]
    for name, credit in (("c-credit", 1), ("c-again", 0)):
        kwh = f"-{first['kwh']}" if credit else first["kwh"]
        day.add("books_cdrs", **{**first, "cdr_id": name, "corrects": "c-1001", "credit": credit, "kwh": kwh})
        day.post("legacy", first["stopped_at"] + HOUR, "correction", f"{number} {name}", "c-AA01", 0, 0)


def corrected_without_a_credit(day: Any) -> None:
    correct(day)
    day.tables["books_cdrs"].remove(day.row("books_cdrs", cdr_id="c-credit"))


def corrected_in_silence(day: Any) -> None:
    correct(day)
    day.tables["books_journal"].pop()


def corrected_by_another(day: Any) -> None:
    correct(day)
    day.row("books_cdrs", cdr_id="c-again")["session_id"] = "s-1002"


def corrects_nothing(day: Any) -> None:
    correct(day)
    for row in day.rows("books_cdrs", corrects="c-1001"):
        row["corrects"] = "c-none"


def more_than_the_meter(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1001")["kwh"] = "8.000"


def same_energy_at_both(day: Any) -> None:
    row = day.row("books_sessions", session_id="s-1002", backend="legacy")
    row.update(state="billed", energy_wh=9_000)


def energy_between_sessions(day: Any) -> None:
    day.row("truth_meters", station="S1")["register_stop"] += 500


def energy_of_no_session(day: Any) -> None:
    day.tables["books_sessions"].remove(day.row("books_sessions", session_id="s-500000001"))


def negative_duration(day: Any) -> None:
    row = day.row("books_sessions", session_id="s-1001")
    row["stopped_at"] = row["started_at"] - MINUTE


def negative_energy(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1001")["kwh"] = "-7.000"


def negative_line(day: Any) -> None:
    rated = day.row("books_rated", cdr_id="c-1001")
    rated["lines"] = [{**rated["lines"][0], "amount": -1}, *rated["lines"][1:]]


def negative_bill(day: Any) -> None:
    day.row("books_bills", session_id="s-1001").update(gross=-392, net=-329, vat=-63)


def credit_that_takes(day: Any) -> None:
    correct(day)
    day.row("books_cdrs", cdr_id="c-credit")["kwh"] = "7.000"


def negative_invoice(day: Any) -> None:
    row = {"kind": "drivers", "state": "issued", "gross": -100, "net": -84, "vat": -16}
    day.add("books_invoices", backend="new", number="X-000001", issued_at=0, **row)


def credit_line_that_adds(day: Any) -> None:
    day.add("books_invoice_lines", backend="new", number="X-000001", position=1, kind="credit", amount=100)


def not_below_the_minimum(day: Any) -> None:
    day.plan["tariffs"] = [{**day.plan["tariffs"][0], "minimum_wh": 50}]


def free_for_a_friend(day: Any) -> None:
    day.row("books_sessions", session_id="s-500000004")["reason"] = "goodwill"


def free_at_a_price(day: Any) -> None:
    day.row("books_rated", cdr_id="c-500000004")["gross"] = 5


def free_and_never_happened(day: Any) -> None:
    row = {"session_id": "s-9", "station": "S9", "state": "free", "reason": "below-minimum"}
    day.add("books_sessions", backend="new", **row)


def billed_per_delivery(day: Any) -> None:
    bill = day.row("books_bills", session_id="s-1001")
    day.add("books_bills", **{**bill, "number": "CITY-legacy-000002"})


def repeated_stop_prices_anew(day: Any) -> None:
    for table in ("books_bills", "books_rated"):
        day.row(table, cdr_id="c-1001")["gross"] += 1


def late_stop_billed_by_arrival(day: Any) -> None:
    """A late stop of a session of some minutes, priced as if it had gone on until it came."""
    for call in day.rows("wire_calls", action="StopTransaction", station="S2"):
        call["delivered_at"] += 20 * MINUTE
    for table in ("books_bills", "books_rated"):
        day.row(table, cdr_id="c-500000001").update(gross=999)


def repeated_and_lost(day: Any) -> None:
    day.tables["books_bills"].remove(day.row("books_bills", session_id="s-1001"))


def fee_not_shown(day: Any) -> None:
    rated = day.row("books_rated", cdr_id="c-1001")
    line = {"component": "service", "quantity": "1", "unit": "session", "billed_quantity": "1", "amount": 50}
    rated["lines"] = [*rated["lines"], line]


def dearer_than_shown(day: Any) -> None:
    for row in day.rows("quotes_grid", backend="legacy", component="energy"):
        row["price"] = "0.300"


def start_fee_shown_as_nothing(day: Any) -> None:
    for row in day.rows("quotes_grid", backend="new", component="start"):
        row["price"] = "0"


@pytest.mark.parametrize(
    ("name", "breach", "says"),
    [
        ("B01", session_lost, "no book has it"),
        ("B01", ended_twice, "2 times"),
        ("B01", never_closed, "no final state (open at new)"),
        ("B01", free_without_a_reason, "free without a reason"),
        ("B01", held_nowhere, "the quarantine does not have it"),
        ("B01", billed_without_a_bill, "has no bill"),
        ("B01", free_and_billed, "called free and has a bill"),
        ("B01", ghost_in_no_state, "forgotten"),
        ("B05", billed_while_charging, "still charges"),
        ("B05", billed_before_the_end, "before the session ended"),
        ("B05", billed_before_the_stop_came, "before its stop had come"),
        ("B05", corrected_without_a_credit, "0 credits and 1 new"),
        ("B05", corrected_in_silence, "the journal does not say so"),
        ("B05", corrected_by_another, "another session"),
        ("B05", corrects_nothing, "is not there"),
        ("B07", more_than_the_meter, "17000 Wh are booked"),
        ("B07", same_energy_at_both, "25000 Wh are booked"),
        ("B07", energy_between_sessions, "0 Wh of them are explained"),
        ("B07", energy_of_no_session, "0 Wh of them are explained"),
        ("B09", negative_duration, "duration is -60000"),
        ("B09", negative_energy, "energy is -7"),
        ("B09", negative_line, "is -1"),
        ("B09", negative_bill, "gross is -392"),
        ("B09", credit_that_takes, "gives something back"),
        ("B09", negative_invoice, "gross is -100"),
        ("B09", credit_line_that_adds, "line 1 is 100"),
        ("B12", not_below_the_minimum, "not below the minimum"),
        ("B12", free_for_a_friend, "no reason goodwill"),
        ("B12", free_at_a_price, "rated at 5"),
        ("B12", free_and_never_happened, "never happened"),
        ("B10", billed_per_delivery, "2 bills"),
        ("B10", repeated_stop_prices_anew, "are due"),
        ("B10", late_stop_billed_by_arrival, "999"),
        ("B10", repeated_and_lost, "has no bill"),
        ("T03", fee_not_shown, "no such component"),
        ("T03", dearer_than_shown, "0.300 as shown"),
        ("T03", start_fee_shown_as_nothing, "start is billed"),
    ],
)
def test_a_breach_is_found_and_named(day: Any, name: str, breach: Callable[[Any], None], says: str) -> None:
    breach(day)
    result = day.check(name)
    assert result.verdict is Verdict.FAIL, result
    assert says in " / ".join(one.sentence for one in result.findings)
    assert all(one.subject and one.evidence for one in result.findings)


def test_an_honest_correction_is_no_breach(day: Any) -> None:
    """B05, B09: a credit with its new record, each with an entry."""
    correct(day)
    assert [day.check(name).verdict for name in ("B05", "B09")] == [Verdict.PASS, Verdict.PASS]


def test_what_still_charges_explains_what_the_meter_has_more(day: Any) -> None:
    """B07: the session is in truth only, the meter has counted on."""
    day.row("truth_meters", station="S2")["register_stop"] += 700
    register = day.row("truth_meters", station="S2")["register_stop"] - 700
    row = {**day.row("truth_sessions", session_id="T500000002"), "session_id": "T-open", "register_start": register}
    row |= {"started_at": row["stopped_at"] + HOUR, "stopped_at": None, "register_stop": None}
    day.add("truth_sessions", **row)
    assert day.check("B07").verdict is Verdict.PASS


def test_a_stop_of_nobody_in_the_quarantine_explains_its_energy(day: Any) -> None:
    """B01, B07: only the stop of this session came, and it is held without a session."""
    session = day.row("books_sessions", session_id="s-500000001")
    day.tables["books_sessions"].remove(session)
    stop = {"station": "S2", "transaction_id": 500_000_001, "reason": "unknown-transaction", "state": "held"}
    day.add("books_quarantine", backend="new", quarantine_id="q-9", energy_wh=8_000, **stop)
    assert [day.check(name).verdict for name in ("B01", "B07")] == [Verdict.PASS, Verdict.PASS]


def test_prices_of_another_tariff_version_are_not_compared(day: Any) -> None:
    """T03: the grid is asked about one day, and this session was sold before its prices came into force."""
    dearer_than_shown(day)
    later = {**day.plan["tariffs"][0], "version": 2, "valid_from": day.rows("quotes_grid")[0]["at"]}
    day.plan["tariffs"] = [*day.plan["tariffs"], later]
    assert day.check("T03").verdict is Verdict.PASS


def test_repetitions_and_delays_are_counted(day: Any) -> None:
    result = day.check("B10")
    assert (result.verdict, result.items) == (Verdict.PASS, 1)
    assert "1 repeated" in result.reason


@given(st.dates(), st.sampled_from(["month", "quarter"]))
def test_a_period_holds_its_day_and_ends_where_the_next_begins(day: Any, period: str) -> None:
    if (day.year, day.month) > (9999, 9):
        return
    first, until = period_of(day, period)
    assert first <= day < until
    assert first.day == until.day == 1
    assert sum(taken for taken, _ in month_parts(first, until)) == (until - first).days


@given(st.integers(1, 10**6), st.dates(min_value=date(2000, 1, 1)))
def test_a_whole_month_costs_its_price_for_each_piece(net: int, day: Any) -> None:
    if (day.year, day.month) == (9999, 12):
        return
    first, until = period_of(day, "month")
    assert pro_rata(net, 3, first, until) == (3 * net, 3 * net)
