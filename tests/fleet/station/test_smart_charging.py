"""Charging profiles: merged as OCPP says, kept over a reboot, and felt by the EV."""

from __future__ import annotations

from typing import Any

import pytest

START = "2019-06-12T06:00:10Z"


def profile(id: int, purpose: str, periods: dict[int, float], **more: Any) -> dict[str, Any]:
    """One profile; `periods` are start in s -> limit. Keys of the schedule may be given, too."""
    schedule: dict[str, Any] = {
        "chargingRateUnit": more.pop("unit", "A"),
        "chargingSchedulePeriod": [{"startPeriod": start, "limit": limit} for start, limit in periods.items()],
        "startSchedule": more.pop("start", START),
    }
    if "duration" in more:
        schedule["duration"] = more.pop("duration")
    return {
        "chargingProfileId": id,
        "stackLevel": more.pop("stack", 0),
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": more.pop("kind", "Absolute"),
        "chargingSchedule": schedule,
        **more,
    }


def install(b: Any, connector: int, row: dict[str, Any]) -> Any:
    answer = b.call("SetChargingProfile", connectorId=connector, csChargingProfiles=row)
    return answer["status"] if isinstance(answer, dict) else answer


def schedule(b: Any, duration: int, connector: int = 1, **more: Any) -> dict[int, float]:
    answer = b.call("GetCompositeSchedule", connectorId=connector, duration=duration, **more)
    rows = answer["chargingSchedule"]["chargingSchedulePeriod"]
    return {row["startPeriod"]: row["limit"] for row in rows}


def at(b: Any, seconds: float) -> Any:
    """Let time pass until this long after START, less what the question takes to arrive."""
    return b.run(10 + seconds - 0.05 - b.now / 1000 + 1560319200)


def test_a_lower_level_takes_over_when_the_higher_ones_duration_ends(bench: Any) -> None:
    """OCPP 1.6 §3.13, vector of TC_072_CS: stack 1 for 150 s over stack 0 for 400 s."""
    b = bench("ac-duo", connectors=(1,), max_power_w=22_080).boot()
    valid = {"validTo": "2019-06-12T06:06:51Z"}
    assert install(b, 1, profile(1, "TxDefaultProfile", {0: 6, 100: 8, 200: 10}, duration=400, **valid)) == "Accepted"
    row = profile(2, "TxDefaultProfile", {0: 7, 100: 9}, duration=150, stack=1, **valid)
    assert install(b, 1, row) == "Accepted"
    assert schedule(at(b, 0), 350) == {0: 7, 100: 9, 150: 8, 200: 10}


def test_a_profile_of_the_transaction_blocks_the_default_even_after_its_duration(bench: Any) -> None:
    """OCPP 1.6 §3.13, vector of TC_066_CS: maximum, default and transaction profile together."""
    b = bench("ac-duo", max_power_w=22_080).boot()
    b.do("plug", connector=1, visit_id="v", energy_wh=9_000, power_w=11_000, driver="driver:d").run(1)
    b.do("swipe", connector=1, token="TAG").run(2)
    valid = {"validTo": "2019-06-12T06:06:51Z"}
    install(b, 0, profile(1, "ChargePointMaxProfile", {0: 10}, duration=86_400))
    install(b, 1, profile(2, "TxDefaultProfile", {0: 6, 60: 10, 120: 8, 180: 15, 260: 8}, duration=300, **valid))
    row = profile(3, "TxProfile", {0: 8, 50: 11, 140: 16, 200: 6, 240: 12}, duration=260, **valid)
    assert install(b, 1, row) == "Accepted"
    assert schedule(at(b, 0), 400) == {0: 8, 50: 10, 200: 6, 240: 10}


@pytest.mark.parametrize(("unit", "limit"), [("A", 16), ("W", 11_040)])
def test_limits_are_told_in_the_unit_asked_for(bench: Any, unit: str, limit: int) -> None:
    b = bench("ac-duo", max_power_w=22_080).boot()
    install(b, 0, profile(1, "TxDefaultProfile", {0: 16}))
    assert schedule(at(b, 1), 60, chargingRateUnit=unit) == {0: limit}


def test_without_a_profile_the_hardware_is_the_limit(bench: Any) -> None:
    b = bench("ac-duo", max_power_w=11_040).boot()
    assert schedule(b, 60, chargingRateUnit="W") == {0: 11_040}


def test_a_limit_of_zero_suspends_the_charge_and_a_cleared_one_lets_it_go_on(bench: Any) -> None:
    """INV-28, MF-15: 0 A means SuspendedEVSE, and no energy at all."""
    b = bench("ac-duo").boot().charge()
    b.run(600)
    install(b, 0, profile(9, "ChargePointMaxProfile", {0: 0}))
    b.run(5)
    assert b.statuses()[-1] == "SuspendedEVSE"
    shown = b.rig.board.register(1, b.now)
    b.run(3600)
    assert b.rig.board.register(1, b.now) == shown
    assert b.call("ClearChargingProfile", id=9) == {"status": "Accepted"}
    b.run(600)
    assert b.statuses()[-1] == "Charging"
    assert b.rig.board.register(1, b.now) > shown


