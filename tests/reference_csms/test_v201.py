"""Stations of OCPP 2.0.1 at the reference back-end: numbered events in any order and number, and the same business."""

from __future__ import annotations

import base64
import json
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_csms.spans import MOST_SPANS, came_before, gaps, with_number
from sim.clock import HOUR, MINUTE, SECOND, iso
from sim.machine import Answered, Refused

TX = "0f5e8e2d-487c-dfd4-08b4-6a9033b08bf5"
BOOT = {"chargingStation": {"vendorName": "v", "model": "m"}, "reason": "PowerUp"}


class Post:
    """One station of 2.0.1 at a bench."""

    def __init__(self, bench: Any, station: str = "CS-1") -> None:
        self.bench = bench
        self.station = station
        self.link = bench.connect(station, ("ocpp2.0.1", "ocpp1.6"))
        self.asked: list[Any] = []
        id = bench.stage(self.link, "BootNotification", **BOOT)
        effects = bench.flush()
        assert bench.reply(effects, id)["status"] == "Accepted"
        self.settle(effects)

    def settle(self, effects: Any) -> None:
        """Answer whatever the back-end asks with Accepted."""
        while calls := self.bench.calls(effects):
            self.asked += calls
            effects = []
            for call in calls:
                rows = json.loads(call.payload).get("setVariableData", [])
                told = [{**row, "attributeStatus": "Accepted"} for row in rows]
                for row in told:
                    row.pop("attributeValue")
                answer = {"setVariableResult": told} if told else {"status": "Accepted"}
                effects += self.bench.answer(self.link, call, **answer)

    def event(self, kind: str, seq: int, *texts: str, at: int | None = None, **more: Any) -> dict[str, Any]:
        """The payload of an event; `wh` and `texts` become a meter value."""
        wh, context = more.pop("wh", None), more.pop("context", "Sample.Periodic")
        tx = {"transactionId": more.pop("tx", TX), **more.pop("info", {})}
        payload = {
            "eventType": kind,
            "timestamp": iso(self.bench.now if at is None else at),
            "triggerReason": "Trigger",
            "seqNo": seq,
            "transactionInfo": tx,
            **more,
        }
        samples: list[Any] = [] if wh is None else [{"value": wh, "context": context}]
        for text in texts:
            data = base64.b64encode(text.encode()).decode()
            signed = {"signedMeterData": data, "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
            samples.append({"value": wh or 0, "context": "Other", "signedMeterValue": signed})
        if samples:
            payload["meterValue"] = [{"timestamp": payload["timestamp"], "sampledValue": samples}]
        return payload

    def tell(self, payload: dict[str, Any]) -> Any:
        return self.bench.call(self.link, "TransactionEvent", **payload)

    def charge(self, token: str = "TOK-A", wh: int = 10_000, evse: int = 1) -> list[dict[str, Any]]:
        """The events of a session of an hour, not told yet."""
        meter, begun = self.bench.meter(self.station, evse), self.bench.now
        register = meter.register
        begin = meter.sign(token, meter.reading("B", begun))
        end_at = begun + HOUR
        end = meter.sign(token, meter.reading("E", end_at, wh))
        told = {"idToken": {"idToken": token, "type": "ISO14443"}, "evse": {"id": evse, "connectorId": 1}}
        return [
            self.event("Started", 0, begin, at=begun, wh=register, context="Transaction.Begin", **told),
            self.event("Updated", 1, at=begun + 20 * MINUTE, wh=register + wh // 3),
            self.event("Updated", 2, at=begun + 40 * MINUTE, wh=register + wh // 2),
            self.event("Ended", 3, begin, end, at=end_at, wh=register + wh, context="Transaction.End"),
        ]


@pytest.fixture
def post(bench: Any) -> Post:
    return Post(bench)


def unshown(answer: Any) -> Any:
    """An answer without what it shows to the driver."""
    info = answer.get("idTokenInfo")
    told = {name: value for name, value in answer.items() if name not in ("totalCost", "idTokenInfo")}
    return told if info is None else {**told, "idTokenInfo": {k: v for k, v in info.items() if k != "personalMessage"}}


def test_the_first_offer_that_is_spoken_here_is_chosen(bench: Any) -> None:
    machines = {
        offers: bench.links[bench.connect("CS-1", offers)].subprotocol
        for offers in (("ocpp2.0.1", "ocpp1.6"), ("ocpp1.6", "ocpp2.0.1"), ("ocpp2.1", "ocpp2.0.1"), ("ocpp2.1",))
    }
    assert [*machines.values()] == ["ocpp2.0.1", "ocpp1.6", "ocpp2.0.1", None]


def test_a_session_of_events_is_billed_as_one_of_1_6(bench: Any, post: Post) -> None:
    events = post.charge()
    bench.wait(HOUR)
    answers = [post.tell(event) for event in events]
    assert [unshown(answer) for answer in answers] == [{"idTokenInfo": {"status": "Accepted"}}, {}, {}, {}]
    bench.bill_all()
    row = bench.only("transactions")
    assert (row["transaction_id"], row["issuer"], row["state"]) == (TX, "CS-1", "closed")
    assert bench.only("sessions")["state"] == "billed"
    assert bench.only("cdrs")["kwh"] == "10.000"
    assert [record["verdict"] for record in bench.book("records")] == ["billable"] * 2
    assert bench.only("events") == {
        "transaction_id": TX,
        "station": "CS-1",
        "session_id": row["session_id"],
        "events": 4,
        "repeats": 0,
        "missing": "[]",
    }
    other = bench.__class__()
    link = other.boot()
    other.charge(link, wh=10_000, lasts=HOUR)
    other.bill_all()
    for column in ("gross", "net", "vat", "lines"):
        assert other.only("rated")[column] == bench.only("rated")[column]


def test_a_driver_is_shown_the_price_the_cost_so_far_and_the_final_cost(bench: Any, post: Post) -> None:
    started, first, second, ended = post.charge()
    told = post.tell(started)["idTokenInfo"]["personalMessage"]
    assert told["content"] == "0.50 EUR per charge, 0.49 EUR per kWh, 0.10 EUR per minute of idle time, VAT included"
    bench.wait(HOUR)
    assert [post.tell(event)["totalCost"] for event in (first, second)] == [2.13, 2.95]
    final = post.tell(ended)["totalCost"]
    assert round(100 * final) == bench.only("rated")["gross"] == 540
    assert "totalCost" not in post.tell(post.event("Updated", 4))


def test_what_is_held_has_no_cost_since_none_does_not_mean_free(bench: Any, post: Post) -> None:
    started, *_, ended = post.charge()
    post.tell(started)
    bench.wait(HOUR)
    del ended["meterValue"]
    assert "totalCost" not in post.tell(ended)
    assert bench.only("sessions")["state"] == "quarantined"


ORDERS = [*permutations(range(4))]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(map(str, order)))
def test_events_in_any_order_and_number_make_one_session_and_one_bill(bench: Any, order: tuple[int, ...]) -> None:
    again = ORDERS[-ORDERS.index(order)][:3]
    post = Post(bench)
    events = post.charge()
    bench.wait(HOUR)
    firsts: dict[int, Any] = {}
    for number in [*order, *again]:
        told = unshown(post.tell({**events[number], "offline": number in firsts}))
        if number == 0:
            assert told == {"idTokenInfo": {"status": "Accepted"}}
        assert firsts.setdefault(number, told) == told
    bench.bill_all()
    assert len(bench.book("bills")) == 1 and bench.only("sessions")["state"] == "billed"
    assert bench.only("events")["missing"] == "[]" and bench.only("events")["repeats"] == len(again)
    assert [row["state"] for row in bench.book("quarantine")] in ([], ["released"])


def test_an_end_without_a_begin_is_held_until_the_begin_comes(bench: Any, post: Post) -> None:
    events = post.charge()
    bench.wait(HOUR)
    post.tell(events[3])
    held = bench.only("quarantine")
    assert (held["reason"], held["state"], held["energy_wh"]) == ("unknown-transaction", "held", 10_000)
    assert bench.only("events")["missing"] == "[0,1,2]" and bench.book("sessions") == []
    post.tell(events[0])
    assert bench.only("quarantine")["state"] == "released"
    assert bench.only("events")["missing"] == "[1,2]"
    bench.bill_all()
    assert bench.only("sessions")["state"] == "billed"


def test_a_second_start_with_the_same_id_is_the_same_transaction(bench: Any, post: Post) -> None:
    events = post.charge()
    post.tell(events[0])
    later = {**events[0], "seqNo": 1, "timestamp": iso(bench.now + 5 * SECOND)}
    assert unshown(post.tell(later)) == {"idTokenInfo": {"status": "Accepted"}}
    assert len(bench.book("sessions")) == 1


def test_two_starts_at_one_evse_are_two_sessions(bench: Any, post: Post) -> None:
    first = post.charge()
    post.tell(first[0])
    post.tell({**first[0], "transactionInfo": {"transactionId": "another"}})
    assert {row["transaction_id"] for row in bench.book("transactions")} == {TX, "another"}


def test_a_second_end_with_other_values_is_held_and_changes_nothing(bench: Any, post: Post) -> None:
    events = post.charge()
    bench.wait(HOUR)
    for event in events:
        post.tell(event)
    bench.bill_all()
    bill = bench.only("bills")
    other = post.event("Ended", 4, wh=99_999, context="Transaction.End")
    assert unshown(post.tell(other)) == {}
    assert bench.only("quarantine")["reason"] == "second-stop"
    bench.bill_all()
    assert bench.only("bills") == bill


def test_the_same_id_of_two_stations_is_two_transactions(bench: Any) -> None:
    posts = [Post(bench, "CS-1"), Post(bench, "CS-2")]
    told = [post.charge() for post in posts]
    bench.wait(HOUR)
    for post, events in zip(posts, told, strict=True):
        for event in events:
            post.tell(event)
    bench.bill_all()
    assert sorted(row["station"] for row in bench.book("sessions")) == ["CS-1", "CS-2"]
    assert {row["state"] for row in bench.book("sessions")} == {"billed"}


def test_a_tampered_or_missing_record_is_never_billed(bench: Any, post: Post) -> None:
    events = post.charge()
    bench.wait(HOUR)
    signed = events[3]["meterValue"][0]["sampledValue"]
    data = base64.b64decode(signed[2]["signedMeterValue"]["signedMeterData"]).decode()
    signed[2]["signedMeterValue"]["signedMeterData"] = base64.b64encode(
        data.replace('"RV":2', '"RV":3').encode()
    ).decode()
    for event in events:
        post.tell(event)
    assert bench.only("sessions")["reason"] == "wrong-signature"
    bench.bill_all()
    assert bench.book("bills") == []


def test_what_is_asked_of_a_station_is_written_in_its_version(bench: Any, post: Post) -> None:
    rows = [json.loads(call.payload)["setVariableData"][0] for call in post.asked]
    assert [row["variable"]["name"] for row in rows] == ["ChangeTimes"]
    effects = _operate(bench, "app-start", station="CS-1", mobile="+49170", connector=2)
    (call,) = bench.calls(effects)
    assert call.action == "RequestStartTransaction"
    payload = json.loads(call.payload)
    assert payload == {"idToken": {"idToken": "TOK-A", "type": "Central"}, "evseId": 2, "remoteStartId": 1}
    settled = bench.outcome(bench.answer(post.link, call, status="Accepted"))
    assert isinstance(settled, Answered)
    post.tell(post.charge(evse=2)[0])
    (call,) = bench.calls(_operate(bench, "app-stop", station="CS-1", mobile="+49170", connector=2))
    assert (call.action, json.loads(call.payload)) == ("RequestStopTransaction", {"transactionId": TX})


def test_any_action_of_201_can_be_asked_and_what_breaks_its_schema_cannot(bench: Any, post: Post) -> None:
    (call,) = bench.calls(_operate(bench, "call", station="CS-1", action="GetReport", payload={"requestId": 1}))
    assert call.action == "GetReport"
    bench.answer(post.link, call, status="Accepted")
    for action, payload in (("Reset", {"type": "Soft"}), ("ChangeConfiguration", {"key": "a", "value": "b"})):
        refused = bench.operate("call", station="CS-1", action=action, payload=payload)
        assert isinstance(refused, Refused) and refused.code == "bad-input"
    blocked = {"idToken": {"idToken": "TOK-B", "type": "ISO14443"}, "remoteStartId": 3}
    refused = bench.operate("call", station="CS-1", action="RequestStartTransaction", payload=blocked)
    assert isinstance(refused, Refused) and refused.code == "Blocked"


def _operate(bench: Any, kind: str, **args: Any) -> Any:
    bench.operate(kind, **args)
    return bench.out


def test_inoperative_evses_are_left_overs_as_in_1_6(bench: Any, post: Post) -> None:
    payload = {"operationalStatus": "Inoperative", "evse": {"id": 2}}
    (call,) = bench.calls(_operate(bench, "call", station="CS-1", action="ChangeAvailability", payload=payload))
    bench.answer(post.link, call, status="Accepted")
    found = bench.operate("export", what="left-overs", station="CS-1")
    assert found.payload == {"rows": [{"what": "inoperative", "connector": 2}]}


def test_tokens_are_answered_in_the_words_of_201(bench: Any, post: Post) -> None:
    def said(token: str) -> Any:
        return bench.call(post.link, "Authorize", idToken={"idToken": token, "type": "ISO14443"})["idTokenInfo"]

    assert said("TOK-A") == {"status": "Accepted"}
    assert said("TOK-S") == {"status": "Accepted", "groupIdToken": {"idToken": "staff", "type": "ISO14443"}}
    assert said("TOK-B") == {"status": "Blocked"}
    assert said("NOBODY") == {"status": "Unknown"}


def test_a_status_is_that_of_its_evse_and_old_news_change_nothing(bench: Any, post: Post) -> None:
    def report(evse: int, status: str, at: int) -> None:
        told = {"evseId": evse, "connectorId": 1, "connectorStatus": status, "timestamp": iso(at)}
        assert bench.call(post.link, "StatusNotification", **told) == {}

    report(1, "Occupied", bench.now)
    report(2, "Available", bench.now)
    report(1, "Available", bench.now - MINUTE)
    row = next(row for row in bench.book("stations") if row["station"] == "CS-1")
    shown = json.loads(row["data"])["statuses"]
    assert {place: status[0] for place, status in shown.items()} == {"1": "Occupied", "2": "Available"}


def test_wrong_frames_get_the_codes_of_201(bench: Any, post: Post) -> None:
    def code(frame: bytes) -> Any:
        (effect,) = bench.raw(post.link, frame)
        return json.loads(effect.frame)[1:3]

    assert code(b"{") == ["-1", "RpcFrameworkError"]
    assert code(b'[9,"x",{}]') == ["x", "MessageTypeNotSupported"]
    assert code(b'[2,"x","StartTransaction",{}]') == ["x", "NotImplemented"]
    assert code(b'[2,"x","GetReport",{}]') == ["x", "NotSupported"]
    assert code(b'[2,"x","Authorize",{}]') == ["x", "OccurrenceConstraintViolation"]
    assert code(b'[2,"x","Heartbeat",{"a":1}]') == ["x", "FormatViolation"]
    assert bench.raw(post.link, b'[3,"nobody",{}]') == [] == bench.raw(post.link, b"[3]")


def test_before_it_is_accepted_a_station_gets_security_errors(bench: Any) -> None:
    link = bench.connect("CS-2", ("ocpp2.0.1",))
    assert bench.call(link, "Heartbeat") == "SecurityError"


def test_what_was_answered_lasts(bench: Any, post: Post) -> None:
    events = post.charge()
    post.tell(events[0])
    bench.restart()
    bench.wait(HOUR)
    again = Post(bench)
    for event in events:
        again.tell(event)
    bench.bill_all()
    assert bench.only("events")["repeats"] == 1
    assert len(bench.book("bills")) == 1


@given(st.lists(st.integers(0, 40), max_size=60))
def test_spans_know_what_came_and_what_is_missing(numbers: list[int]) -> None:
    seen: tuple[tuple[int, int], ...] = ()
    for number in numbers:
        seen = with_number(seen, number)
    known = set(numbers)
    assert all(came_before(seen, number) == (number in known) for number in range(42))
    assert list(gaps(seen)) == [number for number in range(max(known, default=-1) + 1) if number not in known]
    assert all(left[1] + 1 < right[0] for left, right in pairwise(seen))


def test_a_number_far_ahead_does_not_name_a_million_missing_ones() -> None:
    assert len(gaps(with_number((), 10**9))) == 1_000


def test_of_too_many_holes_the_oldest_are_given_up() -> None:
    seen: tuple[tuple[int, int], ...] = ()
    for number in range(0, 2_000, 2):
        seen = with_number(seen, number)
    assert len(seen) == MOST_SPANS and came_before(seen, 1) and not came_before(seen, 1_997)


EVENTS = st.fixed_dictionaries(
    {
        "eventType": st.sampled_from(("Started", "Updated", "Ended")),
        "timestamp": st.sampled_from((iso(0), iso(10**12), "2026-06-10T12:00:00+02:00", "1970-01-01T00:00:00Z")),
        "triggerReason": st.sampled_from(("Authorized", "Trigger")),
        "seqNo": st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 6),
        "transactionInfo": st.fixed_dictionaries({"transactionId": st.text(max_size=36) | st.sampled_from(("a", "b"))}),
    },
    optional={
        "offline": st.booleans(),
        "evse": st.fixed_dictionaries({"id": st.integers(-2, 3) | st.integers(-(2**63), 2**63 - 1)}),
        "idToken": st.fixed_dictionaries(
            {"idToken": st.sampled_from(("TOK-A", "TOK-B", "")) | st.text(max_size=36), "type": st.just("Central")}
        ),
        "meterValue": st.lists(
            st.fixed_dictionaries(
                {
                    "timestamp": st.just(iso(0)),
                    "sampledValue": st.lists(
                        st.fixed_dictionaries(
                            {"value": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)},
                            optional={
                                "context": st.sampled_from(("Transaction.Begin", "Transaction.End", "Other")),
                                "unitOfMeasure": st.fixed_dictionaries(
                                    {},
                                    optional={"multiplier": st.integers(-(2**63), 2**63 - 1), "unit": st.just("kWh")},
                                ),
                                "signedMeterValue": st.fixed_dictionaries(
                                    {
                                        "signedMeterData": st.text(max_size=40),
                                        "signingMethod": st.just(""),
                                        "encodingMethod": st.just("OCMF"),
                                        "publicKey": st.just(""),
                                    }
                                ),
                            },
                        ),
                        min_size=1,
                        max_size=3,
                    ),
                }
            ),
            min_size=1,
            max_size=2,
        ),
    },
)


@pytest.fixture(scope="module")
def shared_post(shared_bench: Any) -> Post:
    return Post(shared_bench)


@given(event=EVENTS)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_event_is_answered_and_nothing_of_it_is_billed(shared_post: Post, event: dict[str, Any]) -> None:
    """INV-05, INV-38: also numbers, places and units that no station can mean."""
    answer = shared_post.tell(event)
    assert isinstance(answer, dict) or answer in ("TypeConstraintViolation", "PropertyConstraintViolation"), answer
    assert shared_post.tell(event) == answer
    assert shared_post.bench.book("cdrs") == []


@given(frame=st.binary(max_size=60) | st.builds(lambda id, kind: json.dumps([kind, id, "Reset", {}]).encode(),
                                                st.text(max_size=40), st.integers(-1, 9)))  # fmt: skip
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_frame_gets_an_answer_of_201_or_none(shared_post: Post, frame: bytes) -> None:
    for effect in shared_post.bench.raw(shared_post.link, frame):
        assert json.loads(effect.frame)[0] in (3, 4)
