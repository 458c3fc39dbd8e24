"""Byte templates give the bytes of the real encoder."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.clock import iso
from sim.wire import ocppj, schema, templates
from sim.wire.payloads import v16

IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=36)
VALUES = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9).map(str)
SAMPLES = st.builds(
    v16.SampledValue,
    value=st.just(""),
    context=st.none() | st.sampled_from(sorted(v16.SAMPLED_VALUE_CONTEXT)),
    format=st.none() | st.just("Raw"),
    measurand=st.none() | st.sampled_from(sorted(v16.SAMPLED_VALUE_MEASURAND)),
    phase=st.none() | st.sampled_from(sorted(v16.SAMPLED_VALUE_PHASE)),
    location=st.none() | st.sampled_from(sorted(v16.SAMPLED_VALUE_LOCATION)),
    unit=st.none() | st.sampled_from(sorted(v16.SAMPLED_VALUE_UNIT)),
)


@settings(deadline=None)
@given(IDS)
def test_a_heartbeat_is_what_the_encoder_writes(id: str) -> None:
    assert templates.heartbeat(id) == ocppj.encode_call(id, "Heartbeat", v16.encode(v16.Heartbeat()))


def test_the_heartbeat_template_fits_the_schema() -> None:
    call = ocppj.parse(templates.heartbeat("a"))
    assert isinstance(call, ocppj.Call)
    assert schema.judge("1.6", "Heartbeat", "request", call.payload) is None


@settings(deadline=None)
@given(
    IDS,
    st.integers(0, 1 << 31),
    st.none() | st.integers(-1, 1 << 31),
    st.integers(0, 4_000_000_000_000).map(iso),
    st.lists(st.tuples(SAMPLES, VALUES), min_size=1, max_size=5),
)
def test_meter_values_are_what_the_encoder_writes(
    id: str, connector: int, transaction: int | None, at: str, pairs: list[tuple[v16.SampledValue, str]]
) -> None:
    template = templates.meter_values(tuple(sample for sample, _ in pairs))
    sampled = [
        v16.SampledValue(
            value=value,
            context=sample.context,
            format=sample.format,
            measurand=sample.measurand,
            phase=sample.phase,
            location=sample.location,
            unit=sample.unit,
        )
        for sample, value in pairs
    ]
    message = v16.MeterValues(
        connector_id=connector,
        transaction_id=transaction,
        meter_value=[v16.MeterValue(timestamp=at, sampled_value=sampled)],
    )
    made = template.frame(id, connector, transaction, at, [value for _, value in pairs])
    assert made == ocppj.encode_call(id, "MeterValues", v16.encode(message))


def test_a_template_that_breaks_the_schema_is_refused_when_it_is_built() -> None:
    with pytest.raises(ValueError, match="unit"):
        templates.meter_values((v16.SampledValue(value="", unit="furlong"),))
    with pytest.raises(ValueError, match="too few"):
        templates.meter_values(())


@pytest.mark.parametrize(
    ("at", "values"),
    [
        ("2019-06-12T07:00:00Z", []),
        ("2019-06-12T07:00:00Z", ["1", "2"]),
        ("2019-06-12T07:00:00Z", ['1"']),
        ("2019-06-12T07:00:00Z", ["\\"]),
        ("2019-06-12T07:00:00Z", ["%d"]),
        ('"', ["1"]),
        ("2019-06-12T07:00:00Z", ["\u0661"]),
    ],
)
def test_what_a_template_cannot_hold_raises(at: str, values: list[str]) -> None:
    with pytest.raises(ValueError):
        templates.meter_values((v16.SampledValue(value=""),)).frame("a", 1, None, at, values)


def test_texts_that_look_like_places_do_not_confuse_it() -> None:
    sample = v16.SampledValue(value='{"value":"0"')
    frame = templates.meter_values((sample,)).frame("%b%d", 1, 2, "2019-06-12T07:00:00Z", ["3"])
    assert frame == (
        b'[2,"%b%d","MeterValues",{"connectorId":1,"transactionId":2,'
        b'"meterValue":[{"timestamp":"2019-06-12T07:00:00Z","sampledValue":[{"value":"3"}]}]}]'
    )
