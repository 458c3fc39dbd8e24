"""The business half of a scenario: what it must mean together, and what it becomes for operator, owners and back-ends."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from scenarios import catalogue
from scenarios.load import load_scenario, make_scenario, sessions_path
from scenarios.model import plain
from scenarios.stage import Stage, set_stage
from scenarios.upgrade.casting import money_options, provision_of
from scenarios.upgrade.plan import FATES, UpgradePlan
from sim.clock import DAY, iso
from sim.errors import BadInput

UPGRADE_DAY = tomllib.loads(catalogue.scenario_file("upgrade-day").read_text("utf-8"))
Change = Callable[[dict[str, Any]], object]


def owner(name: str, table: str, **values: Any) -> Change:
    return lambda data: data["owners"][name][table].update(values)


MISTAKES: list[tuple[Change, str, str]] = [
    (lambda d: d.pop("upgrade"), "sellers", "there is no table [upgrade]"),
    (lambda d: d["upgrade"].update(old_seller="nobody"), "upgrade.old_seller", "there is no seller 'nobody'"),
    (lambda d: d["upgrade"].update(new_seller="ladelaget"), "upgrade.new_seller", "sells already"),
    (lambda d: d["sellers"]["ladelaget"].update(iban="NO00123"), "sellers.ladelaget.iban", "is no IBAN"),
    (lambda d: d["sellers"]["ladelaget"].update(prefix="L-1"), "sellers.ladelaget.prefix", "cannot begin a number"),
    (lambda d: d["sellers"]["ladelaget"].update(prefix="LG"), "sellers.ladelaget-group.prefix", "has it too"),
    (lambda d: d["sellers"]["ladelaget"]["vat"].pop("DE"), "sellers.ladelaget.vat", "owners in DE"),
    (
        lambda d: d["owners"]["granli"]["onboarding"].update(payment_returned="-3d"),
        "owners.granli.onboarding.payment_returned",
        "-3d",
    ),
    (lambda d: d["upgrade"].update(notice_days=2), "upgrade.notice_days", "2 is outside"),
    (lambda d: d["upgrade"].update(notice_between=[7, 3]), "upgrade.notice_between", "7 to 3 is no range"),
    (lambda d: d["upgrade"].update(deadline=date(2024, 4, 2)), "upgrade.deadline", "is not after"),
    (lambda d: d["upgrade"].update(invited=date(2025, 4, 2)), "upgrade.invited", "is not in the run"),
    (lambda d: d["upgrade"].update(contract_share=1.5), "upgrade.contract_share", "is no share"),
    (lambda d: d["owners"]["vidda"].pop("company"), "owners.vidda.company", "is missing"),
    (lambda d: d["owners"]["vidda"].pop("onboarding"), "owners.vidda.onboarding", "is missing"),
    (owner("vidda", "onboarding", fates=["never", "late"]), "owners.vidda.onboarding.fates", "nothing else"),
    (owner("vidda", "onboarding", fates=["sometimes"]), "owners.vidda.onboarding.fates[0]", "sometimes"),
    (owner("vidda", "onboarding", fates=["finance"]), "owners.vidda.company.officials", "nobody is there for finance"),
    (owner("vidda", "onboarding", fates=["late"]), "owners.vidda.onboarding.resumes", "late need it"),
    (owner("fjordlading", "onboarding", resumes="2d"), "owners.fjordlading.onboarding.resumes", "the deadline is"),
    (owner("granli", "company", wrong_iban=""), "owners.granli.company.wrong_iban", "is missing for wrong-account"),
    (lambda d: d["wave"][2]["rescheduled"].update({"from": date(2024, 4, 23)}), "wave[2].rescheduled.from", "itself"),
    (lambda d: d["wave"][2]["rescheduled"].update({"from": date(2024, 4, 20)}), "wave[2].rescheduled.from", "Saturday"),
    (lambda d: d["wave"][2]["rescheduled"].update(on=date(2024, 4, 20)), "wave[2].rescheduled.on", "too late"),
    (lambda d: d["upgrade"].update(currency="XYZ"), "upgrade.currency", "'XYZ' is no currency"),
    (lambda d: d["upgrade"]["items"][0].update(net="119.005"), "upgrade.items[0].net", "'119.005' is no amount"),
    (lambda d: d["upgrade"]["items"][0].update(net="-1"), "upgrade.items[0].net", "'-1'"),
    (lambda d: d["upgrade"].update(holds={"NOK": "500.00"}), "upgrade.holds", "nothing is said of EUR"),
    (lambda d: d["upgrade"]["holds"].update(SEK="5.00"), "upgrade.holds.SEK", "no owner sells in 'SEK'"),
    (lambda d: d["upgrade"]["holds"].update(EUR="50.001"), "upgrade.holds.EUR", "'50.001' is no amount"),
    (lambda d: d["upgrade"].update(disputes_won=6), "upgrade.disputes_won", "6 is no part"),
    (
        lambda d: d["partner_fault"][0].update(api="payment_intent.captur"),
        "partner_fault[0].api",
        "fits none of the calls",
    ),
    (lambda d: d["partner_fault"][3].update(api="payment_intents.*"), "partner_fault[3].api", "none of the events of"),
    (lambda d: d["partner_fault"][1].update(kind="webhook-lost"), "partner_fault[1].kind", "riverty sends no events"),
    (lambda d: d["partner_fault"][0].update(kind="explodes"), "partner_fault[0].kind", "there is no fault 'explodes'"),
    (lambda d: d["partner_fault"][0].update(partner="paypal"), "partner_fault[0].partner", "paypal"),
    (lambda d: d["sites"]["laboratory-4F"].update(owner="nobody"), "sites.laboratory-4F.owner", "no owner 'nobody'"),
    (
        owner("granli", "company", wrong_iban=UPGRADE_DAY["owners"]["granli"]["company"]["iban"]),
        "owners.granli.company.wrong_iban",
        "is the right one",
    ),
    (owner("granli", "company", email="kontor"), "owners.granli.company.email", "is no address"),
    (owner("granli", "onboarding", lacks=-3), "owners.granli.onboarding.lacks", "-3 is negative"),
    (lambda d: d["upgrade"].update(portal="nope"), "upgrade.portal", "is no address of a page"),
    (lambda d: d["partner_fault"][1].update(id="captured-and-silent"), "partner_fault", "is there twice"),
    (lambda d: d["partner_fault"][0].update(share=0), "partner_fault[0].share", "0 is no percentage"),
    (lambda d: d["partner_fault"][0].update(lasts="100d"), "partner_fault[0].lasts", "a day before the run ends"),
]


@pytest.mark.parametrize(("change", "place", "problem"), MISTAKES, ids=[place for _, place, _ in MISTAKES])
def test_a_mistake_in_the_business_half_is_one_sentence(change: Change, place: str, problem: str) -> None:
    data = copy.deepcopy(UPGRADE_DAY)
    change(data)
    with pytest.raises(BadInput) as caught:
        make_scenario(data, "my-upgrade.toml")
    assert caught.value.place == place
    assert problem in str(caught.value) and "\n" not in str(caught.value)


def test_the_business_half_survives_being_written_and_read_again() -> None:
    scenario = load_scenario("upgrade-day")
    assert make_scenario(plain(scenario), "again.toml") == scenario


@pytest.fixture(scope="module")
def stage() -> Stage:
    scenario = load_scenario("migration-day")
    return set_stage(scenario, 1, sessions_path(scenario))


def _plan(stage: Stage) -> UpgradePlan:
    assert stage.upgrade is not None
    return stage.upgrade


def test_every_fate_of_an_onboarding_befalls_some_owner(stage: Stage) -> None:
    assert {fate for one in _plan(stage).owners for fate in one.fates} == set(FATES)


def test_a_wave_that_was_put_off_has_both_its_days_and_the_last_one_counts(stage: Stage) -> None:
    third = _plan(stage).waves[2]
    assert [one.day for one in third.announced] == ["2024-04-18", "2024-04-23"]
    assert third.day == "2024-04-23"
    assert iso(third.announced[1].decided_at) == "2024-04-15T10:00:00.000Z"
    assert third.announced[1].decided_at + 5 * DAY < third.begins_at


def test_an_owner_at_the_old_back_end_has_the_old_contract_until_their_site_moves(stage: Stage) -> None:
    owners = {one.owner: one for one in _plan(stage).owners}
    assert owners["stadtwerk"].contract_new is None
    assert owners["granli"].contract_old is None
    for name in ("fjordlading", "solbakken", "tindlading", "vidda"):
        old, new = owners[name].contract_old, owners[name].contract_new
        assert old is not None and new is not None
        assert (old["period"], new["period"]) == ("month", "quarter")
        assert old["items"] == new["items"], "the move changes no price"
    assert {row["contract"] for row in stage.provision["contracts"]} == {
        "LN-fjordlading", "LN-solbakken", "LG-granli", "LN-tindlading", "LN-vidda", "LN-stadtwerk",
    }  # fmt: skip


def test_only_the_new_back_end_lacks_the_groups_that_an_owner_forgot(stage: Stage) -> None:
    plan = _plan(stage)
    lacking = [row["token"] for one in plan.owners for row in one.lacks]
    assert len(lacking) == 3
    for role, expected in (("legacy", False), ("new", True)):
        rows = {row["token"]: row for row in provision_of(role, stage.provision, plan)["tokens"]}
        assert all((rows[token]["group"] is None) is expected for token in lacking)
    told = {row["token"]: row["group"] for row in stage.plan["tokens"]}
    assert all(told[token] for token in lacking), "the checks know the truth"


def test_everybody_pays_somehow_and_guests_pay_at_once(stage: Stage) -> None:
    terms = {row["customer"]: row for row in stage.provision["driver-terms"]}
    tokens = {row["customer"]: row for row in stage.provision["tokens"]}
    assert terms.keys() == tokens.keys()
    assert all((row["pays"] == "adhoc") is not tokens[name]["contract"] for name, row in terms.items())
    monthly = sum(row["pays"] == "contract" for row in terms.values())
    registered = sum(bool(row["contract"]) for row in tokens.values())
    assert 0.5 < monthly / registered < 0.7


def test_each_back_end_pays_by_its_partner_and_the_new_one_reads_the_old_account_too(stage: Stage) -> None:
    legacy, new = (money_options(role, stage.scenario, 1) for role in ("legacy", "new"))
    assert (legacy["route"], new["route"]) == ("riverty", "stripe")
    assert set(legacy["bank_accounts"]) < set(new["bank_accounts"])
    assert legacy["number_code"] != new["number_code"]
    assert money_options("new", stage.scenario, 2)["webhook_secrets"] != new["webhook_secrets"]


def test_a_day_at_some_sites_has_their_owners_and_waves_only() -> None:
    scenario = load_scenario("upgrade-day").at_sites("campus-4", "campus-5")
    part = set_stage(scenario, 1, sessions_path(scenario))
    assert [one.owner for one in _plan(part).owners] == ["fjordlading", "granli"]
    assert [one.wave for one in _plan(part).waves] == [1]
    assert {one.site for one in part.stations} == {"campus-4", "campus-5"}


def test_a_site_that_the_file_does_not_have_is_bad_input() -> None:
    scenario = load_scenario("upgrade-day").at_sites("campus-44")
    with pytest.raises(BadInput, match="campus-44"):
        set_stage(scenario, 1, sessions_path(scenario))
