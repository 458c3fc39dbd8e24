"""A stop that was booked at the old back-end and is sent again to the new one: recognised, answered, booked nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sim.backend import Setup
from sim.clock import DAY, HOUR, MINUTE, iso
from sim.machine import Answered, Refused

CLOSED = "closed"
EMPTY = ("transactions", "sessions", "cdrs", "bills", "quarantine", "records", "journal")


class Move:
    """An old and a new back-end, and one session that was closed and billed at the old one."""

    def __init__(self, old: Any, new: Any, token: str = "TOK-S") -> None:
        self.old, self.new = old, new
        link, meter = old.boot(), old.meter()
        begin = meter.sign(token, meter.reading("B", old.now))
        self.transaction = old.start(link, token)["transactionId"]
        old.wait(HOUR)
        self.texts = (begin, meter.sign(token, meter.reading("E", old.now, 9000)))
        self.stop: dict[str, Any] = {"timestamp": iso(old.now), "idTag": token}
        self.register = meter.register
        self.first = old.stop(link, self.transaction, self.register, *self.texts, **self.stop)
        old.bill_all()

    def rows(self) -> list[dict[str, Any]]:
        rows = self.old.operate("export", what="open-transactions", station="CS-1").payload["rows"]
        assert isinstance(rows, list)
        return rows

    def hand_over(self) -> Any:
        self.new.now = self.old.now
        sheet = self.old.setup.provision
        self.new.operate("import", what="stations", rows=[sheet["stations"][0]])
        self.new.operate("import", what="meters", rows=[row for row in sheet["meters"] if row["station"] == "CS-1"])
        return self.new.operate("import", what="open-transactions", rows=json.loads(json.dumps(self.rows())))

    def again(self, **other: Any) -> Any:
        """The stop once more, at the new back-end."""
        link = self.new.boot()
        payload = {"transaction_id": self.transaction, "meter_stop": self.register, **self.stop, **other}
        return self.new.stop(link, payload.pop("transaction_id"), payload.pop("meter_stop"), *self.texts, **payload)


@pytest.fixture
def moved(bench: Any, make_bench: Any, sheet: Any) -> Callable[..., Move]:
    for station in sheet["stations"]:
        station["backend"] = "legacy"
    setup = Setup(name="new", seed=7, provision={**sheet, "meters": []}, options={"transaction_base": 1_000_000})
    return lambda **more: Move(bench, make_bench(setup), **more)


@pytest.mark.parametrize("token", ["TOK-S", "TOK-A"])
def test_the_same_stop_sent_again_after_the_move_is_answered_alike_and_booked_nowhere(moved: Any, token: str) -> None:
    """INV-04 over both back-ends: one row, one bill, equal answers, no energy twice (INV-03)."""
    move = moved(token=token)
    assert move.hand_over() == Answered({"imported": 1})
    assert [move.again(), move.again()] == [move.first, move.first]
    move.new.bill_all()
    assert {name: move.new.book(name) for name in EMPTY} == {name: [] for name in EMPTY}
    assert len(move.old.book("bills")) == 1


def test_it_is_recognised_by_a_process_that_was_started_on_the_same_disk(moved: Any) -> None:
    """INV-04: what was imported lasts."""
    move = moved()
    move.hand_over()
    move.new.restart()
    assert move.again() == move.first
    assert move.new.book("quarantine") == move.new.book("sessions") == []


@pytest.mark.parametrize(
    "other",
    [{"meter_stop": 99_999}, {"timestamp": "2026-06-10T12:34:56.000Z"}, {"idTag": "TOK-A"}, {"reason": "Other"}],
)
def test_a_stop_with_other_values_is_a_second_stop_without_energy(moved: Any, other: dict[str, Any]) -> None:
    """INV-06 across the move: the first wins, the second is held once however often it comes."""
    move = moved()
    move.hand_over()
    for _ in range(2):
        assert "idTagInfo" in move.again(**other)
    row = move.new.only("quarantine")
    assert (row["reason"], row["energy_wh"], row["session_id"]) == ("second-stop", None, None)
    assert "legacy" in row["detail"]
    assert move.new.book("transactions") == []


def test_a_stop_that_never_learnt_its_id_is_recognised_by_its_values(moved: Any) -> None:
    """1.6 errata: -1 stands for the transaction whose stop has these values."""
    move = moved()
    move.hand_over()
    assert move.again(transaction_id=-1) == move.first
    assert move.new.book("quarantine") == []
    move.again(transaction_id=-1, meter_stop=1)
    assert move.new.only("quarantine")["reason"] == "unknown-transaction"


def test_the_stop_of_one_station_is_not_recognised_from_another(moved: Any) -> None:
    """INV-07: station and id, not the id alone."""
    move = moved()
    move.hand_over()
    sheet = move.old.setup.provision
    move.new.operate("import", what="stations", rows=[sheet["stations"][1]])
    move.new.stop(move.new.boot("CS-2"), move.transaction, move.register, *move.texts, **move.stop)
    assert move.new.only("quarantine")["reason"] == "unknown-transaction"


def test_exporting_closed_transactions_changes_nothing_at_the_old_back_end(moved: Any) -> None:
    """M04: only open ones are given away; a billed one stays billed where it was."""
    move = moved()
    before = {name: move.old.book(name) for name in EMPTY}
    (row,) = move.rows()
    assert (row["state"], row["transaction_id"], row["grp"]) == (CLOSED, move.transaction, "staff")
    assert row["stop_key"].startswith(str(move.register))
    assert move.rows() == [row]
    assert {name: move.old.book(name) for name in EMPTY} == before


def test_open_and_closed_ones_travel_in_one_batch_and_can_be_told_apart(moved: Any) -> None:
    """The open one goes on at the new back-end, the closed one is only known there."""
    move = moved()
    running = move.old.start(move.old.boot(), "TOK-A")["transactionId"]
    assert move.hand_over() == Answered({"imported": 2})
    assert [row["state"] for row in move.rows()] == ["open", CLOSED]
    assert move.new.only("transactions")["transaction_id"] == running
    assert move.hand_over() == Answered({"imported": 0})


def test_only_the_last_day_is_told(moved: Any) -> None:
    """A station that repeats a stop does so within hours; the old back-end is no archive for the new one."""
    move = moved()
    move.old.wait(DAY - 2 * MINUTE)
    assert len(move.rows()) == 1
    move.old.wait(5 * MINUTE)
    assert move.rows() == []


def test_what_is_known_of_a_foreign_stop_goes_on_to_the_next_back_end(moved: Any) -> None:
    """A station that moves twice in a day, or back, is recognised everywhere."""
    move = moved()
    move.hand_over()
    told = move.new.operate("export", what="open-transactions", station="CS-1").payload["rows"]
    assert told == move.rows()
    link = move.old.connect()
    move.old.operate("import", what="open-transactions", rows=told)
    assert move.old.stop(link, move.transaction, move.register, *move.texts, **move.stop) == move.first
    assert move.old.book("quarantine") == []


@pytest.mark.parametrize("lost", ["transaction_id", "issuer", "station", "stop_key", "closed_at"])
def test_a_closed_row_that_lacks_something_is_refused_whole(moved: Any, lost: str) -> None:
    move = moved()
    move.old.start(move.old.boot(), "TOK-A")
    rows = move.rows()
    del rows[1][lost]
    outcome = move.new.operate("import", what="open-transactions", rows=rows)
    assert isinstance(outcome, Refused) and lost in outcome.description
    assert move.new.book("sessions") == []


def test_a_start_of_a_closed_transaction_sent_again_opens_nothing_at_the_new_back_end(moved: Any) -> None:
    """INV-04 over both back-ends: one start, one transaction id, equal answers."""
    move = moved()
    started = move.old.only("transactions")
    move.hand_over()
    payload = {"connectorId": 1, "idTag": "TOK-S", "meterStart": 10_000, "timestamp": iso(started["started_at"])}
    link = move.new.boot()
    again = move.new.call(link, "StartTransaction", **payload)
    assert again == {
        "transactionId": move.transaction,
        "idTagInfo": {"status": "Accepted", "parentIdTag": "staff"},
    }
    assert {name: move.new.book(name) for name in EMPTY} == {name: [] for name in EMPTY}
    other = move.new.call(link, "StartTransaction", **{**payload, "meterStart": 19_000})
    assert other["transactionId"] != move.transaction, "another start is another transaction"


def test_a_stop_that_nobody_could_match_stays_in_one_quarantine(moved: Any) -> None:
    """INV-03, INV-04: held at the old back-end, recognised at the new one, its energy counted once."""
    move = moved()
    orphan: dict[str, Any] = {"transaction_id": 4711, "meter_stop": 1_234}
    payload = {**orphan, **move.stop}
    first = move.old.stop(move.old.boot(), payload.pop("transaction_id"), payload.pop("meter_stop"), **payload)
    assert move.hand_over() == Answered({"imported": 2})
    assert [row["state"] for row in move.rows()] == [CLOSED, "held"]
    assert move.again(**orphan) == first
    assert move.new.book("quarantine") == []
    move.again(**{**orphan, "meter_stop": 1_235})
    assert move.new.only("quarantine")["reason"] == "unknown-transaction", "another stop is held here, and once"


def test_a_second_stop_that_the_old_back_end_holds_is_not_held_again(moved: Any) -> None:
    """INV-06: two stops of one session, sent to both back-ends, are one bill and one held row."""
    move = moved()
    second = {"meter_stop": 99_999}
    move.old.stop(move.old.boot(), move.transaction, 99_999, *move.texts, **move.stop)
    move.hand_over()
    move.again(**second)
    assert move.again() == move.first
    assert move.new.book("quarantine") == []
    assert move.old.only("quarantine")["reason"] == "second-stop"
