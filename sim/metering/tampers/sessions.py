"""The part of the catalogue that needs more than one record: keys, registry, pairs, pages, persons, transport.

Only what is done; how it is judged is elsewhere. Source: reference ocmf §7, numbers 14 to 18, 21, 23, 24, 28, 35 to 45,
47, 50, 53 to 58 and 64 to 75.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from sim.clock import DAY, HOUR, MINUTE, Instant
from sim.metering.judge import Value
from sim.metering.registry import Registry
from sim.metering.tampers import edits
from sim.metering.tampers.scene import BEGUN, METER, OTHER_METER, PAGE, STATION, TRANSACTION, Case, Scene
from sim.wire.ocmf_wrap import oca_key, wrap, wrap_as

Making = Callable[[Scene], Case]
_P384, _BRAINPOOL, _K1 = (f"ECDSA-{name}-SHA256" for name in ("secp384r1", "brainpool256r1", "secp192k1"))


def swapped_wiring(scene: Scene) -> Case:
    """The registry has the keys of the two connectors the wrong way round."""
    entries = scene.registry().entries
    swapped = [replace(one, key=other.key) for one, other in zip(entries, reversed(entries), strict=True)]
    return scene.case(registry=Registry(swapped))


def forged_key_sent(scene: Scene) -> Case:
    """Both records are signed anew with a stranger's key, which is sent along as the meter's."""
    forger = edits.stranger(scene.key())
    texts = [edits.other_signer(text, scene.key()) for text in (scene.begin_record(), scene.end_record())]
    sent = oca_key(edits.public_key_hex(forger))
    return scene.case(values=tuple(Value(wrap(text, sent), transaction=TRANSACTION, wrapped=True) for text in texts))


def unregistered(scene: Scene) -> Case:
    """Nobody registered the meter."""
    return scene.case(registry=scene.registry(without=METER))


def expired(scene: Scene) -> Case:
    """The calibration of the meter ended before the session."""
    return scene.case(registry=scene.registry(valid_to=Instant(BEGUN - DAY)))


def meter_swapped(scene: Scene) -> Case:
    """The meter was exchanged since; the record of the old one comes late, and its key was kept."""
    newer = replace(scene.registry().entries[0], meter="M-NEW", valid_from=Instant(BEGUN + DAY))
    return scene.case(registry=scene.registry(newer, valid_to=Instant(BEGUN + DAY)))


def algorithm_removed(scene: Scene) -> Case:
    """A record of P-384 does not name its algorithm, and so claims the default."""
    other = Scene(curve=_P384)
    end = other.resealed(other.end_record(), str, claim="")
    return other.case(other.begin_record(), end)


def brainpool_spelled(scene: Scene) -> Case:
    """The algorithm in the spelling that meters write instead of that of the format."""
    other = Scene(curve=_BRAINPOOL)
    end = other.resealed(other.end_record(), str, claim="ECDSA-brainpoolP256r1-SHA256")
    return other.case(other.begin_record(), end)


def curve_not_built(scene: Scene) -> Case:
    """secp192k1 where the package for it is missing."""
    return Scene(curve=_K1).case(refused=(_K1,))


def mirrored_replay(scene: Scene) -> Case:
    """A record that came before, under the other one of its two signatures."""
    return _again(scene, edits.signature(edits.mirrored))


def hostile_key(scene: Scene) -> Case:
    """The registered key is a string that attacks readers."""
    return scene.case(registry=scene.registry(key=edits.HOSTILE))


def replayed(scene: Scene) -> Case:
    """The records of the session before, in this one."""
    return _again(scene, lambda text, key: text)


def _again(scene: Scene, change: edits.Tampering) -> Case:
    values, facts = scene.before()
    again = [change(value.text, scene.key()) for value in values]
    return scene.case(*again, facts=replace(facts, session="now", transaction=TRANSACTION))


def foreign_begin(scene: Scene) -> Case:
    """The begin of the session before with the end of this one."""
    return scene.case(scene.before()[0][0].text, scene.end_record(), before=())


def end_before_begin(scene: Scene) -> Case:
    """The record of the end has the earlier page."""
    return scene.case(scene.end_record(PAGE), scene.record([scene.begin()], PAGE + 1))


def two_begins(scene: Scene) -> Case:
    """A second begin."""
    return scene.case(scene.begin_record(), scene.record([scene.begin()], PAGE + 1), scene.end_record(PAGE + 2))


def no_end(scene: Scene) -> Case:
    """The end is missing."""
    return scene.case(scene.begin_record())


def register_falls(scene: Scene) -> Case:
    """The end is lower than the begin, and signed."""
    return scene.case(scene.begin_record(), edits.raised("-20")(scene.end_record(), scene.key()))


def time_falls(scene: Scene) -> Case:
    """The end is earlier than the begin, and signed."""
    return scene.case(scene.begin_record(), scene.record([scene.end(at=Instant(BEGUN - MINUTE))], PAGE + 1))


def page_gap(scene: Scene) -> Case:
    """A record in between was taken away."""
    return scene.case(scene.begin_record(), scene.end_record(PAGE + 2))


def page_gap_before(scene: Scene) -> Case:
    """Pages between two sessions are missing: a session that nobody knows of."""
    return scene.case(scene.record([scene.begin()], PAGE + 4), scene.end_record(PAGE + 5))


def page_restart(scene: Scene) -> Case:
    """The page counter began anew under the same serial number."""
    return scene.case(scene.record([scene.begin()], 1), scene.end_record(2))


def fiscal_page(scene: Scene) -> Case:
    """Readings of a transaction on a fiscal page."""
    end = edits.resigned('"PG":"T', '"PG":"F')(scene.end_record(), scene.key())
    return scene.case(scene.begin_record(), end)


def page_without_mark(scene: Scene) -> Case:
    """A page of a transaction without any reading of one."""
    end = edits.resigned('"TX":"E",', "")(scene.end_record(), scene.key())
    return scene.case(scene.begin_record(), end)


def serials_differ(scene: Scene) -> Case:
    """Begin and end name different gateways."""
    return scene.case(
        scene.begin_record(), edits.resigned('"GS":"[^"]*"', '"GS":"CS-0002"')(scene.end_record(), scene.key())
    )


def other_meter_named(scene: Scene) -> Case:
    """The records name the meter of the other connector."""
    return scene.case(
        scene.begin_record(meter_id=OTHER_METER), scene.end_record(meter_id=OTHER_METER), registry=scene.registry()
    )


def state_between(scene: Scene) -> Case:
    """A reading in between is not good."""
    middle = scene.record([scene.middle(state="T")], PAGE + 1)
    return scene.case(scene.begin_record(), middle, scene.end_record(PAGE + 2))


def error_carried(scene: Scene) -> Case:
    """The first reading has an energy error, the second leaves the flag out: it is as before."""
    whole = scene.record([scene.begin(error_flags="E"), scene.end()], PAGE)
    return scene.case(edits.resigned('"EF":"",', "")(whole, scene.key()))


def other_person(scene: Scene) -> Case:
    """The session was started with another card than the signed one."""
    return scene.case(facts=scene.facts(id_tag="04DEADBEEF"))


def clock_unsynchronised(letter: str) -> Making:
    """The clock was not synchronised at either end."""

    def make(scene: Scene) -> Case:
        rows = [scene.begin(status=letter), scene.end(status=letter)]
        return scene.case(*(scene.record([row], PAGE + number) for number, row in enumerate(rows)))

    return make


def billed_by_time(make: Making) -> Making:
    """The same, where the tariff has a price for time."""

    def dear(scene: Scene) -> Case:
        case = make(scene)
        return replace(case, facts=replace(case.facts, bills_time=True))

    return dear


def time_error(scene: Scene) -> Case:
    """The end is marked as faulty in time."""
    return scene.case(scene.begin_record(), edits.resigned('"EF":""', '"EF":"t"')(scene.end_record(), scene.key()))


def relative_begin(scene: Scene) -> Case:
    """The begin is in relative time, the end is not."""
    return scene.case(scene.record([scene.begin(status="R")], PAGE), scene.end_record())


def registers_differ(code: str) -> Making:
    """The end is of another register."""
    return lambda scene: scene.case(scene.begin_record(), scene.record([scene.end(register=code)], PAGE + 1))


def units_differ(strict: bool) -> Making:
    """The end is in Wh."""

    def make(scene: Scene) -> Case:
        end = scene.end()
        return scene.case(
            scene.begin_record(),
            scene.record([replace(end, value=end.value.scaleb(3), unit="Wh")], PAGE + 1),
            strict=strict,
        )

    return make


def only_seconds(scene: Scene) -> Case:
    """The only readings are in seconds."""
    rows = [scene.begin(unit="sec"), scene.end(unit="sec")]
    return scene.case(*(scene.record([row], PAGE + number) for number, row in enumerate(rows)))


def loss_at_begin(scene: Scene) -> Case:
    """The cumulated loss is not 0 at the begin."""
    rows = [scene.begin(loss=Decimal("0.100")), scene.end(loss=Decimal("0.150"))]
    return scene.case(*(scene.record([row], PAGE + number) for number, row in enumerate(rows)))


def meter_missing(scene: Scene) -> Case:
    """The records name the gateway that signs and no meter."""
    texts = [scene.begin_record(meter_id=""), scene.end_record(meter_id="")]
    return scene.case(*texts, registry=scene.registry(gateway=STATION), before=())


def raw_values_differ(scene: Scene) -> Case:
    """meterStop contradicts what is signed."""
    return scene.case(facts=scene.facts(meter_stop=1_299_000))


def other_ways(scene: Scene, way: str) -> Case:
    """The records are sent in another way than that of the note."""
    case = scene.case()
    wrapped = tuple(replace(value, text=wrap_as(way, value.text), wrapped=True) for value in case.values)
    return replace(case, values=wrapped)


def nothing_fits(scene: Scene) -> Case:
    """The signed value is neither a record nor anything around one."""
    case = scene.case()
    return replace(case, values=(case.values[0], Value('{"signedMeterData":7}', wrapped=True, transaction=TRANSACTION)))


def cut_at_2500(scene: Scene) -> Case:
    """A long record in the field of 2,500 characters that OCPP 2.0.1 has for it."""
    long = edits.extra_reading(json.dumps({"TM": "2026-03-02T09:00:00,000+0000 S", "RV": 1, "U": "x" * 2_000}))
    inside = json.loads(wrap(long(scene.end_record(), scene.key())))
    inside["signedMeterData"] = inside["signedMeterData"][:2_500]
    begin = scene.case().values[0]
    return scene.case(values=(begin, Value("", inside=inside, transaction=TRANSACTION)))


def no_values(scene: Scene) -> Case:
    """The StopTransaction carries no signed data."""
    return scene.case(values=())


def other_transaction(scene: Scene) -> Case:
    """A signed value came with the id of another transaction."""
    case = scene.case()
    return replace(case, values=(case.values[0], replace(case.values[1], transaction="9999")))


def late(scene: Scene) -> Case:
    """The records come a day late, in order, out of the queue of a station that was offline."""
    return scene.case()


def other_tariff(scene: Scene) -> Case:
    """The signed tariff text is not that of the bill."""
    texts = [make(tariff_text="0.49 EUR/kWh") for make in (scene.begin_record, scene.end_record)]
    return scene.case(*texts, facts=scene.facts(tariff_text="0.59 EUR/kWh"))


def clock_change(scene: Scene) -> Case:
    """The zone changes in the session: the local time falls, the instants do not."""
    rows = [scene.begin(offset=120), scene.end(offset=60)]
    return scene.case(*(scene.record([row], PAGE + number) for number, row in enumerate(rows)))


def power_failure(scene: Scene) -> Case:
    """The end was signed after the power came back."""
    return scene.case(scene.begin_record(), scene.record([scene.end(mark="P")], PAGE + 1))


def gateway_meters_swapped(scene: Scene) -> Case:
    """Two connectors behind one gateway that signs: the record names the meter of the other one."""
    key = scene.public()
    registry = Registry([replace(entry, key=key, gateway=STATION) for entry in scene.registry().entries])
    texts = [make(meter_id=OTHER_METER) for make in (scene.begin_record, scene.end_record)]
    return scene.case(*texts, registry=registry)


def implausible(energy: str, hours: int) -> Making:
    """Signed, and more than anybody can charge."""

    def make(scene: Scene) -> Case:
        end = scene.reading("E", hours * HOUR, Decimal(energy))
        facts = scene.facts(stopped=Instant(BEGUN + hours * HOUR), meter_start=None, meter_stop=None)
        return scene.case(scene.begin_record(), scene.record([end], PAGE + 1), facts=facts)

    return make
