"""`chargerig rate`: prices files, explains every line, and says in one sentence what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scenarios.cli import app

GOLDEN = Path(__file__).parents[2] / "reference_csms" / "pricing" / "golden"
TARIFF: dict[str, Any] = {
    "id": "t",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 10, "step_size": 100}]}],
}
CDR: dict[str, Any] = {
    "id": "c",
    "start_date_time": "2026-06-15T08:00:00Z",
    "end_date_time": "2026-06-15T09:00:00Z",
    "currency": "EUR",
    "cdr_location": {"country": "NOR"},
    "charging_periods": [
        {"start_date_time": "2026-06-15T08:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 20.45}]}
    ],
    "total_cost": {"excl_vat": 5.11, "incl_vat": 5.62},
}


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["rate", *words])
    return done.exit_code, done.stdout, done.stderr


def written(folder: Path, name: str, data: Any) -> str:
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return str(path)


def rated(folder: Path, tariff: Any, cdr: Any, *more: str) -> Any:
    words = ("--tariff", written(folder, "tariff.json", tariff), "--cdr", written(folder, "cdr.json", cdr))
    code, out, err = run(*words, *more, "--json")
    assert code == 0, err
    return json.loads(out)


def test_every_line_says_quantity_before_and_after_price_vat_and_why(tmp_path: Path) -> None:
    told = rated(tmp_path, TARIFF, CDR)
    line = told["lines"][0]
    assert (line["quantity"], line["billed_quantity"], line["step"]) == (20.45, 20.5, 100)
    assert (line["unit_price"], line["vat"][0]["percentage"], line["periods"], line["elements"]) == (0.25, 10, [1], [1])
    assert "by steps of 100 Wh of the whole charge" in line["why"] and "only the total is rounded" in line["why"]
    assert told["total_cost"]["excl_vat"] == 5.13 and told["total_cost"]["incl_vat"] == 5.64
    assert (told["agrees"], told["time_zone"], told["policy"]["name"]) == (False, "Europe/Oslo", "ocpi")
    assert told["taxes"] == [{"name": "VAT", "percentage": 10, "base": 5.13, "amount": 0.51}]


def test_a_policy_makes_the_price_of_another_system(tmp_path: Path) -> None:
    prices = {
        name: rated(tmp_path, TARIFF, CDR, "--policy", name)["total_cost"]["excl_vat"]
        for name in ("ocpi", "ocpi-exact", "floor-cents", "per-invoice", "whole-steps")
    }
    assert prices == {"ocpi": 5.13, "ocpi-exact": 5.125, "floor-cents": 5.11, "per-invoice": 5.11, "whole-steps": 5.1}


def test_text_tells_the_same(tmp_path: Path) -> None:
    words = ("--tariff", written(tmp_path, "t.json", TARIFF), "--cdr", written(tmp_path, "c.json", CDR))
    code, out, _ = run(*words)
    assert code == 0
    for part in ("20.45 -> 20.50 kWh", "0.25/kWh, VAT 10 %", "net 5.13, gross 5.64 EUR", "DIFFERENT"):
        assert part in out, part


def test_lists_answers_and_tariffs_inside_records_are_read(tmp_path: Path) -> None:
    other = {
        **TARIFF,
        "id": "other",
        "elements": [{"price_components": [{"type": "FLAT", "price": 3, "step_size": 1}]}],
    }
    period = {**CDR["charging_periods"][0], "tariff_id": "other"}
    second = {**CDR, "id": "d", "charging_periods": [period]}
    told = rated(tmp_path, {"data": [TARIFF, other], "status_code": 1000}, [CDR, second])
    assert [one["total_cost"]["excl_vat"] for one in told["cdrs"]] == [5.13, 3]
    inside = written(tmp_path, "own.json", {**CDR, "tariffs": [other]})
    code, out, _ = run("--cdr", inside, "--json")
    assert code == 0 and json.loads(out)["total_cost"]["excl_vat"] == 3


def test_an_older_record_of_ocpi_is_read(tmp_path: Path) -> None:
    old = {key: value for key, value in CDR.items() if key not in ("end_date_time", "cdr_location")}
    old |= {"stop_date_time": "2026-06-15T09:00:00Z", "total_cost": 5.13, "location": {"id": "yard"}}
    told = rated(tmp_path, TARIFF, old)
    assert told["agrees"] is True and "time zone UTC since none is told" in told["notes"]


@pytest.mark.parametrize(
    ("tariff", "cdr", "place"),
    [
        ("{", CDR, "line 1 column 2"),
        ([], CDR, "is an empty list"),
        ({**TARIFF, "currency": "euro"}, CDR, "currency"),
        ({**TARIFF, "elements": []}, CDR, "elements"),
        ({**TARIFF, "elements": [{"price_components": [{"type": "GAS", "price": 1}]}]}, CDR, "GAS"),
        ({**TARIFF, "elements": [{"price_components": [{"type": "FLAT", "price": -1}]}]}, CDR, "out of range"),
        ({**TARIFF, "elements": [{"price_components": [{"type": "FLAT", "price": True}]}]}, CDR, "elements[0].price"),
        ({**TARIFF, "elements": [{"price_components": [{"type": "FLAT"}]}]}, CDR, "is missing"),
        ({**TARIFF, "currency": "NOK"}, CDR, "the charge is in EUR, and tariff t in NOK"),
        (TARIFF, {**CDR, "charging_periods": []}, "charging_periods"),
        (TARIFF, {**CDR, "start_date_time": "yesterday"}, "is no time"),
        (TARIFF, {**CDR, "end_date_time": "2026-06-14T09:00:00Z"}, "lies before"),
        (TARIFF, {**CDR, "time_zone": "Mars/Base"}, "time_zone"),
        (TARIFF, {**CDR, "credit": True}, "credit"),
        (TARIFF, "[1]", "an object"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, tariff: Any, cdr: Any, place: str) -> None:
    words = ("--tariff", written(tmp_path, "t.json", tariff), "--cdr", written(tmp_path, "c.json", cdr))
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert place in err and err.startswith("chargerig: ") and err.count("\n") == 1 and "; allowed: " in err


def test_a_period_of_an_unknown_tariff_is_never_free(tmp_path: Path) -> None:
    period = {**CDR["charging_periods"][0], "tariff_id": "elsewhere"}
    words = ("--tariff", written(tmp_path, "t.json", TARIFF))
    code, out, err = run(*words, "--cdr", written(tmp_path, "c.json", {**CDR, "charging_periods": [period]}))
    assert (code, out) == (2, "") and "elsewhere" in err


def test_unknown_words_are_said_with_the_nearest_name() -> None:
    code, _, err = run("--cdr", str(GOLDEN / "08-energy" / "cdr.json"), "--policy", "ocpi-exct")
    assert code == 2 and "did you mean ocpi-exact?" in err
    code, _, err = run("--tariff", str(GOLDEN / "08-energy" / "tariff.json"), "--export", "ocpi-2.3")
    assert code == 2 and "ocpi-2.3.0" in err


def test_a_tariff_is_written_in_another_form() -> None:
    file = str(GOLDEN / "10-parking" / "tariff.json")
    code, out, err = run("--tariff", file, "--export", "ocpp-2.1")
    row = json.loads(out)
    assert code == 0 and row["idleTime"]["prices"][0]["priceMinute"] == 0.033333
    assert "lost in ocpp-2.1: steps: there are none in OCPP 2.1" in err
    code, out, _ = run("--tariff", file, "--export", "ocpi-2.3.0", "--json")
    assert code == 0 and json.loads(out)[0]["tariff"]["tax_included"] == "NO"


def test_the_policies_are_listed_and_the_self_test_runs() -> None:
    code, out, _ = run("--policies", "--json")
    assert code == 0 and json.loads(out)["whole-steps"].startswith("the sum of its kind is rounded floor")
    code, out, _ = run("--self-test", "60", "--seed", "5", "--json")
    assert code == 0 and json.loads(out)["agreed"] == 60
