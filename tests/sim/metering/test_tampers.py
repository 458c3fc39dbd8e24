"""The tamper catalogue: all 75 numbers are there, each way gets the verdict that is due, and a blind judge is caught."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sim.metering.history import History
from sim.metering.reasons import Kind, Reason
from sim.metering.registry import Registry
from sim.metering.tampers.catalogue import TAMPERS, USUAL, Outcome, play, station_tampers, tampered
from sim.metering.tampers.scene import Scene
from sim.wire import keys, ocmf


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [outcome for tamper in TAMPERS.values() for outcome in play(tamper)]


def test_all_numbers_of_the_catalogue_are_there_once() -> None:
    assert sorted(tamper.number for tamper in TAMPERS.values()) == list(range(1, 76))
    assert all(tamper.sentence and tamper.ways for tamper in TAMPERS.values())


def test_the_honest_session_is_billed_to_the_last_digit() -> None:
    judgement = Scene().case().judged()
    assert (judgement.verdict, judgement.signature, judgement.letters) == ("billable", "valid", "OK")
    assert str(judgement.energy_kwh) == "9.250" and judgement.time_billable and judgement.reasons == ()


def test_every_way_of_every_tampering_gets_the_verdict_that_is_due(outcomes: list[Outcome]) -> None:
    wrong = {
        f"{one.tamper.name}: due {one.way.due} {one.way.code}, given {one.judgement.letters} "
        f"for {[reason.code for reason in one.judgement.reasons]}"
        for one in outcomes
        if not one.right
    }
    assert not wrong and len(outcomes) > 120


def test_nothing_but_what_may_be_billed_is_billable(outcomes: list[Outcome]) -> None:
    for one in outcomes:
        held = any(reason.kind >= Kind.HOLD for reason in one.judgement.reasons)
        assert one.judgement.billable != held, one.tamper.name
        assert (one.judgement.energy_kwh is not None) == one.judgement.billable, one.tamper.name


def test_the_same_seed_makes_the_same_bytes() -> None:
    first, again, other = (
        [
            value.text
            for tamper in list(TAMPERS.values())[::4]
            for one in play(tamper, seed)
            for value in one.case.values
        ]
        for seed in (3, 3, 4)
    )
    assert first == again != other


def _right(names: set[str]) -> set[str]:
    return {name for name in names if all(one.right for one in play(TAMPERS[name]))}


def test_a_judge_that_does_not_look_at_signatures_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "judge", lambda key, message, signature: ())
    due = {name for name, tamper in TAMPERS.items() if "SIG" in tamper.due}
    assert len(due) == 15 and not _right(due)


def test_a_judge_without_memory_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(History, "replayed", lambda self, record, session: None)
    assert "replayed" not in _right({"replayed"})


def test_a_judge_that_trusts_the_key_that_came_along_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Registry.find
    forged = keys.public_key_hex(keys.private_key(b"\x01" * 32))

    def trusting(self: Registry, *args: object, **named: object) -> object:
        entry = found(self, *args, **named)  # type: ignore[arg-type]
        return entry if not hasattr(entry, "key") else Scene().registry(key=forged).entries[0]

    monkeypatch.setattr(Registry, "find", trusting)
    assert not _right({"late", "meter-swapped"})


def test_a_judge_that_forgets_the_flags_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(record: object) -> list[Reason]:
        return []

    monkeypatch.setattr("sim.metering.judge.record_reasons", blind)
    names = {"state-not-good", "energy-error", "identification-error", "page-context", "error-carried-forward"}
    assert _right(names) == set()


def test_a_station_can_do_those_that_happen_to_one_record() -> None:
    scene, known = Scene(), station_tampers()
    assert USUAL in known and len(known) == 37 and "replayed" not in known
    record = scene.end_record()
    assert tampered(USUAL, record, scene.key()) == ocmf.tamper(record)
    end, clock = scene.end, {"status": "R", "offset": 0}
    stations = [
        record,
        scene.record([scene.begin(), scene.middle(), end()], 4),
        scene.record([end(**clock)], 4, id_type="CENTRAL", id_tag="app-1"),
        scene.record([end(status="I")], 4, id_type="NONE", id_tag="", meter_vendor="", meter_model=""),
        scene.record([end(value=Decimal("0.000"))], 4, tariff_text="0.49/kWh", current="DC"),
    ]
    for name in known:
        for text in stations:
            assert tampered(name, text, scene.key()) != text, name


def test_a_record_without_what_is_to_be_changed_says_so() -> None:
    scene = Scene()
    bare = ocmf.seal('{"PG":"T1","RD":[{"TM":"2026-03-02T09:00:00,000+0000 S","RV":1}]}', scene.key())
    with pytest.raises(ValueError, match="nothing that fits"):
        tampered("unit-edited", bare, scene.key())
