"""The check before billing: each way in which signed values can fail, and the reason that goes into the quarantine."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from sim.backend import Setup
from sim.clock import DAY, HOUR, MINUTE, iso
from sim.rng import derive
from sim.wire import ocmf


def run(bench: Any, forge: Callable[[Any, list[str]], list[str]], token: str = "TOK-A", **stop: Any) -> dict[str, Any]:
    """A session of 9 kWh whose records are what `forge` makes of the good ones; returns the session row."""
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign(token, meter.reading("B", bench.now))]
    transaction = bench.start(link, token)["transactionId"]
    bench.wait(HOUR)
    texts.append(meter.sign(token, meter.reading("E", bench.now, 9000)))
    bench.stop(link, transaction, meter.register, *forge(bench, texts), **stop)
    bench.bill_all()
    row: dict[str, Any] = bench.only("sessions")
    return row


def resigned(bench: Any, which: int, **changes: Any) -> Callable[[Any, list[str]], list[str]]:
    """Replace one record by another that the meter really signed."""

    def forge(bench: Any, texts: list[str]) -> list[str]:
        record = ocmf.parse(texts[which])
        meter = bench.meter()
        meter.page = which
        readings = tuple(replace(r, **changes.pop("reading", {})) for r in record.readings)
        texts[which] = meter.sign(changes.pop("id_tag", record.id_tag), *readings, **changes)
        return texts

    return forge


def test_a_good_session_is_billed(bench: Any) -> None:
    assert run(bench, lambda bench, texts: texts)["state"] == "billed"
    assert {row["verdict"] for row in bench.book("records")} == {"billable"}


@pytest.mark.parametrize(
    ("name", "forge", "reason", "verdicts"),
    [
        (
            "tampered end",
            lambda b, t: [t[0], ocmf.tamper(t[1])],
            "wrong-signature",
            ["not-billable", "wrong-signature"],
        ),
        (
            "tampered begin",
            lambda b, t: [ocmf.tamper(t[0]), t[1]],
            "wrong-signature",
            ["not-billable", "wrong-signature"],
        ),
        ("a blank more", lambda b, t: [t[0].replace("|{", "| {", 1), t[1]], "wrong-signature", None),
        ("a shorter number", lambda b, t: [t[0], t[1].replace("19.000", "19.0")], "wrong-signature", None),
        ("no records", lambda b, t: [], "record-missing", []),
        ("no end", lambda b, t: t[:1], "record-missing", ["not-billable"]),
        ("no begin", lambda b, t: t[1:], "record-missing", ["not-billable"]),
        ("cut in the middle", lambda b, t: [t[0], t[1][:80]], "malformed-record", ["malformed", "not-billable"]),
        ("no record at all", lambda b, t: [t[0], "hello"], "malformed-record", ["malformed", "not-billable"]),
        ("a second begin", lambda b, t: [*t, second_begin(b)], "not-billable", ["not-billable"] * 3),
        ("a page missing", lambda b, t: [t[0], page_later(b)], "record-missing", ["not-billable"] * 2),
        ("another station", lambda b, t: resigned(b, 1, station_id="CS-2")(b, t), "key-unknown", None),
        ("another connector", lambda b, t: resigned(b, 1, connector=2)(b, t), "key-unknown", None),
        ("another person", lambda b, t: resigned(b, 1, id_tag="TOK-S")(b, t), "not-billable", None),
        ("bad state", lambda b, t: resigned(b, 1, reading={"state": "E"})(b, t), "not-billable", None),
        ("energy error", lambda b, t: resigned(b, 1, reading={"error_flags": "E"})(b, t), "not-billable", None),
        ("export register", lambda b, t: resigned(b, 1, reading={"register": "1-0:2.8.0"})(b, t), "not-billable", None),
        ("other register", lambda b, t: resigned(b, 1, reading={"register": "1-b:1.8.0"})(b, t), "not-billable", None),
        ("no energy unit", lambda b, t: resigned(b, 1, reading={"unit": "sec"})(b, t), "not-billable", None),
        ("exception", lambda b, t: resigned(b, 1, reading={"mark": "X"})(b, t), "not-billable", None),
        ("time falls", lambda b, t: resigned(b, 1, reading={"at": b.now - DAY})(b, t), "not-billable", None),
        ("register falls", lambda b, t: resigned(b, 1, reading={"value": ocmf.kwh(9_000)})(b, t), "not-billable", None),
        ("33 digits", lambda b, t: resigned(b, 1, reading={"value": ocmf.kwh(10**33)})(b, t), "not-billable", None),
        (
            "huge exponent",
            lambda b, t: resigned(b, 1, reading={"value": Decimal("1e30")})(b, t),
            "not-billable",
            None,
        ),
    ],
)
def test_what_fails_is_held_with_its_reason_and_never_billed(
    bench: Any, name: str, forge: Any, reason: str, verdicts: list[str] | None
) -> None:
    """INV-29: failures never reach an invoice; INV-03: the session ends in the quarantine with its energy."""
    row = run(bench, forge)
    assert (row["state"], row["reason"]) == ("quarantined", reason), name
    assert bench.book("bills") == bench.book("journal") == bench.book("rated") == []
    held = bench.only("quarantine")
    assert (held["reason"], held["energy_wh"], held["session_id"]) == (reason, 9000, row["session_id"])
    assert held["detail"] and held["actor"]
    if verdicts is not None:
        assert sorted(record["verdict"] for record in bench.book("records")) == verdicts


def second_begin(bench: Any) -> str:
    meter = bench.meter()
    return str(meter.sign("TOK-A", meter.reading("B", bench.now)))


def page_later(bench: Any) -> str:
    """The end record with a page between it and the begin: an intermediate record was removed."""
    meter = bench.meter()
    return str(meter.sign("TOK-A", meter.reading("E", bench.now)))


def test_the_key_must_be_registered(make_bench: Any, sheet: Any) -> None:
    """B11: a session with an unknown public key is never priced."""
    sheet["meters"][0]["registered"] = False
    row = run(make_bench(Setup(name="legacy", seed=1, provision=sheet)), lambda bench, texts: texts)
    assert (row["state"], row["reason"]) == ("quarantined", "key-unknown")


def test_the_key_must_be_valid_at_the_time_of_the_reading(make_bench: Any, sheet: Any) -> None:
    sheet["meters"][0]["valid_to"] = "2026-06-10T10:00:00Z"
    row = run(make_bench(Setup(name="legacy", seed=1, provision=sheet)), lambda bench, texts: texts)
    assert row["reason"] == "key-unknown"


def test_after_a_meter_swap_old_and_new_key_are_both_used_at_their_time(make_bench: Any, sheet: Any) -> None:
    swap = "2026-06-10T12:00:00Z"
    old = sheet["meters"][0]
    new_key = ocmf.private_key(derive("test", "new"))
    sheet["meters"].append({**old, "public_key": ocmf.public_key_hex(new_key), "valid_from": swap})
    old["valid_to"] = swap
    bench = make_bench(Setup(name="legacy", seed=1, provision=sheet))
    link = bench.boot()
    bench.charge(link)
    bench.wait(2 * HOUR)
    bench.meter().key = new_key
    bench.charge(link)
    bench.bill_all()
    assert [row["state"] for row in bench.book("sessions")] == ["billed", "billed"]
    assert len({row["key_id"] for row in bench.book("records")}) == 2


def test_a_key_that_comes_along_is_never_trusted(bench: Any) -> None:
    """A record re-signed with a forged key is wrong, whatever key the message offers."""
    forged = ocmf.private_key(derive("test", "forger"))
    row = run(bench, resigned(bench, 1, key=forged))
    assert row["reason"] == "wrong-signature"


def test_a_record_that_another_session_brought_before_is_a_replay(bench: Any) -> None:
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading(m, bench.now, add)) for m, add in (("B", 0), ("E", 5000))]
    for n in range(2):
        transaction = bench.start(link, meterStart=10_000 + n)["transactionId"]
        bench.wait(HOUR)
        bench.stop(link, transaction, 15_000 + n, *texts)
    bench.bill_all()
    assert [(row["state"], row["reason"]) for row in bench.book("sessions")] == [
        ("billed", None),
        ("quarantined", "replay"),
    ]
    assert len(bench.book("bills")) == 1
    assert sorted(row["verdict"] for row in bench.book("records")) == ["billable", "billable", "replay", "replay"]


def test_the_same_record_twice_in_one_message_is_one_record(bench: Any) -> None:
    assert run(bench, lambda bench, texts: [*texts, texts[1]])["state"] == "billed"


def test_an_unknown_token_is_held(bench: Any) -> None:
    """B11: unknown token is never priced 0 silently."""
    row = run(bench, lambda bench, texts: texts, token="NOBODY")
    assert (row["state"], row["reason"], row["customer"]) == ("quarantined", "unknown-token", None)


def test_a_token_that_was_refused_at_the_start_is_not_billed(bench: Any) -> None:
    """INV-20."""
    row = run(bench, lambda bench, texts: texts, token="TOK-B")
    assert (row["state"], row["reason"]) == ("quarantined", "not-billable")


def test_an_unknown_tariff_is_held(make_bench: Any, sheet: Any) -> None:
    """B11: tariff not found is an error state, never price 0."""
    sheet["sites"][0]["tariff_id"] = "lost"
    row = run(make_bench(Setup(name="legacy", seed=1, provision=sheet)), lambda bench, texts: texts)
    assert (row["state"], row["reason"], row["tariff_id"]) == ("quarantined", "unknown-tariff", None)


@pytest.mark.parametrize("meter_stop", [9_000, 19_200, 18_000])
def test_raw_registers_that_contradict_the_signed_ones_are_implausible(bench: Any, meter_stop: int) -> None:
    """INV-08: negative energy, or another energy than was signed."""
    row = run(bench, lambda bench, texts: texts, meterStop=meter_stop)
    assert row["reason"] == "implausible"


def test_more_energy_than_power_and_time_allow_is_implausible(bench: Any) -> None:
    """INV-08: 30 kWh in one hour from a 22 kW point; 24 kWh would still pass (10 % slack)."""
    link = bench.boot()
    bench.charge(link, wh=24_000)
    bench.charge(link, wh=30_000)
    bench.bill_all()
    assert [row["state"] for row in bench.book("sessions")] == ["billed", "quarantined"]
    assert bench.only("quarantine")["reason"] == "implausible"


def test_a_clock_that_was_never_set_is_implausible(bench: Any) -> None:
    def forge(bench: Any, texts: list[str]) -> list[str]:
        meter = bench.meter()
        meter.page, meter.register = 0, 10_000
        readings = [meter.reading("B", 1000), meter.reading("E", 1000 + HOUR, 9000)]
        return [meter.sign("TOK-A", reading) for reading in readings]

    assert run(bench, forge)["reason"] == "implausible"


def test_one_record_with_all_readings_is_as_good_as_one_for_each(bench: Any) -> None:
    """OCMF `single` meters: begin, price change and end in one record."""
    link, meter = bench.boot(), bench.meter()
    readings = [meter.reading("B", bench.now)]
    transaction = bench.start(link)["transactionId"]
    bench.wait(30 * MINUTE)
    readings.append(meter.reading("T", bench.now, 4000))
    bench.wait(30 * MINUTE)
    readings.append(meter.reading("E", bench.now, 4000))
    bench.stop(link, transaction, meter.register, meter.sign("TOK-A", *readings))
    bench.bill_all()
    assert bench.only("sessions")["state"] == "billed"
    assert bench.only("cdrs")["kwh"] == "8.000"


def test_readings_in_wh_are_billed_exactly_in_kwh(bench: Any) -> None:
    """INV-31: with the signed decimals."""

    def in_wh(bench: Any, texts: list[str]) -> list[str]:
        made = []
        for n, text in enumerate(texts):
            (reading,) = ocmf.parse(text).readings
            bench.meter().page = n
            wh = replace(reading, value=reading.value.scaleb(3), unit="Wh")
            made.append(bench.meter().sign("TOK-A", wh))
        return made

    assert run(bench, in_wh)["state"] == "billed"
    assert bench.only("cdrs")["kwh"] == "9.000"


def test_records_are_found_in_every_form_stations_send(bench: Any) -> None:
    """The OCA form, and the bare record that many stations send instead."""
    link, meter = bench.boot(), bench.meter()
    begin = meter.sign("TOK-A", meter.reading("B", bench.now))
    transaction = bench.start(link)["transactionId"]
    bench.wait(HOUR)
    end = meter.sign("TOK-A", meter.reading("E", bench.now, 3000))
    data = [
        {"timestamp": iso(bench.now), "sampledValue": [{"value": "13000"}, {"value": begin, "format": "SignedData"}]},
        {"timestamp": iso(bench.now), "sampledValue": [{"value": ocmf.wrap(end), "format": "SignedData"}]},
    ]
    bench.stop(link, transaction, meter.register, transactionData=data)
    bench.bill_all()
    assert bench.only("sessions")["state"] == "billed"
    assert {row["text"] for row in bench.book("records")} == {begin, end}
