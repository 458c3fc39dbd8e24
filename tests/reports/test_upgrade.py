"""The report of an upgrade: series, tables and walks from a run made by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports import plots_upgrade
from reports.course import course, gained, purses
from reports.html import page
from reports.owners import FATES, OUTCOMES, enabled_at, outcome_counts, outcomes, owners
from reports.run import Run
from reports.walks import followed
from reports.waves import BACK, PHASES, calendar, waves
from scenarios.upgrade import plan as upgrade_plan
from sim.clock import DAY, HOUR, to_datetime, zone
from tests.reports.conftest import Tables, at

Make = Callable[..., Path]
ACCOUNT = "acct_1"


def _plan() -> dict[str, Any]:
    """One owner whose site moves on the day of the run, after a day that was called off."""
    owner = {"owner": "fjord", "name": "Fjordlading AS", "fates": ["interrupted", "late"], "sites": ["pier"]}
    announced = [{"day": "2019-06-11", "decided_at": at(-240)}, {"day": "2019-06-12", "decided_at": at(-200)}]
    wave = {
        "wave": 1, "sites": ["pier"], "owners": ["fjord"], "announced": announced, "begins_at": at(9),
        "ends_at": at(17),
    }  # fmt: skip
    sellers = [{"seller": "old", "name": "Old AS"}, {"seller": "next", "name": "Next AB"}]
    return {
        "deadline": "2019-06-10", "old_seller": "old", "new_seller": "next", "owners": [owner], "waves": [wave],
        "sellers": sellers, "drivers": [],
    }  # fmt: skip


def _upgrade(tables: Tables) -> None:
    """What befalls that owner, and the money of two sessions: one charged late, one by an invoice."""
    tables["plan"].append({"key": "upgrade", "json": json.dumps(_plan())})
    told: list[tuple[float, str, int | None, dict[str, Any]]] = [
        (-220, "invited", None, {}),
        (-100, "notice", 1, {"day": "2019-06-11", "voids": None}),
        (-90, "notice-void", 1, {"day": "2019-06-11"}),
        (-80, "notice", 1, {"day": "2019-06-12", "voids": "n1"}),
        (-70, "preflight", 1, {"lacks": [{"token": "T"}]}),
        (-60, "set-up-mended", None, {"tokens": ["T"]}),
        (17, "contract-begun", None, {"start": "2019-06-12"}),
        (30, "invoice-paid", None, {"number": "N-1", "iban": "OLD"}),
    ]
    for hours, kind, wave, data in told:
        row = {"at": at(hours), "actor": "operator", "owner": "fjord", "wave": wave, "kind": kind, "data": data}
        tables["truth_upgrade"].append(row)
    for station, outcome in (("S-01", "verified"), ("S-02", "verified"), ("S-03", "rolled-back")):
        row = {"station": station, "site": "pier", "outcome": outcome, "stuck": 0, "split": 0}
        tables["truth_outcomes"].append({**row, "rollback": int(outcome != "verified")})
    tables["truth_migration"][-1]["state"] = "BACK_AT_OLD"
    account = {"partner": "stripe", "account": ACCOUNT, "owner": "fjord", "payouts_enabled": 1, "cause": "verified"}
    tables["partner_accounts"] += [
        {**account, "at": at(-50), "charges_enabled": 0},
        {**account, "at": at(20), "charges_enabled": 1},
    ]
    contract = {"backend": "legacy", "contract_id": "C", "seller": "old", "customer": "fjord"}
    tables["books_contracts"].append({**contract, "end_day": "2019-06-12"})
    prepaid = {"backend": "new", "customer": "fjord", "currency": "NOK", "net": 5000, "start_day": "2019-06-12"}
    tables["books_prepaid"].append({**prepaid, "until_day": "2019-07-01", "credited_on": "N-1"})
    invoice = {"backend": "new", "currency": "NOK", "kind": "subscription", "seller": "next", "customer": "fjord"}
    tables["books_invoices"].append(
        {
            **invoice,
            "number": "N-1",
            "gross": 90_000,
            "net": 72_000,
            "vat": 18_000,
            "account": "NEW",
            "issued_at": at(18),
        }
    )
    _money(tables)


def _money(tables: Tables) -> None:
    """The bill of session 0 is charged late on its own, that of session 1 by an invoice; one payout of both."""
    first, second = tables["books_bills"][0], tables["books_bills"][1]
    for bill, state, number in ((first, "direct", None), (second, "invoiced", "D-1")):
        row = {"backend": bill["backend"], "number": bill["number"], "owner": "fjord", "customer": bill["customer"]}
        tables["books_billables"].append({**row, "supplied_at": bill["issued_at"], "state": state, "invoice": number})
    issued = {"backend": second["backend"], "seller": "fjord", "customer": second["customer"], "issued_at": at(26)}
    sums = {key: second[key] for key in ("currency", "gross", "net", "vat")}
    tables["books_invoices"].append({**issued, **sums, "number": "D-1", "kind": "drivers", "claim_id": "k2"})
    tables["books_invoice_lines"].append(
        {"backend": second["backend"], "number": "D-1", "position": 1, "kind": "session", "bill": second["number"]}
    )
    claims = (("k1", "session", first, first["number"], 10.0), ("k2", "drivers", second, "D-1", 26.0))
    for name, kind, bill, document, created in claims:
        gross = bill["gross"]
        tables["books_claims"].append(
            {"backend": bill["backend"], "claim_id": name, "kind": kind, "seller": "fjord", "document": document,
             "currency": "NOK", "amount": gross, "route": "stripe", "account": ACCOUNT, "held": 0, "paid": gross,
             "refunded": 0, "credited": 0, "state": "paid", "created_at": at(created), "settled_at": at(27)}
        )  # fmt: skip
        tables["books_payments"].append(
            {"backend": bill["backend"], "attempt_id": f"p-{name}", "claim_id": name, "purpose": "charge",
             "partner": "stripe", "key": name, "amount": gross, "currency": "NOK", "state": "done",
             "created_at": at(27), "asked_at": at(27), "tries": 1}
        )  # fmt: skip
        payment = {"partner": "stripe", "at": at(27), "account": ACCOUNT, "owner": "fjord", "currency": "NOK"}
        tables["partner_payments"] += [
            {**payment, "kind": "auth", "id": f"a-{name}", "amount": gross + 100, "key": name, "state": "captured"},
            {**payment, "kind": "capture", "id": f"c-{name}", "amount": gross, "key": name, "for_id": f"a-{name}",
             "state": "succeeded", "at": at(28)},
        ]  # fmt: skip
    paid = {"partner": "stripe", "account": ACCOUNT, "owner": "fjord", "currency": "NOK", "amount": 7_000}
    tables["partner_payments"] += [
        {**paid, "kind": "payout", "id": "po_0", "at": at(40), "state": "failed"},
        {**paid, "kind": "payout", "id": "po_1", "at": at(50), "state": "paid"},
    ]
    bank = {"partner": "bank", "id": "e1", "at": at(51), "iban": "X", "amount": 7_000, "currency": "NOK"}
    tables["partner_bank"].append({**bank, "reference": "po_1"})


@pytest.fixture
def run(make_run: Make) -> Any:
    with Run(make_run(change=_upgrade)) as one:
        yield one


def test_a_wave_counts_each_station_in_one_phase_at_any_time(run: Run) -> None:
    (wave,) = waves(run)
    assert (wave.wave, wave.day, wave.stations) == (1, "2019-06-12", 3)
    assert {sum(counts) for counts in zip(*wave.counts.values(), strict=True)} == {3}
    assert wave.last == {"moved": 2, BACK: 1}
    assert wave.counts[PHASES[0]][0] == 3
    assert list(wave.times) == sorted(wave.times)


def test_the_calendar_shows_what_was_told_and_called_off(run: Run) -> None:
    told = calendar(run)
    assert told is not None
    assert [mark.kind for mark in told.marks] == ["notice", "notice-void", "notice", "called-off", "day"]
    assert f"{to_datetime(told.deadline, zone(told.zone)):%d %H:%M}" == "11 00:00"  # the end of the 10th
    assert told.begin < min(mark.at for mark in told.marks) <= told.end


def test_power_and_sessions_go_to_the_back_end_a_station_belonged_to(run: Run) -> None:
    told = course(run)
    sessions = run.table("truth_sessions")
    delivered = sum(row["register_stop"] - row["register_start"] for row in sessions)
    assert sum(sum(daily) for daily in told.energy_wh.values()) == delivered
    assert sum(sum(daily) for daily in told.sessions.values()) == len(sessions) == 24
    assert all(min(daily) >= 0 for daily in told.energy_wh.values())
    dock = sum(row["site"] == "dock" for row in sessions)
    assert sum(told.sessions["new"]) >= dock > 0
    assert len(told.days) == len(told.sessions["new"])
    assert all(later - day == DAY for day, later in zip(told.days, told.days[1:], strict=False))


def test_energy_flows_only_while_power_does() -> None:
    """Nothing is spread over the time in which the car was full."""
    points = [[0, 1000, "B"], [2 * HOUR, 5000, "S"], [5 * HOUR, 5000, "E"]]
    session = {
        "started_at": 0, "stopped_at": 5 * HOUR, "register_start": 1000, "register_stop": 5000,
        "points": json.dumps(points),
    }  # fmt: skip
    pieces = list(gained(session))
    assert pieces == [(0, HOUR, 2000), (HOUR, 2 * HOUR, 2000)]


def test_money_adds_up_and_a_hold_is_let_go_with_its_capture(run: Run) -> None:
    (purse,) = purses(run)
    gross = [int(row["gross"]) for row in run.table("books_bills")[:2]]
    assert purse.currency == "NOK"
    assert purse.last == {"invoiced": sum(gross), "held": 0, "captured": sum(gross), "paid out": 7_000}
    assert purse.series["held"][1] == [sum(gross) + 200, 0]
    assert purse.series["invoiced"][1] == [gross[0], sum(gross)]


def test_stations_end_in_words(run: Run) -> None:
    assert [one.along for one in outcomes(run)] == ["", "", "was called back"]
    assert outcome_counts(run) == [("pier", OUTCOMES["verified"], 2), ("pier", OUTCOMES["rolled-back"], 1)]


def test_every_fate_has_its_words() -> None:
    assert sorted(FATES) == sorted(upgrade_plan.FATES)


def test_an_owner_is_told_from_the_first_letter_to_the_payout(run: Run) -> None:
    (owner,) = owners(run)
    told = {
        head: " | ".join(sentences).replace("\u202f", " ").replace("\u00a0", " ") for head, sentences in owner.facts
    }
    gross = int(run.table("books_bills")[0]["gross"])
    amount = f"{gross // 100}.{gross % 100:02d} NOK"
    assert told["Sites"] == "pier; moved in wave 1"
    assert told["Onboarding"] == f"{FATES['interrupted']} | {FATES['late']}"
    assert told["May charge drivers"] == "since 12 Jun 20:00"
    assert told["Letters"].endswith("told of the move on 12 Jun, instead of the one before")
    assert "told that 11 Jun does not hold any more" in told["Letters"]
    assert told["Set-up"].startswith("09 Jun 02:00 found incomplete: 1 driver without their group")
    assert told["Drivers' money that had to wait"] == (
        f"{amount} of 1 charge waited for the account | {amount} of it taken later, 1 charge, the last 13 Jun 03:00"
    )
    assert told["Contract"] == (
        "with Old AS until 12 Jun | with Next AB from 12 Jun on | "
        "50.00 NOK (without VAT) was paid ahead for 12 Jun to before 01 Jul: credited on N-1"
    )
    assert told["Invoices of the subscription"] == "N-1, 900.00 NOK: paid 13 Jun 06:00, to the old account by mistake"
    assert told["Payouts"].startswith("70.00 NOK in 1 payout,")
    assert told["Payouts"].endswith("1 payout of 70.00 NOK came back from the bank")
    assert enabled_at(run, "fjord") == at(20)
    assert enabled_at(run, "nobody") is None


def test_two_sessions_are_followed_down_to_the_payout(run: Run) -> None:
    late, monthly = followed(run)
    numbers = [row["number"] for row in run.table("books_bills")[:2]]
    assert [one.walk.bill["number"] for one in (late, monthly)] == numbers
    for one in (late, monthly):
        titles = [step.title for step in one.money]
        assert any(title.startswith("Payout") for title in titles)
        assert "The partner's statement" in titles


def test_the_page_of_an_upgrade_has_its_section_and_its_pictures(run: Run) -> None:
    html = page(run)
    for title in (
        "Stations of each wave",
        "Notices and days of the waves",
        "per back-end over the whole run",
        "Drivers' money",
    ):
        assert len([one for one in re.findall("<title>(.*?)</title>", html) if title in one]) == 2, title
    text = " ".join(re.sub("<[^>]*>", " ", html).split())
    assert "Wave 1, 12 Jun: 3 stations" in text
    assert "Owner by owner" in text
    assert "Paid on the spot, after it had waited" in text
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_a_run_without_an_upgrade_has_none_of_it(make_run: Make) -> None:
    with Run(make_run()) as one:
        assert (waves(one), calendar(one), purses(one), owners(one)) == ((), None, (), [])
        html = page(one)
    assert "Owner by owner" not in html
    assert "The day in one picture" in html


def test_series_differ_by_more_than_their_colour() -> None:
    """Lines by style, areas by hatch or lightness: a picture in grey still tells them apart."""
    lines = plots_upgrade._LINES
    for group in (("legacy", "new"), ("invoiced", "captured", "paid out", "held")):
        assert len({str(lines[name]["linestyle"]) for name in group}) == len(group)
    hatches = [hatch for _, hatch in plots_upgrade._LOOK.values() if hatch]
    assert len(set(hatches)) == len(hatches) == 4
    looks = {(marks["marker"], marks.get("markerfacecolor")) for _, marks in plots_upgrade._MARKS.values()}
    assert len(looks) == len(plots_upgrade._MARKS)


def test_rows_are_the_same_whether_their_table_is_kept_or_not(run: Run) -> None:
    """A table that was read whole answers as the file does, for one column, for several and for what is not there."""
    asked: tuple[dict[str, Any], ...] = (
        {}, {"station": "S-01"}, {"station": "S-02", "action": "Authorize"}, {"station": "S-99"}, {"answer": None},
    )  # fmt: skip
    before = [run.where("wire_calls", **wanted) for wanted in asked]
    run.table("wire_calls")
    assert [run.where("wire_calls", **wanted) for wanted in asked] == before
    assert [bool(rows) for rows in before] == [True, True, True, False, True]
