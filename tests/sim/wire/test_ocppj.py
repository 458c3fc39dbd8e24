"""OCPP-J 1.6 frames: what is read, and what is answered to what cannot be read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.wire import ocppj
from sim.wire.ocppj import BadFrame, Call, Error, Result

IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=36)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), JSON, max_size=4)


def payload(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def bad(frame: bytes, strict: bool = False) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        ocppj.parse(frame, strict)
    return caught.value


@settings(deadline=None)
@given(IDS, NAMES, OBJECTS, st.booleans())
def test_a_call_survives_the_wire(id: str, action: str, value: object, strict: bool) -> None:
    assert ocppj.parse(ocppj.encode_call(id, action, payload(value)), strict) == Call(id, action, payload(value))


@settings(deadline=None)
@given(IDS, OBJECTS, st.booleans())
def test_a_result_survives_the_wire(id: str, value: object, strict: bool) -> None:
    assert ocppj.parse(ocppj.encode_result(id, payload(value)), strict) == Result(id, payload(value))


@settings(deadline=None)
@given(IDS, st.sampled_from(ocppj.ERROR_CODES), st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_an_error_survives_the_wire_with_its_description_cut(id: str, code: str, description: str) -> None:
    assert ocppj.parse(ocppj.encode_error(id, code, description)) == Error(id, code, description[:255], b"{}")


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60) | JSON.map(payload) | st.lists(JSON, max_size=6).map(payload), st.booleans())
def test_whatever_bytes_arrive_nothing_but_bad_frame_is_raised(frame: bytes, strict: bool) -> None:
    try:
        ocppj.parse(frame, strict)
    except BadFrame as err:
        assert err.code in ocppj.ERROR_CODES


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_frame_raises_nothing_but_bad_frame(data: st.DataObject) -> None:
    frame = bytearray(ocppj.encode_call("id-1", "StartTransaction", '{"idTag":"ä","meterStart":1.5}'.encode()))
    for place in data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=3)):
        frame[place] = data.draw(st.integers(0, 255))
    try:
        ocppj.parse(bytes(frame), data.draw(st.booleans()))
    except BadFrame as err:
        assert err.code in ocppj.ERROR_CODES


def test_the_payload_stays_the_bytes_that_arrived() -> None:
    frame = b' [ 2 , "a" , "DataTransfer" , { "vendorId" : "\\u0041" , "n": 1.0 } ] '
    assert ocppj.parse(frame) == Call("a", "DataTransfer", b'{ "vendorId" : "\\u0041" , "n": 1.0 }')


def test_null_is_the_other_notation_of_an_empty_payload() -> None:
    assert ocppj.parse(b'[2,"a","Heartbeat",null]') == Call("a", "Heartbeat", b"{}")
    assert ocppj.parse(b'[3,"a",null]') == Result("a", b"{}")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        b"null",
        b'"[2]"',
        b"[2]",
        b'[2,1,"Heartbeat",{}]',
        b'[2,null,"Heartbeat",{}]',
        b'["2","a","Heartbeat",{}]',
        b'[2.0,"a","Heartbeat",{}]',
        b'[02,"a","Heartbeat",{}]',
        b'[1,"a","Heartbeat",{}]',
        b'[5,"a","GenericError","",{}]',
        b'[6,"a","Heartbeat",{}]',
        b'[22,"a","Heartbeat",{}]',
        b'[2,"a","Heartbeat",{}',
        b'[2,"a","Heartbeat",{}]]',
        b'[2,"a","Heartbeat",{"a":NaN}]',
        b'[2,"a","Heartbeat",{"a":Infinity}]',
        b'[2,"a","Heartbeat",{"a":01}]',
        b'[2,"a","Heartbeat",{"a":1,}]',
        b'[2,"a","Heartbeat",{"a":"\xff"}]',
        b'[2,"\xff","Heartbeat",{}]',
        b'[2,"a","Heartbeat",{"a":"\xed\xa0\x80"}]',
        b'\xef\xbb\xbf[2,"a","Heartbeat",{}]',
    ],
)
def test_what_is_no_message_of_1_6_or_has_no_readable_id_is_ignored(frame: bytes) -> None:
    for strict in (False, True):
        error = bad(frame, strict)
        assert (error.id, error.settles) == (None, None)


@pytest.mark.parametrize(
    "frame",
    [
        b'[2,"a"]',
        b'[2,"a","Heartbeat"]',
        b'[2,"a","Heartbeat",{},{}]',
        b'[2,"a","",{}]',
        b'[2,"a",7,{}]',
        b'[2,"a",["Heartbeat"],{}]',
        b'[2,"a","Heartbeat",[]]',
        b'[2,"a","Heartbeat","{}"]',
        b'[2,"a","Heartbeat",0]',
    ],
)
def test_a_call_with_a_readable_id_but_a_wrong_frame_is_answered(frame: bytes) -> None:
    error = bad(frame)
    assert (error.id, error.code, error.settles) == ("a", "FormationViolation", None)


def test_an_id_of_more_than_36_characters_is_answered_under_that_id() -> None:
    assert isinstance(ocppj.parse(b'[2,"%b","Heartbeat",{}]' % (b"x" * 36)), Call)
    error = bad(b'[2,"%b","Heartbeat",{}]' % (b"x" * 37))
    assert (error.id, error.code) == ("x" * 37, "FormationViolation")


@pytest.mark.parametrize("frame", [b'[3,"a"]', b'[3,"a",[]]', b'[3,"a",{},{}]', b'[3,"a","x"]'])
def test_a_broken_answer_is_never_answered_but_its_call_has_failed(frame: bytes) -> None:
    error = bad(frame)
    assert (error.id, error.settles) == (None, "a")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'[4,"a"]', Error("a", "GenericError")),
        (b'[4,"a","NotSupported"]', Error("a", "NotSupported")),
        (b'[4,"a","NotSupported","no"]', Error("a", "NotSupported", "no")),
        (b'[4,"a",5,null,[]]', Error("a", "GenericError")),
        (b'[4,"a","X","y",{"z":1},1]', Error("a", "X", "y", b'{"z":1}')),
    ],
)
def test_short_and_sloppy_errors_still_fail_their_call(frame: bytes, expected: Error) -> None:
    assert ocppj.parse(frame) == expected


def test_codes_are_folded_to_the_spelling_of_1_6() -> None:
    assert ocppj.known_code("OccurrenceConstraintViolation") == "OccurenceConstraintViolation"
    assert ocppj.known_code("FormatViolation") == "FormationViolation"
    assert ocppj.known_code("RpcFrameworkError") == "GenericError"
    assert all(ocppj.known_code(code) == code for code in ocppj.ERROR_CODES)


def test_our_own_wrong_error_code_raises() -> None:
    with pytest.raises(ValueError):
        ocppj.encode_error("a", "FormatViolation")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_a_bad_frame(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"1}"
    middle = opening * 100_000 + closing[:-1] + closing[-1:] * 100_000
    for frame in (middle, b'[2,"a","Heartbeat",' + middle + b"]", b'[3,"a",' + middle + b"]"):
        for strict in (False, True):
            bad(frame, strict)


def test_the_same_key_twice_is_refused_when_strict() -> None:
    frame = b'[2,"a","DataTransfer",{"vendorId":"x","data":{"k":1,"k":2}}]'
    assert isinstance(ocppj.parse(frame), Call)
    assert (bad(frame, strict=True).id, bad(frame, strict=True).code) == ("a", "FormationViolation")
    answer = bad(b'[3,"a",{"k":1,"k":2}]', strict=True)
    assert (answer.id, answer.settles) == (None, "a")
