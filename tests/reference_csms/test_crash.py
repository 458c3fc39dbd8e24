"""Death at the worst moments: what the disk holds, what got out, and what the retry finds."""

from __future__ import annotations

from typing import Any

import pytest

from reference_csms import assemble
from reference_csms.storage.port import Fenced
from sim.clock import HOUR, iso
from sim.machine import Effect
from sim.wire import ocmf


class Died(Exception):
    pass


def die_after(sent: int, got_out: list[Effect]) -> Any:
    def release(effect: Effect) -> None:
        if len(got_out) == sent:
            raise Died
        got_out.append(effect)

    return release


def stage_stop(bench: Any, link: int) -> tuple[int, dict[str, Any]]:
    """A session up to its StopTransaction, handled but not flushed; returns link and the payload of the stop."""
    meter = bench.meter()
    texts = [meter.sign("TOK-A", meter.reading("B", bench.now))]
    transaction = bench.start(link)["transactionId"]
    bench.wait(HOUR)
    texts.append(meter.sign("TOK-A", meter.reading("E", bench.now, 5000)))
    values = [{"value": ocmf.wrap(text), "format": "SignedData"} for text in texts]
    payload = {
        "transactionId": transaction,
        "meterStop": meter.register,
        "timestamp": iso(bench.now),
        "transactionData": [{"timestamp": iso(bench.now), "sampledValue": [value]} for value in values],
    }
    bench.stage(link, "StopTransaction", **payload)
    return transaction, payload


@pytest.mark.parametrize(("moment", "state"), [("before-commit", "open"), ("before-replies", "closed")])
def test_a_stop_is_either_wholly_in_the_books_or_not_at_all(bench: Any, moment: str, state: str) -> None:
    """B10: the unit of work of a stop is the session, its records, CDR, rating and place in the outbox."""
    link = bench.boot()
    stage_stop(bench, link)
    if moment == "before-replies":
        with pytest.raises(Died):
            bench.csms.flush(bench.now, die_after(0, []))
    bench.restart()
    assert bench.only("transactions")["state"] == state
    expected = 1 if state == "closed" else 0
    assert len(bench.book("cdrs")) == len(bench.book("rated")) == expected
    assert len(bench.book("records")) == 2 * expected


@pytest.mark.parametrize("moment", ["before-commit", "before-replies", "after-first-reply"])
def test_the_retry_after_a_crash_gives_one_bill(bench: Any, moment: str) -> None:
    """INV-04, L01, L05: reply after commit plus business keys make a lost reply harmless."""
    link = bench.boot()
    _, payload = stage_stop(bench, link)
    got_out: list[Effect] = []
    if moment != "before-commit":
        with pytest.raises(Died):
            bench.stage(link, "Heartbeat")
            bench.csms.flush(bench.now, die_after(1 if moment == "after-first-reply" else 0, got_out))
    assert len(got_out) == (1 if moment == "after-first-reply" else 0)
    bench.restart()
    bench.now += HOUR
    assert bench.call(bench.connect(), "StopTransaction", **payload) == {}
    bench.bill_all()
    assert len(bench.book("bills")) == len(bench.book("journal")) == 1
    assert bench.only("sessions")["state"] == "billed"
    assert bench.book("quarantine") == []


def test_no_reply_leaves_before_the_commit(bench: Any) -> None:
    """A reply speaks of what lasts: at the moment it is released, a restart finds it."""
    link = bench.boot()
    stage_stop(bench, link)
    states: list[str] = []

    def release(effect: Effect) -> None:
        copy = assemble(bench.setup)
        rows = copy.books(bench.now)["books_transactions"]
        states.append(rows[0]["state"])  # type: ignore[index]

    bench.csms.flush(bench.now, release)
    assert states == ["closed"]


def test_a_dead_back_end_cannot_write_any_more(bench: Any) -> None:
    """Fenced: an object that should be dead raises instead of writing beside its successor."""
    link = bench.boot()
    dead, machine = bench.csms, bench.links[link]
    bench.restart()
    bench.csms, bench.links = dead, {link: machine}
    with pytest.raises(Fenced):
        bench.start(link)


def test_live_state_is_written_in_batches_and_survives_with_them(bench: Any) -> None:
    link = bench.boot()
    bench.call(link, "StatusNotification", connectorId=1, errorCode="NoError", status="Available")
    bench.wait(HOUR)
    seen = bench.book("stations")[0]["last_seen"]
    bench.restart()
    row = bench.book("stations")[0]
    assert (row["last_seen"], row["registration"], row["connected"]) == (seen, "accepted", 0)
    assert '"statuses":{"1":["Available"' in row["data"]
