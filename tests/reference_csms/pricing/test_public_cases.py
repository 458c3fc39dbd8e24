"""Tariff cases of public sources, read in place: all that count come out right, and the traps are known as traps."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from reference_csms.pricing import model
from reference_csms.pricing.engine import rate
from reference_csms.pricing.explain import as_json
from reference_csms.pricing.from_ocpi import charge_from_ocpi, tariff_from_ocpi
from reference_csms.pricing.model import Rated
from reference_csms.pricing.policies import POLICIES
from reference_csms.pricing.reading import read_json

CASES = Path(__file__).resolve().parents[4] / "shared" / "data" / "tariffs"
_COSTS = {
    "reservation_flat": model.RESERVATION_FLAT,
    "reservation_time": model.RESERVATION,
}
_UNITS = {
    "ENERGY_kwh": ("energy_kwh", Decimal(1)),
    "ENERGY_wh": ("energy_kwh", Decimal(1000)),
    "TIME_minutes": ("time_s", Decimal(1) / 60),
    "PARKING_TIME_minutes": ("idle_s", Decimal(1) / 60),
    "RESERVATION_TIME_minutes": ("reservation_s", Decimal(1) / 60),
}
_TOLERANCE = Decimal("0.0002")
"""What the sources allow where hours have four decimals."""


def cases() -> list[dict[str, Any]]:
    if not CASES.exists():
        pytest.skip("the public tariff cases are not beside this checkout")
    return [{**read_json(path), "file": path.name} for path in sorted(CASES.glob("*.json"))]


def priced(case: dict[str, Any]) -> Rated:
    tariffs = [tariff_from_ocpi(row, case["file"]).tariff for row in case["tariffs"]]
    body = case.get("cdr") or case["session"]
    imported = charge_from_ocpi(body, case["file"], case["time_zone"], tariffs[0].currency)
    return rate(tariffs[0], imported.charge, POLICIES["ocpi"], {one.tariff_id: one for one in tariffs})


def problems(expected: dict[str, Any], rated: Rated, compared: list[str]) -> list[str]:
    """What differs from a case; `compared` collects what was looked at."""
    told = as_json(rated, POLICIES["ocpi"])
    found: list[str] = []

    def same(name: str, ours: Any, theirs: Any) -> None:
        compared.append(name)
        want = Decimal(str(theirs))
        places = Decimal(1).scaleb(min(-2, int(want.as_tuple().exponent)))
        if abs(Decimal(ours).quantize(places, ROUND_HALF_UP) - want) > _TOLERANCE:
            found.append(f"{name}: {ours}, not {theirs}")

    for name, value in expected.items():
        if name in _COSTS:
            lines = [line for line in rated.lines if line.dimension == _COSTS[name]]
            same(name, sum(line.exact_net for line in lines), value["excl_vat"])
            same(name, sum(line.exact_gross for line in lines), value["incl_vat"])
        elif name == "billed":
            for kind, amount in value.items():
                field, times = _UNITS[kind]
                same(kind, told["billed"][field] * times, amount)
        elif name == "billed_segments_kwh" or name == "billed_segments_minutes":
            times = Decimal(1) / 60 if name.endswith("minutes") else Decimal(1)
            for line, amount in zip(rated.lines, value, strict=True):
                same(name, line.billed * times, amount)
        elif name in ("total_cost_unrounded_excl", "total_cost_unrounded_excl_derived"):
            same(name, rated.exact_net, value)
        elif name == "total_cost_2dp_excl_derived":
            same(name, rated.net, value)
        elif name == "total_cost_including_taxes":
            same(name, rated.gross, value)
        elif name.startswith("total_") and isinstance(value, dict):
            for side, amount in value.items():
                same(f"{name} {side}", told[name][side], amount)
    return found


def test_every_public_case_that_counts_comes_out_right() -> None:
    wrong, right = [], 0
    for case in cases():
        if case["score"]:
            compared: list[str] = []
            found = problems(case["expected"], priced(case), compared)
            assert compared, f"{case['file']} compares nothing"
            wrong += [f"{case['file']}: {one}" for one in found]
            right += not found
    assert not wrong
    assert right >= 46


def test_the_traps_are_priced_as_the_specification_says_and_not_as_they_are_printed() -> None:
    traps = {case["file"]: case for case in cases() if not case["score"]}
    saturday = traps["ocpi221-spec-04-complex-saturday.json"]
    assert priced(saturday).exact_net == Decimal("12.375") and priced(saturday).exact_gross == Decimal("13.975")
    assert problems(saturday["expected"]["printed_in_spec"], priced(saturday), [])
    step = traps["ocpi230-spec-03-alt-url-2045kwh.json"]
    assert not problems(step["expected"]["by_step_size_rule"], priced(step), [])
    assert problems(step["expected"]["printed_in_spec"], priced(step), [])
    least = traps["td-025kwh-min-price-cdr2-less-than-2kWh.json"]
    assert not problems(least["expected_by_spec"], priced(least), [])
    assert problems(least["expected"], priced(least), [])
    assert len(traps) == 3
