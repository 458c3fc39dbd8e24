"""Planted breaches of what energy, time, rounding and acceptance can be (INV-08, 20, 32, 33)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scenarios.checks.sums import NET_ROUNDED, VAT_ROUNDED, vat_of
from sim.evidence.verdict import CheckResult, Verdict


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


# -- INV-08 ---------------------------------------------------------------------------------------------------------------


def test_inv_08_finds_more_energy_than_the_station_can_deliver(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1001")["kwh"] = "24.300"  # an hour at 22 kW, and a tenth more
    result = day.check("INV-08")
    assert subjects(result) == ["s-1001"]
    assert "22000 W" in result.findings[0].sentence
    day.row("books_cdrs", cdr_id="c-1001")["kwh"] = "24.201"
    assert day.check("INV-08").verdict is Verdict.PASS


def test_inv_08_finds_energy_below_zero_also_where_it_is_free(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-500000004")["kwh"] = "-0.050"
    assert subjects(day.check("INV-08")) == ["s-500000004"]


def test_inv_08_judges_a_session_that_never_happened_by_the_times_in_the_books(
    day: Any, at: Callable[[str], int]
) -> None:
    ghost = {**day.row("books_sessions", session_id="s-1001"), "session_id": "ghost", "cdr_id": None}
    day.add("books_sessions", **{**ghost, "started_at": at("17:00"), "stopped_at": at("17:10"), "energy_wh": 900_000})
    assert subjects(day.check("INV-08")) == ["ghost"]


def test_inv_08_does_not_care_what_is_held(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1001")["kwh"] = "900"
    day.row("books_sessions", session_id="s-1001")["state"] = "quarantined"
    assert day.check("INV-08").verdict is Verdict.PASS


def test_inv_08_cannot_judge_a_station_whose_power_nobody_planned(day: Any) -> None:
    del day.plan["stations"][0]["power_w"]
    assert day.check("INV-08").verdict is Verdict.UNKNOWN


# -- INV-20 ---------------------------------------------------------------------------------------------------------------


def test_inv_20_finds_a_bill_for_a_token_that_the_plan_blocks(day: Any) -> None:
    next(token for token in day.plan["tokens"] if token["token"] == "BB01")["status"] = "Blocked"
    result = day.check("INV-20")
    assert set(subjects(result)) == {"BB01"}
    assert "Blocked" in result.findings[0].sentence


def test_inv_20_finds_a_bill_for_a_token_that_nobody_knows(day: Any) -> None:
    day.plan["tokens"] = [token for token in day.plan["tokens"] if token["token"] != "BB01"]
    assert "Invalid" in day.check("INV-20").findings[0].sentence


def test_inv_20_finds_a_bill_for_a_token_that_may_charge_elsewhere_only(day: Any) -> None:
    next(token for token in day.plan["tokens"] if token["token"] == "BB01")["sites"] = ["alpha"]
    assert set(subjects(day.check("INV-20"))) == {"BB01"}


def test_inv_20_finds_a_bill_for_a_start_that_was_refused(day: Any) -> None:
    start = next(row for row in day.rows("wire_calls", action="StartTransaction") if '"BB01"' in row["payload"])
    start["answer"] = json.dumps({"transactionId": 500_000_001, "idTagInfo": {"status": "Expired"}})
    result = day.check("INV-20")
    assert subjects(result) == ["BB01"]
    assert "Expired" in result.findings[0].sentence


def test_inv_20_names_the_token_that_truly_charged(day: Any) -> None:
    """A back-end that books a blocked driver under another name is found all the same: the join is by the truth."""
    next(token for token in day.plan["tokens"] if token["token"] == "GUEST-7")["status"] = "Blocked"
    assert set(subjects(day.check("INV-20"))) == {"GUEST-7"}


# -- INV-32 ---------------------------------------------------------------------------------------------------------------


def stretch(day: Any, cdr_id: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    change(day.row("books_cdrs", cdr_id=cdr_id)["periods"])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows: rows[1].update(start=rows[1]["start"] + 60_000), "between two stretches"),
        (lambda rows: rows.pop(), "stretches of"),
        (lambda rows: rows[-1].update(end=rows[-1]["end"] + 3_600_000), "lasted"),
        (lambda rows: rows[0].update(energy_kwh="7.999"), "kWh"),
        (lambda rows: rows[1].update(idle=False), "idle"),
        (lambda rows: rows[0].update(end=rows[0]["start"] - 1), "before it begins"),
    ],
)
def test_inv_32_finds_stretches_that_are_not_the_session(day: Any, spoil: Callable[[Any], None], words: str) -> None:
    stretch(day, "c-500000001", spoil)
    result = day.check("INV-32")
    assert set(subjects(result)) == {"c-500000001"}
    assert any(words in finding.sentence for finding in result.findings), result.findings


def test_inv_32_finds_an_idle_hour_that_a_clock_change_gave_for_nothing(day: Any) -> None:
    """T08: the line counts local minutes, and the stretches those of UTC."""
    rated = day.row("books_rated", cdr_id="c-500000001")
    line = next(one for one in rated["lines"] if one["component"] == "idle")
    line["quantity"] = str(int(line["quantity"]) + 3600)
    result = day.check("INV-32")
    assert subjects(result) == ["c-500000001"]
    assert "3600" not in result.findings[0].sentence and "ms idle" in result.findings[0].sentence


def test_inv_32_cannot_judge_a_record_without_stretches(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1001")["periods"] = None
    assert day.check("INV-32").verdict is Verdict.UNKNOWN


# -- INV-33 ---------------------------------------------------------------------------------------------------------------


def invoice(day: Any, number: str, lines: list[tuple[str, int]], net: int, vat: int, **more: Any) -> dict[str, Any]:
    row = {
        "kind": "subscription",
        "seller": "co",
        "customer": "city",
        "currency": "EUR",
        "basis": "net",
        "state": "issued",
    }
    row |= {"rounding": "per-invoice-per-rate, half up", "net": net, "vat": vat, "gross": net + vat, "issued_at": 1}
    for position, (percent, amount) in enumerate(lines, 1):
        day.add(
            "books_invoice_lines", backend="new", number=number, position=position, kind="item", vat_percent=percent,
            amount=amount,
        )  # fmt: skip
    return dict(day.add("books_invoices", backend="new", number=number, **{**row, **more}))


def test_inv_33_takes_invoices_of_both_bases_and_of_several_rates(day: Any) -> None:
    before = day.check("INV-33").items
    invoice(day, "S-1", [("19", 1_050), ("25", 333), ("19", -52)], 1_331, 273)
    invoice(day, "D-1", [("25", 101), ("19.0", 119)], 181 - 0, 39, basis="gross", kind="drivers")
    result = day.check("INV-33")
    assert (result.verdict, result.items) == (Verdict.PASS, before + 2), result


def test_inv_33_finds_a_bill_whose_lines_are_another_sum(day: Any) -> None:
    day.row("books_rated", cdr_id="c-1001")["lines"][0]["amount"] += 1
    result = day.check("INV-33")
    assert len(subjects(result)) == 1
    assert "lines of" in result.findings[0].sentence


def test_inv_33_finds_vat_that_is_a_cent_off(day: Any) -> None:
    rated = day.row("books_rated", cdr_id="c-1002")
    rated.update(net=rated["net"] + 1, vat=rated["vat"] - 1)
    assert "VAT" in day.check("INV-33").findings[0].sentence


@pytest.mark.parametrize(
    ("net", "vat", "more"),
    [
        (1_331, 274, {}),  # rounded line by line
        (1_332, 273, {}),
        (1_331, 273, {"gross": 1_600}),
        (
            1_331,
            273,
            {"data": json.dumps({"vat_table": [{"percent": "19", "vat": 191}, {"percent": "25", "vat": 82}]})},
        ),
        (1_331, 273, {"data": json.dumps({"vat_table": [{"percent": "19", "vat": 273}]})}),
        (1_331, 273, {"data": json.dumps({"lines": [{"amount": 1_331, "vat_percent": "25"}]})}),
    ],
)
def test_inv_33_finds_an_invoice_with_a_wrong_total(day: Any, net: int, vat: int, more: dict[str, Any]) -> None:
    invoice(day, "S-1", [("19", 1_050), ("25", 333), ("19", -52)], net, vat, **more)
    assert subjects(day.check("INV-33")) == ["S-1"]


def test_inv_33_finds_an_invoice_without_lines(day: Any) -> None:
    invoice(day, "S-1", [], 0, 0)
    assert subjects(day.check("INV-33")) == ["S-1"]


def test_inv_33_finds_two_rules_of_rounding_at_one_back_end(day: Any) -> None:
    day.row("books_rated", cdr_id="c-500000001")["policy"] = "line-half-even"
    result = day.check("INV-33")
    assert subjects(result) == ["new"]
    assert "line-half-even" in result.findings[0].sentence


def test_inv_33_cannot_judge_a_back_end_that_names_no_rule(day: Any) -> None:
    for rated in day.rows("books_rated"):
        rated["policy"] = None
    assert day.check("INV-33").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("total", "percent", "basis", "rule", "vat"),
    [
        (3, "100", "gross", NET_ROUNDED[0], (1,)),  # net 1.5: up
        (3, "100", "gross", VAT_ROUNDED[0], (2,)),
        (-3, "100", "gross", VAT_ROUNDED[0], (-2,)),  # what is taken back is what was given
        (50, "25", "net", VAT_ROUNDED[0], (13,)),
        (50, "25", "net", NET_ROUNDED[0], (13,)),
        (119, "19", "gross", "somebody's own", (19,)),
    ],
)
def test_the_rule_of_rounding_decides_half_a_cent(
    total: int, percent: str, basis: str, rule: str, vat: tuple[int]
) -> None:
    assert vat_of(total, percent, basis, rule) == vat


def test_a_rule_of_another_name_may_round_half_a_cent_either_way() -> None:
    assert sorted(vat_of(3, "100", "gross", "somebody's own")) == [1, 2]
