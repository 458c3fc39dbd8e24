"""The two dialects: what each answers to bad frames, how each spells its codes, which of them a handshake gets."""

from __future__ import annotations

import pytest

from sim.wire import ocppj
from sim.wire.dialect import DIALECTS, V16, V201, chosen, version_of
from sim.wire.payloads import v201
from sim.wire.schema import actions, judge
from sim.wire.variables import ADDRESSES, setting_at


@pytest.mark.parametrize(
    ("frame", "id", "code", "settles"),
    [
        (b"nonsense", "-1", "RpcFrameworkError", None),
        (b"{}", "-1", "RpcFrameworkError", None),
        (b"[2]", "-1", "RpcFrameworkError", None),
        (b'[2,5,"Heartbeat",{}]', "-1", "RpcFrameworkError", None),
        (b'[7,"x",{}]', "x", "MessageTypeNotSupported", None),
        (b'["2","x",{}]', "-1", "RpcFrameworkError", None),
        (b'[2,"x","Heartbeat"]', "x", "FormatViolation", None),
        (b'[2,"x","Heartbeat",[]]', "x", "FormatViolation", None),
        (b'[3,"x"]', None, "FormatViolation", "x"),
        (b"[3]", None, "GenericError", None),
        (b"[4]", None, "GenericError", None),
    ],
)
def test_bad_frames_in_2_0_1(frame: bytes, id: str | None, code: str, settles: str | None) -> None:
    with pytest.raises(ocppj.BadFrame) as bad:
        V201.parse(frame)
    assert (bad.value.id, bad.value.code, bad.value.settles) == (id, code, settles)
    with pytest.raises(ocppj.BadFrame) as old:
        V16.parse(frame)
    assert old.value.id == (id if code == "FormatViolation" else None)  # what nobody can read is ignored in 1.6


def test_good_frames_are_the_same_in_both() -> None:
    for frame in (b'[2,"a","Heartbeat",{}]', b'[3,"a",{}]', b'[4,"a","GenericError","",{}]'):
        assert V16.parse(frame) == V201.parse(frame)


def test_codes_are_written_as_the_version_spells_them() -> None:
    assert V16.error("x", "FormationViolation", "w") == b'[4,"x","FormationViolation","w",{}]'
    assert V201.error("x", "FormationViolation", "w") == b'[4,"x","FormatViolation","w",{}]'
    assert b"OccurrenceConstraintViolation" in V201.error("x", "OccurenceConstraintViolation", "")
    assert V201.known_code("OccurenceConstraintViolation") == "OccurrenceConstraintViolation"
    assert V201.known_code("FormatViolation") == "FormatViolation"
    assert V16.known_code("FormatViolation") == "FormationViolation"
    assert V201.known_code("Whatever") == "GenericError" == V16.known_code("RpcFrameworkError")
    with pytest.raises(ValueError, match="no error code"):
        V201.error("x", "Whatever", "")
    assert len(ocppj.ERROR_CODES_TWO) == len(ocppj.ERROR_CODES) + 2


def test_a_handshake_gets_the_first_offer_that_is_spoken() -> None:
    assert chosen(["ocpp2.1", "ocpp2.0.1", "ocpp1.6"]) is V201
    assert chosen(["ocpp1.6", "ocpp2.0.1"]) is V16
    assert chosen(["ocpp2.1"]) is None is chosen([])
    assert (version_of("ocpp2.0.1"), version_of("ocpp1.6"), version_of(None)) == ("2.0.1", "1.6", "1.6")


def test_every_struct_of_2_0_1_is_of_an_action_that_has_a_schema() -> None:
    assert set(v201.REQUESTS) == set(v201.RESPONSES) <= set(actions("2.0.1"))
    assert {dialect.version for dialect in DIALECTS.values()} == {"1.6", "2.0.1"}


def test_an_event_survives_the_way_there_and_back_and_fits_its_schema() -> None:
    event = v201.TransactionEvent(
        event_type="Started",
        timestamp="2026-06-10T10:00:00.000Z",
        trigger_reason="Authorized",
        seq_no=0,
        offline=False,
        transaction_info=v201.Transaction(transaction_id="t", charging_state="EVConnected"),
        evse=v201.EVSE(id=1, connector_id=1),
        id_token=v201.IdToken(id_token="TAG", type="ISO14443"),
    )
    raw = V201.encode(event)
    assert b'"offline":false' in raw and V201.judge_request("TransactionEvent", raw) is None
    assert V201.decode_request("TransactionEvent", raw) == event
    assert V201.judge_request("TransactionEvent", raw.replace(b"Authorized", b"Because")) is not None
    assert not V201.readable_response("TransactionEvent", b'{"idTokenInfo":{}}')
    assert V201.readable_response("TransactionEvent", b"{}")


def test_fields_with_capitals_in_a_row_keep_their_names() -> None:
    data = v201.OCSPRequestData(
        hash_algorithm="SHA256", issuer_name_hash="a", issuer_key_hash="b", serial_number="1", responder_url="u"
    )
    token = v201.IdToken(id_token="T", type="eMAID")
    raw = V201.encode(v201.Authorize(id_token=token, iso15118_certificate_hash_data=[data]))
    assert b'"responderURL":"u"' in raw and judge("2.0.1", "Authorize", "request", raw) is None


def test_settings_have_one_address_each_whatever_the_case() -> None:
    assert len({address.folded for address in ADDRESSES.values()}) == len(ADDRESSES)
    for name, address in ADDRESSES.items():
        assert setting_at(address.component.upper(), address.variable.lower(), address.instance or None) == name
    assert setting_at("OCPPCommCtrlr", "MessageAttempts", None) is None
    assert ADDRESSES["TransactionMessageAttempts"].text == "OCPPCommCtrlr.MessageAttempts[TransactionEvent]"
