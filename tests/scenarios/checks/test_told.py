"""INV-10, INV-11, and the checks of transactions where a station of OCPP 2.0.1 tells them in numbered events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.clock import MINUTE, iso
from sim.evidence.verdict import Verdict

TX = "0f5e8e2d-487c-dfd4-08b4-6a9033b08bf5"


@pytest.fixture
def told(day: Any) -> Any:
    """The honest day; its last session, of S2 at new, is told in events instead, the second of which comes twice."""
    start = day.row("wire_calls", action="StartTransaction", station="S2", answer=_answer(day, 500_000_002))
    stop = next(
        row
        for row in day.rows("wire_calls", action="StopTransaction", station="S2")
        if json.loads(row["payload"])["transactionId"] == 500_000_002
    )
    begun, ended = json.loads(start["payload"]), json.loads(stop["payload"])
    for table in ("books_transactions", "books_sessions"):
        day.row(table, transaction_id=500_000_002).update(transaction_id=TX)
    day.row("books_transactions", transaction_id=TX).update(issuer="S2")
    day.row("wire_links", link=3).update(version="2.0.1")
    values = [_signed(value) for value in ended["transactionData"]]
    base = {"timestamp": begun["timestamp"], "triggerReason": "Authorized", "transactionInfo": {"transactionId": TX}}
    first = {
        **base,
        "eventType": "Started",
        "seqNo": 0,
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": begun["idTag"], "type": "ISO14443"},
        "meterValue": [_plain(begun["timestamp"], begun["meterStart"], "Transaction.Begin"), values[0]],
    }
    last = {
        **base,
        "eventType": "Ended",
        "seqNo": 2,
        "timestamp": ended["timestamp"],
        "meterValue": [_plain(ended["timestamp"], ended["meterStop"], "Transaction.End"), *values],
    }
    said = {"idTokenInfo": {"status": "Accepted", "groupIdToken": {"idToken": "staff", "type": "ISO14443"}}}
    start.update(action="TransactionEvent", payload=json.dumps(first), answer=json.dumps(said))
    stop.update(action="TransactionEvent", payload=json.dumps(last), answer="{}")
    middle = {**base, "eventType": "Updated", "seqNo": 1, "timestamp": iso(start["sent_at"] + 5 * MINUTE)}
    for offline in (False, True):
        day.call(start["sent_at"] + 5 * MINUTE, "S2", "new", "TransactionEvent", {**middle, "offline": offline}, {})
    session = day.row("books_sessions", transaction_id=TX)["session_id"]
    day.add("books_events", backend="new", transaction_id=TX, station="S2", session_id=session, events=3, repeats=1,
            missing="[]")  # fmt: skip
    # what S2 says about others is 1.6 in the rows of this day: it has two links then
    day.add("wire_links", **{**day.row("wire_links", link=3), "link": 30, "version": "1.6"})
    for row in day.rows("wire_calls", link=3):
        if row["action"] != "TransactionEvent":
            row["link"] = 30
    return day


def _answer(day: Any, number: int) -> str:
    return next(
        str(row["answer"])
        for row in day.rows("wire_calls", action="StartTransaction")
        if json.loads(row["answer"])["transactionId"] == number
    )


def _plain(timestamp: str, wh: int, context: str) -> dict[str, Any]:
    return {"timestamp": timestamp, "sampledValue": [{"value": wh, "context": context}]}


def _signed(value: dict[str, Any]) -> dict[str, Any]:
    (sample,) = value["sampledValue"]
    inside = json.loads(sample["value"])
    return {
        "timestamp": value["timestamp"],
        "sampledValue": [{"value": 0, "context": "Other", "signedMeterValue": inside}],
    }


@pytest.mark.parametrize(
    "name",
    ["INV-01", "INV-02", "INV-03", "INV-04", "INV-05", "INV-06", "INV-07", "INV-10", "INV-13", "INV-16", "INV-20",
     "INV-21", "INV-29", "INV-31", "B02", "B06", "T01", "T10"],
)  # fmt: skip
def test_an_honest_session_of_events_passes(told: Any, name: str) -> None:
    result = told.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ()), result


def event(told: Any, kind: str) -> Any:
    rows = told.rows("wire_calls", action="TransactionEvent")
    return next(row for row in rows if json.loads(row["payload"])["eventType"] == kind)


def change(row: Any, **changes: Any) -> None:
    row["payload"] = json.dumps({**json.loads(row["payload"]), **changes})


def test_inv_10_finds_a_hole_that_the_books_do_not_name(told: Any) -> None:
    change(event(told, "Ended"), seqNo=4)
    (finding,) = told.check("INV-10").findings
    assert "billed, and its events 2, 3 never came" in finding.sentence
    told.row("books_events").update(missing="[2,3]")
    result = told.check("INV-10")
    assert result.verdict is Verdict.PASS and "2 events never came" in result.reason


def test_inv_10_finds_an_answered_event_that_is_called_missing_and_one_that_no_book_knows(told: Any) -> None:
    told.row("books_events").update(missing="[1]")
    assert "event 1 was answered" in told.check("INV-10").findings[0].sentence
    told.tables["books_events"].clear()
    assert "no book knows" in told.check("INV-10").findings[0].sentence


def test_inv_10_takes_what_was_never_answered_for_a_maybe(told: Any) -> None:
    row = event(told, "Ended")
    row.update(answer_kind=None, answer=None, answered_at=None, answer_delivered_at=None)
    change(row, seqNo=2)
    assert told.check("INV-10").verdict is Verdict.PASS


def test_inv_04_finds_an_end_in_events_that_was_billed_twice(told: Any) -> None:
    session = told.row("books_sessions", transaction_id=TX)["session_id"]
    bill = told.row("books_bills", session_id=session)
    told.add("books_bills", **{**bill, "number": "CITY-new-000099"})
    assert "billed 2 times" in told.check("INV-04").findings[0].sentence


def test_inv_05_finds_a_refused_and_a_forgotten_event(told: Any) -> None:
    refused = {"code": "InternalError", "description": "", "details": {}}
    event(told, "Ended").update(answer_kind="error", answer=json.dumps(refused))
    assert "TransactionEvent was refused with InternalError" in told.check("INV-05").findings[0].sentence


def test_inv_07_finds_a_text_that_is_no_id(told: Any) -> None:
    for row in told.rows("wire_calls", action="TransactionEvent"):
        change(row, transactionInfo={"transactionId": TX + "x"})
    told.row("books_transactions", transaction_id=TX).update(transaction_id=TX + "x")
    assert "an id of 37 characters" in told.check("INV-07").findings[0].sentence


def test_inv_13_judges_an_answer_by_the_version_of_its_link(told: Any) -> None:
    event(told, "Ended").update(answer='{"idTagInfo":{"status":"Accepted"}}')
    assert "answered TransactionEvent with what the schema forbids" in told.check("INV-13").findings[0].sentence


def test_inv_20_finds_a_bill_for_a_begin_that_was_refused(told: Any) -> None:
    event(told, "Started").update(answer='{"idTokenInfo":{"status":"Blocked"}}')
    assert "its start was answered Blocked" in told.check("INV-20").findings[0].sentence


def test_inv_29_and_inv_31_read_the_signed_values_of_all_events(told: Any) -> None:
    row = event(told, "Ended")
    payload = json.loads(row["payload"])
    payload["meterValue"] = payload["meterValue"][:-1]
    row["payload"] = json.dumps(payload)
    assert "a signed begin or end is missing" in told.check("INV-29").findings[0].sentence
    assert "cannot be read" in told.check("INV-31").findings[0].sentence


# -- INV-11 ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(day: Any) -> Any:
    """S2 says of its two EVSEs what they are, and the books know it."""
    at = day.rows("wire_links", link=3)[0]["opened_at"] + 10 * MINUTE
    for evse, status, later in ((1, "Available", 0), (2, "Available", 1), (1, "Occupied", 2), (2, "Occupied", 3)):
        news = {"evseId": evse, "connectorId": 1, "connectorStatus": status, "timestamp": iso(at + later * MINUTE)}
        day.call(at + later * MINUTE, "S2", "new", "StatusNotification", news, {})
    # told late: the station was offline when the second EVSE was free
    old = {"evseId": 2, "connectorId": 1, "connectorStatus": "Available", "timestamp": iso(at + MINUTE)}
    day.call(at + 9 * MINUTE, "S2", "new", "StatusNotification", old, {})
    show(day, {"1": "Occupied", "2": "Occupied"})
    return day


def show(day: Any, statuses: dict[str, str]) -> None:
    day.tables["books_stations"].clear()
    data = {"statuses": {place: [status, "", 0] for place, status in statuses.items()}}
    day.add("books_stations", backend="new", station="S2", data=json.dumps(data))


def test_inv_11_passes_when_the_books_have_the_last_word_of_each(live: Any) -> None:
    result = live.check("INV-11")
    assert (result.verdict, result.items) == (Verdict.PASS, 2)


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        ({"1": "Occupied"}, "connector 2 said Occupied last, and the books have nothing"),
        ({"1": "Occupied", "2": "Available"}, "connector 2 said Occupied last, and the books have Available"),
        (
            {"1": "Occupied", "2": "Occupied", "3": "Available"},
            "connector 3 is Available in the books, and said nothing",
        ),
    ],
)
def test_inv_11_finds_a_state_that_is_old_lost_or_of_nobody(live: Any, statuses: Any, sentence: str) -> None:
    show(live, statuses)
    (finding,) = live.check("INV-11").findings
    assert finding.sentence == sentence


def test_inv_11_forgives_what_a_back_end_heard_before_it_died(live: Any) -> None:
    show(live, {"1": "Available", "2": "Occupied"})
    assert live.check("INV-11").verdict is Verdict.FAIL
    dead = live.row("wire_links", link=3)["opened_at"] + 20 * MINUTE
    live.add("wire_links", link=31, station="S2", backend="new", opened_at=1, closed_at=dead, closed_by="crash")
    assert live.check("INV-11").verdict is Verdict.PASS


# -- costs shown ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(told: Any) -> Any:
    """The told day; answers tell the cost so far, twice, and the final one, which is what was rated and billed."""
    gross = rated_of(told)["gross"]
    costs = iter((f"{gross - 300}", f"{gross - 200}"))
    for row in told.rows("wire_calls", action="TransactionEvent"):
        kind = json.loads(row["payload"])["eventType"]
        if kind != "Started":
            say(row, gross if kind == "Ended" else int(next(costs)))
    return told


def rated_of(day: Any) -> Any:
    return day.row("books_rated", cdr_id=day.row("books_sessions", transaction_id=TX)["cdr_id"])


def say(row: Any, minor: int) -> None:
    row["answer"] = json.dumps({**json.loads(row["answer"]), "totalCost": minor / 100})


@pytest.mark.parametrize("name", ["T04", "INV-34", "INV-04"])
def test_honest_costs_on_a_display_pass(shown: Any, name: str) -> None:
    result = shown.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ()), result


def test_costs_that_nobody_shows_are_not_judged(told: Any) -> None:
    assert told.check("T04").verdict is told.check("INV-34").verdict is Verdict.NOT_APPLICABLE


def test_t04_finds_a_cost_that_falls_and_one_above_the_final_cost(shown: Any) -> None:
    first, second = [
        row
        for row in shown.rows("wire_calls", action="TransactionEvent")
        if json.loads(row["payload"])["eventType"] == "Updated"
    ]
    gross = rated_of(shown)["gross"]
    say(first, 3 * gross)
    say(second, 1)
    (fallen,) = shown.check("T04").findings
    assert "falls" in fallen.sentence
    say(second, 3 * gross)
    (above,) = shown.check("T04").findings
    assert "was the last cost shown" in above.sentence


def test_inv_34_finds_another_final_cost_and_one_that_is_missing(shown: Any) -> None:
    row, rated = event(shown, "Ended"), rated_of(shown)
    say(row, rated["net"])
    (finding,) = shown.check("INV-34").findings
    assert "was shown as the final cost" in finding.sentence
    row["answer"] = "{}"
    (finding,) = shown.check("INV-34").findings
    assert "never shown" in finding.sentence
    say(row, rated["gross"])
    shown.row("books_bills", cdr_id=rated["cdr_id"])["gross"] += 1
    (finding,) = shown.check("INV-34").findings
    assert "the bill asks" in finding.sentence
