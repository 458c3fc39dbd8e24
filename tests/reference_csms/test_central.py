"""Central billing: shards rate, one office numbers and posts for all, whatever order they come in and whoever dies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_csms.billing.central import CentralBilling
from reference_csms.billing.ledger import problems
from sim.backend import Setup
from sim.clock import DAY, Instant
from sim.errors import BadInput


@pytest.fixture
def shard(make_bench: Any, sheet: Any) -> Any:
    """Makes a shard in which so many sessions were rated: `shard("east", 2)`."""

    def make(name: str, sessions: int, **options: Any) -> Any:
        bench = make_bench(Setup(name=name, seed=1, provision=sheet, options={"billing": "central", **options}))
        for number in range(sessions):
            bench.charge(bench.boot(("CS-1", "CS-3")[number % 2]))
        bench.wait(DAY)
        return bench

    return make


def office(sheet: Any, **more: Any) -> CentralBilling:
    places = {what: sheet[what] for what in ("owners", "sites", "tariffs")}
    return CentralBilling(Setup(name="office", seed=1, provision=places, **more))


def test_a_shard_rates_and_never_bills(shard: Any) -> None:
    east = shard("east", 2)
    assert len(east.book("cdrs")) == len(east.book("rated")) == len(east.csms.unbilled()) == 2
    assert east.book("bills") == east.book("journal") == []
    assert {row["session_id"][:4] for row in east.book("sessions")} == {"east"}


def test_one_circle_of_numbers_and_one_journal_for_all_shards(shard: Any, sheet: Any) -> None:
    """L05, L06: in the order (time, shard, number), whichever shard was ready first."""
    east, west = shard("east", 3), shard("west", 2)
    parcels = [*west.csms.unbilled(), *east.csms.unbilled()]
    one, other = office(sheet), office(sheet)
    assert one.take(parcels, east.now) == other.take(reversed(parcels), east.now) == 5
    one.bill(east.now)
    other.bill(east.now)
    assert one.journal() == other.journal() and list(problems(one.journal())) == []
    bills = sorted(one.bills(), key=lambda bill: bill.journal_seq)
    assert [bill.number for bill in bills] == [
        "CITY-office-000001",
        "CITY-office-000002",
        "PORT-office-000001",
        "PORT-office-000002",
        "CITY-office-000003",
    ]
    assert [bill.session_id[:4] for bill in bills] == ["east", "west", "east", "west", "east"]


def test_the_postings_sum_to_the_rated_cdrs(shard: Any, sheet: Any) -> None:
    """L01, L02."""
    east = shard("east", 3)
    one = office(sheet)
    one.take(east.csms.unbilled(), east.now)
    one.bill(east.now)
    amounts = [posting.amount for entry in one.journal() for posting in entry.postings]
    assert sum(amounts) == 0
    assert sum(amount for amount in amounts if amount > 0) == sum(row["gross"] for row in east.book("rated")) > 0


def test_a_bill_says_what_the_back_ends_own_would_have_said(shard: Any, sheet: Any, make_bench: Any) -> None:
    own = make_bench(Setup(name="east", seed=1, provision=sheet))
    own.charge(own.boot())
    own.bill_all()
    east, one = shard("east", 1), office(sheet)
    one.take(east.csms.unbilled(), east.now)
    one.bill(east.now)
    (ours,), theirs = one.bills(), own.only("bills")
    said, meant = json.loads(ours.data), json.loads(theirs["data"])
    for name in ("number", "issued"):
        assert said.pop(name) != meant.pop(name)
    assert said == meant
    assert one.books(east.now)["books_sessions"] == own.book("sessions")


def test_what_is_handed_over_twice_is_billed_once(shard: Any, sheet: Any) -> None:
    """INV-02."""
    east, one = shard("east", 2), office(sheet)
    for new in (2, 0):
        assert one.take(east.csms.unbilled(), east.now) == new
        one.bill(east.now)
    assert len(one.bills()) == len(one.journal()) == 2


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_an_office_that_dies_goes_on_without_a_gap(
    shard: Any, sheet: Any, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L06: before the commit of any bill; its successor reads the same disk."""
    east, disk = shard("east", 3), {}
    first = office(sheet, disk=disk)
    first.take(east.csms.unbilled(), east.now)
    commit, commits = first._store.commit, []

    def dying() -> None:
        commits.append(1)
        if len(commits) == dies_at:
            raise SystemExit
        commit()

    monkeypatch.setattr(first._store, "commit", dying)
    with pytest.raises(SystemExit):
        first.bill(east.now)
    second = office(sheet, disk=disk)
    assert len(second.bills()) == dies_at - 1
    assert second.take(east.csms.unbilled(), east.now) == 0
    second.bill(Instant(east.now + DAY))
    assert sorted(bill.number for bill in second.bills()) == [
        "CITY-office-000001",
        "CITY-office-000002",
        "PORT-office-000001",
    ]
    assert list(problems(second.journal())) == []


@pytest.mark.parametrize(
    ("options", "problem"), [({"billing": "never"}, "'never' is unknown"), ({"money": {}}, "money could be taken")]
)
def test_a_shard_takes_no_money_and_no_other_word(shard: Any, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        shard("east", 0, **options)
