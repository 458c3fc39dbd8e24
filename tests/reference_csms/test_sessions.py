"""Starts and stops: once in the books however often they come, always answered, never somebody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.backend import Setup
from sim.clock import HOUR, MINUTE, iso

ACCEPTED = {"status": "Accepted"}


def test_a_start_delivered_again_is_one_row_with_an_equal_answer(bench: Any) -> None:
    """INV-04: n deliveries of one Start, whatever their message ids, are one transactionId."""
    link, at = bench.boot(), bench.now
    first = bench.start(link, at=at)
    bench.wait(MINUTE)
    again = bench.start(link, at=at)
    assert first == again == {"idTagInfo": ACCEPTED, "transactionId": 501}
    assert bench.only("transactions")["received_start_at"] == at


def test_a_start_repeated_after_a_restart_is_the_same_transaction(bench: Any) -> None:
    """INV-04, INV-07: committed, answer lost, process dead: the retry finds the row."""
    first = bench.start(bench.boot(), at=bench.now)
    bench.restart()
    assert bench.start(bench.connect(), at=bench.now) == first
    assert len(bench.book("transactions")) == 1


@pytest.mark.parametrize("change", [{"connectorId": 2}, {"idTag": "TOK-S"}, {"meterStart": 1}, {"timestamp": iso(0)}])
def test_a_start_that_differs_anywhere_is_another_transaction(bench: Any, change: Any) -> None:
    link = bench.boot()
    one, other = bench.start(link), bench.start(link, **change)
    assert one["transactionId"] != other["transactionId"]
    assert len(bench.book("transactions")) == 2


def test_transaction_ids_are_positive_unique_and_go_on_after_a_restart(bench: Any) -> None:
    """INV-07: unique, never reused after a restart, from the circle of this back-end."""
    ids = []
    for n in range(3):
        link = bench.boot()
        ids += [bench.start(link, meterStart=10 * n + k)["transactionId"] for k in range(3)]
        bench.restart()
    assert ids == list(range(501, 510))


def test_an_uncommitted_start_leaves_nothing_and_its_id_is_free(bench: Any) -> None:
    """A crash before the commit: nothing of the group lasts, and no reply was out."""
    link = bench.boot()
    bench.stage(link, "StartTransaction", connectorId=1, idTag="TOK-A", meterStart=5, timestamp=iso(bench.now))
    bench.restart()
    assert bench.book("transactions") == []
    assert bench.start(bench.connect())["transactionId"] == 501


def test_ids_leave_their_circle_never(make_bench: Any) -> None:
    """INV-07: below 2^31. Running out of numbers is our own mistake and raises."""
    bench = make_bench()
    bench.setup.options = {"transaction_base": 2**31 - 1}
    bench.restart()
    with pytest.raises(OverflowError):
        bench.start(bench.boot())


def test_a_stop_delivered_again_is_one_row_with_an_equal_answer(bench: Any) -> None:
    """INV-04: one session, one bill, one quarantine row at most, equal answers."""
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading("B", bench.now))]
    transaction = bench.start(link)["transactionId"]
    bench.wait(HOUR)
    texts.append(meter.sign("TOK-A", meter.reading("E", bench.now, 9000)))
    at = iso(bench.now)
    answers = []
    for _ in range(3):
        answers.append(bench.stop(link, transaction, meter.register, *texts, timestamp=at, idTag="TOK-A"))
        bench.wait(10 * MINUTE)
    assert answers == [{"idTagInfo": ACCEPTED}] * 3
    assert bench.only("sessions")["state"] == "billed"
    assert len(bench.book("bills")) == len(bench.book("cdrs")) == 1
    assert len(bench.book("records")) == 2
    assert bench.book("quarantine") == []


def test_a_second_stop_with_other_values_changes_nothing_and_is_held(bench: Any) -> None:
    """INV-06: the first wins, the second goes to the quarantine, once however often it comes."""
    link = bench.boot()
    transaction = bench.charge(link)
    before = bench.only("transactions"), bench.only("sessions")
    for _ in range(2):
        assert bench.stop(link, transaction, 99_999) == {}
    assert (bench.only("transactions"), bench.only("sessions")) == before
    row = bench.only("quarantine")
    assert (row["reason"], row["session_id"], row["energy_wh"]) == ("second-stop", before[1]["session_id"], None)
    bench.bill_all()
    assert len(bench.book("bills")) == 1


def test_a_stop_with_the_id_of_another_station_leaves_that_one_alone(bench: Any) -> None:
    """INV-07, MF-09: matched by station and id, not by id alone."""
    mine, other = bench.boot("CS-1"), bench.boot("CS-2")
    running = bench.start(other, "TOK-S")["transactionId"]
    assert bench.stop(mine, running, 12_000, idTag="TOK-A") == {"idTagInfo": ACCEPTED}
    assert bench.only("transactions")["state"] == "open"
    assert bench.only("quarantine")["reason"] == "stray-stop"
    assert bench.only("quarantine")["station"] == "CS-1"


def test_a_stop_of_nobody_is_answered_and_held_with_its_signed_energy(bench: Any) -> None:
    """INV-05, INV-03: what was charged at another back-end stays visible here."""
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading(mark, bench.now, add)) for mark, add in (("B", 0), ("E", 7000))]
    for _ in range(2):
        assert bench.stop(link, 777_777, meter.register, *texts) == {}
    row = bench.only("quarantine")
    assert (row["reason"], row["energy_wh"], row["session_id"]) == ("unknown-transaction", 7000, None)
    assert {record["verdict"] for record in bench.book("records")} == {"not-billable"}
    assert sorted(json.loads(row["evidence"])["digests"]) == sorted(r["digest"] for r in bench.book("records"))


def test_a_stop_before_its_start_is_not_that_transactions_stop(bench: Any) -> None:
    """A stop must fit its transaction, not only the id: one of another back-end was before, at the same meter."""
    link = bench.boot()
    transaction = bench.start(link)["transactionId"]
    bench.stop(link, transaction, 9_000, timestamp=iso(bench.now - HOUR))
    assert bench.only("transactions")["state"] == "open"
    assert bench.only("quarantine")["reason"] == "unknown-transaction"


def test_a_stop_by_a_clock_that_was_set_back_closes_its_session_and_is_held(bench: Any) -> None:
    """B-11: its time lies before the start, its register does not, so it is the end; its times are nobody's to bill."""
    link = bench.boot()
    transaction = bench.start(link)["transactionId"]
    bench.wait(10 * MINUTE)
    bench.stop(link, transaction, 11_000, timestamp=iso(bench.now - 2 * HOUR))
    assert bench.only("transactions")["state"] == "closed"
    assert bench.only("sessions")["state"] == "quarantined" and bench.book("bills") == []


