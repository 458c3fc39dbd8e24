"""Worked examples of OCPI and of this project's own: each folder holds tariff, record and what it must cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from reference_csms.pricing.engine import rate
from reference_csms.pricing.explain import as_json
from reference_csms.pricing.from_ocpi import charge_from_ocpi, tariff_from_ocpi
from reference_csms.pricing.policies import POLICIES
from reference_csms.pricing.reading import read_json

FOLDERS = sorted((Path(__file__).parent / "golden").iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_worked_example_costs_what_it_says(folder: Path) -> None:
    wanted = read_json(folder / "expected.json")
    tariff = tariff_from_ocpi(read_json(folder / "tariff.json"), "tariff.json").tariff
    charge = charge_from_ocpi(read_json(folder / "cdr.json"), "cdr.json").charge
    policy = POLICIES[wanted["policy"]]
    rated = rate(tariff, charge, policy)
    assert charge.zone == "Europe/Berlin"
    assert wanted["net"] is None or rated.net == Decimal(wanted["net"])
    assert wanted["gross"] is None or rated.gross == Decimal(wanted["gross"])
    billed = as_json(rated, policy)["billed"]
    assert {name: billed[name] for name in wanted.get("billed", {})} == wanted.get("billed", {})


def test_every_worked_example_of_ocpi_has_a_folder() -> None:
    """The numbers of the tariff examples that OCPI states a cost for."""
    numbers = {folder.name.split("-")[0] for folder in FOLDERS}
    assert {
        "01",
        "02",
        "03",
        "04",
        "06",
        "08",
        "09",
        "10",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
        "18",
        "19",
        "20",
    } <= numbers
