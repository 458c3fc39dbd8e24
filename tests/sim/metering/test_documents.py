"""What a file may hold: bare records, containers, frames and payloads of OCPP in all ways of the field."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from scenarios.checks.stops import signed_kwh
from sim.metering.container import Contained, in_one_session, read_container, write_container
from sim.metering.documents import read_document
from sim.metering.judge import Judge, Judgement
from sim.metering.tampers.catalogue import tampered
from sim.metering.tampers.scene import METER, STATION, TOKEN, Scene
from sim.wire.ocmf_parse import Malformed
from sim.wire.ocmf_wrap import WAYS, oca_key, open_value, wrap, wrap_as
from tests.sim.metering import makers
from tests.sim.metering.makers import K192

SCENE = Scene(9)
BEGIN, END, WHOLE = SCENE.begin_record(), SCENE.end_record(), SCENE.whole_record()
RAW = {"value": "1234500", "context": "Transaction.Begin", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}


def sampled(text: str, context: str, way: str = "oca") -> dict[str, str]:
    """A signed sampledValue of 1.6."""
    return {"value": wrap_as(way, text), "context": context, "format": "SignedData"}


def stop(way: str = "oca", **changes: Any) -> list[Any]:
    """A StopTransaction with both records."""
    data = [
        {"timestamp": "2026-03-02T08:00:00Z", "sampledValue": [RAW, sampled(BEGIN, "Transaction.Begin", way)]},
        {"timestamp": "2026-03-02T09:00:00Z", "sampledValue": [RAW, sampled(END, "Transaction.End", way)]},
    ]
    payload = {"transactionId": 4711, "idTag": TOKEN, "timestamp": "2026-03-02T09:00:00Z", "meterStop": 1_243_750}
    return [2, "a1", "StopTransaction", payload | {"transactionData": data} | changes]


STOP = json.dumps(stop())
STARTED = {"connectorId": 1, "idTag": TOKEN, "meterStart": 1_234_500, "timestamp": "2026-03-02T08:00:00Z"}


def event(kind: str = "Ended", texts: tuple[str, ...] = (BEGIN, END)) -> str:
    """A TransactionEvent of 2.0.1."""
    values = [
        {
            "value": 1_243_750,
            "signedMeterValue": {
                "signedMeterData": base64.b64encode(text.encode()).decode(),
                "signingMethod": "",
                "encodingMethod": "OCMF",
                "publicKey": oca_key(SCENE.public()),
            },
        }
        for text in texts
    ]
    payload = {
        "eventType": kind,
        "timestamp": "2026-03-02T09:00:00Z",
        "triggerReason": "StopAuthorized",
        "seqNo": 3,
        "transactionInfo": {"transactionId": "T-1"},
        "idToken": {"idToken": TOKEN, "type": "ISO14443"},
        "meterValue": [{"timestamp": "2026-03-02T09:00:00Z", "sampledValue": values}],
    }
    return json.dumps([2, "b1", "TransactionEvent", payload])


def container() -> str:
    """An XML container with begin and end."""
    return write_container(in_one_session([BEGIN, END], SCENE.public(), 1))


def judged(text: str) -> list[Judgement]:
    judge = Judge(SCENE.registry())
    return [judge.session(sheet.values, sheet.facts) for sheet in read_document(text)]


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        f"\n {WHOLE}\n",
        f"{BEGIN}\n{END}\n",
        *(wrap_as(way, WHOLE) for way in WAYS),
        container(),
        "\ufeff" + container(),
        write_container(in_one_session([WHOLE], SCENE.public(), 1)),
        STOP,
        *(json.dumps(stop(way)) for way in WAYS),
        json.dumps(stop()[3]),
        json.dumps([stop()]),
        event(),
        event("Started", (BEGIN,)) + "\n" + event("Ended", (END,)),
    ],
)
def test_an_honest_session_is_billed_in_whatever_it_comes(text: str) -> None:
    (judgement,) = judged(text)
    assert (judgement.verdict, judgement.signature) == ("billable", "valid"), judgement.reasons
    assert str(judgement.energy_kwh) == "9.250"


def test_frames_tell_the_facts_of_the_session() -> None:
    frames = [
        [2, "s1", "StartTransaction", STARTED],
        [3, "s1", {"transactionId": 4711, "idTagInfo": {"status": "Accepted"}}],
    ]
    frames += [[2, "m1", "MeterValues", {"connectorId": 1, "transactionId": 4711, "meterValue": [
        {"timestamp": "2026-03-02T08:00:01Z", "sampledValue": [sampled(BEGIN, "Transaction.Begin")]}]}]]  # fmt: skip
    ending = stop()
    ending[3]["transactionData"] = ending[3]["transactionData"][1:]
    text = "\n".join(json.dumps(frame) for frame in [*frames, ending])
    (sheet,) = read_document(text)
    facts = sheet.facts
    assert (facts.transaction, facts.id_tag, facts.meter_start, facts.meter_stop) == (
        "4711",
        TOKEN,
        1_234_500,
        1_243_750,
    )
    assert facts.started is not None and facts.stopped is not None and len(sheet.values) == 2
    (judgement,) = judged(text)
    assert judgement.verdict == "billable"


def test_a_stop_without_signed_values_is_a_session_that_must_not_be_billed() -> None:
    (judgement,) = judged(json.dumps(stop(transactionData=[])))
    assert (judgement.verdict, [reason.code for reason in judgement.reasons]) == ("not-billable", ["record-missing"])


def test_another_person_than_the_message_says_is_told() -> None:
    (judgement,) = judged(json.dumps(stop(idTag="SOMEBODY")))
    assert "other-person" in [reason.code for reason in judgement.reasons] and not judgement.billable


def test_several_sessions_are_told_apart() -> None:
    text = "\n".join([BEGIN, END, SCENE.whole_record(page=14)])
    assert len(judged(text)) == 2
    two = write_container([*in_one_session([BEGIN, END], "", 1), *in_one_session([SCENE.whole_record(page=14)], "", 2)])
    assert [len(sheet.values) for sheet in read_document(two)] == [2, 1]


def test_a_key_in_a_container_checks_the_signature_and_does_not_bill() -> None:
    (sheet,) = read_document(container())
    judgement = Judge().session(sheet.values, sheet.facts)
    assert (judgement.verdict, judgement.signature, judgement.billable) == ("key-unknown", "valid", False)


def test_begin_and_end_of_a_format_that_does_not_say_them_come_from_the_container() -> None:
    key = makers.key_of(K192)
    parts = [
        Contained(makers.edl40(key, value=value, pagination=page).hex(), makers.bare_key(key), "EDL_40_P", "7", context)
        for value, page, context in ((99_000, 77, "Transaction.Begin"), (99_500, 78, "Transaction.End"))
    ]
    (sheet,) = read_document(write_container(parts))
    judgement = Judge(trusted=makers.bare_key(key)).session(sheet.values, sheet.facts)
    assert (judgement.verdict, str(judgement.energy_kwh)) == ("billable", "0.0500")


def test_several_records_of_another_make_stand_one_on_each_line() -> None:
    key = makers.key_of(K192)
    text = "\n".join(makers.alfen(key, kind, value, page) for kind, value, page in ((0, 15_762, 17), (1, 16_000, 18)))
    (sheet,) = read_document(text)
    judgement = Judge(trusted=makers.bare_key(key)).session(sheet.values, sheet.facts)
    assert (judgement.verdict, str(judgement.energy_kwh)) == ("billable", "0.238")


@pytest.mark.parametrize(
    "coded", [lambda text: text.encode().hex(), lambda text: base64.b64encode(text.encode()).decode()]
)
def test_a_container_may_hold_its_records_in_hex_or_base64(coded: Any) -> None:
    (judgement,) = judged(
        write_container([Contained(coded(WHOLE), SCENE.public())]).replace("signedData", "encodedData")
    )
    assert judgement.verdict == "billable"


def test_a_container_of_another_format_nested_as_xml_is_read() -> None:
    inner = makers.signed_value(makers.key_of(K192)).split("?>")[1]
    (value,) = read_container(f'<values><value><signedData format="EDL_40_SIG">{inner}</signedData></value></values>')
    assert value.text.startswith("<signedMeterValue>")


def test_what_is_written_is_read_back_byte_for_byte() -> None:
    odd = SCENE.whole_record(tariff_text="a < b & \"c\" 'd' ü")
    (value,) = read_container(write_container(in_one_session([odd], SCENE.public(), 1)))
    assert (value.text, value.public_key, value.transaction) == (odd, SCENE.public(), "")
    assert write_container([]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "[]",
        "{}",
        "[2]",
        "[1,2,3",
        '[3,"x",{}]',
        "<values></values>",
        "<values>",
        "<!DOCTYPE values [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><values>&a;</values>",
        '{"a":1}\nnothing',
        "<" + "a" * 17_000_000,
    ],
    ids=range(12),
)
def test_documents_without_anything_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        read_document(text)


def test_the_key_that_came_along_is_handed_on() -> None:
    assert open_value(wrap(WHOLE, oca_key(SCENE.public()))).sent_key == oca_key(SCENE.public())
    assert METER in WHOLE and STATION in WHOLE


def test_the_checks_read_every_way_with_a_reader_of_their_own() -> None:
    for way in WAYS:
        assert str(signed_kwh([wrap_as(way, BEGIN), wrap_as(way, END)])) == "9.250"
    piped = tampered("pipe-in-text", END, SCENE.key())
    assert str(signed_kwh([wrap(BEGIN), wrap(piped)])) == "9.250"
