"""Formats of other makes: what their meters sign verifies, one changed byte does not, and what is no record is malformed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from sim.metering.formats.read import FORMATS, Unsupported, read
from sim.wire import keys, ocmf
from sim.wire.ocmf_parse import Malformed
from tests.sim.metering import makers
from tests.sim.metering.makers import K192, P256

Maker = Callable[..., Any]
MAKES: list[tuple[str, str, Maker, int]] = [
    ("EDL40", K192, lambda key: makers.edl40(key).hex(), 1),
    ("EDL40", P256, lambda key: makers.edl40(key).hex().upper(), 1),
    ("EDL40", K192, lambda key: base64.b64encode(makers.edl40(key)).decode(), 1),
    ("ISA_EDL40", P256, lambda key: makers.isa(key).hex(), 1),
    ("EDL40_SIG", K192, makers.signed_value, 1),
    ("EDL40_SIG", P256, makers.signed_value, 1),
    ("EDL40_MENNEKES", K192, makers.mennekes, 2),
    ("EDL40_MENNEKES", P256, makers.mennekes, 2),
    ("ALFEN", K192, makers.alfen, 1),
    ("PCDF", P256, makers.pcdf, 1),
]


@pytest.mark.parametrize(("name", "curve", "make", "count"), MAKES)
def test_what_a_meter_signed_verifies_with_its_key_only(name: str, curve: str, make: Maker, count: int) -> None:
    key, other = makers.key_of(curve), makers.key_of(curve, b"\x08")
    records = read(make(key))
    assert [record.format for record in records] == [name] * count and name in FORMATS
    for record in records:
        assert ocmf.examine(record, makers.bare_key(key))[0] is None
        assert ocmf.examine(record, keys.public_key_hex(key))[0] is None
        assert ocmf.examine(record, makers.bare_key(other))[0] == "wrong-signature"
        if record.sent_key:
            assert keys.same_key(record.sent_key, makers.bare_key(key), record.algorithm)


def test_the_facts_of_each_format_are_read() -> None:
    (edl,) = read(makers.edl40(makers.key_of(K192)).hex())
    assert (edl.pagination, edl.meter_id, edl.id_tag) == ("T77", "0901454D480000112233", "TAG-1")
    assert (edl.readings[0].value, edl.readings[0].unit, edl.readings[0].offset) == (Decimal("9900.0"), "Wh", 60)
    assert edl.readings[0].at == makers.TIME * 1000
    newer = read(makers.edl40(makers.key_of(P256)).hex())[0]
    assert [reading.register for reading in newer.readings] == ["1-0:1.17.0*FF", "1-0:1.17.0*C8"]
    start, end = read(makers.isa(makers.key_of(P256)).hex())[0].readings
    assert (start.mark, start.value, end.mark, end.value) == ("B", Decimal("25000.0"), "E", Decimal("25700.0"))
    assert [reading.mark for reading in read(makers.isa(makers.key_of(P256), 0, 250_000).hex())[0].readings] == ["B"]
    assert [record.readings[0].mark for record in read(makers.mennekes(makers.key_of(K192)))] == ["B", "E"]
    (alfen,) = read(makers.alfen(makers.key_of(K192), 1))
    assert (alfen.readings[0].mark, alfen.readings[0].value, alfen.pagination) == ("E", Decimal(15762), "T17")
    (pcdf,) = read("\x02" + makers.pcdf(makers.key_of(P256)) + "\x03")
    assert [(one.mark, one.value) for one in pcdf.readings] == [("B", Decimal("0.000")), ("E", Decimal("3.276"))]


@pytest.mark.parametrize("changes", [{"BV": "0"}, {"SP": "0"}, {"SP": "3"}, {"BV": "x"}])
def test_flags_of_pcdf_make_a_good_signature_worth_nothing(changes: dict[str, str]) -> None:
    key = makers.key_of(P256)
    (record,) = read(makers.pcdf(key, **changes))
    assert ocmf.explain(record, makers.bare_key(key)) == "refused"


def test_one_other_digit_breaks_each_signature() -> None:
    key = makers.key_of(P256)
    spoiled = [
        (makers.pcdf(key).replace("0003.276", "0003.277"), P256),
        (makers.mennekes(makers.key_of(K192)).replace("<Value>99500", "<Value>99501"), K192),
        (
            makers.edl40(makers.key_of(K192))
            .hex()
            .replace("0000000000" + f"{99_000:06x}", "0000000000" + f"{99_001:06x}"),
            K192,
        ),
        (makers.isa(key).hex().replace(f"{257_000:08x}", f"{257_001:08x}"), P256),
    ]
    for text, curve in spoiled:
        public = makers.bare_key(makers.key_of(curve))
        assert ocmf.explain(read(text)[-1], public) == "wrong-signature"


def test_a_method_that_is_not_what_it_says_is_reported_and_no_more() -> None:
    key = makers.key_of(K192)
    (record,) = read(makers.signed_value(key, "${jndi:ldap://127.0.0.1/a}"))
    assert record.deviations == ("encodingMethod is not EDL",)
    assert ocmf.verify(record, makers.bare_key(key))
    declared = makers.signed_value(key).replace('encoding="UTF-8"', 'encoding="${jndi:ldap://127.0.0.1/a}"')
    assert ocmf.verify(read(declared)[0], makers.bare_key(key))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AP;",
        "AP;0;3;A;B;C;",
        "AP;7;3;" + makers.alfen(makers.key_of(K192))[7:],
        makers.alfen(makers.key_of(K192))[:-60],
        "128.8.0(SG:00)",
        makers.pcdf(makers.key_of(P256)).replace("(TV:1)", ""),
        makers.pcdf(makers.key_of(P256), RV="3.276*kWh"),
        makers.pcdf(makers.key_of(P256), ST="269902080000"),
        makers.pcdf(makers.key_of(P256)).replace("(TV:1)", "(TV:1)(TV:1)"),
        "<values/>",
        "<signedMeterValue/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><signedMeterValue>&x;</signedMeterValue>",
        "<Billing/>",
        makers.mennekes(makers.key_of(K192)).replace("<Value>99000", "<Value>many"),
        makers.mennekes(makers.key_of(K192)).replace("+01:00</Timestamp>", "</Timestamp>"),
        makers.signed_value(makers.key_of(K192))[:-40],
        "1b1b1b1b0101010",
        "1b1b1b1b01010101",
        makers.edl40(makers.key_of(K192)).hex()[:200],
        makers.edl40(makers.key_of(K192)).hex().replace("0100011100ff", "0100020800ff"),
        "1b1b1b1b01010101" + "7f" * 40 + "1b1b1b1b1a000000",
        makers.isa(makers.key_of(P256)).hex().replace("621e", "621f"),
    ],
)
def test_what_is_no_record_of_any_format_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        read(text)


def test_a_format_that_is_known_and_cannot_be_done_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        read('{"@context":"https://www.chargeit-mobility.com/contexts/charging-station-json-v0"}')
