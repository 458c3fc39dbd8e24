"""Who may ask what: tokens, scopes, limits of a request, health, metrics, and a log without secrets."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from reference_csms.web.tokens import Doorkeeper, api_token
from sim.errors import BadInput

SECRET = "all-scopes-0123456789"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong-0123456789-abc", "Basic YWxsOnNjb3Blcw==", f"Token {SECRET}",
     f"Bearer {SECRET}x", SECRET, f"Bearer {SECRET.upper()}", "Bearer \u00e4\u00f6\u00fc"],
)  # fmt: skip
def test_without_a_valid_token_nothing_is_told(api: Any, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    response = api.ask("GET", "/sessions", None, headers=headers)
    assert response.status_code == 401 and response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["field"] == "Authorization" and SECRET not in response.text


@pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        ("GET", "/sessions", "reader"),
        ("GET", "/metrics", "reader"),
        ("POST", "/operations/CS-1/ClearCache", "operator"),
        ("POST", "/operations/import", "provisioner"),
        ("POST", "/tokens", "provisioner"),
    ],
)
def test_each_scope_opens_its_own_doors_only(api: Any, method: str, path: str, who: str) -> None:
    for other in ("reader", "operator", "provisioner"):
        response = api.ask(method, path, other, **({"json": {}} if method == "POST" else {}))
        assert (response.status_code == 403) is (other != who)
        if other != who:
            assert "lacks the scope" in response.json()["detail"]


@pytest.mark.parametrize("secret", ["", "short", "with blanks in between", "umlaut-äöü-0123456789"])
def test_a_token_that_could_be_guessed_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(BadInput) as caught:
        api_token("me", secret)
    assert not secret or secret not in str(caught.value)


def test_a_token_keeps_no_secret_and_an_unknown_scope_is_named() -> None:
    token = api_token("me", SECRET, ["read"])
    assert SECRET not in repr(token)
    assert Doorkeeper([token]).who(f"Bearer {SECRET}") is token
    with pytest.raises(BadInput, match="'write' is unknown; allowed: read, operate, provision"):
        api_token("me", SECRET, ["write"])


def test_every_token_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constant time: how long it takes says nothing about which token is right."""
    import hmac

    seen: list[bytes] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: seen.append(a) or real(a, b))
    tokens = [api_token(f"t{n}", f"a-secret-of-number-{n}") for n in range(5)]
    for n in range(5):
        seen.clear()
        assert Doorkeeper(tokens).who(f"Bearer a-secret-of-number-{n}") is tokens[n]
        assert seen == [token.digest for token in tokens]


# -- limits of a request ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "field"),
    [
        ("DELETE", "/sessions", {}, 405, "method"),
        ("GET", "/operations/CS-1/Reset", {}, 405, "method"),
        ("GET", "/sesions", {}, 404, "path"),
        ("POST", "/operations/CS-1/Rset", {"json": {}}, 404, "path"),
        ("GET", "/sessions/", {}, 404, "session_id"),
        ("GET", "/stations/%07", {}, 404, "station"),
        ("POST", "/tokens", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "Content-Type"),
        ("POST", "/tokens", {"content": b"{}"}, 415, "Content-Type"),
        ("POST", "/tokens", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "body"),
        ("POST", "/tokens", {"content": b"[" * 90_000, "headers": {"Content-Type": "application/json"}}, 422, "body"),
        ("POST", "/tokens", {"content": b'"\\u0000"', "headers": {"Content-Type": "application/json"}}, 422, "body"),
        ("POST", "/tokens", {"json": []}, 422, "body"),
        ("POST", "/tokens", {"json": {"rows": [{"token": "x" * 200_000}]}}, 413, "body"),
    ],
)
def test_what_is_no_request_is_a_problem_that_names_the_field(
    bench: Any, make_an_api: Any, method: str, path: str, more: Any, status: int, field: str
) -> None:
    api = make_an_api(bench, body_limit=100_000)
    with api.client:
        response = api.ask(method, path, **more)
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["field"]) == (status, status, field)
    assert problem["detail"].endswith(".")
    if status == 405:
        assert response.headers["Allow"] in problem["detail"]


def test_a_body_of_unknown_length_has_the_same_limit(bench: Any, make_an_api: Any) -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b" " * 1000

    api = make_an_api(bench, body_limit=100_000)
    with api.client:
        headers = {"Content-Type": "application/json"}
        assert api.ask("POST", "/tokens", content=endless(), headers=headers).status_code == 413


def test_a_wrong_route_names_the_nearest(api: Any) -> None:
    assert "did you mean /sessions?" in api.get("/sesions").json()["detail"]