def test_a_station_that_never_learnt_its_id_stops_with_minus_one(bench: Any) -> None:
    """OCPP 1.6 errata: -1 is accepted; the one session it can mean is found."""
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading("B", bench.now))]
    bench.start(link)
    bench.wait(HOUR)
    texts.append(meter.sign("TOK-A", meter.reading("E", bench.now, 4000)))
    bench.stop(link, -1, meter.register, *texts)
    bench.bill_all()
    assert bench.only("sessions")["state"] == "billed"


def test_minus_one_that_could_mean_two_sessions_is_held(bench: Any) -> None:
    link = bench.boot()
    bench.start(link, connector=1)
    bench.start(link, connector=2)
    bench.wait(HOUR)
    bench.stop(link, -1, 20_000)
    assert [row["state"] for row in bench.book("transactions")] == ["open", "open"]
    assert bench.only("quarantine")["reason"] == "unknown-transaction"


@pytest.mark.parametrize(
    "payload",
    [
        {"transactionId": 0, "meterStop": 0},
        {"transactionId": -5, "meterStop": -1},
        {"transactionId": 2**40, "meterStop": 2**50},
        {"transactionId": 501, "meterStop": -9},
        {
            "transactionId": 501,
            "meterStop": 1,
            "transactionData": [{"timestamp": iso(0), "sampledValue": [{"value": ""}]}],
        },
        {"transactionId": 501, "meterStop": 1, "idTag": "NOBODY", "reason": "PowerLoss"},
    ],
)
def test_every_stop_is_answered_whatever_it_contains(bench: Any, payload: Any) -> None:
    """INV-05: every well-formed transaction-related CALL gets a CALLRESULT."""
    link = bench.boot()
    bench.start(link)
    assert isinstance(bench.call(link, "StopTransaction", timestamp=iso(bench.now), **payload), dict)


