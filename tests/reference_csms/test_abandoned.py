"""A session whose end nobody tells is held after a while (B-10), and none that may still run or whose stop still comes."""

from __future__ import annotations

from typing import Any

from sim.clock import HOUR, MINUTE, iso

STATUS = {"connectorId": 1, "errorCode": "NoError"}


def status(bench: Any, link: int, word: str) -> None:
    bench.call(link, "StatusNotification", **STATUS, status=word, timestamp=iso(bench.now))


def state(bench: Any) -> tuple[str, str | None]:
    row = bench.book("sessions")[0]
    return row["state"], row["reason"]


def test_a_station_that_boots_and_forgot_its_session_has_an_hour_to_tell_its_end(bench: Any) -> None:
    bench.start(bench.boot())
    bench.wait(10 * MINUTE)
    status(bench, bench.boot(), "Available")
    bench.wait(HOUR - MINUTE)
    assert state(bench) == ("open", None)
    bench.wait(2 * MINUTE)
    assert state(bench) == ("quarantined", "no-stop") and bench.only("quarantine")["reason"] == "no-stop"
    assert bench.book("bills") == []


def test_a_session_that_still_runs_after_a_boot_is_left_alone(bench: Any) -> None:
    """B-13: a boot does not mean that all transactions have ended."""
    bench.start(bench.boot())
    status(bench, bench.boot(), "Charging")
    bench.wait(3 * HOUR)
    assert state(bench) == ("open", None)


def test_a_stop_that_comes_in_time_is_booked_as_ever_and_a_later_one_is_held(bench: Any) -> None:
    started = bench.start(bench.boot())
    link = bench.boot()
    bench.wait(50 * MINUTE)
    bench.stop(link, started["transactionId"], 12_000)
    assert bench.book("transactions")[0]["state"] == "closed"
    bench.wait(HOUR)
    assert [row["reason"] for row in bench.book("quarantine")] != ["no-stop"]


def test_a_new_start_at_the_connector_means_that_the_one_before_is_over(bench: Any) -> None:
    link = bench.boot()
    bench.start(link, meterStart=1000)
    bench.wait(30 * MINUTE)
    bench.start(link, meterStart=1800, token="TOK-S")
    status(bench, link, "Charging")
    bench.wait(HOUR + MINUTE)
    first, second = bench.book("sessions")
    assert (first["state"], first["reason"], first["energy_wh"]) == ("quarantined", "no-stop", 800)
    assert second["state"] == "open"
