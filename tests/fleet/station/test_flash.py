"""What survives a power loss: everything that matters, as plain data, and nothing by accident."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MINUTE = 60


def watch(b: Any) -> dict[str, str]:
    """What was written to flash, as text at the moment of writing."""
    written: dict[str, str] = {}
    store = b.rig._store

    def stored(effect: Any) -> None:
        if effect.value is None:
            written.pop(effect.key, None)
        else:
            written[effect.key] = json.dumps(effect.value, sort_keys=True)
        store(effect)

    b.rig._store = stored
    return written


def as_text(flash: dict[str, Any]) -> dict[str, str]:
    return {key: json.dumps(value, sort_keys=True) for key, value in flash.items()}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.sampled_from(["charge", "unplug", "cut", "offline", "online", "list", "key", "hold", "wait"]), max_size=15
    ),
    st.sampled_from(["ac-compact", "ac-duo", "ac-cloud"]),
)
def test_flash_holds_plain_data_that_nobody_changes_behind_its_back(
    bench: Any, doings: list[str], profile: str
) -> None:
    keys = {"StopTxnSampledData": "Voltage", "MeterValueSampleInterval": "60", "TariffChangeTimes": "06:10"}
    b = bench(profile, keys=keys)
    written = watch(b)
    b.boot()
    for doing in doings:
        if doing == "charge":
            b.charge(energy_wh=300)
        elif doing == "unplug":
            b.do("unplug", connector=1)
        elif doing in ("cut", "offline", "online"):
            b.refusing = doing == "offline"
            b.cut()
        elif b.link is not None and doing == "list":
            b.call("SendLocalList", listVersion=3, updateType="Full", localAuthorizationList=[])
        elif b.link is not None and doing == "key":
            b.call("ChangeConfiguration", key="ConnectionTimeOut", value="99")
        elif b.link is not None and doing == "hold":
            b.call("ChangeAvailability", connectorId=1, type="Inoperative")
        b.run(MINUTE)
        assert as_text(b.rig.flash) == written


@pytest.mark.parametrize("profile", ["ac-compact", "ac-duo", "ac-cloud"])
def test_a_station_built_from_flash_that_went_through_json_ends_what_was_open(bench: Any, profile: str) -> None:
    b = bench(profile).boot().charge(energy_wh=1100).run(30 * MINUTE)
    b.do("power-loss")
    b.rig.flash = json.loads(json.dumps(b.rig.flash))
    b.do("power-restored").run(3 * MINUTE)
    (stop,) = b.payloads("StopTransaction")
    assert (stop["reason"], stop["transactionId"]) == ("PowerLoss", 1001)
    marks = [reading.mark for _, record in b.records() for reading in record.readings]
    assert marks == ["B", "S", "C", "E"]
    assert not [key for key in b.rig.flash if key.startswith(("tx/", "outbox/"))]


def test_a_transaction_begun_offline_survives_with_its_start(bench: Any) -> None:
    """INV-03"""
    b = bench("ac-duo").boot().charge().do("unplug", connector=1).run(5)
    b.refusing = True
    b.cut().charge().run(60).do("power-loss").run(60)
    b.refusing = False
    b.do("power-restored").run(3 * MINUTE)
    assert b.actions("StartTransaction", "StopTransaction")[2:] == ["StartTransaction", "StopTransaction"]
    assert b.payloads("StopTransaction")[1]["transactionId"] == 1002
    assert b.payloads("StopTransaction")[1]["reason"] == "PowerLoss"


def test_numbers_of_transactions_and_boots_go_on(bench: Any) -> None:
    b = bench("ac-duo").boot().charge().do("power-loss").do("power-restored").run(2 * MINUTE)
    b.do("unplug", connector=1).run(5).charge()
    assert b.rig.flash["transactions"] == 2 and b.rig.flash["boots"] == 2


def test_power_that_fails_before_the_first_acceptance_leaves_nobody_charging(bench: Any) -> None:
    b = bench("ac-duo")
    b.refusing = True
    b.run(30).do("power-loss").do("power-restored").run(90).plug().do("swipe", connector=1, token="T").run(5)
    assert b.texts() == ["unavailable"]


def test_offline_after_a_power_loss_a_known_station_still_charges_listed_tokens(bench: Any) -> None:
    b = bench("ac-duo").boot()
    rows = [{"idTag": "TAG", "idTagInfo": {"status": "Accepted"}}]
    b.call("SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=rows)
    b.refusing = True
    b.do("power-loss").do("power-restored").run(90).charge()
    assert b.texts() == ["authorized", "charging"]
    b.refusing = False
    b.run(5 * MINUTE)
    assert b.actions("BootNotification", "StartTransaction")[1:] == ["BootNotification", "StartTransaction"]
