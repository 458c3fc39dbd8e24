"""A reading that is told by its bytes is what a whole look at it tells, and any other frame is left to that look."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_csms.readings import Readings
from sim.wire.glance import glance
from sim.wire.payloads import v16
from sim.wire.templates import meter_values

ID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
NEXT = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fa"
TIME, LATER = "2026-06-10T12:00:00.000Z", "2026-06-10T12:01:00.125Z"
MEASURANDS = (
    ("Energy.Active.Import.Register", "Wh"),
    ("Power.Active.Import", "W"),
    ("Current.Import", "A"),
    ("Voltage", "V"),
)


def reading(
    id: str = ID, time: str = TIME, register: str = "1200", power: str = "11000", connector: int = 1, unit: str = "Wh"
) -> bytes:
    samples = tuple(
        v16.SampledValue(value="0", context="Sample.Periodic", measurand=measurand, unit=unit if number == 0 else of)
        for number, (measurand, of) in enumerate(MEASURANDS)
    )
    return meter_values(samples).frame(id, connector, 1001, time, (register, power, "15.9", "230"))


def taught(*frames: bytes) -> Readings:
    readings = Readings()
    for frame in frames:
        usual = glance(frame)
        assert usual is not None
        readings.learn(frame, usual.request)
    return readings


def test_the_next_reading_of_the_same_transaction_is_told_by_its_bytes() -> None:
    told = taught(reading()).again(reading(NEXT, LATER, "1383"))
    assert told == (NEXT.encode(), 1, 1383)


def test_nothing_is_said_before_a_reading_was_judged_whole() -> None:
    assert Readings().again(reading()) is None


def test_each_connector_has_its_own_readings_and_only_the_latest_of_it() -> None:
    readings = taught(reading(), reading(connector=2))
    assert readings.again(reading(NEXT, LATER, "7", connector=1)) == (NEXT.encode(), 1, 7)
    assert readings.again(reading(NEXT, LATER, "8", connector=2)) == (NEXT.encode(), 2, 8)
    other = reading().replace(b'"transactionId":1001', b'"transactionId":1002')
    usual = glance(other)
    assert usual is not None
    readings.learn(other, usual.request)
    assert readings.again(reading(NEXT)) is None


def test_another_power_is_another_reading() -> None:
    assert taught(reading()).again(reading(NEXT, LATER, "1383", power="7000")) is None


def test_a_register_in_kwh_is_never_told_by_looking() -> None:
    assert taught(reading(unit="kWh")).again(reading(NEXT, unit="kWh")) is None


def test_an_id_that_is_not_of_36_plain_characters_is_for_the_slow_way() -> None:
    """The bytes behind a short id begin inside the payload: they must not stand for the head of a frame."""
    short = reading("1")
    forged = b'[2,"' + ID.encode() + short[40:]
    assert glance(forged) is None
    assert taught(short).again(forged) is None
    assert taught(reading()).again(reading(NEXT[:-1])) is None
    assert taught(reading()).again(reading().replace(ID.encode(), NEXT[:-1].encode() + b'"')) is None


def test_a_wrong_time_or_register_is_for_the_slow_way() -> None:
    readings = taught(reading())
    for wrong in ("2026-13-10T12:00:00.000Z", "2026-06-10T12:60:00.000Z", "2026-06-10 12:00:00.000Z"):
        assert readings.again(reading(NEXT).replace(TIME.encode(), wrong.encode())) is None
    for value in (b"-5", b"1e3", b"", b"1" * 15, b"12.5"):
        assert readings.again(reading(NEXT).replace(b'"1200"', b'"%b"' % value)) is None


@given(data=st.data())
def test_what_it_tells_of_a_damaged_frame_is_what_a_whole_look_tells(data: st.DataObject) -> None:
    frame = bytearray(reading(NEXT, LATER, "1383"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(frame) - 1))
        piece = data.draw(st.sampled_from([b"", b"7", b'"', b"\\", b",", b"}", b" ", b"-", b"\xff"]))
        frame[at : at + data.draw(st.integers(0, 2))] = piece
    told = taught(reading()).again(bytes(frame))
    if told is not None:
        usual = glance(bytes(frame))
        assert usual is not None
        id, connector, wh = told
        first = usual.request.meter_value[0].sampled_value[0]
        assert (usual.id, usual.request.connector_id, int(first.value)) == (id.decode(), connector, wh)


@given(register=st.integers(0, 10**14 - 1), second=st.integers(0, 59))
def test_every_register_and_time_of_a_known_reading_is_told_as_a_whole_look_tells(register: int, second: int) -> None:
    frame = reading(NEXT, f"2026-06-10T12:00:{second:02d}.000Z", str(register))
    usual = glance(frame)
    assert usual is not None
    assert taught(reading()).again(frame) == (usual.id.encode(), 1, register)
