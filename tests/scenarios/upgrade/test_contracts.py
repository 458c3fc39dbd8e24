"""After a wave contracts and prepaid days move, each once; owners pay what they are invoiced, by whomever."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import Announced
from sim.clock import DAY, HOUR, parse_iso
from sim.machine import Command
from sim.runtimes.virtual import Crash

INVITED = parse_iso("2024-03-19T09:00:00Z")
ENDS = parse_iso("2024-04-16T17:00:00Z")
AFTER = "2024-05-20T00:00:00Z"
NET = 60_000


def contract(play: Any, backend: str, name: str) -> Any:
    return next(row for row in play.book(backend, "contracts") if row["contract_id"] == name)


def invoices(play: Any, backend: str, owner: str = "own-1") -> list[Any]:
    return [row for row in play.book(backend, "invoices") if row["customer"] == owner]


def assert_moved(play: Any, owner: str = "own-1") -> None:
    """The old contract ended on the day, the new one begins on it, prepaid days are credited on its first invoice."""
    n = owner.rpartition("-")[2]
    assert contract(play, "legacy", f"old-{n}")["end_day"] == "2024-04-16"
    assert contract(play, "new", f"new-{n}")["start_day"] == "2024-04-16"
    old = [row for row in play.book("legacy", "prepaid") if row["customer"] == owner]
    new = [row for row in play.book("new", "prepaid") if row["customer"] == owner]
    assert [row["net"] for row in old] == [row["net"] for row in new] == [NET * 15 // 30]
    first = invoices(play, "new", owner)[0]
    assert [row["credited_on"] for row in new] == [first["number"]]
    assert (first["period_start"], first["issued_at"] > ENDS) == ("2024-04-16", True)
    kinds = ["contract-ended", "prepaid-moved", "contract-begun"]
    assert [kind for kind in play.kinds(owner) if kind in kinds] == kinds


def test_contract_and_prepaid_days_move_when_the_day_is_over(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1), owner(2)])).until("2024-04-16T16:59:00Z")
    assert contract(play, "legacy", "old-1")["end_day"] is None and play.book("new", "contracts") == []
    play.until(AFTER)
    for name in ("own-1", "own-2"):
        assert_moved(play, name)
    assert [row["data"]["end"] for row in play.notes("contract-ended")] == ["2024-04-16"] * 2


@pytest.mark.parametrize("moment", ["before-commit", "before-replies"])
@pytest.mark.parametrize("backend", ["legacy", "new"])
def test_a_back_end_that_is_down_on_the_day_is_asked_until_it_answers(
    town: Any, owner: Any, plan: Any, backend: str, moment: str
) -> None:
    play = town(plan([owner(1), owner(2)]))
    downs: list[tuple[int, int]] = []
    for at in (ENDS, ENDS + 30):
        crash = Crash(at, moment, "", 5 * HOUR, lambda died, back: downs.append((died, back)))
        play.world.backends.arm_crash(backend, crash)
    play.until(AFTER)
    assert len(downs) == 2
    for name in ("own-1", "own-2"):
        assert_moved(play, name)


def test_what_a_back_end_refuses_is_noted_and_nothing_is_begun_elsewhere(town: Any, owner: Any, plan: Any) -> None:
    stranger = owner(1)
    play = town(plan([stranger]))
    play.until("2024-04-01T12:00:00Z")
    assert play.ask("legacy", Command("end-contract", {"contract": "old-1", "end": "2024-04-10"}))
    play.until(AFTER)
    (note,) = play.notes("refused")
    assert (note["data"]["what"], note["data"]["code"]) == ("end-contract", "ended")
    assert play.book("new", "contracts") == []


def test_an_owner_without_an_old_contract_begins_anew(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1, contract_old=None)])).until(AFTER)
    assert play.kinds("own-1").count("contract-begun") == 1 and play.notes("contract-ended") == []


def test_an_owner_with_sites_in_two_waves_has_one_contract_that_moves_with_the_first(
    town: Any, owner: Any, plan: Any, wave: Any
) -> None:
    one = owner(1, sites=("site-1", "site-1b"))
    first = wave([one], sites=("site-1",))
    day = {"begins_at": parse_iso("2024-04-23T05:00:00Z"), "ends_at": parse_iso("2024-04-23T17:00:00Z")}
    second = wave([one], number=2, sites=("site-1b",), announced=(Announced("2024-04-23", INVITED),), **day)
    play = town(plan([one], waves=(first, second))).until(AFTER)
    assert_moved(play)
    assert [(row["wave"], row["data"]["day"]) for row in play.notes("notice")] == [(1, "2024-04-16"), (2, "2024-04-23")]
    assert [mail["meta"]["sites"] for mail in play.mails("upgrade-notice")] == [["site-1"], ["site-1b"]]


def test_days_that_are_not_moved_are_paid_twice(town: Any, owner: Any, plan: Any) -> None:
    """What the decision `move_prepaid` is for."""
    play = town(plan([owner(1)]), DeskParts(move_prepaid=lambda rows: [])).until(AFTER)
    assert play.book("new", "prepaid") == [] and play.notes("prepaid-moved") == []
    assert len(play.book("legacy", "prepaid")) == 1


# -- paying -----------------------------------------------------------------------------------------------------------


def test_each_invoice_is_paid_once_to_the_account_on_it_some_days_after_its_issue(
    town: Any, owner: Any, plan: Any
) -> None:
    play = town(plan([owner(1, pays_after=10 * DAY)])).until("2024-07-20T00:00:00Z")
    for backend, iban in (("legacy", play.ibans[0]), ("new", play.ibans[1])):
        issued = {row["number"]: row for row in invoices(play, backend)}
        paid = play.entries(iban)
        assert issued and sorted(row["reference"] for row in paid) == sorted(issued)
        for row in paid:
            invoice = issued[row["reference"]]
            assert (row["amount"], invoice["account"]) == (invoice["gross"], iban)
            assert 10 * DAY <= row["at"] - invoice["issued_at"] <= 13 * DAY
            assert row["end_to_end"] == f"own-1/{invoice['number']}"
    assert len(play.notes("invoice-paid")) == len(play.entries(play.ibans[0])) + len(play.entries(play.ibans[1]))


def test_the_first_invoice_of_the_new_seller_may_be_paid_to_the_old_account_by_mistake(
    town: Any, owner: Any, plan: Any
) -> None:
    play = town(plan([owner(1, pays_old_account=True)])).until("2024-07-30T00:00:00Z")
    first, second = invoices(play, "new")[:2]
    old = {row["reference"]: row for row in play.entries(play.ibans[0])}
    assert old[first["number"]]["amount"] == first["gross"]
    assert [row["reference"] for row in play.entries(play.ibans[1])] == [second["number"]]
    assert sorted(old) == sorted([first["number"], *(row["number"] for row in invoices(play, "legacy"))])


def test_a_payment_that_the_bank_takes_back_is_made_again(town: Any, owner: Any, plan: Any) -> None:
    """P07: three lines at the bank, under two end-to-end ids: the owner sees an open invoice again, and pays it."""
    play = town(plan([owner(1, payment_returned=3 * DAY)])).until("2024-04-27T00:00:00Z")
    entries = [row for row in play.entries(play.ibans[0]) if row["reference"] == invoices(play, "legacy")[0]["number"]]
    assert [row["amount"] > 0 for row in entries] == [True, False, True]
    assert sum(row["amount"] for row in entries) == invoices(play, "legacy")[0]["gross"]
    assert entries[1]["for_id"] == entries[0]["id"] and entries[1]["at"] - entries[0]["at"] == 3 * DAY
    (back,) = play.notes("payment-came-back")
    assert back["data"]["number"] == entries[0]["reference"]
    assert entries[2]["end_to_end"] == f"{entries[0]['end_to_end']}/2"


def test_who_finds_the_old_account_closed_pays_to_the_one_on_the_invoice(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1, pays_old_account=True)])).until("2024-04-18T00:00:00Z")
    play.ask("bank", Command("close-account", {"iban": play.ibans[0]}))
    play.until("2024-05-20T00:00:00Z")
    (refused,) = [row for row in play.notes("payment-refused") if row["data"]["seller"] == "newco"]
    assert refused["data"]["reason"] == "AC04"
    assert [row["reference"] for row in play.entries(play.ibans[1])] == [invoices(play, "new")[0]["number"]]
