"""How a station sends what its meter signed: as the OCA note says, and in other ways of the field (reference ocmf §2)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fleet.profile import load_profile
from fleet.rig import meters_of
from sim.clock import MINUTE
from sim.metering.documents import read_document
from sim.metering.judge import Judge
from sim.metering.registry import Entry, Registry
from sim.wire.keys import same_key
from sim.wire.ocmf_wrap import WAYS, open_value


def stop_of(bench: Any, **meter: Any) -> dict[str, Any]:
    """The StopTransaction of a session at a station whose meter is built so."""
    kind = load_profile("ac-duo")
    kind = msgspec.structs.replace(kind, meter=msgspec.structs.replace(kind.meter, **meter))
    b = bench(kind).boot().charge(energy_wh=2_000).run(30 * MINUTE)
    b.do("swipe", connector=1, token="TAG").run(30)
    payload: dict[str, Any] = b.payloads("StopTransaction")[-1]
    return payload | {"key": meters_of(b.config)[0]["public_key"]}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("records", ["single", "separate"])
def test_every_way_of_the_field_carries_a_session_that_can_be_billed(bench: Any, way: str, records: str) -> None:
    payload = stop_of(bench, transport=way, records=records, sends_key="EveryMeterValue")
    (sheet,) = read_document(msgspec.json.encode(payload).decode())
    sent = open_value(sheet.values[0].text).sent_key
    assert bool(sent) == (way == "oca")
    judge = Judge(Registry([Entry(meter="M-ST-1-1", key=payload["key"])]))
    judgement = judge.session(sheet.values, sheet.facts)
    assert (judgement.verdict, judgement.signature) == ("billable", "valid"), judgement.reasons
    assert judgement.energy_kwh is not None and 1.9 < judgement.energy_kwh < 2.1


@pytest.mark.parametrize(("often", "sent"), [("Never", 0), ("OncePerTransaction", 1), ("EveryMeterValue", 3)])
def test_the_key_goes_along_as_often_as_it_is_set(bench: Any, often: str, sent: int) -> None:
    payload = stop_of(bench, records="separate", sends_key=often)
    (sheet,) = read_document(msgspec.json.encode(payload).decode())
    keys = [open_value(value.text).sent_key for value in sheet.values]
    assert sum(map(bool, keys)) == sent <= len(keys)
    assert all(same_key(key, payload["key"]) for key in keys if key)
