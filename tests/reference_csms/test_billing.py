"""From a stop to a bill: rated once, posted once, numbered without gaps, with the numbers that were signed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from reference_csms.billing.documents.html import bill_html
from reference_csms.billing.ledger import entry_from_row, problems
from reference_csms.billing.run import DELAY, PAUSE, Outbox
from sim.backend import Setup
from sim.clock import HOUR, MINUTE, SECOND, Instant, parse_iso

NOON = parse_iso("2026-06-10T12:00:00Z")


def test_a_session_is_rated_once_and_becomes_one_bill(bench: Any) -> None:
    """B02, B03: one effective rating, one bill. 10 kWh x 0.49 + 0.50 = 5.40."""
    bench.charge(bench.boot())
    assert bench.book("bills") == []
    bench.bill_all()
    session, cdr, rated, bill = (bench.only(name) for name in ("sessions", "cdrs", "rated", "bills"))
    assert session["state"] == "billed"
    assert (rated["cdr_id"], rated["effective"], rated["version"]) == (cdr["cdr_id"], 1, 1)
    assert (bill["gross"], bill["net"], bill["vat"]) == (rated["gross"], rated["net"], rated["vat"]) == (540, 454, 86)
    assert (bill["seller"], bill["customer"], bill["number"]) == ("city", "cust-a", "CITY-legacy-000001")


class Nowhere:
    """A store that keeps nothing, and numbers that are all the same."""

    def find(self, *where: Any) -> list[Any]:
        return []

    def insert(self, *row: Any) -> None: ...

    def update(self, *row: Any) -> None: ...

    def next(self, circle: str) -> int:
        return 1


@pytest.mark.parametrize(("more", "at_once"), [({}, 1), ({"pause": 0}, 3)])
def test_a_virtual_day_bills_one_session_at_a_time_and_a_server_as_many_as_it_can(more: Any, at_once: int) -> None:
    outbox = Outbox(Nowhere(), Nowhere(), **more)  # type: ignore[arg-type]
    for number in range(3):
        outbox.add(f"S-{number}", "rated", NOON)
    due = Instant(NOON + DELAY)
    assert outbox.take(Instant(due - 1)) is None
    assert [outbox.take(due) is not None for _ in range(4)].count(True) == at_once
    assert outbox.next_due() == (Instant(due + PAUSE) if at_once == 1 else None)


def test_billed_energy_is_the_difference_of_the_signed_registers(bench: Any) -> None:
    """B06, INV-31: exactly, with the signed decimals."""
    bench.charge(bench.boot(), wh=12_345)
    bench.bill_all()
    data = json.loads(bench.only("bills")["data"])
    first, last = data["verification"]["readings"][0], data["verification"]["readings"][-1]
    assert (first["value"], last["value"]) == ("10.000", "22.345")
    assert data["session"]["kwh"] == data["lines"][0]["billed_quantity"] == bench.only("cdrs")["kwh"] == "12.345"


def test_the_journal_balances_and_its_chain_verifies(bench: Any) -> None:
    """L01, L05: also after a restart in the middle."""
    bench.charge(bench.boot())
    bench.bill_all()
    bench.restart()
    bench.charge(bench.boot(), "TOK-S")
    bench.bill_all()
    rows = bench.book("journal")
    assert list(problems(entry_from_row(row) for row in rows)) == []
    for row in rows:
        assert sum(amount for _, _, amount in json.loads(row["postings"])) == 0
    assert [account for account, _, _ in json.loads(rows[1]["postings"])] == [
        "receivable:cust-s",
        "revenue:city",
        "vat:city",
    ]


def test_the_journal_names_the_bill_and_the_hash_of_its_data(bench: Any) -> None:
    """D01, L02: ledger and document cannot drift apart."""
    bench.charge(bench.boot())
    bench.bill_all()
    bill, entry = bench.only("bills"), bench.only("journal")
    assert hashlib.sha256(bill["data"].encode()).hexdigest() == bill["data_hash"]
    assert entry["ref"] == f"{bill['number']} sha256:{bill['data_hash']}"
    assert entry["seq"] == bill["journal_seq"]


def test_bill_numbers_are_gap_free_in_each_sellers_circle(bench: Any) -> None:
    """L06."""
    hall, quay = bench.boot("CS-1"), bench.boot("CS-3")
    for link in (hall, quay, hall):
        bench.charge(link)
    bench.bill_all()
    assert sorted(bill["number"] for bill in bench.book("bills")) == [
        "CITY-legacy-000001",
        "CITY-legacy-000002",
        "PORT-legacy-000001",
    ]


def test_a_session_below_the_minimum_is_free_with_its_reason(bench: Any) -> None:
    """B12: a CDR, no bill, an explicit reason."""
    bench.charge(bench.boot(), wh=99)
    bench.bill_all()
    assert (bench.only("sessions")["state"], bench.only("sessions")["reason"]) == ("free", "below-minimum")
    assert bench.only("rated")["gross"] == 0
    assert bench.book("bills") == bench.book("quarantine") == []


def test_a_guest_is_billed_under_the_guests_token(bench: Any) -> None:
    bench.charge(bench.boot(), "GUEST-7")
    bench.bill_all()
    assert bench.only("bills")["customer"] == "GUEST-7"
    data = json.loads(bench.only("bills")["data"])
    assert data["customer"]["token"] == "••••••ST-7"


def test_a_group_gets_its_discount(bench: Any) -> None:
    """10 kWh x 0.49 x 0.9 + 0.50 = 4.91."""
    bench.charge(bench.boot(), "TOK-S")
    bench.bill_all()
    assert bench.only("bills")["gross"] == 491


def test_the_tariff_is_frozen_at_the_start(bench: Any) -> None:
    """T02: a tariff that changes in mid-session does not change the bill."""
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading("B", bench.now))]
    transaction = bench.start(link)["transactionId"]
    dearer = {**bench.setup.provision["tariffs"][0], "version": 2, "start_fee": "99", "valid_from": bench.now + 1}
    bench.operate("import", what="tariffs", rows=[dearer])
    bench.wait(HOUR)
    texts.append(meter.sign("TOK-A", meter.reading("E", bench.now, 10_000)))
    bench.stop(link, transaction, meter.register, *texts)
    bench.charge(link)
    bench.bill_all()
    assert [(bill["gross"]) for bill in bench.book("bills")] == [540, 490 + 9900]


# -- idle time --------------------------------------------------------------------------------------------------------


def idle_session(bench: Any, *marks: tuple[int, str, int]) -> None:
    """Begin, then (after ms, mark, Wh) for each further signed reading."""
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-A", meter.reading("B", bench.now))]
    transaction = bench.start(link)["transactionId"]
    for ms, mark, wh in marks:
        bench.wait(ms)
        texts.append(meter.sign("TOK-A", meter.reading(mark, bench.now, wh)))
    bench.stop(link, transaction, meter.register, *texts)
    bench.bill_all()


def idle_line(bench: Any) -> Any:
    lines = json.loads(bench.only("rated")["lines"])
    return next((line for line in lines if line["component"] == "idle"), None)


def test_idle_runs_from_the_end_of_drawing_to_the_end(bench: Any) -> None:
    """40 min idle, 30 free: 10 min x 0.10 = 1.00."""
    idle_session(bench, (HOUR, "S", 10_000), (40 * MINUTE, "E", 0))
    assert (idle_line(bench)["billed_quantity"], idle_line(bench)["amount"]) == ("600", 100)


def test_a_withheld_minute_is_never_idle(bench: Any) -> None:
    """INV-35, T11: C ends the idle time, also when the reason is that power is withheld."""
    idle_session(bench, (HOUR, "S", 10_000), (10 * MINUTE, "C", 0), (3 * HOUR, "E", 0))
    assert bench.only("cdrs")["idle_seconds"] == 600
    assert idle_line(bench) is None


def test_idle_goes_on_over_a_price_change(bench: Any) -> None:
    """T in between ends nothing: 20 + 20 min, 30 free, 10 min x 0.10."""
    idle_session(bench, (HOUR, "S", 10_000), (20 * MINUTE, "T", 0), (20 * MINUTE, "E", 0))
    assert idle_line(bench)["amount"] == 100


@pytest.mark.parametrize(
    ("time_billing", "letter", "billable"),
    [
        ("absolute", "S", True),
        ("absolute", "R", False),
        ("absolute", "I", False),
        ("duration", "S", True),
        ("duration", "R", True),
        ("duration", "I", False),
        ("none", "S", False),
    ],
)
def test_time_is_billed_only_where_certificate_and_clock_allow_it(
    make_bench: Any, sheet: Any, time_billing: str, letter: str, billable: bool
) -> None:
    """T10: no time component from a clock that is not approved for it."""
    sheet["meters"][0]["time_billing"] = time_billing
    bench = make_bench(Setup(name="legacy", seed=1, provision=sheet))
    bench.meter().letter = letter
    idle_session(bench, (HOUR, "S", 10_000), (40 * MINUTE, "E", 0))
    assert bench.only("cdrs")["time_billable"] == int(billable)
    assert (idle_line(bench) is not None) == billable
    assert bench.only("bills")["gross"] == (640 if billable else 540)


def test_a_price_change_over_local_22_00_is_billed_by_its_signed_reading(bench: Any) -> None:
    """19:30 to 20:30 UTC is 21:30 to 22:30 in Berlin: 4 kWh x 0.49 + 4 kWh x 0.39 + 0.50 = 4.02."""
    bench.now = parse_iso("2026-06-10T19:30:00Z")
    idle_session(bench, (30 * MINUTE, "T", 4000), (30 * MINUTE, "E", 4000))
    lines = json.loads(bench.only("rated")["lines"])
    assert [(line["component"], line["amount"]) for line in lines] == [("energy", 196), ("energy", 156), ("start", 50)]


# -- the run ----------------------------------------------------------------------------------------------------------


def test_a_run_bills_one_session_per_unit_of_work(bench: Any) -> None:
    """Other things happen between two bills: that is where races would show."""
    links = [bench.boot(station) for station in ("CS-1", "CS-2", "CS-3")]
    for link in links:
        bench.charge(link, lasts=SECOND, wh=104)
    moments = []
    while len(bench.book("bills")) < 3:
        bench.now = bench.csms.next_deadline()
        bench.csms.tick(bench.now)
        bench.flush()
        moments.append(len(bench.book("bills")))
    assert moments == [1, 2, 3]


def test_a_run_that_dies_goes_on_after_the_restart_without_a_gap_or_a_double(bench: Any) -> None:
    """B10, L06: the bill in hand is undone whole, number and journal entry included."""
    link = bench.boot()
    for _ in range(3):
        bench.charge(link, lasts=SECOND, wh=104)
    bench.now = bench.csms.next_deadline()
    bench.csms.tick(bench.now)
    bench.restart()
    assert bench.book("bills") == bench.book("journal") == []
    bench.flush()
    bench.bill_all()
    assert [bill["number"][-6:] for bill in bench.book("bills")] == ["000001", "000002", "000003"]
    assert list(problems(entry_from_row(row) for row in bench.book("journal"))) == []


def test_after_a_restart_nothing_is_wanted_in_the_past(bench: Any) -> None:
    """Nobody knows the time before the first event; a wake-up in the past would be an error of the runtime."""
    bench.charge(bench.boot())
    bench.restart()
    assert bench.csms.next_deadline() is None
    bench.now += 5 * HOUR
    bench.flush()
    assert bench.csms.next_deadline() > bench.now


# -- the document -----------------------------------------------------------------------------------------------------


def test_the_bill_shows_all_a_customer_needs_to_check_it(bench: Any) -> None:
    """Seller, place, local times, energy, lines with reasons, VAT, total, meter, key and the exact records."""
    bench.charge(bench.boot(), "TOK-S2", idle=40 * MINUTE, lasts=2 * HOUR)
    bench.bill_all()
    html = bill_html(bench.only("bills"))
    meter = bench.setup.provision["meters"][0]
    for text in (
        "City Energy",
        "CITY-legacy-000001",
        "2026-06-10 12:00:00 CEST",
        "10.000 kWh",
        "0.49 EUR/kWh - 10 %",
        "0:10:00 h of 0:40:00 h",
        "12:00 to 13:20",
        "the first 30 min are free",
        "10 % off for group staff",
        "VAT 19 %",
        "5.91 EUR",
        "M-CS-1-1",
        meter["public_key"],
        bench.only("bills")["data_hash"],
    ):
        assert text in html, text
    for record in bench.book("records"):
        assert record["text"].replace('"', "&#34;") in html
    assert "http" not in html.replace("http-equiv", "")


def test_a_bill_is_the_same_page_each_time_and_refuses_data_that_were_changed(bench: Any) -> None:
    bench.charge(bench.boot())
    bench.bill_all()
    row = bench.only("bills")
    assert bill_html(row) == bill_html(dict(row))
    with pytest.raises(ValueError, match="do not fit"):
        bill_html({**row, "data": row["data"].replace("540", "541")})


def test_names_cannot_smuggle_html_into_a_bill(make_bench: Any, sheet: Any) -> None:
    sheet["owners"][0]["name"] = "<script>alert(1)</script>"
    bench = make_bench(Setup(name="legacy", seed=1, provision=sheet))
    bench.charge(bench.boot())
    bench.bill_all()
    html = bill_html(bench.only("bills"))
    assert "<script>" not in html and "&lt;script&gt;" in html
