"""The composition root: each decision can be replaced by name, and the replacement is what then happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from reference_csms import PARTS, assemble
from reference_csms.billing.ledger import post_bill
from reference_csms.matching import Match
from reference_csms.parts import Parts
from reference_csms.pricing.rating import rate
from sim.backend import Setup
from sim.clock import DAY, HOUR, MINUTE, Instant, iso, parse_iso
from sim.errors import BadInput
from sim.wire import ocmf


def test_every_part_is_described_and_every_description_is_a_part() -> None:
    assert tuple(PARTS) == Parts.__struct_fields__


def test_an_unknown_part_is_a_clear_type_error() -> None:
    with pytest.raises(TypeError, match="unknown part verify_recrod; the parts are transaction_ids"):
        assemble(Setup(name="x", seed=1, provision={}), verify_recrod=None)


@pytest.mark.parametrize(
    ("what", "row", "place"),
    [
        ("owners", {"owner": "o", "currency": "EUR", "zone": "Mars/Base"}, "owners[0].zone"),
        ("sites", {"site": "s"}, "sites[0].owner"),
        ("stations", {"site": "s"}, "stations[0].station"),
        ("stations", {"station": "c", "site": "s", "registration": "maybe"}, "stations[0].registration"),
        ("meters", {"meter_id": "m", "station": "c", "connector": "1"}, "meters[0].connector"),
        ("tokens", {"token": "t", "status": "fine"}, "tokens[0].status"),
        ("tokens", {"token": "t", "expires_at": "soon"}, "tokens[0].expires_at"),
    ],
)
def test_a_wrong_instruction_sheet_is_one_sentence_with_its_place(what: str, row: Any, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        assemble(Setup(name="x", seed=1, provision={what: [row]}))
    assert caught.value.place == place


def tampered(bench: Any) -> None:
    """A session whose end record was tampered with: 5 kWh signed, another digit sent."""
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading("B", bench.now))]
    transaction = bench.start(link)["transactionId"]
    bench.wait(HOUR)
    texts.append(ocmf.tamper(meter.sign("TOK-A", meter.reading("E", bench.now, 5000))))
    bench.stop(link, transaction, meter.register, *texts)
    bench.bill_all()


def test_without_verification_a_tampered_record_is_billed(make_bench: Any) -> None:
    bench = make_bench(verify_record=lambda record, key: True)
    tampered(bench)
    assert json.loads(bench.only("bills")["data"])["session"]["kwh"] == "5.001"


def test_without_a_gate_what_should_be_held_is_billed(make_bench: Any) -> None:
    bench = make_bench(gate=lambda reason: None)
    tampered(bench)
    assert bench.only("bills")["gross"] > 0
    assert {row["verdict"] for row in bench.book("records")} == {"wrong-signature", "not-billable"}


def test_even_without_a_gate_nothing_is_billed_that_cannot_be_priced(make_bench: Any) -> None:
    """B11: no records, nothing to price: held all the same, never priced 0."""
    bench = make_bench(gate=lambda reason: None)
    link = bench.boot()
    bench.stop(link, bench.start(link)["transactionId"], 12_000)
    bench.bill_all()
    assert (bench.only("sessions")["reason"], bench.book("bills")) == ("record-missing", [])


def test_without_deduplication_a_repeated_stop_is_billed_twice(make_bench: Any) -> None:
    bench = make_bench(deduplicate_stop=lambda session, stop: "close")
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading(m, bench.now, add)) for m, add in (("B", 0), ("E", 5000))]
    transaction = bench.start(link, meterStart=10_000)["transactionId"]
    bench.wait(HOUR)
    for _ in range(2):
        bench.stop(link, transaction, meter.register, *texts)
    bench.bill_all()
    assert [bill["session_id"] for bill in bench.book("bills")] == ["legacy-s-000001"] * 2


def test_matching_by_id_alone_stops_the_session_of_another_station(make_bench: Any) -> None:
    bench = make_bench(match_stop=lambda view, stop: Match(view.by_transaction(stop.transaction_id)[0]))
    one, other = bench.boot("CS-1"), bench.boot("CS-2")
    bench.stop(one, bench.start(other)["transactionId"], 20_000)
    assert bench.only("transactions")["state"] == "closed"


def test_releasing_before_committing_loses_what_was_answered(make_bench: Any) -> None:
    class Died(Exception):
        pass

    def release_first(commit: Any, release: Any) -> None:
        release()
        commit()

    bench = make_bench(committer=release_first)
    link, out = bench.boot(), []

    def one_gets_out(effect: Any) -> None:
        out.append(effect)
        raise Died

    id = bench.stage(link, "StartTransaction", connectorId=1, idTag="TOK-A", meterStart=1, timestamp=iso(bench.now))
    with pytest.raises(Died):
        bench.csms.flush(bench.now, one_gets_out)
    bench.restart()
    assert bench.reply(out, id)["transactionId"] == 501
    assert bench.book("transactions") == []


def test_ids_that_begin_at_one_again_are_in_nobodys_way_but_the_checks(make_bench: Any) -> None:
    """Even an id used twice must not crash: the invariant INV-07 is for a check to find."""
    bench = make_bench(transaction_ids=lambda base, n: 1)
    link = bench.boot()
    assert [bench.start(link, connector=c)["transactionId"] for c in (1, 2)] == [1, 1]
    assert len(bench.book("transactions")) == 2


def test_a_stop_timed_at_its_arrival_makes_idle_time_longer(make_bench: Any) -> None:
    bench = make_bench(stop_time=lambda claimed, received: received)
    link, meter = bench.boot(), bench.meter()
    transaction, at = bench.start(link)["transactionId"], bench.now
    marks = (("B", 0, 0), ("S", HOUR, 5000), ("E", HOUR + MINUTE, 0))
    texts = [meter.sign("TOK-A", meter.reading(m, at + after, add)) for m, after, add in marks]
    bench.wait(5 * HOUR)
    bench.stop(link, transaction, meter.register, *texts, timestamp=iso(at + HOUR + MINUTE))
    assert bench.only("cdrs")["idle_seconds"] == 4 * 3600
    assert bench.only("sessions")["stopped_at"] == at + 5 * HOUR


def test_a_rule_of_idle_time_can_be_replaced(make_bench: Any) -> None:
    bench = make_bench(idle_intervals=lambda readings: [(readings[0].at, readings[-1].at)])
    bench.charge(bench.boot(), lasts=2 * HOUR)
    assert bench.only("cdrs")["idle_seconds"] == 7200


def test_prices_can_be_transformed_on_their_way_in(make_bench: Any) -> None:
    def dearer(rows: Any) -> Any:
        return [{**row, "start_fee": "0.51"} for row in rows]

    bench = make_bench(tariffs=dearer)
    bench.charge(bench.boot())
    bench.bill_all()
    assert bench.only("bills")["gross"] == 541
    assert bench.csms.quote({"kind": "grid", "site": "hall", "grp": None, "at": bench.now}, bench.now)["components"][
        1
    ] == {
        "component": "start",
        "price": "0.51",
        "currency": "EUR",
        "vat_percent": "19",
    }


def test_local_time_can_be_taken_for_utc(make_bench: Any) -> None:
    """20:30 UTC is 22:30 in Berlin: night price by local time, day price by UTC."""
    grosses = []
    for parts in ({}, {"local_time": lambda instant, zone: instant % DAY // MINUTE}):
        bench = make_bench(**parts)
        bench.now = parse_iso("2026-06-10T20:30:00Z")
        bench.charge(bench.boot())
        bench.bill_all()
        grosses.append(bench.only("bills")["gross"])
    assert grosses == [440, 540]


def test_an_unbalanced_posting_needs_two_parts_to_get_in(make_bench: Any) -> None:
    """L01: the ledger itself refuses; only a bench that also takes its guard away lets a check find it."""

    def short(seller: str, customer: str, rated: Any) -> Any:
        return post_bill(seller, customer, rated)[:2]

    bench = make_bench(post=short, check_posting=lambda postings: None)
    bench.charge(bench.boot())
    bench.bill_all()
    assert sum(amount for _, _, amount in json.loads(bench.only("journal")["postings"])) == 86


def test_remaining_decisions_can_be_replaced(make_bench: Any) -> None:
    bench = make_bench(
        admit_call=lambda action, accepted: True,
        authorize=lambda token, site, now: "Accepted",
        may_remote_start=lambda accepted, decision: True,
        time_billable=lambda time_billing, readings: True,
        chain_hash=lambda *entry: "0" * 64,
        rate=lambda cdr, tariff, policy: replace(rate(cdr, tariff, policy), gross=1, net=1, vat=0),
    )
    link = bench.connect()
    assert bench.call(link, "Authorize", idTag="NOBODY") == {"idTagInfo": {"status": "Accepted"}}
    bench.operate("hold-station", station="CS-1")
    link = bench.boot()
    bench.operate("call", station="CS-1", action="RemoteStartTransaction", payload={"idTag": "NOBODY"})
    assert [call.action for call in bench.calls(bench.out)] == ["RemoteStartTransaction"]
    bench.charge(link)
    bench.bill_all()
    assert (bench.only("bills")["gross"], bench.only("journal")["hash"]) == (1, "0" * 64)


def test_the_same_day_twice_gives_the_same_books_and_the_same_bytes(make_bench: Any) -> None:
    """INV-39: same seed, same events, same bytes on the wire and in the ledger."""
    runs = []
    for _ in range(2):
        bench = make_bench()
        sent = []
        link = bench.boot()
        bench.charge(link, "TOK-S", idle=40 * MINUTE, lasts=2 * HOUR)
        sent += bench.out
        bench.operate("call", station="CS-1", action="ClearCache")
        sent += bench.out
        sent += bench.wait(DAY)
        runs.append((sent, bench.csms.books(Instant(bench.now))))
    assert runs[0] == runs[1]
