"""Whatever bytes a station sends, only an answer comes of it: never an exception, never a booking without a start."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_csms.handlers.v16 import HANDLERS
from sim.clock import iso
from sim.wire import ocmf, ocppj

leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=30)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner), max_leaves=8
)
actions = st.sampled_from((*HANDLERS, "Reset", "Fly"))
texts = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda raw: "OCMF|" + raw.decode("latin-1")),
    values.map(lambda value: "OCMF|" + json.dumps(value) + "|{}"),
    values.map(lambda value: json.dumps({"signedMeterData": value})),
    st.dictionaries(st.sampled_from(("RD", "PG", "MS", "ID", "GS")), values).map(
        lambda fields: ocmf.wrap("OCMF|" + json.dumps(fields) + '|{"SD":"00"}')
    ),
)
hasty = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def link_and_bench(request: pytest.FixtureRequest) -> Any:
    bench = request.getfixturevalue("shared_bench")
    return bench.boot(), bench


def answers_of(effects: list[Any]) -> list[Any]:
    return [ocppj.parse(effect.frame) for effect in effects]


@given(frame=st.binary(max_size=80))
@hasty
def test_any_bytes(link_and_bench: Any, frame: bytes) -> None:
    """INV-38."""
    link, bench = link_and_bench
    assert all(isinstance(answer, ocppj.Error | ocppj.Result) for answer in answers_of(bench.raw(link, frame)))


@given(action=actions, payload=values)
@hasty
def test_any_payload_of_any_action(link_and_bench: Any, action: str, payload: Any) -> None:
    """INV-38: exactly one answer, a CALLERROR if the payload breaks the schema."""
    link, bench = link_and_bench
    effects = bench.raw(link, json.dumps([2, "x", action, payload]).encode())
    assert [answer.id for answer in answers_of(effects)] in (["x"], [])


@given(signed=st.lists(texts, max_size=3), transaction=st.integers(-3, 600), meter_stop=st.integers(-(10**6), 10**9))
@hasty
def test_any_signed_value_in_a_stop(link_and_bench: Any, signed: list[str], transaction: int, meter_stop: int) -> None:
    """INV-05, INV-29: always answered, and nothing of it is ever billed."""
    link, bench = link_and_bench
    started = bench.start(link, meterStart=0)["transactionId"]
    data = [{"timestamp": iso(0), "sampledValue": [{"value": text, "format": "SignedData"}]} for text in signed]
    for id in (transaction, started):
        more = {"transactionData": data} if data else {}
        assert isinstance(bench.stop(link, id, meter_stop, **more), dict)
    assert bench.book("cdrs") == []
