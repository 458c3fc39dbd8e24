"""Planted breaches of what a move may set, of what nobody may see, and of what must be explained (INV-27, 37, 40)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sim.evidence.verdict import CheckResult, Verdict

At = Callable[[str], int]


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


def write(day: Any, at: int, key: str, value: str, status: str = "Accepted", backend: str = "new") -> None:
    asked = {"key": key, "value": value}
    day.call(at, "S1", backend, "ChangeConfiguration", asked, {"status": status}, way="down")


def dump(day: Any, at: int, backend: str, **keys: str) -> None:
    shown = {"configurationKey": [{"key": key, "readonly": False, "value": value} for key, value in keys.items()]}
    day.call(at, "S1", backend, "GetConfiguration", {}, shown, way="down")


# -- INV-27 ---------------------------------------------------------------------------------------------------------------


def test_inv_27_finds_a_key_that_is_not_on_the_list(day: Any, at: At) -> None:
    write(day, at("10:33"), "LocalAuthorizeOffline", "false")
    result = day.check("INV-27")
    assert subjects(result) == ["S1"]
    assert "LocalAuthorizeOffline" in result.findings[0].sentence


def test_inv_27_finds_another_value_than_the_planned_one(day: Any, at: At) -> None:
    write(day, at("10:33"), "HeartbeatInterval", "5")
    assert subjects(day.check("INV-27")) == ["S1"]


def test_inv_27_takes_a_value_that_was_there_before_for_no_change(day: Any, at: At) -> None:
    dump(day, at("10:20"), "legacy", LocalAuthorizeOffline="true")
    write(day, at("10:33"), "LocalAuthorizeOffline", "true")
    assert day.check("INV-27").verdict is Verdict.PASS
    write(day, at("10:34"), "LocalAuthorizeOffline", "false")
    assert subjects(day.check("INV-27")) == ["S1"]


def test_inv_27_takes_what_the_station_refused_for_no_change(day: Any, at: At) -> None:
    write(day, at("10:33"), "LocalAuthorizeOffline", "false", status="Rejected")
    assert day.check("INV-27").verdict is Verdict.PASS


def test_inv_27_takes_a_write_that_nobody_answered_for_one_that_may_have_been_taken(day: Any, at: At) -> None:
    write(day, at("10:33"), "LocalAuthorizeOffline", "false")
    call = day.tables["wire_calls"][-1]
    call.update(answer_kind=None, answer=None, answered_at=None, answer_delivered_at=None)
    assert subjects(day.check("INV-27")) == ["S1"]
    call["delivered_at"] = None
    assert day.check("INV-27").verdict is Verdict.PASS


def test_inv_27_finds_keys_that_a_bulk_edit_wiped(day: Any, at: At) -> None:
    """MF-25: a field that is missing was taken for one to be deleted."""
    dump(day, at("10:20"), "legacy", HeartbeatInterval="900", BackendUrl="ws://legacy", SiteName="alpha")
    dump(day, at("10:40"), "new", HeartbeatInterval="900", BackendUrl="ws://legacy")
    result = day.check("INV-27")
    assert subjects(result) == ["S1"]
    assert "SiteName" in result.findings[0].sentence


def test_inv_27_lets_the_plan_leave_a_value_open(day: Any, at: At) -> None:
    day.plan["move"]["configuration"]["S1"]["TariffChangeTimes"] = None
    write(day, at("10:33"), "TariffChangeTimes", "04:00")
    assert day.check("INV-27").verdict is Verdict.PASS


def test_inv_27_cannot_judge_a_station_without_a_list(day: Any) -> None:
    del day.plan["move"]["configuration"]["S1"]
    assert day.check("INV-27").verdict is Verdict.UNKNOWN


def test_inv_27_is_not_applicable_without_a_move(day: Any) -> None:
    day.plan["move"] = None
    assert day.check("INV-27").verdict is Verdict.NOT_APPLICABLE


# -- INV-37 ---------------------------------------------------------------------------------------------------------------


def test_inv_37_finds_a_password_in_a_dump(day: Any, at: At) -> None:
    dump(day, at("10:40"), "new", AuthorizationKey="0123456789abcdef")
    result = day.check("INV-37")
    assert set(subjects(result)) == {"S1"}
    assert "0123456789abcdef" not in str(result.findings)


def test_inv_37_finds_a_password_that_was_written_in_an_export(day: Any, at: At) -> None:
    write(day, at("10:33"), "AuthorizationKey", "hunter2hunter2")
    day.add("books_stations", backend="new", station="S1", data=json.dumps({"basic": "hunter2hunter2"}))
    result = day.check("INV-37")
    assert subjects(result) == ["S1"]
    assert "export" in result.findings[0].sentence


@pytest.mark.parametrize(
    "text",
    ["ws://S1:geheim@new/ocpp", "-----BEGIN EC PRIVATE KEY-----", "whsec_0123456789abcdef", "sk_live_0123456789"],
)
def test_inv_37_finds_what_has_the_shape_of_a_secret(day: Any, at: At, text: str) -> None:
    dump(day, at("10:40"), "new", Note=text)
    assert subjects(day.check("INV-37")) == ["S1"]


def spoil_bill(day: Any, **more: Any) -> None:
    bill = day.row("books_bills", session_id="s-1001")
    bill["data"] = json.dumps({**json.loads(bill["data"]), **more})


def test_inv_37_finds_a_full_token_on_a_bill(day: Any) -> None:
    spoil_bill(day, customer={"token": "aa01"})
    result = day.check("INV-37")
    assert subjects(result) == [day.row("books_bills", session_id="s-1001")["number"]]
    assert "AA01" not in str(result.findings).upper()


def test_inv_37_allows_a_token_inside_a_signed_record_and_that_of_a_guest(day: Any) -> None:
    spoil_bill(day, verification={"records": [{"text": 'OCMF|{"ID":"AA01"}|{}'}]}, customer={"token": "GUEST-7"})
    assert day.check("INV-37").verdict is Verdict.PASS


def mail(day: Any, text: str) -> None:
    day.add("partner_mails", partner="mailbox", id="m-1", at=1, to="city@example", subject="s", text=text, state="sent")


def test_inv_37_finds_a_full_token_in_a_mail(day: Any) -> None:
    mail(day, "Please look at token BB01.")
    assert subjects(day.check("INV-37")) == ["m-1"]


@pytest.mark.parametrize("iban", ["NO93 8601 1117 947", "NO9386011117947"])
def test_inv_37_finds_the_bank_account_of_an_owner_but_allows_that_of_a_seller(day: Any, iban: str) -> None:
    seller = {"seller": "co", "accounts": [{"value": "DE89370400440532013000", "from": "2019-01-01"}]}
    owner = {"owner": "city", "iban": "NO9386011117947", "wrong_iban": "NO9386011117948"}
    day.plan["upgrade"] = {"sellers": [seller], "owners": [owner]}
    mail(day, "Pay to DE89 3704 0044 0532 0130 00.")
    assert day.check("INV-37").verdict is Verdict.PASS
    day.tables["partner_mails"] = []
    mail(day, f"We pay to {iban}.")
    result = day.check("INV-37")
    assert subjects(result) == ["m-1"]
    assert "7947" in result.findings[0].sentence and "11117947" not in str(result.findings)


def test_inv_37_cannot_judge_a_bill_that_nobody_shows(day: Any) -> None:
    day.row("books_bills", session_id="s-1001")["data"] = None
    assert day.check("INV-37").verdict is Verdict.UNKNOWN


# -- INV-40 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"reason": ""}, "no reason"),
        ({"actor": None}, "names no actor"),
        ({"evidence": None}, "no evidence"),
        ({"evidence": {}}, "no evidence"),
        ({"evidence": "{"}, "cannot be read"),
        ({"evidence": {"message_id": "never"}}, "never sent"),
        ({"evidence": {"digests": ["abc"]}}, "in no book"),
        ({"state": "deleted"}, "neither held nor released"),
        ({"session_id": "s-gone"}, "in no book"),
        ({"state": "released"}, "still in quarantine"),
    ],
)
def test_inv_40_finds_a_case_that_nobody_could_explain_or_undo(day: Any, spoil: dict[str, Any], words: str) -> None:
    case = day.row("books_quarantine")
    case.update(spoil)
    result = day.check("INV-40")
    assert subjects(result) == [case["quarantine_id"]]
    assert words in result.findings[0].sentence


def test_inv_40_finds_a_case_that_was_billed_without_a_release(day: Any) -> None:
    day.row("books_sessions", session_id="s-500000003")["state"] = "billed"
    assert "nothing left to release" in day.check("INV-40").findings[0].sentence


def corrected(day: Any) -> dict[str, Any]:
    """The first session is corrected as it should be; returns the note."""
    old = day.row("books_cdrs", cdr_id="c-1001")
    day.add("books_cdrs", **{**old, "cdr_id": "c-credit", "corrects": "c-1001", "credit": 1, "kwh": "-" + old["kwh"]})
    day.add("books_cdrs", **{**old, "cdr_id": "c-right", "corrects": "c-1001", "credit": 0, "grp": None})
    note = {"correction_id": "k-1", "session_id": "s-1001", "cdr_id": "c-1001", "credit_id": "c-credit"}
    note |= {"corrected_id": "c-right", "actor": "ann", "reason": "wrong group", "at": 1}
    row: dict[str, Any] = day.add("books_corrections", backend="legacy", **note)
    return row


def test_inv_40_takes_a_correction_with_its_credit_and_its_note(day: Any) -> None:
    before = day.check("INV-40").items
    corrected(day)
    result = day.check("INV-40")
    assert (result.verdict, result.items) == (Verdict.PASS, before + 3), result


@pytest.mark.parametrize(
    ("spoil", "subject"),
    [
        (lambda day, note: note.update(actor=" "), "k-1"),
        (lambda day, note: note.update(reason=None), "k-1"),
        (lambda day, note: day.tables["books_corrections"].clear(), "c-credit"),
        (lambda day, note: day.tables["books_cdrs"].remove(day.row("books_cdrs", cdr_id="c-credit")), "k-1"),
        (lambda day, note: day.tables["books_cdrs"].remove(day.row("books_cdrs", cdr_id="c-right")), "k-1"),
        (lambda day, note: day.row("books_cdrs", cdr_id="c-credit").update(kwh="-1.000"), "c-credit"),
    ],
)
def test_inv_40_finds_a_correction_that_nobody_signed_or_that_has_no_credit(
    day: Any, spoil: Callable[[Any, dict[str, Any]], None], subject: str
) -> None:
    note = corrected(day)
    spoil(day, note)
    assert subject in subjects(day.check("INV-40"))
