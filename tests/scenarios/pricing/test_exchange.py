"""Tariffs in the forms of others: what is not named as lost costs the same there and back, what is lost is named."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from msgspec.structs import replace

from reference_csms.pricing import model
from reference_csms.pricing.engine import rate
from reference_csms.pricing.from_ocpi import tariff_from_ocpi
from reference_csms.pricing.from_ocpp import tariff_from_ocpp
from reference_csms.pricing.model import (
    BasicFee,
    Charge,
    Component,
    Discount,
    Element,
    Idle,
    Limit,
    Period,
    Restrictions,
    Tariff,
    Tax,
    TaxChange,
)
from reference_csms.pricing.narrow import narrowed
from reference_csms.pricing.policies import POLICIES
from reference_csms.pricing.to_ocpi import Exported, tariff_to_ocpi
from reference_csms.pricing.to_ocpp import tariff_to_ocpp
from scenarios.rate_trial import a_charge, a_tariff
from sim.clock import HOUR, Instant, parse_iso

_ENCODER = msgspec.json.Encoder(decimal_format="number")
VAT = (Tax(Decimal(19)),)


def through_json(row: Any) -> Any:
    return json.loads(_ENCODER.encode(row), parse_float=Decimal)


def ocpi(version: str) -> tuple[Callable[[Tariff], Exported], Callable[[Any], Tariff]]:
    return lambda one: tariff_to_ocpi(one, version), lambda row: tariff_from_ocpi(row, "there").tariff


FORMS = {
    "2.3.0": (*ocpi("2.3.0"), "ocpi", ("steps",)),
    "2.2.1": (*ocpi("2.2.1"), "ocpi", ("steps",)),
    "ocpp": (tariff_to_ocpp, lambda row: tariff_from_ocpp(row, "there").tariff, "ocpp21", ()),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_named_as_lost_costs_the_same_after_a_way_there_and_back(form: str) -> None:
    there, back, policy_name, harmless = FORMS[form]
    chance = random.Random(7)
    compared = 0
    for n in range(250):
        drawn = a_tariff(chance, n)
        charge = a_charge(chance, drawn)
        plain = replace(drawn, idle=Idle(), minimum_wh=0, minimum_s=0, tax_changes=())
        tariff = narrowed(plain, charge)
        made = there(tariff)
        if any(not one.startswith(harmless or ("-",)) for one in made.lost):
            continue
        again = back(through_json(made.row))
        policy = POLICIES[policy_name]
        if made.lost:  # whole Wh and seconds instead of none
            policy = replace(policy, steps="none")
        ours, theirs = rate(tariff, charge, policy), rate(again, charge, policy)
        assert (ours.net, ours.gross) == (theirs.net, theirs.gross), (made.row, charge)
        compared += 1
    assert compared >= (10 if form == "ocpp" else 25)


def test_a_narrowed_tariff_costs_its_customer_the_same() -> None:
    chance = random.Random(8)
    for n in range(150):
        tariff = a_tariff(chance, n)
        charge = a_charge(chance, tariff)
        one, other = (rate(which, charge, POLICIES["ocpi"]) for which in (tariff, narrowed(tariff, charge)))
        assert (one.net, one.gross) == (other.net, other.gross)


def everything() -> Tariff:
    """A tariff that no form can say."""
    return Tariff(
        tariff_id="all",
        currency="EUR",
        tax=model.TAX_INCLUDED,
        elements=(
            Element((Component(model.ENERGY, Decimal("0.3"), VAT),), Restrictions(groups=("staff",))),
            Element((Component(model.ENERGY, Decimal("0.4"), VAT),), Restrictions(holiday=True)),
            Element((Component(model.ENERGY, Decimal("0.5"), VAT, 500), Component(model.IDLE, Decimal(6), VAT))),
        ),
        idle=Idle(600, model.CONNECTED),
        discounts=(Discount(name="residents", groups=("resident",), percent=Decimal(10)),),
        basic_fee=BasicFee(Decimal(5), VAT),
        tax_changes=(TaxChange(date(2027, 1, 1), Decimal(21)),),
        minimum_wh=100,
    )


def test_what_a_form_cannot_say_is_named() -> None:
    for made in (tariff_to_ocpi(everything(), "2.3.0"), tariff_to_ocpp(everything())):
        told = " | ".join(made.lost)
        for word in ("residents", "idle.starts", "basic_fee", "tax_changes", "minimum_wh", "group", "public holidays"):
            assert word in told, word
    assert "free idle time" in " | ".join(tariff_to_ocpi(everything(), "2.3.0").lost)
    assert "prices are net" in " | ".join(tariff_to_ocpi(everything(), "2.2.1").lost)
    assert "steps" in " | ".join(tariff_to_ocpp(everything()).lost)


def test_a_price_for_some_never_becomes_a_price_for_all() -> None:
    """An element with a condition that cannot be said is left out, and the price of everybody stays."""
    row = tariff_to_ocpi(everything(), "2.3.0").row
    prices = [one["price"] for element in row["elements"] for one in element["price_components"]]
    assert prices == [Decimal("0.5"), Decimal(6)]


def test_free_idle_time_is_said_in_ocpp() -> None:
    tariff = Tariff(
        tariff_id="grace",
        currency="EUR",
        elements=(Element((Component(model.IDLE, Decimal(6), VAT),)),),
        idle=Idle(900),
    )
    again = tariff_from_ocpp(through_json(tariff_to_ocpp(tariff).row), "there").tariff
    start = parse_iso("2026-06-15T08:00:00Z")
    period = Period(start=start, end=Instant(start + HOUR), idle_s=Decimal(3600))
    charge = Charge(start=start, end=period.end, periods=(period,), currency="EUR")
    prices = [rate(one, charge, POLICIES["ocpp21"]).net for one in (tariff, again)]
    assert prices == [Decimal("4.50"), Decimal("4.50")]
    assert tariff_to_ocpp(tariff).lost == ()


def test_the_form_of_ocpp_keeps_to_its_schema() -> None:
    schema = json.loads(files("ocpp.v21.schemas").joinpath("SetDefaultTariffRequest.json").read_bytes())
    validator = jsonschema_rs.validator_for(schema)
    chance = random.Random(9)
    tariffs = [everything(), *(a_tariff(chance, n) for n in range(60))]
    said = 0
    for tariff in tariffs:
        row = tariff_to_ocpp(tariff).row
        message = json.loads(_ENCODER.encode({"evseId": 0, "tariff": row}))
        validator.validate(message)
        said += len(row) > 2
    assert said > 40


def test_limits_and_taxes_of_ocpp_are_taken_over() -> None:
    row = {
        "tariffId": "t",
        "currency": "EUR",
        "energy": {
            "prices": [{"priceKwh": 0.5, "conditions": {"minEnergy": 1000, "evseKind": "DC"}}, {"priceKwh": 0.25}],
            "taxRates": [{"type": "Federal", "tax": 5}, {"type": "State", "tax": 10, "stack": 1}],
        },
        "chargingTime": {"prices": [{"priceMinute": 0.01}]},
        "maxCost": {"exclTax": 10, "taxRates": [{"type": "Federal", "tax": 5}]},
    }
    tariff = tariff_from_ocpp(through_json(row), "there").tariff
    assert tariff.max_price == Limit(Decimal(10), Decimal("10.50"))
    assert tariff.elements[2].components[0].price == Decimal("0.60")
    start = parse_iso("2026-06-15T08:00:00Z")
    period = Period(start=start, end=Instant(start + HOUR), kwh=Decimal(3), charging_s=Decimal(3600))
    charge = Charge(start=start, end=period.end, periods=(period,), currency="EUR", power_class="DC")
    rated = rate(tariff, charge, POLICIES["ocpp21"])
    assert (rated.exact_net, rated.exact_gross) == (
        Decimal("1.85"),
        Decimal("1.25") * Decimal("1.155") + Decimal("0.6"),
    )
