"""The outbox: order kept, nothing lost, attempts counted (OCPP 1.6 §3.7; INV-03, INV-19)."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MINUTE, HOUR = 60, 3600
TRANSACTION = ("StartTransaction", "MeterValues", "StopTransaction")


def deny(world: Any, code: str = "InternalError") -> Any:
    def answer(payload: Any) -> Any:
        raise world.denied(code)

    return answer


@pytest.mark.parametrize(("attempts", "interval", "lasts"), [(3, 60, 180), (10, 300, 13_500), (1, 60, 0), (2, 0, 0)])
def test_a_message_is_given_up_after_so_many_attempts_with_growing_waits(
    bench: Any, world: Any, attempts: int, interval: int, lasts: int
) -> None:
    keys = {
        "TransactionMessageAttempts": str(attempts),
        "TransactionMessageRetryInterval": str(interval),
        "MeterValueSampleInterval": "0",
    }
    b = bench("ac-duo", keys=keys).boot()
    b.table["StartTransaction"] = deny(world)
    b.charge().run(lasts + HOUR)
    tries = [call.at for call in b.asked if call.action == "StartTransaction"]
    (discarded,) = b.events("discarded")
    assert len(tries) == attempts == discarded["data"]["attempts"]
    assert lasts <= (discarded["at"] - tries[0]) / 1000 < lasts + 1 + attempts * 0.2
    waits = [(after - before) // 1000 for before, after in pairwise(tries)]
    assert waits == [interval * n for n in range(1, attempts)]


def test_messages_of_a_transaction_whose_start_was_given_up_carry_minus_1(bench: Any, world: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StartTransaction"] = deny(world)
    b.charge().run(40 * MINUTE).do("unplug", connector=1).run(HOUR)
    assert {p["transactionId"] for p in b.payloads("StopTransaction") + b.payloads("MeterValues")} == {-1}


def test_messages_wait_for_the_answer_to_their_start_and_then_carry_its_id(bench: Any, world: Any) -> None:
    b = bench("ac-duo", keys={"TransactionMessageAttempts": "9"}).boot()
    accept = b.table["StartTransaction"]
    b.table["StartTransaction"] = deny(world)
    b.charge().run(12 * MINUTE).do("unplug", connector=1).run(1)
    assert b.actions("MeterValues", "StopTransaction") == []
    b.table["StartTransaction"] = accept
    b.run(20 * MINUTE)
    assert b.actions(*TRANSACTION)[-4:] == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    assert {p["transactionId"] for p in b.payloads("StopTransaction") + b.payloads("MeterValues")} == {1001}


def test_other_messages_may_overtake_a_transaction_message_that_waits_for_its_next_try(bench: Any, world: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    b.table["StartTransaction"] = deny(world)
    b.charge(1).charge(2, token="B")
    assert b.actions()[-1] == "StatusNotification"


def test_offline_messages_are_delivered_in_order_after_the_reconnect(bench: Any) -> None:
    """INV-03: queued while offline, in chronological order, with the times at which they happened."""
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "60", "LocalAuthorizeOffline": "true"}).boot()
    b.charge().run(10).do("unplug", connector=1).run(60)
    b.refusing = True
    b.cut().charge().run(5 * MINUTE).do("unplug", connector=1).run(HOUR)
    seen = len(b.asked)
    b.refusing = False
    b.run(5 * MINUTE)
    late = [call for call in b.asked[seen:] if call.action in TRANSACTION]
    assert [call.action for call in late] == ["StartTransaction", *["MeterValues"] * 5, "StopTransaction"]
    times = [
        call.payload["meterValue"][0]["timestamp"] if call.action == "MeterValues" else call.payload["timestamp"]
        for call in late
    ]
    assert times == sorted(times)
    assert late[-1].payload["transactionId"] == 1002


def test_a_message_lost_with_the_connection_is_no_attempt_and_is_sent_again(bench: Any, world: Any) -> None:
    b = bench("ac-duo", keys={"TransactionMessageAttempts": "1"}).boot().charge()
    b.table["StopTransaction"] = world.silent
    b.do("unplug", connector=1).run(1)
    b.table["StopTransaction"] = {}
    b.cut().run(MINUTE)
    first, second = (call for call in b.asked if call.action == "StopTransaction")
    assert first.payload == second.payload and first.id != second.id
    assert b.events("discarded") == []


def test_a_timeout_counts_as_an_attempt(bench: Any, world: Any) -> None:
    b = bench("ac-duo", keys={"TransactionMessageAttempts": "2"}).boot().charge()
    b.table["StopTransaction"] = world.silent
    b.do("unplug", connector=1).run(10 * MINUTE)
    assert len(b.actions("StopTransaction")) == 2
    assert b.events("discarded")[0]["data"]["why"] == "timeout"


def test_an_answer_that_breaks_the_schema_is_a_failed_attempt(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StartTransaction"] = [{"transactionId": 5}, {"idTagInfo": {"status": "Accepted"}, "transactionId": 7}]
    b.charge().run(3 * MINUTE).do("unplug", connector=1).run(5)
    assert len(b.actions("StartTransaction")) == 2
    assert b.payloads("StopTransaction")[0]["transactionId"] == 7


def test_a_number_beyond_64_bits_is_a_failed_attempt_and_no_crash(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StartTransaction"] = [
        {"idTagInfo": {"status": "Accepted"}, "transactionId": 10**30},
        {"idTagInfo": {"status": "Accepted"}, "transactionId": 9},
    ]
    b.charge().run(3 * MINUTE).do("unplug", connector=1).run(5)
    assert b.payloads("StopTransaction")[0]["transactionId"] == 9


def test_what_was_queued_survives_a_power_loss(bench: Any) -> None:
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "60"}).boot().charge()
    b.refusing = True
    b.cut().run(3 * MINUTE).do("unplug", connector=1).run(5).do("power-loss").run(60)
    b.refusing = False
    b.do("power-restored").run(3 * MINUTE)
    assert b.actions(*TRANSACTION) == ["StartTransaction", *["MeterValues"] * 3, "StopTransaction"]
    assert {p["transactionId"] for p in b.payloads("MeterValues")} == {1001}
    assert not [key for key in b.rig.flash if key.startswith("outbox/")]


def test_samples_that_a_power_loss_takes_are_listed_as_discarded(bench: Any, world: Any) -> None:
    """INV-19: delivered or listed."""
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "20"}).boot().charge()
    b.table["MeterValues"] = world.silent
    b.run(30).do("power-loss")
    assert [event["data"]["why"] for event in b.events("discarded")] == ["power-loss"]


def test_when_memory_is_full_samples_go_first_and_never_a_start_or_stop(bench: Any, world: Any) -> None:
    memory = type(world.profile("ac-duo").memory)(outbox_messages=12)
    b = bench("ac-duo", memory=memory, keys={"MeterValueSampleInterval": "60"}).boot()
    b.charge().run(10).do("unplug", connector=1).run(60)
    b.refusing = True
    b.cut().charge(energy_wh=10**6).run(HOUR).do("unplug", connector=1).run(1)
    b.refusing = False
    b.run(5 * MINUTE)
    assert b.actions("StartTransaction", "StopTransaction") == ["StartTransaction", "StopTransaction"] * 2
    lost = b.events("discarded")
    assert lost and {event["data"]["action"] for event in lost} == {"MeterValues"}
    assert {event["data"]["why"] for event in lost} == {"queue-full"}


def test_samples_wear_out_the_flash_only_while_offline(bench: Any) -> None:
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "10"}).boot().charge(energy_wh=10**6)
    writes: list[str] = []
    store = b.rig._store
    b.rig._store = lambda effect: (writes.append(effect.key), store(effect))
    b.run(10 * MINUTE)
    assert writes == []
    b.refusing = True
    b.cut().run(60)
    assert len([key for key in writes if key.startswith("outbox/")]) >= 5


# what may happen to a message each time it is sent
FATES = st.lists(st.sampled_from(["ok", "ok", "error", "silent", "cut", "power", "garbage"]), max_size=40)


@settings(deadline=None, max_examples=40)
@given(FATES, st.integers(1, 4), st.integers(0, 90), st.sampled_from(["ac-compact", "ac-duo", "ac-cloud"]))
def test_whatever_befalls_the_link_every_message_is_confirmed_or_discarded_once_and_in_order(
    bench: Any, world: Any, fates: list[str], attempts: int, interval: int, profile: str
) -> None:
    """INV-19, INV-03: nothing is lost, nothing overtakes, attempts are counted; then the network heals."""
    keys = {
        "TransactionMessageAttempts": str(attempts),
        "TransactionMessageRetryInterval": str(interval),
        "MeterValueSampleInterval": "120",
    }
    b = bench(profile, keys=keys, quirks=()).boot()
    fate_line = deque(fates)
    confirmed: list[str] = []
    failures: dict[str, int] = {}

    def key_of(payload: Any) -> str:
        return str({name: value for name, value in payload.items() if name != "transactionId"})

    def fateful(action: str, good: Any) -> Any:
        def answer(payload: Any) -> Any:
            fate = fate_line.popleft() if fate_line else "ok"
            key = f"{action}{key_of(payload)}"
            if fate in ("error", "silent", "garbage"):
                failures[key] = failures.get(key, 0) + 1
            if fate == "error":
                raise world.denied("InternalError")
            if fate == "garbage":
                return {"nonsense": 1}
            if fate == "silent":
                return world.silent
            if fate == "cut":
                b.at(b.now + 1, b.cut)
                return world.silent
            if fate == "power":
                b.at(b.now + 1, lambda: b.do("power-loss"))
                b.at(b.now + 5000, lambda: b.do("power-restored"))
                return world.silent
            confirmed.append(key)
            return good(payload) if callable(good) else good

        return answer

    for action in TRANSACTION:
        b.table[action] = fateful(action, b.table[action])
    for _ in range(3):
        b.charge().run(5 * MINUTE).do("unplug", connector=1).run(30)
    fate_line.clear()
    b.run(2 * HOUR)
    discarded = [f"{e['data']['action']}" for e in b.events("discarded")]
    starts = [key for key in confirmed if key.startswith("Start")]
    stops = [key for key in confirmed if key.startswith("Stop")]
    begun = len(b.sessions())
    assert len(starts) == len(set(starts)) and len(starts) + discarded.count("StartTransaction") == begun
    assert len(stops) == len(set(stops)) and len(stops) + discarded.count("StopTransaction") == begun
    assert len(confirmed) == len(set(confirmed))
    times = [
        str(call.payload.get("timestamp")) for call in b.asked if call.action in ("StartTransaction", "StopTransaction")
    ]
    assert times == sorted(times)
    assert all(count <= attempts for count in failures.values())
    for event in b.events("discarded"):
        assert event["data"]["why"] == "power-loss" or event["data"]["attempts"] == attempts
    assert not [key for key in b.rig.flash if key.startswith(("outbox/", "tx/"))]