# -- health and metrics -----------------------------------------------------------------------------------------------


def test_health_is_open_and_ready_says_why_not(api: Any) -> None:
    live = api.get("/health/live", None).json()
    assert (live["status"], live["name"]) == ("live", "legacy")
    assert api.get("/health/ready", None).json() == {"status": "ready"}
    api.office.why_not = "The database is gone."
    ready = api.get("/health/ready", None)
    assert (ready.status_code, ready.json()["detail"]) == (503, "The database is gone.")
    assert api.get("/health/live", None).status_code == 200
    for response in (api.get("/sessions"), api.post("/operations/CS-1/Reset", {"type": "Soft"})):
        assert (response.status_code, response.json()["detail"]) == (503, "The database is gone.")
    assert api.get("/metrics").status_code == 200 and not api.office.operations


def test_metrics_say_what_the_process_counts_and_what_the_books_hold(used: Any) -> None:
    counters = used.office.counters
    counters.handshakes = {101: 7, 401: 2}
    counters.calls = {("StartTransaction", "result"): 5, ('Da"ta\n', "NotImplemented"): 1}
    counters.groups, counters.commit_ms_total, counters.shed, counters.closed_oversize = 9, 250.0, 3, 1
    counters.lag_ms = 12.5
    response = used.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    for line in (
        'chargerig_handshakes_total{status="101"} 7.0',
        'chargerig_handshakes_total{status="401"} 2.0',
        'chargerig_calls_total{action="StartTransaction",outcome="result"} 5.0',
        'chargerig_calls_total{action="Da\\"ta\\n",outcome="NotImplemented"} 1.0',
        "chargerig_commit_groups_total 9.0",
        "chargerig_commit_seconds_total 0.25",
        "chargerig_shed_total 3.0",
        "chargerig_closed_oversize_total 1.0",
        "chargerig_loop_lag_seconds 0.0125",
        "chargerig_connected_stations 2.0",
        "chargerig_open_transactions 1.0",
        "chargerig_sessions 5.0",
        "chargerig_bills 3.0",
        "chargerig_quarantine 1.0",
    ):
        assert line in lines, line
    used.bench.charge(2, "TOK-A")
    used.bench.bill_all()
    assert "chargerig_bills 4.0" in used.get("/metrics").text.splitlines()


def test_metrics_are_told_while_the_books_are_out_of_reach(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "chargerig_ready 1.0" in api.get("/metrics").text
    api.office.why_not = "The database is gone."
    monkeypatch.setattr(api.office, "tally", lambda: pytest.fail("the books were asked"))
    text = api.get("/metrics").text
    assert "chargerig_ready 0.0" in text and "chargerig_commit_groups_total" in text


def test_two_back_ends_have_metrics_of_their_own(api: Any, make_bench: Any, make_an_api: Any) -> None:
    other = make_an_api(make_bench())
    other.office.counters.groups = 5
    with other.client:
        assert "chargerig_commit_groups_total 5.0" in other.get("/metrics").text
    assert "chargerig_commit_groups_total 0.0" in api.get("/metrics").text


# -- the log ----------------------------------------------------------------------------------------------------------


def test_the_log_has_a_line_for_each_request_and_no_secret(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api.get("/tokens/TOK-SECRET-1234")
    api.get("/sessions", id_tag="TOK-SECRET-1234", limit=5)
    api.get("/sessions", "reader", nonsense="TOK-SECRET-1234")
    password = "a-password-of-a-station"
    api.post("/stations", {"rows": [{"station": "N", "site": "hall", "password": password}]})
    api.post("/operations/CS-1/ChangeConfiguration", {"key": "AuthorizationKey", "value": password})
    api.ask("GET", "/sessions", None, headers={"Authorization": "Bearer some-wrong-secret-here"})
    lines = [json.loads(one.getMessage()) for one in caplog.records if one.name == "chargerig.web"]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/tokens/{token}", 404),
        ("/sessions", 200),
        ("/sessions", 422),
        ("/stations", 200),
        ("/operations/{station}/ChangeConfiguration", 409),
        ("/sessions", 401),
    ]
    assert [line["token"] for line in lines] == ["all", "all", "reader", "all", "all", None]
    assert lines[0]["path"] == {"token": "••••••1234"} and lines[1]["query"] == ["id_tag", "limit"]
    logged = "\n".join(
        one.getMessage() for one in caplog.records if not one.name.startswith("http")
    )  # the client's own
    for secret in ("TOK-SECRET-1234", password, SECRET, "some-wrong-secret-here"):
        assert secret not in logged
