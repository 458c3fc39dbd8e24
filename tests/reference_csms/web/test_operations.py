"""Operating: every outcome has its status, payloads are judged before anything is sent, and a key asks once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reference_csms.web.operations import refused
from sim.machine import Refused


def test_a_call_is_sent_and_its_answer_read(api: Any) -> None:
    api.bench.boot()
    api.office.answers["Reset"] = {"status": "Accepted"}
    response = api.post("/operations/CS-1/Reset", {"type": "Soft"})
    assert (response.status_code, response.json()) == (200, {"status": "Accepted"})
    assert [(action, json.loads(payload)) for action, payload in api.office.sent] == [("Reset", {"type": "Soft"})]


def test_an_action_without_fields_needs_no_body(api: Any) -> None:
    api.bench.boot()
    api.office.answers["ClearCache"] = {"status": "Rejected"}
    response = api.ask("POST", "/operations/CS-1/ClearCache")
    assert (response.status_code, response.json()) == (200, {"status": "Rejected"})


def test_what_may_have_happened_is_504_and_says_so(api: Any) -> None:
    api.bench.boot()
    response = api.ask("POST", "/operations/CS-1/Reset?timeout=2.5", json={"type": "Hard"})
    problem = response.json()
    assert response.status_code == 504 and problem["code"] == "unknown"
    assert "2.5 s" in problem["detail"] and "it may have happened" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/operations/CS-9/Reset", {"type": "Soft"}, 404, "unknown-station"),
        ("/operations/CS-2/Reset", {"type": "Soft"}, 409, "not-connected"),
        ("/operations/CS-1/Reset", {"type": "Sof"}, 422, "bad-input"),
        ("/operations/CS-1/Reset", {}, 422, "bad-input"),
        ("/operations/CS-1/Reset", {"type": "Soft", "x": 2**40}, 409, None),
        ("/operations/CS-1/Reset", {"type": "Soft", "x": 10**30}, 422, "bad-input"),
        ("/operations/CS-1/RemoteStartTransaction", {"idTag": "TOK-B"}, 409, "Blocked"),
        ("/operations/CS-1/GetVariables", {}, 422, "bad-input"),
        ("/operations/CS-1/app-start", {"mobile": "+4999", "connector": 1}, 409, "Invalid"),
        ("/operations/CS-1/app-start", {"mobile": "+49170", "connector": "1"}, 422, "bad-input"),
        ("/operations/CS-1/app-stop", {"mobile": "+49170", "connector": 1}, 409, "no-transaction"),
        ("/operations/CS-9/accept-station", {}, 404, "unknown-station"),
        ("/operations/release-quarantine", {"quarantine_id": "q", "actor": "a", "reason": "r"}, 422, "bad-input"),
        ("/operations/release-quarantine", {"quarantine_id": "q"}, 422, "bad-input"),
        (
            "/operations/correct-session",
            {"session_id": "s", "actor": "a", "reason": "r", "terms": {}},
            422,
            "bad-input",
        ),
        ("/operations/run-billing", {"kind": "drivers", "owner": "city"}, 404, "unknown-operation"),
        ("/operations/export", {"what": "everything"}, 422, "bad-input"),
        ("/operations/export", {"what": "station"}, 422, "bad-input"),
        ("/operations/import", {"what": "tokens", "rows": [{"tokn": "A"}]}, 422, "bad-input"),
        ("/operations/import", {"what": "tokens", "rows": []}, 422, "bad-input"),
    ],
)
def test_what_is_refused_is_told_with_its_code(api: Any, path: str, body: Any, status: int, code: str | None) -> None:
    if code is None:
        api.office.answers["Reset"] = {"status": "Accepted"}
        status = 200
    api.bench.boot()
    response = api.post(path, body)
    assert response.status_code == status, response.text
    if code is not None:
        problem = response.json()
        assert problem["code"] == code and problem["status"] == status
        assert problem["detail"].endswith(".") and len(problem["detail"]) > 10


@pytest.mark.parametrize(
    ("action", "body", "field", "allowed"),
    [
        ("Reset", {"type": "Sof"}, "body.type", "Hard, Soft"),
        ("Reset", {}, "body.type", "Hard, Soft"),
        ("ChangeConfiguration", {"key": "x" * 51, "value": ""}, "body.key", "a text of at most 50 characters"),
        ("SendLocalList", {"listVersion": "1", "updateType": "Full"}, "body.listVersion", "a whole number"),
        (
            "SendLocalList",
            {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "x" * 21}]},
            "body.localAuthorizationList.0.idTag",
            "a text of at most 20 characters",
        ),
    ],
)
def test_a_wrong_payload_is_refused_by_field_and_what_is_allowed(
    api: Any, action: str, body: Any, field: str, allowed: str
) -> None:
    api.bench.boot()
    problem = api.post(f"/operations/CS-1/{action}", body).json()
    assert (problem["status"], problem["field"], problem["allowed"]) == (422, field, allowed)
    assert allowed in problem["detail"] and not api.office.sent


def test_a_station_that_says_no_is_409_with_its_code(api: Any) -> None:
    problem = refused(Refused("NotSupported", "no such feature"), "call")
    assert (problem.status, problem.code) == (409, "NotSupported")
    assert refused(Refused("unavailable", "stopping"), "call").status == 503


def test_an_identity_may_hold_any_character(api: Any) -> None:
    rows = [{"station": "DE*ABC/7 ü?#", "site": "hall"}]
    assert api.post("/stations", {"rows": rows}).json() == {"imported": 1}
    path = "/operations/DE*ABC%2F7%20%C3%BC%3F%23/Reset"
    response = api.post(path, {"type": "Soft"})
    assert (response.status_code, response.json()["code"]) == (409, "not-connected")
    assert api.get("/stations/DE*ABC%2F7%20%C3%BC%3F%23").json()["station"] == "DE*ABC/7 ü?#"


def test_an_app_user_starts_and_stops(api: Any) -> None:
    link = api.bench.boot()
    api.office.answers |= {
        "RemoteStartTransaction": {"status": "Accepted"},
        "RemoteStopTransaction": {"status": "Accepted"},
    }
    user = {"mobile": "+49170", "connector": 1}
    assert api.post("/operations/CS-1/app-start", user).json() == {"status": "Accepted"}
    api.bench.start(link, "TOK-A")
    assert api.post("/operations/CS-1/app-stop", user).json() == {"status": "Accepted"}
    assert [action for action, _ in api.office.sent] == ["RemoteStartTransaction", "RemoteStopTransaction"]


def test_a_station_is_held_accepted_and_closed(api: Any) -> None:
    assert api.post("/operations/CS-1/hold-station").json() == {"status": "Accepted"}
    api.bench.boot()
    assert api.get("/stations/CS-1").json()["registration"] == "pending"
    api.office.answers["TriggerMessage"] = {"status": "Accepted"}
    assert api.post("/operations/CS-1/accept-station").json() == {"status": "Accepted"}
    assert [action for action, _ in api.office.sent] == ["TriggerMessage"]
    assert api.post("/operations/CS-1/close-station").status_code == 200
    assert api.get("/stations/CS-1").json()["registration"] == "closed"


def test_a_transaction_goes_from_one_back_end_to_the_next(api: Any, make_bench: Any, make_an_api: Any) -> None:
    """What export gives, import takes, tariff and all."""
    api.bench.start(api.bench.boot())
    given = api.post("/operations/export", {"what": "open-transactions", "station": "CS-1"}).json()["rows"]
    other = make_an_api(make_bench())
    with other.client:
        assert other.post("/open-transactions", {"rows": given}).json() == {"imported": 1}
        assert other.walk("/transactions", state="open")[0]["transaction_id"] == given[0]["transaction_id"]


def test_a_correction_may_take_a_group_away(used: Any) -> None:
    terms = {"session_id": "legacy-s-000001", "actor": "ann", "reason": "wrong group", "terms": {"grp": "staff"}}
    made = used.post("/operations/correct-session", terms)
    assert made.status_code == 200 and made.json()["difference"] < 0
    again = used.post("/operations/correct-session", terms)
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-correct")
    back = used.post("/operations/correct-session", {**terms, "terms": {"grp": None}})
    assert back.json()["difference"] == -made.json()["difference"]


def test_money_is_operated_where_there_is_money(make_bench: Any, make_an_api: Any, sheet: Any) -> None:
    from sim.backend import Setup

    setup = Setup(name="new", seed=1, provision=sheet, options={"money": {}})
    with (other := make_an_api(make_bench(setup))).client:
        seller = {"seller": "op", "name": "Operator", "zone": "Europe/Oslo", "accounts": [{"value": "NO93"}]}
        assert other.post("/sellers", {"rows": [seller]}).json() == {"imported": 1}
        contract = {
            "contract": "k1", "seller": "op", "customer": "city", "currency": "EUR", "period": "month",
            "start": "2026-05-01", "items": [{"text": "fee", "net": 1000}], "vat_percent": "25",
        }  # fmt: skip
        assert other.post("/contracts", {"rows": [contract]}).json() == {"imported": 1}
        assert other.walk("/contracts", seller="op")[0]["contract_id"] == "k1"
        assert "run" in other.post("/operations/run-billing", {"kind": "subscription", "seller": "op"}).json()
        ended = other.post("/operations/end-contract", {"contract": "k1", "end": "2026-07-01"})
        assert ended.status_code == 200
        again = other.post("/operations/end-contract", {"contract": "k1", "end": "2026-08-01"})
        assert (again.status_code, again.json()["code"]) == (409, "ended")
        nobody = other.post("/operations/run-billing", {"kind": "drivers", "owner": "x"})
        assert (nobody.status_code, nobody.json()["code"]) == (404, "unknown-seller")
        lacking = other.post("/operations/run-billing", {"kind": "drivers"})
        assert lacking.status_code == 422
        bad = other.post("/contracts", {"rows": [{**contract, "seller": "x"}]})
        assert bad.status_code == 422 and "contracts[0].seller" in bad.json()["detail"]
        signed = {"partner": "stripe", "payload": "{}", "signature": "t=1,v1=0"}
        webhook = other.post("/operations/webhook", signed)
        assert (webhook.status_code, webhook.json()["code"]) == (409, "bad-signature")
        assert other.post("/operations/refund", {"claim": "c", "amount": 1}).status_code in (404, 409, 422)
        assert other.post("/operations/cancel-invoice", {"number": "c"}).status_code in (404, 409, 422)


# -- asking once ------------------------------------------------------------------------------------------------------


def test_the_same_key_and_request_gets_the_first_answer_and_acts_once(api: Any) -> None:
    api.bench.boot()
    api.office.answers["Reset"] = {"status": "Accepted"}
    key = {"Idempotency-Key": "k-1"}
    first = api.post("/operations/CS-1/Reset", {"type": "Soft"}, headers=key)
    api.office.answers["Reset"] = {"status": "Rejected"}
    again = api.post("/operations/CS-1/Reset", {"type": "Soft"}, headers=key)
    assert (again.status_code, again.json()) == (200, first.json()) and len(api.office.sent) == 1
    other = api.post("/operations/CS-1/Reset", {"type": "Hard"}, headers=key)
    assert other.status_code == 422 and other.json()["field"] == "Idempotency-Key"
    elsewhere = api.post("/operations/CS-2/Reset", {"type": "Soft"}, headers=key)
    assert elsewhere.status_code == 422
    assert api.post("/operations/CS-1/Reset", {"type": "Soft"}, "operator", headers=key).json() == {
        "status": "Rejected"
    }
    assert len(api.office.sent) == 2


def test_an_outcome_that_is_unknown_is_not_tried_again_under_its_key(api: Any) -> None:
    api.bench.boot()
    key = {"Idempotency-Key": "k-1"}
    assert api.post("/operations/CS-1/Reset", {"type": "Soft"}, headers=key).status_code == 504
    assert api.post("/operations/CS-1/Reset", {"type": "Soft"}, headers=key).status_code == 504
    assert len(api.office.operations) == 1


def test_a_body_that_was_never_taken_leaves_its_key_free(api: Any) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert api.post("/tokens", {"rows": [{}]}, headers=key).status_code == 422
    assert api.post("/tokens", {"rows": [{"token": "N"}]}, headers=key).json() == {"imported": 1}


def test_a_key_that_is_still_under_way_is_409(api: Any) -> None:
    """Two at once: one acts, the other is told to wait."""
    import asyncio

    from sim.machine import Answered

    async def slowly(operation: Any, timeout_s: float) -> Answered:
        api.office.operations.append(operation)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return Answered({"imported": 1})

    api.office.operate = slowly
    headers = {"Authorization": "Bearer all-scopes-0123456789", "Idempotency-Key": "k"}
    asked = [api.client.later("POST", "/tokens", json={"rows": [{"token": "N"}]}, headers=headers) for _ in range(2)]
    answers = api.client.run(*asked)
    assert sorted(one.status_code for one in answers) == [200, 409] and len(api.office.operations) == 1


def test_our_own_mistake_raises_and_leaves_its_key_free(api: Any) -> None:
    async def broken(operation: Any, timeout_s: float) -> Any:
        raise ZeroDivisionError("a secret detail")

    good, api.office.operate = api.office.operate, broken
    headers = {"Idempotency-Key": "k"}
    with pytest.raises(ZeroDivisionError):
        api.post("/tokens", {"rows": [{"token": "N"}]}, headers=headers)
    api.office.operate = good
    assert api.post("/tokens", {"rows": [{"token": "N"}]}, headers=headers).status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
def test_a_key_has_its_bounds(api: Any, key: str) -> None:
    response = api.post("/tokens", {"rows": [{"token": "N"}]}, headers={"Idempotency-Key": key})
    assert response.status_code == 422 and response.json()["field"] == "Idempotency-Key"


def test_old_keys_make_room_for_new_ones() -> None:
    import asyncio

    from starlette.responses import Response

    from reference_csms.web.repeats import Repeats

    made: list[str] = []

    async def use(repeats: Repeats, key: str) -> None:
        async def make() -> Response:
            made.append(key)
            return Response()

        await repeats.once("me", key, b"x", make)

    async def run() -> None:
        repeats = Repeats(most=2)
        for key in ("a", "b", "b", "c", "a"):
            await use(repeats, key)

    asyncio.run(run())
    assert made == ["a", "b", "c", "a"]
