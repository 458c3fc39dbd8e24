"""Nothing that comes in raises: arbitrary bytes, and honest documents of every kind with something broken in them."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.metering.documents import read_document
from sim.metering.facts import SessionFacts
from sim.metering.history import History
from sim.metering.judge import Judge, Value
from sim.metering.reasons import VERDICTS
from sim.metering.tampers.scene import Scene
from sim.wire import ocmf_parse
from sim.wire.ocmf_parse import Malformed
from sim.wire.ocmf_wrap import WAYS, wrap_as
from tests.sim.metering import makers
from tests.sim.metering.makers import K192, P256
from tests.sim.metering.test_documents import STOP, container, event

SCENE = Scene(9)
WHOLE = SCENE.whole_record()
HONEST = [
    WHOLE,
    json.dumps(json.loads(WHOLE.split("|")[1]), indent=1).join(("OCMF|", "|" + WHOLE.split("|")[2])),
    *(wrap_as(way, WHOLE) for way in WAYS),
    makers.edl40(makers.key_of(K192)).hex(),
    makers.edl40(makers.key_of(P256)).hex(),
    makers.isa(makers.key_of(P256)).hex(),
    makers.signed_value(makers.key_of(K192)),
    makers.mennekes(makers.key_of(K192)),
    makers.alfen(makers.key_of(K192)),
    makers.pcdf(makers.key_of(P256)),
    container(),
    STOP,
    event(),
]
JUDGE = Judge(SCENE.registry(), History())
TRUSTING = Judge(trusted=SCENE.public())


def _judged(text: str) -> None:
    """A document and a bare value get a verdict, whatever they are."""
    for judge in (JUDGE, TRUSTING):
        assert (
            judge.session((Value(text, wrapped=True), Value(text)), SessionFacts(station="CS-0001")).verdict in VERDICTS
        )
    try:
        sheets = read_document(text)
    except Malformed:
        return
    for sheet in sheets:
        judgement = JUDGE.session(sheet.values, sheet.facts)
        assert judgement.verdict in VERDICTS and judgement.signature in ("valid", "invalid", "unknown")
        assert judgement.billable == (judgement.energy_kwh is not None)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_get_a_verdict(data: bytes) -> None:
    _judged(data.decode("utf-8", "surrogateescape"))
    _judged(data.hex())


@settings(deadline=None, max_examples=250)
@given(st.data())
def test_an_honest_document_with_something_broken_gets_a_verdict(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(HONEST))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from((0, 1, 1, 2, 8, 200))))
        new = data.draw(
            st.sampled_from(("", "0", "9", "ff", '"', "{", "}", "|", "null", "-", "\x00", "\ud800", "é", "e9"))
        )
        text = text[:start] + new + text[end:]
    _judged(text)


NUMBERS = st.one_of(st.integers(-(10**40), 10**40), st.sampled_from(["1e5", "-0", "0.10", "1E-7", "12.", "1e99999"]))


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(["FV", "GS", "MS", "PG", "IS", "IL", "IT", "ID", "TT", "CT", "CI", "LC", "U"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.text(max_size=6),
            st.lists(st.integers(), max_size=2),
            st.dictionaries(st.sampled_from(["LN", "LR", "LU", "x"]), st.integers() | st.text(max_size=3), max_size=3),
        ),
        max_size=6,
    ),
    st.sampled_from(["TM", "TX", "RV", "RI", "RU", "EF", "ST", "CL"]),
    st.one_of(st.none(), st.booleans(), st.text(max_size=5), st.integers(), st.lists(st.none(), max_size=1)),
)
def test_any_field_of_any_type_gets_a_verdict(fields: dict[str, object], name: str, value: object) -> None:
    def spoiled(payload: str) -> str:
        known = json.loads(payload) | fields
        known["RD"][1][name] = value
        return json.dumps(known)

    text = SCENE.resealed(WHOLE, spoiled)
    for judge in (JUDGE, TRUSTING):
        assert judge.session((Value(text),), SCENE.facts()).verdict in VERDICTS


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_the_faster_way_through_the_reader_sees_the_same(data: st.DataObject) -> None:
    """Nearly all records take it; what it takes, the careful way reads alike."""
    text = data.draw(
        st.sampled_from((WHOLE, SCENE.begin_record(encoding="base64"), SCENE.end_record(tariff_text="a:b")))
    )
    if data.draw(st.booleans()):
        text = text.replace('"RV":1243.750', f'"RV":{data.draw(NUMBERS)}')
    if data.draw(st.booleans()):
        start = data.draw(st.integers(len("OCMF|"), len(text)))
        new = data.draw(
            st.sampled_from(('"RV":1,', '"a":{"b":1},', ":", " ", "\t", "\n", '"', "\\u0041", '"x" :1,', "[]", "9"))
        )
        text = text[:start] + new + text[start:]
    usual = ocmf_parse._usual_sections(text)
    if usual is None:
        return
    payload, fields, seal = usual
    careful, known, after = ocmf_parse._payload(text)
    assert (payload, fields) == (careful, known)
    assert repr(fields) == repr(known)
    assert (seal, "") == ocmf_parse._seal(text, after, payload, [])