def test_the_power_follows_the_limit(bench: Any) -> None:
    """OCPP 1.6 §3.13: 10 A on three phases are 6,900 W; the EV would take 11 kW."""
    b = bench("ac-duo").boot()
    install(b, 0, profile(1, "TxDefaultProfile", {0: 10, 600: 6}))
    b.charge(energy_wh=20_000)
    assert b.rig.board.display(1)(b.now)[1] == 6_900
    b.run(600)
    assert b.rig.board.display(1)(b.now)[1] == 6 * 230 * 3


def test_less_than_six_ampere_cannot_be_offered(bench: Any) -> None:
    """IEC 61851-1: the least current that can be signalled is 6 A."""
    b = bench("ac-duo").boot()
    install(b, 0, profile(1, "TxDefaultProfile", {0: 5.9}))
    b.charge()
    assert b.rig.board.display(1)(b.now)[1] == 0
    assert b.statuses()[-1] == "SuspendedEVSE"


def test_the_maximum_of_the_station_is_shared_by_those_who_charge(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    install(b, 0, profile(1, "ChargePointMaxProfile", {0: 9_000}, unit="W"))
    b.charge(1)
    assert b.rig.board.display(1)(b.now)[1] == 9_000
    b.charge(2, token="OTHER")
    assert [b.rig.board.display(n)(b.now)[1] for n in (1, 2)] == [4_500, 4_500]


@pytest.mark.parametrize("event", ["reset", "power"])
def test_profiles_survive_reboot_and_power_loss(bench: Any, event: str) -> None:
    """OCPP 1.6 errata §3.37, MF-15."""
    b = bench("ac-duo").boot()
    install(b, 0, profile(1, "TxDefaultProfile", {0: 0}))
    if event == "reset":
        b.call("Reset", type="Soft")
    else:
        b.do("power-loss").run(5).do("power-restored")
    b.run(120).charge()
    assert b.statuses()[-1] == "SuspendedEVSE"


def test_a_station_of_weak_memory_forgets_them(bench: Any, world: Any) -> None:
    """Profiles of vendors differ in what a reboot leaves over."""
    memory = type(world.profile("ac-duo").memory)(volatile=("profiles",))
    b = bench("ac-duo", memory=memory).boot()
    install(b, 0, profile(1, "TxDefaultProfile", {0: 0}))
    b.call("Reset", type="Soft")
    b.run(120).charge()
    assert b.statuses()[-1] == "Charging"
    assert b.events("left-over-gone")


def test_a_transaction_profile_goes_with_its_transaction(bench: Any) -> None:
    b = bench("ac-duo").boot().charge()
    assert install(b, 1, profile(1, "TxProfile", {0: 10})) == "Accepted"
    b.do("unplug", connector=1).run(5)
    assert b.call("ClearChargingProfile") == {"status": "Unknown"}


@pytest.mark.parametrize(
    ("connector", "row", "answer"),
    [
        (1, profile(1, "TxProfile", {0: 10}), "Rejected"),  # no transaction runs
        (0, profile(1, "TxProfile", {0: 10}), "Rejected"),
        (1, profile(1, "ChargePointMaxProfile", {0: 10}), "Rejected"),
        (0, profile(1, "TxDefaultProfile", {0: 10}, stack=9), "Rejected"),
        (0, profile(1, "TxDefaultProfile", {5: 10}), "Rejected"),
        (0, profile(1, "TxDefaultProfile", {0: 10}, kind="Recurring"), "Rejected"),
        (0, profile(1, "TxDefaultProfile", dict.fromkeys(range(25), 6)), "Rejected"),
        (7, profile(1, "TxDefaultProfile", {0: 10}), "PropertyConstraintViolation"),
    ],
)
def test_what_cannot_stand_is_refused(bench: Any, connector: int, row: dict[str, Any], answer: str) -> None:
    """OCPP 1.6 §5.16."""
    b = bench("ac-duo").boot()
    assert install(b, connector, row) == answer


def test_the_same_id_or_level_replaces(bench: Any) -> None:
    b = bench("ac-duo", max_power_w=22_080).boot()
    install(b, 0, profile(1, "TxDefaultProfile", {0: 10}))
    install(b, 0, profile(2, "TxDefaultProfile", {0: 12}))
    assert schedule(at(b, 2), 60) == {0: 12}
    assert b.call("ClearChargingProfile", id=1) == {"status": "Unknown"}
    install(b, 0, profile(2, "TxDefaultProfile", {0: 14}, stack=3))
    assert b.call("ClearChargingProfile", stackLevel=0) == {"status": "Unknown"}
    assert b.call("ClearChargingProfile", chargingProfilePurpose="TxDefaultProfile") == {"status": "Accepted"}


def test_a_daily_profile_comes_back_every_day(bench: Any) -> None:
    b = bench("ac-duo", max_power_w=22_080).boot()
    row = profile(1, "TxDefaultProfile", {0: 10}, kind="Recurring", recurrencyKind="Daily", duration=3600)
    install(b, 0, row)
    assert schedule(at(b, 86_400 - 60), 120) == {0: 32, 60: 10}


def test_a_schedule_for_an_unknown_connector_is_refused(bench: Any) -> None:
    b = bench("ac-duo").boot()
    assert b.call("GetCompositeSchedule", connectorId=5, duration=60) == {"status": "Rejected"}
