"""Pseudonyms: the same everywhere, never the original, everything else untouched."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.evidence.pseudonyms import Pseudonyms
from sim.wire import ocmf
from sim.wire.schema import judge

KEY = ocmf.private_key(b"1" * 32, ocmf.DEFAULT_ALGORITHM)
TOKEN = "04AB12CD34EF56"


def frame(action: str, payload: object) -> str:
    return json.dumps([2, "m-1", action, payload])


def signed(token: str, id_type: str = "ISO14443") -> str:
    reading = ocmf.Reading(at=1_560_319_200_000, status="S", mark="B", value=Decimal("1.5"))  # type: ignore[arg-type]
    return ocmf.build(
        meter_id="M1",
        station_id="CA-1",
        connector=1,
        pagination=1,
        id_tag=token,
        id_type=id_type,
        readings=[reading],
        key=KEY,
    )


def test_a_token_is_one_pseudonym_in_all_fields_both_ways_and_for_both_cases() -> None:
    names = Pseudonyms(b"k")
    told = names.frame(frame("Authorize", {"idTag": TOKEN}))
    other = names.frame(json.dumps([3, "m-1", {"idTagInfo": {"status": "Accepted", "parentIdTag": TOKEN.lower()}}]))
    new = json.loads(told)[3]["idTag"]
    assert json.loads(other)[2]["idTagInfo"]["parentIdTag"] == new.lower() != new
    assert len(new) == 20
    assert judge("1.6", "Authorize", "request", json.dumps(json.loads(told)[3]).encode()) is None
    assert names.count == 1
    assert names.frame(told) != told, "a pseudonym is a token like any other"


def test_another_key_gives_other_pseudonyms_and_the_same_key_the_same() -> None:
    assert Pseudonyms(b"k").of(TOKEN) == Pseudonyms(b"k").of(TOKEN) != Pseudonyms(b"j").of(TOKEN)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("+47 912 34 567", "+999"),
        ("004791234567", "+999"),
        ("NOABCC123456789", "ZZPSNC"),
        ("NO-ABC-C12345678-9", "ZZPSNC"),
    ],
)
def test_mobile_numbers_and_emaids_stay_what_they_are_within_twenty_characters(value: str, form: str) -> None:
    names = Pseudonyms(b"k")
    told = names.frame(frame("DataTransfer", {"vendorId": "V", "data": f"start for {value}, please"}))
    assert value not in told
    assert form in told
    assert len(names.of(value)) <= 20
    assert names.of(value) in told


def test_what_is_no_person_stays_byte_for_byte() -> None:
    names = Pseudonyms(b"k")
    names.of(TOKEN)
    text = (
        '[2, "6f1d2f0e-0000-4f3a-9c55-001122334455","MeterValues",{"connectorId":1,"transactionId":7,"meterValue":'
        '[{"timestamp":"2019-06-12T06:00:00+10:00","sampledValue":[{"value":"21.40","unit":"Wh"}]}]}]'
    )
    assert names.frame(text) == text
    names.of("NO-ABC-C12345678-9")
    place = "/ocpp/NO*ABC*E12345*1"
    assert names.path(place) == place
    assert names.text("at NO*ABC*E12345*1") == "at NO*ABC*E12345*1"
    listed = ",".join(["Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage"])
    setting = frame("ChangeConfiguration", {"key": "MeterValuesSampledData", "value": listed})
    assert names.frame(setting) == setting
    boot = frame("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M-CNX", "meterType": "Energy"})
    assert names.frame(boot) == boot


def test_a_token_is_found_in_words_of_an_error_in_nested_documents_and_as_a_number() -> None:
    names = Pseudonyms(b"k")
    names.frame(frame("Authorize", {"idTag": TOKEN}))
    told = names.frame(json.dumps([4, "m-1", "GenericError", f"no token={TOKEN.lower()}!", {}]))
    told += names.frame(frame("DataTransfer", {"vendorId": "V", "data": json.dumps({"a": {"idToken": "CARD-77"}})}))
    told += names.frame(frame("Authorize", {"idTag": 123456789}))
    for original in (TOKEN, TOKEN.lower(), "CARD-77", "123456789"):
        assert original not in told


@given(
    st.text("qZ7ø-_.*: |", min_size=4, max_size=20).filter(lambda one: "qZ" in one and one == one.strip()),
    st.text(" .,;:!-_=()/*", max_size=4),
    st.text(" .,;:!-_=()/*", max_size=4),
)
def test_no_token_is_left_in_any_text_behind_the_field_that_named_it(token: str, before: str, behind: str) -> None:
    names = Pseudonyms(b"k")
    told = [names.frame(frame("Authorize", {"idTag": token}))]
    for one in (token, token.upper(), token.lower()):
        told.append(
            names.frame(frame("DataTransfer", {"vendorId": "V", "data": f"the{before or ' '}{one}{behind or ' '}end"}))
        )
        told.append(
            names.frame(frame("DataTransfer", {"vendorId": "V", "data": json.dumps({"text": one, "n": [one]})}))
        )
        told.append(names.text(f"closed for {before or ' '}{one}"))
    for one in told:
        assert token.casefold() not in json.dumps(one, ensure_ascii=False).casefold()
        assert token.casefold() not in one.casefold()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["idTag", "value", "signedMeterData", "x", "password"]), inner, max_size=3)
    ),
)


def shape(document: Any) -> Any:
    """Keys and kinds without the values."""
    match document:
        case dict():
            return {key: shape(value) for key, value in document.items()}
        case list():
            return [shape(one) for one in document]
    return "number" if type(document) in (int, float) else type(document)


@given(JSON.map(json.dumps) | st.text() | st.text('{}[]",:\\u0d8 12e+OCMF|'))
def test_no_frame_whatever_it_holds_stops_a_recording(text: str) -> None:
    names = Pseudonyms(b"k")
    told = names.frame(text)
    if not told.startswith("(left out"):
        assert shape(json.loads(told)) == shape(json.loads(text))
    for one in (names.text(text), names.path(text), names.authorization(text, "CA-1")):
        assert isinstance(one, str)


def test_two_dot_tokens_are_replaced_and_their_type_is_not() -> None:
    told = Pseudonyms(b"k").frame(frame("Authorize", {"idToken": {"idToken": "abc-1", "type": "Central"}}))
    assert json.loads(told)[3]["idToken"]["type"] == "Central"
    assert "abc-1" not in told


@pytest.mark.parametrize("form", ["wrapped", "bare", "base64"])
def test_the_id_in_a_signed_record_is_replaced_and_the_record_is_counted_as_no_longer_verifiable(form: str) -> None:
    record = signed(TOKEN)
    value = {"wrapped": ocmf.wrap(record), "bare": record, "base64": base64.b64encode(record.encode()).decode()}[form]
    names = Pseudonyms(b"k")
    sample = {"value": value, "format": "SignedData"}
    told = names.frame(frame("StopTransaction", {"idTag": TOKEN, "transactionData": [{"sampledValue": [sample]}]}))
    payload = json.loads(told)[3]
    new = payload["transactionData"][0]["sampledValue"][0]["value"]
    if form == "base64":
        new = base64.b64decode(new).decode()
    read = ocmf.parse(ocmf.unwrap(new))
    assert read.id_tag == payload["idTag"] != TOKEN
    assert read.readings == ocmf.parse(record).readings
    assert names.signed == 1
    assert not ocmf.verify(read, ocmf.public_key_hex(KEY))
    assert ocmf.verify(ocmf.parse(record), ocmf.public_key_hex(KEY))


def test_signed_data_and_frames_that_cannot_be_read_are_left_out_and_counted() -> None:
    names = Pseudonyms(b"k")
    sealed = base64.b64encode(b"SML" + TOKEN.encode() * 5).decode()
    told = names.frame(frame("MeterValues", {"sampledValue": [{"value": sealed}, {"value": "12.5"}]}))
    assert sealed not in told
    assert '"12.5"' in told
    assert TOKEN not in names.frame(f'[2,"1","Authorize",{{"idTag":"{TOKEN}"')
    assert names.left_out == 2


def test_passwords_are_replaced_in_headers_paths_and_configuration() -> None:
    names = Pseudonyms(b"k")
    header = "Basic " + base64.b64encode(b"CA-1:hunter2hunter2").decode()
    told = names.authorization(header, "CA-1")
    user, _, password = base64.b64decode(told.removeprefix("Basic ")).decode().partition(":")
    assert user == "CA-1"
    assert password == names.of("hunter2hunter2") != "hunter2hunter2"
    assert "s3cret" not in names.authorization("Bearer s3cret", "CA-1")
    assert "s3cret" not in names.path("/ocpp/CA-1?key=s3cret")
    assert names.path("/ocpp/CA-1") == "/ocpp/CA-1"
    one = names.frame(frame("ChangeConfiguration", {"key": "AuthorizationKey", "value": "0011223344556677"}))
    variable = {"attributeValue": "pass-word-1", "variable": {"name": "BasicAuthPassword"}}
    two = names.frame(frame("SetVariables", {"setVariableData": [variable]}))
    assert "0011223344556677" not in one
    assert "pass-word-1" not in two
