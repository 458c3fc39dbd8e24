"""The judge: keys by meter, place and time, what goes on from the session before, persons, clocks and what the bill says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from sim.clock import DAY, HOUR, Instant
from sim.errors import BadInput
from sim.metering.history import History
from sim.metering.judge import Judge, Judgement, Value
from sim.metering.registry import Entry, Registry, read_registry
from sim.metering.rules import time_billable
from sim.metering.tampers.scene import BEGUN, METER, STATION, Scene
from sim.wire import keys, ocmf

SCENE = Scene(11)


def codes(judgement: Judgement) -> list[str]:
    return [reason.code for reason in judgement.reasons]


def judged(*texts: str, registry: Registry | None = None, **facts: Any) -> Judgement:
    told = texts or (SCENE.whole_record(),)
    judge = Judge(registry or SCENE.registry())
    return judge.session([Value(text) for text in told], SCENE.facts(**facts))


# -- keys -------------------------------------------------------------------------------------------------------------


def test_no_key_no_verdict_on_the_signature() -> None:
    judgement = Judge().session([Value(SCENE.whole_record())], SCENE.facts())
    assert (judgement.verdict, judgement.signature) == ("key-unknown", "unknown")


@pytest.mark.parametrize(
    ("changes", "facts", "code"),
    [
        ({"meter": "M-9"}, {}, "key-unregistered"),
        ({"station": "CS-9"}, {}, "key-elsewhere"),
        ({"connector": 2}, {}, "key-elsewhere"),
        ({"gateway": "GW-9"}, {}, "key-gateway"),
        ({"valid_to": BEGUN}, {}, "key-expired"),
        ({"valid_from": Instant(BEGUN + 1)}, {}, "key-expired"),
        ({"key": SCENE.public("X")}, {}, "wrong-signature"),
        ({"key": keys.public_key_hex(Scene(1, "ECDSA-secp384r1-SHA256").key())}, {}, "key-mismatch"),
        ({"key": "rubbish"}, {}, "bad-key"),
    ],
)
def test_the_key_is_the_registered_one_at_that_place_and_time(
    changes: dict[str, Any], facts: dict[str, Any], code: str
) -> None:
    judgement = judged(registry=Registry([replace(SCENE.registry().entries[0], **changes)]), **facts)
    assert code in codes(judgement) and not judgement.billable


def test_the_newest_entry_that_fits_is_taken() -> None:
    old, new = SCENE.registry().entries[0], replace(SCENE.registry().entries[0], key=SCENE.public("NEW"))
    assert judged(registry=Registry([new, old])).billable
    assert judged(registry=Registry([old, new])).verdict == "wrong-signature"


def test_a_gateway_that_signs_is_known_by_its_own_number_or_by_the_charging_point() -> None:
    text = SCENE.whole_record(meter_id="")
    entry = Entry(meter="", gateway=STATION, key=SCENE.public())
    assert judged(text, registry=Registry([entry])).billable
    entry = Entry(meter="", point=f"{STATION}*1", key=SCENE.public())
    assert judged(SCENE.whole_record(meter_id="", station_id=""), registry=Registry([entry])).verdict == "key-unknown"
    nameless = SCENE.resealed(text, lambda payload: payload.replace(f'"GS":"{STATION}",', ""))
    assert judged(nameless, registry=Registry([entry])).billable


REGISTRY = f"""
[models.One]
time_billing = "duration"

