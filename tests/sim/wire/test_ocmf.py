"""Signed meter records: build, parse, verify over the exact bytes (OCMF 1.4.1), and their way through OCPP 1.6."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.clock import parse_iso
from sim.wire import keys, ocmf
from sim.wire.ocmf import Malformed, Reading

KEY = ocmf.private_key(b"\x01" * 32)
PUBLIC = ocmf.public_key_hex(KEY)
BRAINPOOL_512 = (
    ec.derive_private_key(7, ec.BrainpoolP512R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    .hex()
)
BEGIN = Reading(at=parse_iso("2019-06-12T07:00:00.000Z"), status="S", mark="B", value=ocmf.kwh(1_234_560), offset=120)
END = Reading(at=parse_iso("2019-06-12T09:30:00.007Z"), status="S", mark="E", value=ocmf.kwh(1_249_999), offset=120)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|"), max_size=20)
READINGS = st.builds(
    Reading,
    at=st.integers(0, 4_000_000_000_000),
    status=st.sampled_from("SRIU"),
    mark=st.sampled_from(["", "B", "C", "T", "S", "E", "L", "R", "A", "P", "X"]),
    value=st.integers(0, 10**12).map(ocmf.kwh),
    unit=st.sampled_from(["kWh", "Wh"]),
    register=st.sampled_from(["1-0:1.8.0", "01-00:B2.08.00*FF"]),
    state=st.sampled_from("GTDO"),
    error_flags=st.sampled_from(["", "E", "t", "Et"]),
    offset=st.integers(-14 * 60, 14 * 60),
)


def record(readings: tuple[Reading, ...] = (BEGIN, END), key: ocmf.PrivateKey = KEY, **more: Any) -> str:
    fields: dict[str, Any] = {"meter_id": "M-1", "station_id": "CS-1", "connector": 1, "pagination": 12}
    fields |= {"id_tag": "04A1B2C3", "id_type": "ISO14443"}
    return ocmf.build(readings=readings, key=key, **(fields | more))


def sealed(payload: str, **seal: Any) -> str:
    """A record around any payload text, signed for real."""
    signature = keys.sign(KEY, payload.encode("utf-8", "surrogatepass")).hex()
    return f"OCMF|{payload}|{json.dumps({'SD': signature} | seal)}"


def fields_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.split("|")[1])
    return found


def changed(**fields: Any) -> str:
    """A properly signed record whose payload has other fields; None leaves one out."""
    payload = {name: value for name, value in (fields_of(record()) | fields).items() if value is not None}
    return sealed(json.dumps(payload))


@settings(deadline=None)
@given(
    st.lists(READINGS, min_size=1, max_size=4).map(tuple),
    TEXT,
    TEXT,
    TEXT,
    st.integers(1, 10**6),
    st.sampled_from(ocmf.ID_TYPES),
    TEXT,
)
def test_what_is_built_is_read_and_verified(
    readings: tuple[Reading, ...], meter: str, station: str, tag: str, page: int, id_type: str, tariff: str
) -> None:
    text = record(
        readings,
        meter_id=meter,
        station_id=station,
        id_tag=tag,
        pagination=page,
        id_type=id_type,
        tariff_text=tariff,
        meter_vendor=tariff,
    )
    found = ocmf.parse(text)
    # A mark that is left out is "as before", so an unmarked reading behind a marked one cannot be told from it.
    marks = [one.mark for one in readings]
    carried = [next((mark for mark in reversed(marks[: n + 1]) if mark), "") for n in range(len(marks))]
    expected = [msgspec.structs.replace(one, mark=mark) for one, mark in zip(readings, carried, strict=True)]
    assert list(found.readings) == expected
    assert (found.meter_id, found.station_id, found.id_tag) == (meter, station, tag)
    assert (found.pagination, found.algorithm) == (f"T{page}", ocmf.DEFAULT_ALGORITHM)
    assert (found.text, found.deviations) == (text, ())
    assert ocmf.verify(found, PUBLIC)
    assert ocmf.unwrap(ocmf.wrap(text)) == text


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_other_character_in_the_payload_breaks_the_signature(data: st.DataObject) -> None:
    text = record()
    end = text.rindex("|")
    place = data.draw(st.integers(len("OCMF|"), end - 1))
    character = data.draw(
        st.characters(exclude_characters=text[place]) | st.sampled_from('0123456789BESTGkW ,.:"{}[]|')
    )
    if character == text[place]:
        return
    try:
        found = ocmf.parse(text[:place] + character + text[place + 1 :])
    except Malformed:
        return
    assert not ocmf.verify(found, PUBLIC)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60) | st.text(max_size=60).map(lambda text: "OCMF|" + text))
def test_any_text_is_read_or_malformed(text: str) -> None:
    for reader in (ocmf.parse, ocmf.unwrap):
        with contextlib.suppress(Malformed):
            reader(text)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_record_is_read_or_malformed_and_verify_never_raises(data: st.DataObject) -> None:
    text = record()
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    damaged = text[:start] + data.draw(st.text(max_size=5)) + text[data.draw(st.sampled_from([start, end])) :]
    try:
        found = ocmf.parse(damaged)
    except Malformed:
        return
    assert ocmf.verify(found, PUBLIC) in (True, False)
    assert len(ocmf.digest(found)) == 64


def test_the_same_readings_give_the_same_bytes() -> None:
    assert record() == record()


def test_the_text_is_what_the_format_wants() -> None:
    fields = fields_of(record())
    assert fields["FV"] == "1.0"
    assert (fields["CT"], fields["CI"]) == ("EVSEID", "CS-1*1")
    assert (fields["IS"], fields["IL"], fields["IF"], fields["IT"]) == (True, "HEARSAY", ["RFID_PLAIN"], "ISO14443")
    assert fields["RD"][0] == {
        "TM": "2019-06-12T09:00:00,000+0200 S",
        "TX": "B",
        "RV": 1234.560,
        "RI": "1-0:1.8.0",
        "RU": "kWh",
        "RT": "AC",
        "EF": "",
        "ST": "G",
    }
    assert '"RV":1234.560,' in record() and '"SA"' not in record()


def test_a_person_nobody_identified_is_not_assigned() -> None:
    fields = fields_of(record(id_type="NONE", id_tag=""))
    assert (fields["IS"], fields["IL"], fields["IF"]) == (False, "NONE", [])


def test_a_tariff_text_needs_version_1_1() -> None:
    fields = fields_of(record(tariff_text="0.49/kWh"))
    assert (fields["FV"], fields["TT"]) == ("1.1", "0.49/kWh")


def test_watt_hours_are_kept_exactly() -> None:
    assert str(ocmf.kwh(1)) == "0.001"
    assert str(ocmf.kwh(1_234_000)) == "1234.000"


@pytest.mark.parametrize(
    "wrong",
    [
        {"readings": ()},
        {"pagination": 0},
        {"id_type": "CARD"},
        {"id_tag": "a|b"},
        {"readings": (msgspec.structs.replace(BEGIN, status="X"),)},
        {"readings": (msgspec.structs.replace(BEGIN, value=Decimal("NaN")),)},
    ],
)
def test_what_no_meter_would_write_raises(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        record(**wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1249.999", "1249.9990"),
        ("1249.999", "1250.999"),
        ('"kWh"', '"Wh"'),
        (",007+0200 S", ",007+0200 I"),
        (",007+0200 S", ",008+0200 S"),
        ('"TX":"E"', '"TX":"B"'),
        ('"PG":"T12"', '"PG":"T13"'),
        ("04A1B2C3", "04A1B2C4"),
        ('"FV":"1.0"', '"FV" :"1.0"'),
        ("OCMF|{", "OCMF| {"),
        ("}|{", "}\n|{"),
        ('"kWh"', '"\\u006bWh"'),
    ],
)
def test_an_edit_that_can_still_be_read_is_a_wrong_signature(old: str, new: str) -> None:
    assert old in record()
    assert ocmf.explain(ocmf.parse(record().replace(old, new)), PUBLIC) == "wrong-signature"


def test_the_tampered_record_reads_higher_and_no_longer_verifies() -> None:
    for wh in (0, 999, 9_999, 1_249_999, 99_999_999, 123_456):
        text = record((BEGIN, msgspec.structs.replace(END, value=ocmf.kwh(wh))))
        forged = ocmf.parse(ocmf.tamper(text))
        assert len(ocmf.tamper(text)) == len(text)
        assert sum(a != b for a, b in zip(ocmf.tamper(text), text, strict=True)) == 1
        assert forged.readings[0] == BEGIN
        assert forged.readings[1].value != ocmf.kwh(wh)
        assert ocmf.explain(forged, PUBLIC) == "wrong-signature"
        assert forged.signature == ocmf.parse(text).signature
    assert ocmf.parse(ocmf.tamper(record())).readings[1].value == Decimal("1259.999")


def test_there_must_be_a_value_to_tamper_with() -> None:
    with pytest.raises(ValueError):
        ocmf.tamper("OCMF|{}|{}")


def test_white_space_is_kept_under_the_signature() -> None:
    pretty = json.dumps(fields_of(record()), indent=2)
    found = ocmf.parse("\n" + sealed(f"\r\n {pretty}\n") + " \n")
    assert found.payload == f"\r\n {pretty}\n"
    assert ocmf.verify(found, PUBLIC)
    assert [one.at for one in found.readings] == [BEGIN.at, END.at]


@pytest.mark.parametrize("raw", ["9.038", "       9.038", "9038e-3", "0009.038"])
def test_values_written_as_texts_are_read_exactly(raw: str) -> None:
    row = fields_of(record())["RD"][0] | {"RV": raw}
    found = ocmf.parse(changed(RD=[row]))
    assert found.readings[0].value == Decimal("9.038")
    assert found.deviations == ("value as text",)
    assert ocmf.verify(found, PUBLIC)


def test_values_keep_their_decimals() -> None:
    for written in ("2935.600", "2935.6", "1.606848e7", "7"):
        payload = record().split("|")[1].replace("1249.999", written)
        assert str(ocmf.parse(sealed(payload)).readings[1].value) == str(Decimal(written))


@pytest.mark.parametrize(
    ("written", "offset"),
    [
        ("2019-06-12T09:30:00.007+02:00 S", 120),
        ("2019-06-12T07:30:00,007Z S", 0),
        ("2019-06-12T07:30:00,0079+0000 S", 0),
        ("2019-06-12T00:30:00,007-0700  S", -420),
    ],
)
def test_other_spellings_of_a_time_are_read_and_reported(written: str, offset: int) -> None:
    rows = fields_of(record())["RD"]
    found = ocmf.parse(changed(RD=[rows[0], rows[1] | {"TM": written}]))
    assert found.readings[1].at == parse_iso("2019-06-12T07:30:00.007Z")
    assert found.readings[1].offset == offset
    assert found.deviations == () if written.endswith("  S") else ("spelling of a time",)


def test_a_time_without_a_status_is_unsynchronised() -> None:
    rows = fields_of(record())["RD"]
    found = ocmf.parse(changed(RD=[rows[0] | {"TM": "2019-06-12T09:00:00,000+0200"}]))
    assert found.readings[0].status == "U"


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset() -> None:
    rows = fields_of(record())["RD"]
    times = ["2019-10-27T02:30:00,000+0200 S", "2019-10-27T02:30:00,000+0100 S"]
    first, second = ocmf.parse(changed(RD=[rows[0] | {"TM": one} for one in times])).readings
    assert second.at - first.at == 3_600_000


def test_what_a_reading_leaves_out_is_as_before_flags_and_state_too() -> None:
    row = fields_of(record())["RD"][0] | {"EF": "E", "ST": "T"}
    found = ocmf.parse(changed(RD=[row, {"TX": "E", "RV": 1300}]))
    assert found.readings[1] == msgspec.structs.replace(
        found.readings[0], mark="E", value=Decimal(1300), error_flags="E", state="T"
    )


def test_fields_that_meters_leave_out_are_empty() -> None:
    found = ocmf.parse(changed(MS=None, GS=None, ID=None, PG=None))
    assert (found.meter_id, found.station_id, found.id_tag, found.pagination) == ("", "", "", "")
    assert ocmf.verify(found, PUBLIC)


def test_the_signature_section_may_say_the_usual_explicitly() -> None:
    payload = record().split("|")[1]
    signature = keys.sign(KEY, payload.encode())
    grouped = " ".join(signature.hex().upper()[n : n + 4] for n in range(0, 2 * len(signature), 4))
    for seal in (
        {"SA": "ECDSA-secp256r1-SHA256", "SE": "hex", "SM": "application/x-der"},
        {"SE": "base64", "SD": base64.b64encode(signature).decode()},
        {"SD": grouped, "U": "vendor"},
    ):
        assert ocmf.verify(ocmf.parse(sealed(payload, **seal)), PUBLIC)


def test_a_pipe_inside_a_text_is_read_and_reported() -> None:
    found = ocmf.parse(changed(TT="0.49|kWh"))
    assert found.deviations == ("pipe inside the payload",)
    assert ocmf.verify(found, PUBLIC)


def test_a_fourth_section_is_ignored_and_reported() -> None:
    found = ocmf.parse(record() + "|" + PUBLIC)
    assert found.deviations == ("fourth section",)
    assert ocmf.verify(found, PUBLIC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OCMF",
        "OCMF|",
        "OCMF|{}",
        "OCMF|{}|",
        "OCMF|{}|{}",
        "ocmf|" + record()[5:],
        "OCMA|" + record()[5:],
        "\ufeff" + record(),
        record()[: len(record()) // 2],
        record()[:-5],
        record() + "|a|b",
        record() + "x",
        "OCMF|[1]|{}",
        "OCMF|" + "[" * 5_000,
        "OCMF|" + '{"a":' * 5_000,
        "OCMF|" + "{" * 70_000,
        record().replace('"RV":1249.999', '"RV":1249.999,"RV":1'),
        record().replace("1249.999", "NaN"),
        record().replace("1249.999", "1e999999999999999999999999"),
        record().replace("1249.999", "1e9999"),
        record().replace("1249.999", "9" * 5_000),
        record().replace("1249.999", "true"),
        record().replace("1249.999", "null"),
        record().replace("1249.999", '"1,5"'),
        record().replace('"RV":1249.999,', ""),
        re.sub(r'"RD":\[.*\]', '"RD":[]', record()),
        re.sub(r'"RD":\[.*\]', '"RD":["x"]', record()),
        re.sub(r'"RD":\[.*\]', '"RD":7', record()),
        record().replace("2019-06-12T09", "2019-06-31T09"),
        record().replace("2019-06-12T09", "yesterday"),
        record().replace('"PG":"T12"', '"PG":12'),
        record().replace("04A1B2C3", "\\ud800"),
        record().replace("04A1B2C3", "\ud800"),
        sealed(record().split("|")[1], SD=""),
        sealed(record().split("|")[1], SD="xyz"),
        sealed(record().split("|")[1], SD=7),
        sealed(record().split("|")[1], SE="base32"),
        sealed(record().split("|")[1], SM="application/json"),
        sealed(record().split("|")[1], SA=7),
    ],
)
def test_what_cannot_be_read_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        ocmf.parse(text)


def test_the_reasons_why_a_signature_is_not_good_are_told_apart() -> None:
    payload = record().split("|")[1]
    good = ocmf.parse(record())
    assert ocmf.explain(good, PUBLIC) is None
    assert ocmf.explain(good, ocmf.public_key_hex(ocmf.private_key(b"\x02" * 32))) == "wrong-signature"
    assert ocmf.explain(good, "no key") == "bad-key"
    assert ocmf.explain(good, BRAINPOOL_512) == "bad-key"
    for claim in ("RSASSA-PKCS1-v1_5-SHA256", "ECDSA-secp521r1-SHA256", "", "ECDSA-secp256r1-SHA512"):
        assert ocmf.explain(ocmf.parse(sealed(payload, SA=claim)), PUBLIC) == "unknown-algorithm"
    cut = ocmf.parse(sealed(payload, SD="3045"))
    assert ocmf.explain(cut, PUBLIC) == "wrong-signature"


@pytest.mark.parametrize("another_curve", list(ocmf.ALGORITHMS)[1:])
def test_the_curve_is_that_of_the_key_and_not_what_the_record_claims(another_curve: str) -> None:
    key = ocmf.private_key(b"\x01" * 32, another_curve)
    text = record(key=key)
    public = ocmf.public_key_hex(key)
    assert f'"SA":"{another_curve}"' in text
    assert ocmf.verify(ocmf.parse(text), public)
    assert ocmf.explain(ocmf.parse(text), PUBLIC) == "key-mismatch"
    silent = text.replace(f'"SA":"{another_curve}",', "")
    assert ocmf.explain(ocmf.parse(silent), public) == "key-mismatch"
    assert ocmf.explain(ocmf.parse(record()), public) == "key-mismatch"


def test_the_spelling_of_the_brainpool_curves_does_not_matter() -> None:
    found = ocmf.parse(sealed(record().split("|")[1], SA="ECDSA-brainpoolP256r1-SHA256"))
    assert found.algorithm == "ECDSA-brainpool256r1-SHA256"
    assert found.deviations == ("spelling of the algorithm",)


def test_the_digest_is_that_of_the_signed_bytes_only() -> None:
    first = ocmf.parse(record())
    second = ocmf.parse(record() + "|" + PUBLIC)
    assert ocmf.digest(first) == ocmf.digest(second)
    assert ocmf.digest(first) != ocmf.digest(ocmf.parse(record(pagination=13)))


def test_the_wrapping_is_that_of_the_oca_note() -> None:
    outer = json.loads(ocmf.wrap(record()))
    assert list(outer) == ["signedMeterData", "signingMethod", "encodingMethod", "publicKey"]
    assert base64.b64decode(outer["signedMeterData"]).decode() == record()
    assert (outer["signingMethod"], outer["encodingMethod"], outer["publicKey"]) == ("", "OCMF", "")


def test_other_wrappings_of_the_field_are_opened() -> None:
    data = base64.b64encode(record().encode()).decode()
    assert ocmf.unwrap(record()) == record()
    assert ocmf.unwrap(json.dumps({"signedMeterValue": data})) == record()
    assert ocmf.unwrap(json.dumps({"signedMeterData": record()})) == record()
    assert ocmf.unwrap(" " + json.dumps({"signedMeterData": data[:50] + "\n" + data[50:]})) == record()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "7",
        "[]",
        "{}",
        "null",
        "NaN",
        '{"signedMeterData":7}',
        '{"signedMeterData":"***"}',
        '{"signedMeterData":"é"}',
        '{"signedMeterData":"/w=="}',
        "[" * 100_000,
        " " * 200_000,
        "3045",
    ],
)
def test_what_wraps_nothing_is_malformed(value: str) -> None:
    with pytest.raises(Malformed):
        ocmf.unwrap(value)
