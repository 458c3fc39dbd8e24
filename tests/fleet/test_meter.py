"""The meter: an integer register as a pure function of time, and records that verify."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.meter import WMS_PER_WH, Meter, first_register, key_of, meter_id_of, public_key_of, published_key
from sim.wire import ocmf

KEY = key_of(1, "M-A-1")
HOUR = 3_600_000


def test_one_kilowatt_for_an_hour_is_a_thousand_watt_hours() -> None:
    meter = Meter("M", KEY, 500)
    meter.flow(0, 1000, 10**15)
    assert [meter.register(t) for t in (0, HOUR // 2, HOUR)] == [500, 1000, 1500]
    assert meter.show(HOUR) == (1500, 1000)


def test_power_stops_by_itself_when_the_limit_has_passed() -> None:
    meter = Meter("M", KEY, 0)
    meter.flow(0, 7000, 3 * WMS_PER_WH)
    assert meter.show(10 * HOUR) == (3, 0)
    assert meter.halt(10 * HOUR) == 3 * WMS_PER_WH


def test_two_flows_at_once_are_our_own_mistake() -> None:
    meter = Meter("M", KEY, 0)
    meter.flow(0, 1, 1)
    with pytest.raises(ValueError, match="flows already"):
        meter.flow(1, 1, 1)


@given(st.lists(st.tuples(st.integers(1, 22_000), st.integers(0, 10_000_000), st.integers(0, 10_000_000)), max_size=20))
def test_no_energy_is_lost_between_flows_whatever_their_lengths(flows: list[tuple[int, int, int]]) -> None:
    meter, now, total, shown = Meter("M", KEY, 0), 0, 0, 0
    for power, length, pause in flows:
        meter.flow(now, power, 10**18)
        now += length
        total += meter.halt(now)
        assert meter.register(now) == total // WMS_PER_WH >= shown
        shown = meter.register(now)
        now += pause
        assert meter.register(now) == shown


def test_records_verify_with_the_public_key_of_their_meter_only() -> None:
    meter = Meter("M-A-1", KEY, 0)
    text = meter.sign(
        station="A",
        connector=1,
        id_tag="TAG",
        id_type="ISO14443",
        letter="S",
        readings=[(0, "B", 1234), (1000, "E", 2234)],
    )
    record = ocmf.parse(text)
    assert ocmf.verify(record, public_key_of(1, "M-A-1"))
    assert not ocmf.verify(record, public_key_of(2, "M-A-1"))
    assert [str(reading.value) for reading in record.readings] == ["1.234", "2.234"]
    assert (record.meter_id, record.station_id, record.id_tag, record.pagination) == ("M-A-1", "A", "TAG", "T1")
    assert record.fields["CT"] == "EVSEID" and record.fields["CI"] == "A*1"


def test_each_record_has_the_next_page_and_the_same_inputs_give_the_same_bytes() -> None:
    """INV-39: signatures are deterministic."""

    def three() -> list[str]:
        meter = Meter("M", KEY, 0)
        return [
            meter.sign(station="A", connector=1, id_tag="T", id_type="CENTRAL", letter="R", readings=[(n, "B", n)])
            for n in range(3)
        ]

    assert three() == three()
    assert [ocmf.parse(text).pagination for text in three()] == ["T1", "T2", "T3"]


def test_keys_and_first_registers_depend_on_seed_and_meter() -> None:
    ids = [meter_id_of("A", 1), meter_id_of("A", 2), meter_id_of("B", 1)]
    assert len({public_key_of(seed, meter_id) for seed in (1, 2) for meter_id in ids}) == 6
    assert len({first_register(seed, meter_id) for seed in (1, 2) for meter_id in ids}) == 6


def test_the_published_key_fits_a_configuration_value() -> None:
    text = published_key(public_key_of(1, "M"))
    assert len(text) <= 500
    assert base64.b64decode(text).decode() == f"oca:base16:asn1:{public_key_of(1, 'M')}"
