"""What holds for every check: it passes an honest day, and it never passes what it could not judge."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.checks import (
    all_checks,
    check,
    goodwill,
    incoming,
    invitations,
    invoices,
    notices,
    payees,
    payments,
    payouts,
    periods,
    receivables,
    run_checks,
    subscriptions,
)
from scenarios.checks.registry import Check, Judge
from sim.errors import BadInput
from sim.evidence.reader import Evidence
from sim.evidence.store import open_evidence
from sim.evidence.verdict import CheckResult, Verdict, overall

MONEY = [
    one.name
    for module in (
        payments,
        invoices,
        subscriptions,
        periods,
        receivables,
        payees,
        payouts,
        goodwill,
        incoming,
        notices,
        invitations,
    )
    for one in vars(module).values()
    if isinstance(one, Check)
]
MONEY += ["M06", "M10", "M11", "M12", "INV-10", "INV-11", "T04", "INV-34"]
"""Of a day without partners, rollbacks, late messages, events and live states these have nothing to say; their own tests
show that they pass and fail."""
NAMES = [one.name for one in all_checks() if one.name not in MONEY]
PROMISED = {
    f"INV-{number:02d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 20, 21, 22, 26, 27, 29, 31, 32, 33, 37, 39, 40)
}
PROMISED |= {"B01", "B05", "B07", "B09", "B10", "B12", "M01", "M02", "M03", "M04", "T03", "T11"}
PROMISED |= {"B02", "B06", "B11", "L01", "L02", "L05", "T01", "T10", "DRV-01", "DRV-02", "DRV-03"}


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_day_passes_and_says_how_many_items_it_examined(day: Any, name: str) -> None:
    result = day.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ()), result
    assert result.items > 0


@pytest.mark.parametrize("name", MONEY)
def test_a_day_without_partners_is_not_applicable_to_the_checks_of_payments(day: Any, name: str) -> None:
    assert day.check(name).verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("name", [*NAMES, *MONEY])
def test_zero_items_are_not_applicable_and_never_a_pass(name: str) -> None:
    with open_evidence(":memory:") as evidence:
        (result,) = run_checks(evidence, [name])
    expected = Verdict.UNKNOWN if name.startswith("DRV") else Verdict.NOT_APPLICABLE
    assert result.items == 0
    assert result.verdict is expected, result  # without a budget nothing can be judged


@pytest.mark.parametrize("name", [one.name for one in all_checks() if one.needs])
def test_a_missing_book_makes_a_check_unknown_with_the_reason(day: Any, name: str) -> None:
    (known,) = (one for one in all_checks() if one.name == name)
    for table in known.needs:
        day.tables["unverifiable"] = [{"backend": "legacy", "book": table, "reason": "not kept"}]
        result = day.check(name)
        assert result.verdict is Verdict.UNKNOWN
        assert table in result.reason and "not kept" in result.reason


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_book_that_a_check_does_not_need_changes_nothing(day: Any, name: str) -> None:
    day.add("unverifiable", backend="legacy", book="books_stations", reason="not kept")
    assert day.check(name).verdict is Verdict.PASS


def test_every_promised_check_is_there_with_a_sentence_and_its_planes() -> None:
    assert set(NAMES) >= PROMISED
    assert all(one.sentence and one.planes for one in all_checks())


def test_a_check_that_crashes_is_unknown_even_after_a_finding(day: Any) -> None:
    @check("X-1", sentence="nothing breaks", planes=("books",))
    def broken(evidence: Evidence, judge: Judge) -> None:
        judge.examined(5)
        judge.fail("run", "x", "a breach")
        raise KeyError("oops")

    assert isinstance(broken, Check)
    with day.evidence() as evidence:
        result = broken.run(evidence)
    assert result.verdict is Verdict.UNKNOWN
    assert "KeyError" in result.reason and "oops" in result.reason


def test_rows_that_no_view_fits_make_a_check_unknown(day: Any) -> None:
    day.rows("books_bills")[0]["gross"] = "a lot"
    result = day.check("INV-06")
    assert result.verdict is Verdict.UNKNOWN
    assert "gross" in result.reason


def test_an_unknown_check_is_bad_input_that_lists_what_there_is(day: Any) -> None:
    with day.evidence() as evidence, pytest.raises(BadInput) as caught:
        run_checks(evidence, ["INV-01", "INV-99"])
    assert "INV-99" in str(caught.value) and "INV-39" in str(caught.value)


def test_checks_are_run_in_the_order_asked_for(day: Any) -> None:
    with day.evidence() as evidence:
        results = run_checks(evidence, ["L05", "INV-01"])
        assert [one.check for one in results] == ["L05", "INV-01"]
        assert [one.check for one in run_checks(evidence)] == [one.name for one in all_checks()]


def test_the_verdict_of_a_run_is_its_worst_and_forgives_only_what_it_was_told_to() -> None:
    def result(name: str, verdict: Verdict) -> CheckResult:
        return CheckResult(name, verdict, "", 1)

    good, bad = result("A", Verdict.PASS), result("B", Verdict.FAIL)
    dark, none = result("C", Verdict.UNKNOWN), result("D", Verdict.NOT_APPLICABLE)
    assert overall([good, bad, dark]) is Verdict.FAIL
    assert overall([good, dark, none]) is Verdict.UNKNOWN
    assert overall([good, dark, none], allow_unknown=["C"]) is Verdict.PASS
    assert overall([none]) is Verdict.NOT_APPLICABLE
    assert overall([bad], allow_unknown=["B"]) is Verdict.FAIL