[[meters]]
meter = "{METER}"
station = "{STATION}"
connector = 1
model = "One"
key = "{SCENE.public()}"
valid_from = 2026-01-01
valid_to = "2034-01-01T00:00:00Z"
"""


def test_a_registry_is_a_file_and_its_models_say_what_their_clocks_are_good_for() -> None:
    entry = read_registry(REGISTRY, "meters.toml").entries[0]
    assert (entry.time_billing, entry.connector, entry.model) == ("duration", 1, "One")
    assert (
        entry.valid_from is not None and entry.valid_to is not None and entry.valid_to - entry.valid_from > 2900 * DAY
    )
    assert judged(registry=read_registry(REGISTRY, "x")).time_billable
    for text in (f"{METER} {SCENE.public()}  # from the plate", f'{{"{METER}":"{SCENE.public()}"}}'):
        assert judged(registry=read_registry(text, "x")).billable


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (METER, "", "entry 1"),
        ('key = "', 'key = "x', "key"),
        ("connector = 1", "connector = -1", "connector"),
        ("connector = 1", 'connector = 1\nalgorithm = "RSA"', "algorithm"),
        ("2034-01-01T00:00:00Z", "soon", "valid_to"),
        ('"duration"', '"always"', "time_billing"),
        ("connector = 1", "conector = 1", "conector"),
        ("[[meters]]", "[[meters", ""),
        (REGISTRY, "", "holds no key"),
        (REGISTRY, "a b c", "line 1"),
        (REGISTRY, "{", "JSON"),
        (REGISTRY, '{"a":1}', "a"),
        (REGISTRY, '{"meters":7}', "meters"),
        (REGISTRY, '{"meters":[7]}', "entry 1"),
    ],
)
def test_a_registry_that_cannot_be_used_is_named_by_file_and_place(old: str, new: str, place: str) -> None:
    with pytest.raises(BadInput) as found:
        read_registry(REGISTRY.replace(old, new), "meters.toml")
    assert "meters.toml" in str(found.value) and place in str(found.value)


# -- what was before --------------------------------------------------------------------------------------------------


def in_turn(*sessions: tuple[str, ...], registry: Registry | None = None) -> list[list[str]]:
    judge = Judge(registry or SCENE.registry(), History())
    facts = replace(SCENE.facts(), started=None, stopped=None, meter_start=None, id_tag="")
    return [
        codes(judge.session([Value(text) for text in texts], replace(facts, session=str(number))))
        for number, texts in enumerate(sessions)
    ]


def whole(page: int, start: str = "0", energy: str = "9.25", **changes: Any) -> str:
    begin = SCENE.begin(value=Decimal(1000) + Decimal(start), **changes)
    end = replace(SCENE.end(**changes), value=begin.value + Decimal(energy))
    return SCENE.record([begin, end], page)


def test_sessions_that_go_on_from_each_other_say_nothing() -> None:
    assert in_turn((whole(5),), (whole(6, "9.25"),), (whole(7, "18.5"),)) == [[], [], []]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (lambda: whole(8, "9.25"), ["page-gap-before"]),
        (lambda: whole(1, "9.25"), ["page-restart"]),
        (lambda: whole(6, "12"), ["register-jump"]),
        (lambda: whole(6, "2"), ["register-jump"]),
        (lambda: whole(5), ["replay", "page-restart", "register-jump"]),
        (
            lambda: ocmf.seal(
                ocmf.parse(whole(6, "9.25")).payload.replace(f'"GS":"{STATION}"', '"GS":"CS-2"'), SCENE.key()
            ),
            ["gateway-change"],
        ),
    ],
)
def test_what_does_not_go_on_is_told(second: Any, expected: list[str]) -> None:
    registry = SCENE.registry(station="", connector=0)
    first, told = in_turn((whole(5),), (second(),), registry=registry)
    assert (first, told) == ([], expected)


def test_a_clock_that_jumps_from_unsynchronised_to_synchronised_is_told() -> None:
    assert "clock-jump" in in_turn((whole(5, status="U"),), (whole(6, "9.25"),))[1]


def test_a_missing_end_after_a_power_loss_is_told_with_the_next_session() -> None:
    first, second = in_turn((SCENE.record([SCENE.begin(value=Decimal(1000))], 5),), (whole(6),))
    assert (first, second) == (["record-missing"], ["missing-end"])


def test_another_key_of_the_same_meter_is_told() -> None:
    later = Entry(meter=METER, key=SCENE.public("NEW"), valid_from=Instant(BEGUN + DAY))
    registry = SCENE.registry(later, valid_to=Instant(BEGUN + DAY))
    moved = {"at": Instant(BEGUN + 2 * DAY)}
    rows = [
        SCENE.begin(value=Decimal("1009.25"), **moved),
        SCENE.end(value=Decimal("1011"), at=Instant(BEGUN + 2 * DAY + HOUR)),
    ]
    assert in_turn((whole(5),), (SCENE.record(rows, 6, key=SCENE.key("NEW")),), registry=registry)[1] == ["key-change"]


# -- what else is known -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "code", "billable"),
    [
        ({"id_tag": "04a1b2c3d4e5f6"}, None, True),
        ({"id_tag": "OTHER"}, "other-person", False),
        ({"connector": 2}, "key-elsewhere", False),
        ({"meter_stop": 1_243_755}, None, True),
        ({"meter_stop": 1_300_000}, "raw-values", True),
        ({"power_w": 5_000}, "implausible", False),
        ({"displayed_kwh": Decimal("9.25")}, None, True),
        ({"displayed_kwh": Decimal("9.26")}, "other-display", False),
        ({"billed_kwh": Decimal("9.251")}, "other-bill", False),
        ({"started": Instant(BEGUN + HOUR)}, "other-time", False),
        ({"stopped": Instant(BEGUN + HOUR // 2)}, "other-time", False),
        ({"bills_time": True}, None, True),
    ],
)
def test_what_the_back_end_knows_is_held_against_what_is_signed(
    facts: dict[str, Any], code: str | None, billable: bool
) -> None:
    judgement = judged(**facts)
    assert judgement.billable == billable
    assert codes(judgement) == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("rule", "begin", "end", "flags", "billable"),
    [
        ("none", "S", "S", "", False),
        ("absolute", "S", "S", "", True),
        ("absolute", "S", "R", "", False),
        ("absolute", "S", "S", "t", False),
        ("duration", "S", "S", "", True),
        ("duration", "R", "R", "", True),
        ("duration", "U", "R", "", True),  # only the duration was measured, and lawfully
        ("duration", "I", "R", "", True),
        ("duration", "I", "S", "", False),
        ("duration", "I", "I", "", False),
        ("duration", "U", "R", "t", False),
    ],
)
def test_time_is_billed_by_the_rule_of_the_model_and_the_weakest_clock(
    rule: str, begin: str, end: str, flags: str, billable: bool
) -> None:
    rows = [SCENE.begin(status=begin), SCENE.end(status=end, error_flags=flags)]
    assert time_billable(rule, rows) == billable


def test_the_same_record_twice_in_one_session_is_one_record() -> None:
    text = SCENE.whole_record()
    judgement = judged(text, text, SCENE.resealed(text, str, encoding="base64"))
    assert judgement.billable and len(judgement.records) == 1


def test_an_event_without_a_value_is_no_reading_and_its_exception_counts() -> None:
    def with_event(mark: str) -> str:
        event = f'{{"TM":"2026-03-02T08:30:00,000+0000 S","TX":"{mark}","ST":"D"}},'
        return SCENE.resealed(
            SCENE.whole_record(), lambda text: text.replace('{"TM":"2026-03-02T09', event + '{"TM":"2026-03-02T09')
        )

    assert judged(with_event("C")).billable
    assert codes(judged(with_event("X"))).count("exception") == 1