@pytest.mark.parametrize("payload", [{"connectorId": 0, "meterStart": 0}, {"connectorId": -1, "meterStart": -7}])
def test_every_start_is_answered_whatever_it_contains(bench: Any, payload: Any) -> None:
    """INV-05."""
    answer = bench.call(bench.boot(), "StartTransaction", idTag="NOBODY", timestamp=iso(0), **payload)
    assert answer["idTagInfo"] == {"status": "Invalid"} and answer["transactionId"] > 0


def test_back_dated_messages_keep_both_times(bench: Any) -> None:
    """INV-09: an offline queue delivers hours later; event time and arrival time are both kept."""
    link, begun = bench.boot(), bench.now
    transaction = bench.start(link, at=begun - 5 * HOUR)["transactionId"]
    bench.wait(MINUTE)
    bench.stop(link, transaction, 12_000, timestamp=iso(begun - 4 * HOUR))
    row = bench.only("transactions")
    assert (row["started_at"], row["stopped_at"]) == (begun - 5 * HOUR, begun - 4 * HOUR)
    assert (row["received_start_at"], row["received_stop_at"]) == (begun, begun + MINUTE)


# -- tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "site_of", "answer"),
    [
        ("TOK-A", "CS-1", {"status": "Accepted"}),
        ("tok-a", "CS-1", {"status": "Accepted"}),
        ("TOK-S", "CS-1", {"status": "Accepted", "parentIdTag": "staff"}),
        ("GUEST-7", "CS-3", {"status": "Accepted"}),
        ("TOK-B", "CS-1", {"status": "Blocked"}),
        ("TOK-H", "CS-1", {"status": "Accepted"}),
        ("TOK-H", "CS-3", {"status": "Blocked"}),
        ("NOBODY", "CS-1", {"status": "Invalid"}),
    ],
)
def test_authorize_start_and_books_agree(bench: Any, token: str, site_of: str, answer: Any) -> None:
    """INV-21: one decision, whoever asks."""
    link = bench.boot(site_of)
    assert bench.call(link, "Authorize", idTag=token) == {"idTagInfo": answer}
    assert bench.start(link, token)["idTagInfo"] == answer
    site = {"CS-1": "hall", "CS-3": "quay"}[site_of]
    decisions = [r["decision"] for r in bench.book("access") if (r["token"], r["site"]) == (token.upper(), site)]
    assert decisions == ([] if token == "NOBODY" else [answer["status"]])


def test_an_expired_token_is_expired_and_its_date_is_told(make_bench: Any, sheet: Any) -> None:
    sheet["tokens"].append({"token": "TOK-E", "expires_at": "2026-06-10T11:00:00Z"})
    bench = make_bench(Setup(name="legacy", seed=1, provision=sheet))
    link = bench.boot()
    info = bench.call(link, "Authorize", idTag="TOK-E")["idTagInfo"]
    assert info == {"status": "Accepted", "expiryDate": "2026-06-10T11:00:00.000Z"}
    bench.wait(HOUR)
    assert bench.call(link, "Authorize", idTag="TOK-E")["idTagInfo"]["status"] == "Expired"


def test_a_token_that_may_charge_once_is_concurrent_the_second_time(bench: Any) -> None:
    """OCPP 1.6 §4.8: ConcurrentTx only from StartTransaction, and only where the token says so."""
    first, second = bench.boot("CS-1"), bench.boot("CS-2")
    assert bench.start(first, "TOK-1")["idTagInfo"] == ACCEPTED
    assert bench.start(second, "TOK-1")["idTagInfo"] == {"status": "ConcurrentTx"}
    assert bench.call(second, "Authorize", idTag="TOK-1") == {"idTagInfo": ACCEPTED}
    assert bench.start(first, "TOK-A", 2)["idTagInfo"] == bench.start(second, "TOK-A", 2)["idTagInfo"] == ACCEPTED
